//! Sequence to sequence with attention (Sutskever et al. 2014, Luong et al. 2015).
//!
//! Encoder: embedding, dropout, RNN or LSTM; then the bridge h ← tanh(L₂·relu(L₁·h)), an LSTM's cell as it is. Decoder: embedding, dropout, RNN or LSTM,
//! attention over the encoder's states, dropout, projection to the vocabulary.

use crate::graph::{GraphError, Value};
use crate::nn::{Attention, AttentionKind, Embedding, Linear, Parameters, Recurrent, Scope, State};
use crate::ops::concat::concat;
use crate::ops::linear_cross_entropy::{LinearCrossEntropy, Loss, linear_cross_entropy};
use crate::ops::relu::relu;
use crate::ops::tanh::tanh;

use super::ModelConfig;

/// Parameters under `encoder.` and `decoder.`.
#[derive(Clone, Debug)]
pub struct Seq2Seq {
    pub parameters: Parameters,
    source_embedding: Embedding,
    encoder: Vec<Recurrent>,
    bridge: [Linear; 2],
    target_embedding: Embedding,
    decoder: Recurrent,
    attention: Option<Attention>,
    output: Linear,
}

/// What the decoder needs of a batch of source sentences.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    /// Encoder states [S, B, H].
    states: Value,
    /// What the attention's score reads of them.
    keys: Value,
    /// Source lengths [B].
    lengths: Value,
    /// The decoder's first state.
    pub initial: State,
}

impl Seq2Seq {
    /// A model over vocabularies of these sizes. With `bidirectional`, each direction of the encoder has half of the units, so that its states have as
    /// many numbers as the decoder's.
    pub fn new(config: &ModelConfig, [source, target]: [usize; 2]) -> Self {
        let mut parameters = Parameters::new();
        let p = &mut parameters;
        let (embedding, hidden) = (config.embedding, config.hidden);
        let directions: &[bool] = if config.bidirectional { &[false, true] } else { &[false] };
        let units = hidden / directions.len();
        let source_embedding = Embedding::new(p, "encoder.embedding", source, embedding);
        let encoder = directions
            .iter()
            .map(|&reverse| Recurrent::new(p, "encoder.rnn", config.rnn, [embedding, units], reverse))
            .collect();
        let bridge = ["encoder.bridge.0", "encoder.bridge.2"].map(|name| Linear::new(p, name, hidden, hidden, true));
        let target_embedding = Embedding::new(p, "decoder.embedding", target, embedding);
        let decoder = Recurrent::new(p, "decoder.rnn", config.rnn, [embedding, hidden], false);
        let additive = config.attention == AttentionKind::Additive;
        let attention =
            (config.attention != AttentionKind::None).then(|| Attention::new(p, "decoder.attention", additive, hidden));
        let output = Linear::new(p, "decoder.output", hidden, target, true);
        Self { source_embedding, encoder, bridge, target_embedding, decoder, attention, output, parameters }
    }

    /// Encodes ids [S, B] of `lengths` `[B]`.
    ///
    /// # Errors
    /// When shapes don't fit.
    pub fn encode(&self, scope: &mut Scope, ids: Value, lengths: Value) -> Result<Encoded, GraphError> {
        let x = self.source_embedding.forward(scope, ids)?;
        let mut layer = self.encoder[0].forward(scope, x, lengths, None)?;
        if let Some(reverse) = self.encoder.get(1) {
            let other = reverse.forward(scope, x, lengths, None)?;
            layer.outputs = concat(scope.graph, layer.outputs, other.outputs)?;
            layer.last.hidden = concat(scope.graph, layer.last.hidden, other.last.hidden)?;
            if let (Some(cell), Some(other)) = (layer.last.cell, other.last.cell) {
                layer.last.cell = Some(concat(scope.graph, cell, other)?);
            }
        }
        let inner = self.bridge[0].forward(scope, layer.last.hidden)?;
        let inner = relu(scope.graph, inner)?;
        let hidden = self.bridge[1].forward(scope, inner)?;
        let initial = State { hidden: tanh(scope.graph, hidden)?, ..layer.last };
        let keys = self.attention.as_ref().map_or(Ok(layer.outputs), |a| a.keys(scope, layer.outputs))?;
        Ok(Encoded { states: layer.outputs, keys, lengths, initial })
    }

    /// Reads ids [T, B] of `lengths` `[B]` from `state` on; gives what the projection reads, [T·B, H], and the new state.
    ///
    /// # Errors
    /// When shapes don't fit.
    pub fn decode(
        &self,
        scope: &mut Scope,
        encoded: &Encoded,
        (ids, lengths): (Value, Value),
        state: State,
    ) -> Result<(Value, State), GraphError> {
        let x = self.target_embedding.forward(scope, ids)?;
        let layer = self.decoder.forward(scope, x, lengths, Some(state))?;
        let mut features = layer.outputs;
        if let Some(attention) = &self.attention {
            features = attention.forward(scope, features, [encoded.states, encoded.keys, encoded.lengths])?;
            features = scope.dropout(features)?;
        }
        Ok((crate::ops::reshape_rows(scope.graph, features)?, layer.last))
    }

    /// Cross-entropy of the projection of `features` [N, H] against labels `[N]`.
    ///
    /// # Errors
    /// When shapes don't fit.
    pub fn loss(
        &self,
        scope: &mut Scope,
        features: Value,
        labels: Value,
        op: LinearCrossEntropy,
    ) -> Result<Loss, GraphError> {
        let weight = scope.parameter(&self.output.weight)?;
        let bias = scope.parameter(self.output.bias.as_ref().expect("the projection has a bias"))?;
        linear_cross_entropy(scope.graph, features, weight, bias, labels, op)
    }

    /// Logits [N, V] of `features` [N, H].
    ///
    /// # Errors
    /// When shapes don't fit.
    pub fn logits(&self, scope: &mut Scope, features: Value) -> Result<Value, GraphError> {
        self.output.forward(scope, features)
    }
}
