//! A Transformer encoder that translates position by position: target word t is read off source position t.
//!
//! h = embedding + position; h ← norm₁(h + attention(h)); h ← norm₂(h + feed-forward(h)); projection of every position.

use crate::graph::{GraphError, Value};
use crate::nn::{Embedding, LayerNorm, Linear, Parameters, Projection, Scope};
use crate::ops::add_position::add_position;
use crate::ops::attention::{Attended, Attention, Heads, cross_attention};
use crate::ops::concat::concat;
use crate::ops::relu::relu;
use crate::ops::reshape_rows;
use crate::ops::slice::slice;

use super::{Decoded, Encoded, Model, Source, State, TransformerEncoderConfig, Weights};

/// `embedding`, `position`, `attention.{q,k,v,out}`, `norm1`, `ff.{0,2}`, `norm2` and `output`.
#[derive(Clone, Debug)]
pub struct TransformerEncoder {
    config: TransformerEncoderConfig,
    parameters: Parameters,
    embedding: Embedding,
    position: Embedding,
    /// q, k, v.
    inputs: [Linear; 3],
    out: Linear,
    norms: [LayerNorm; 2],
    feed_forward: [Linear; 2],
    output: Linear,
}

impl TransformerEncoder {
    /// A model over vocabularies of these sizes.
    pub fn new(config: &TransformerEncoderConfig, [source, target]: [usize; 2]) -> Self {
        let mut parameters = Parameters::new();
        let p = &mut parameters;
        let (hidden, heads) = (config.hidden, config.heads);
        let widths = [config.head_width, config.head_width, config.value_width].map(|width| heads * width);
        let mut linear = |name: &str, inputs: usize, outputs: usize| Linear::new(p, name, inputs, outputs, true);
        let inputs =
            [("q", 0), ("k", 1), ("v", 2)].map(|(part, i)| linear(&format!("attention.{part}"), hidden, widths[i]));
        let out = linear("attention.out", widths[2], hidden);
        let feed_forward = [linear("ff.0", hidden, config.feed_forward), linear("ff.2", config.feed_forward, hidden)];
        let output = linear("output", hidden, target);
        Self {
            embedding: Embedding::new(p, "embedding", [source, hidden], 1.0),
            position: Embedding::new(p, "position", [config.max_positions, hidden], 1.0),
            norms: ["norm1", "norm2"].map(|name| LayerNorm::new(p, name, hidden)),
            inputs,
            out,
            feed_forward,
            output,
            config: config.clone(),
            parameters,
        }
    }

    /// Every position looks at all of the sentence.
    fn attend(&self, scope: &mut Scope, x: Value, lengths: Value) -> Result<Attended, GraphError> {
        let [q, k, v] = [0, 1, 2].map(|i| self.inputs[i].forward(scope, x));
        let kv = concat(scope.graph, k?, v?)?;
        let heads = Heads { count: self.config.heads, key: self.config.head_width, value: self.config.value_width };
        let dropout = scope.dropout_within(self.config.attention_dropout);
        let which = Attention { heads, causal: false };
        let attended = cross_attention(scope.graph, which, [q?, kv], Some(lengths), dropout)?;
        Ok(Attended { output: self.out.forward(scope, attended.output)?, ..attended })
    }
}

impl Model for TransformerEncoder {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn projection(&self) -> Projection<'_> {
        self.output.projection()
    }

    fn max_positions(&self) -> Option<usize> {
        Some(self.config.max_positions)
    }

    /// A target word needs a source position, if only padding's.
    fn source_positions(&self, source: usize, target: usize) -> usize {
        source.max(target)
    }

    fn encode(&self, scope: &mut Scope, source: Source) -> Result<Encoded, GraphError> {
        let lengths = source.positions_read(scope.graph, self.config.mask_padding)?;
        let x = self.embedding.forward(scope, source.ids)?;
        let table = scope.parameter(&self.position.weight)?;
        let x = add_position(scope.graph, x, table, 0, 1.0)?;
        let x = scope.dropout(x)?;
        let attended = self.attend(scope, x, lengths)?;
        let change = scope.dropout(attended.output)?;
        let x = self.norms[0].forward(scope, x, Some(change))?.output;
        let inner = self.feed_forward[0].forward(scope, x)?;
        let inner = relu(scope.graph, inner)?;
        let change = self.feed_forward[1].forward(scope, inner)?;
        let change = scope.dropout(change)?;
        let x = self.norms[1].forward(scope, x, Some(change))?.output;
        Ok(Encoded { memory: vec![x], weights: Some(attended.weights), lengths, start: vec![] })
    }

    /// The target's words are not read.
    fn decode(&self, scope: &mut Scope, encoded: &Encoded, ids: Value, _lengths: Value) -> Result<Decoded, GraphError> {
        let time = scope.graph.shape(ids)[0];
        let features = slice(scope.graph, encoded.memory[0], 0, 0, time)?;
        Ok(Decoded { features: reshape_rows(scope.graph, features)?, weights: encoded.weights.map(Weights::Whole) })
    }

    fn step(
        &self,
        scope: &mut Scope,
        encoded: &Encoded,
        _ids: Value,
        _state: &State,
        t: usize,
    ) -> Result<(Decoded, State), GraphError> {
        let features = slice(scope.graph, encoded.memory[0], 0, t, 1)?;
        Ok((Decoded { features: reshape_rows(scope.graph, features)?, weights: None }, vec![]))
    }
}
