//! Attention of a recurrent decoder over an encoder's states: c = Σ_s a_s·k_s with a = softmax_s score(q, k_s).

use serde::{Deserialize, Serialize};

use crate::graph::{GraphError, Value};
use crate::ops::additive_score::additive_score;
use crate::ops::matmul::{Stored, matmul_stored};
use crate::ops::normalize::normalize;
use crate::ops::softmax::masked_softmax;

use super::{Init, Linear, Parameter, Parameters, Scope};

/// How the decoder looks at the source sentence: the score, and where query and context are wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttentionKind {
    /// It sees the encoder's last state only (Sutskever et al. 2014).
    None,
    /// q·k. The query is the decoder's output o, the projection reads tanh(W·[c; o]) (Luong et al. 2015).
    Dot,
    /// q·(W·k), wired as `Dot` (Luong et al. 2015).
    General,
    /// vᵀ·tanh(W_q·q + W_k·k). The query is the state before the step, which reads [c; embedding] (Bahdanau et al.
    /// 2015).
    Additive,
    /// q·k/(‖q‖·‖k‖). The query is the state before the step, which reads Linear([c; embedding]).
    CosineConcat,
    /// The cosine too; the context takes the place of the state, its own query, before the step. An LSTM's cell is
    /// attended apart.
    CosineReplace,
}

impl AttentionKind {
    /// Whether a step's input or state depends on the attention, so that time steps cannot be computed side by side.
    pub fn feeds_the_step(self) -> bool {
        matches!(self, Self::Additive | Self::CosineConcat | Self::CosineReplace)
    }
}

/// The parameters of a score, without biases.
#[derive(Clone, Debug)]
enum Score {
    Dot,
    Cosine,
    /// `NAME.key` [H, H].
    General(Linear),
    /// `NAME.query` and `NAME.key` [H, H], `NAME.score` [1, H].
    Additive {
        query: Linear,
        key: Linear,
        score: Parameter,
    },
}

/// What attention reads of the source, computed once a sentence: states [S, B, H] and what the score makes of them.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub states: Value,
    pub keys: Value,
    /// Source lengths `[B]`; positions past them are masked.
    pub lengths: Value,
}

/// What attention gives: context [T, B, H], probabilities [B, T, S].
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub context: Value,
    pub weights: Value,
}

/// A score over states of `hidden` elements.
#[derive(Clone, Debug)]
pub struct Attention(Score);

impl Attention {
    /// `None` for a model without attention.
    pub fn new(parameters: &mut Parameters, name: &str, kind: AttentionKind, hidden: usize) -> Option<Self> {
        let mut linear = |part: &str| Linear::new(parameters, &format!("{name}.{part}"), hidden, hidden, false);
        Some(Self(match kind {
            AttentionKind::None => return None,
            AttentionKind::Dot => Score::Dot,
            AttentionKind::CosineConcat | AttentionKind::CosineReplace => Score::Cosine,
            AttentionKind::General => Score::General(linear("key")),
            AttentionKind::Additive => {
                let (query, key) = (linear("query"), linear("key"));
                let init = Init::Uniform(1.0 / (hidden as f32).sqrt());
                Score::Additive {
                    query,
                    key,
                    score: parameters.add(format!("{name}.score.weight"), &[1, hidden], init),
                }
            }
        }))
    }

    /// What the score needs of the encoder's states [S, B, H].
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn keys(&self, scope: &mut Scope, states: Value) -> Result<Value, GraphError> {
        match &self.0 {
            Score::Dot => Ok(states),
            Score::Cosine => normalize(scope.graph, states),
            Score::General(key) | Score::Additive { key, .. } => key.forward(scope, states),
        }
    }

    /// Looks at `memory` with queries [T, B, H].
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn forward(&self, scope: &mut Scope, queries: Value, memory: Memory) -> Result<Context, GraphError> {
        let scores = self.scores(scope, queries, memory.keys)?;
        let weights = masked_softmax(scope.graph, scores, memory.lengths)?;
        let time_major = Stored::TIME_MAJOR;
        let context = matmul_stored(scope.graph, (weights, Stored::PLAIN), (memory.states, time_major), time_major)?;
        Ok(Context { context, weights })
    }

    /// [B, T, S]
    fn scores(&self, scope: &mut Scope, queries: Value, keys: Value) -> Result<Value, GraphError> {
        let queries = match &self.0 {
            Score::Dot | Score::General(_) => queries,
            Score::Cosine => normalize(scope.graph, queries)?,
            Score::Additive { query, score, .. } => {
                let queries = query.forward(scope, queries)?;
                let parameter = scope.parameter(score)?;
                let vector = scope.graph.reshape(parameter, &[score.len()])?;
                return additive_score(scope.graph, queries, keys, vector);
            }
        };
        let time_major = Stored::TIME_MAJOR;
        matmul_stored(scope.graph, (queries, time_major), (keys, time_major.flipped()), Stored::PLAIN)
    }
}
