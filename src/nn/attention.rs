//! Attention of a decoder's outputs over an encoder's states (Luong et al. 2015): c_t = Σ_τ a_tτ·k_τ, õ_t = tanh(W[c_t; o_t]).

use serde::{Deserialize, Serialize};

use crate::graph::{GraphError, Value};
use crate::ops::additive_score::additive_score;
use crate::ops::concat::concat;
use crate::ops::matmul::{Stored, matmul_stored};
use crate::ops::softmax::masked_softmax;
use crate::ops::tanh::tanh;

use super::{Init, Linear, Parameter, Parameters, Scope};

/// How the decoder looks at the source sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttentionKind {
    /// It sees the encoder's last state only (Sutskever et al. 2014).
    None,
    /// Dot product of the decoder's and the encoder's states (Luong et al. 2015).
    Dot,
    /// A small network on both states, vᵀ·tanh(W_q·o + W_k·k) (Bahdanau et al. 2015).
    Additive,
}

/// The additive score's parameters: query and key [H, H], score [1, H], without biases.
#[derive(Clone, Debug)]
struct Score {
    query: Linear,
    key: Linear,
    score: Parameter,
}

/// `NAME.combine` (2·H to H), and for the additive score `NAME.query`, `NAME.key` and `NAME.score`.
#[derive(Clone, Debug)]
pub struct Attention {
    additive: Option<Score>,
    combine: Linear,
}

impl Attention {
    pub fn new(parameters: &mut Parameters, name: &str, additive: bool, hidden: usize) -> Self {
        let additive = additive.then(|| Score {
            query: Linear::new(parameters, &format!("{name}.query"), hidden, hidden, false),
            key: Linear::new(parameters, &format!("{name}.key"), hidden, hidden, false),
            score: parameters.add(
                format!("{name}.score.weight"),
                &[1, hidden],
                Init::Uniform(1.0 / (hidden as f32).sqrt()),
            ),
        });
        Self { additive, combine: Linear::new(parameters, &format!("{name}.combine"), 2 * hidden, hidden, true) }
    }

    /// What the score needs of the encoder's states [S, B, H], computed once a sentence.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn keys(&self, scope: &mut Scope, states: Value) -> Result<Value, GraphError> {
        self.additive.as_ref().map_or(Ok(states), |additive| additive.key.forward(scope, states))
    }

    /// õ [T, B, H] for the decoder's outputs [T, B, H]. Source positions past `lengths` `[B]` are masked.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn forward(
        &self,
        scope: &mut Scope,
        outputs: Value,
        [states, keys, lengths]: [Value; 3],
    ) -> Result<Value, GraphError> {
        let time_major = Stored::TIME_MAJOR;
        let scores = match &self.additive {
            None => matmul_stored(scope.graph, (outputs, time_major), (keys, time_major.flipped()), Stored::PLAIN)?,
            Some(additive) => {
                let queries = additive.query.forward(scope, outputs)?;
                let score = scope.parameter(&additive.score)?;
                let score = scope.graph.reshape(score, &[additive.score.len()])?;
                additive_score(scope.graph, queries, keys, score)?
            }
        };
        let weights = masked_softmax(scope.graph, scores, lengths)?;
        let context = matmul_stored(scope.graph, (weights, Stored::PLAIN), (states, time_major), time_major)?;
        let joined = concat(scope.graph, context, outputs)?;
        let shape = scope.graph.shape(outputs).to_vec();
        let joined = crate::ops::reshape_rows(scope.graph, joined)?;
        let combined = self.combine.forward(scope, joined)?;
        let combined = tanh(scope.graph, combined)?;
        scope.graph.reshape(combined, &shape)
    }
}
