//! Sequence to sequence with a recurrent encoder and decoder (Sutskever et al. 2014), and its attentions (Bahdanau et
//! al. 2015, Luong et al. 2015).
//!
//! Encoder: embedding, dropout, RNN; then the bridge h ← tanh(L₂·relu(L₁·h)) of every layer's last state, an LSTM's
//! cell as it is. Decoder: embedding, dropout, RNN, projection to the vocabulary, with the attention wired as
//! [`AttentionKind`] says. With the unit of textbooks the projection reads [x; h], what the step itself reads, instead
//! of the state behind it.

use crate::graph::{GraphError, Value};
use crate::nn::{
    Attention, AttentionKind, Context, Embedding, Linear, Memory, Parameters, Projection, Recurrent, RecurrentSizes,
    RnnKind, RnnState, Scope,
};
use crate::ops::concat::concat;
use crate::ops::fill::fill;
use crate::ops::relu::relu;
use crate::ops::reshape_rows;
use crate::ops::slice::slice;
use crate::ops::stack::stack;
use crate::ops::tanh::tanh;

use super::{Decoded, Encoded, Feedback, Model, Seq2SeqConfig, Source, State, Weights, unroll};

/// Parameters under `encoder.` and `decoder.`.
#[derive(Clone, Debug)]
pub struct Seq2Seq {
    config: Seq2SeqConfig,
    parameters: Parameters,
    source_embedding: Embedding,
    encoder: Recurrent,
    bridge: [Linear; 2],
    target_embedding: Embedding,
    decoder: Recurrent,
    attention: Option<Attention>,
    /// `decoder.context`, [c; embedding] to the decoder's input.
    context: Option<Linear>,
    /// `decoder.attention.combine`, [c; o] to what the projection reads.
    combine: Option<Linear>,
    output: Linear,
}

impl Seq2Seq {
    /// A model over vocabularies of these sizes.
    pub fn new(config: &Seq2SeqConfig, [source, target]: [usize; 2]) -> Self {
        let mut parameters = Parameters::new();
        let p = &mut parameters;
        let (embedding, hidden, kind) = (config.embedding, config.hidden, config.attention);
        let sizes = RecurrentSizes {
            kind: config.rnn,
            layers: config.layers,
            bidirectional: config.bidirectional,
            inputs: embedding,
            hidden,
        };
        let inputs = match kind {
            AttentionKind::Additive => hidden + embedding,
            _ if config.input_feeding => embedding + hidden,
            _ => embedding,
        };
        let features = hidden + if config.rnn == RnnKind::Unit { embedding } else { 0 };
        let combines = matches!(kind, AttentionKind::Dot | AttentionKind::General);
        Self {
            source_embedding: Embedding::new(p, "encoder.embedding", [source, embedding], 1.0),
            encoder: Recurrent::new(p, "encoder.rnn", sizes),
            bridge: ["encoder.bridge.0", "encoder.bridge.2"].map(|name| Linear::new(p, name, hidden, hidden, true)),
            target_embedding: Embedding::new(p, "decoder.embedding", [target, embedding], 1.0),
            decoder: Recurrent::new(p, "decoder.rnn", RecurrentSizes { bidirectional: false, inputs, ..sizes }),
            attention: Attention::new(p, "decoder.attention", kind, hidden),
            context: (kind == AttentionKind::CosineConcat)
                .then(|| Linear::new(p, "decoder.context", hidden + embedding, embedding, true)),
            combine: combines.then(|| Linear::new(p, "decoder.attention.combine", 2 * hidden, hidden, true)),
            output: Linear::new(p, "decoder.output", features, target, true),
            config: config.clone(),
            parameters,
        }
    }

    /// Whether a step reads what only the step before it can give.
    fn feeds_the_step(&self) -> bool {
        self.config.attention.feeds_the_step() || self.config.input_feeding
    }

    fn dropout(&self, scope: &mut Scope, place: &'static str, x: Value) -> Result<Value, GraphError> {
        if self.config.variational_dropout { scope.variational_dropout(place, x) } else { scope.dropout(x) }
    }

    /// The layers' states in a [`State`]: each layer's hidden state, then an LSTM's cells; with input feeding õ
    /// follows.
    fn pack(states: &[RnnState]) -> State {
        states.iter().map(|s| s.hidden).chain(states.iter().filter_map(|s| s.cell)).collect()
    }

    fn unpack(&self, state: &State) -> Vec<RnnState> {
        let layers = self.config.layers;
        let cell = |layer: usize| (self.config.rnn == RnnKind::Lstm).then(|| state[layers + layer]);
        (0..layers).map(|layer| RnnState { hidden: state[layer], cell: cell(layer) }).collect()
    }

    fn memory(encoded: &Encoded) -> Memory {
        Memory { states: encoded.memory[0], keys: encoded.memory[1], lengths: encoded.lengths }
    }

    /// The context of queries [.., H], one a sentence.
    fn attend(&self, scope: &mut Scope, query: Value, encoded: &Encoded) -> Result<Context, GraphError> {
        let attention = self.attention.as_ref().expect("the wiring has an attention");
        let [batch, hidden] = *scope.graph.shape(query) else { unreachable!("states are [B, H]") };
        let query = scope.graph.reshape(query, &[1, batch, hidden])?;
        attention.forward(scope, query, Self::memory(encoded))
    }

    /// Every layer's hidden state, and an LSTM's cell, gives way to its own context.
    fn replace(
        &self,
        scope: &mut Scope,
        states: &mut [RnnState],
        encoded: &Encoded,
    ) -> Result<Option<Value>, GraphError> {
        let mut weights = None;
        for state in states {
            for part in [Some(&mut state.hidden), state.cell.as_mut()].into_iter().flatten() {
                let shape = scope.graph.shape(*part).to_vec();
                let attended = self.attend(scope, *part, encoded)?;
                *part = scope.graph.reshape(attended.context, &shape)?;
                weights.get_or_insert(attended.weights);
            }
        }
        Ok(weights)
    }

    /// õ = tanh(W·[c; o]) of outputs [T, B, H], and the attention's weights.
    fn combine(
        &self,
        scope: &mut Scope,
        outputs: Value,
        encoded: &Encoded,
    ) -> Result<(Value, Option<Value>), GraphError> {
        let (Some(attention), Some(combine)) = (&self.attention, &self.combine) else { return Ok((outputs, None)) };
        let attended = attention.forward(scope, outputs, Self::memory(encoded))?;
        let joined = concat(scope.graph, attended.context, outputs)?;
        // As rows, so that nothing stands between the product and tanh, which it takes in.
        let joined = reshape_rows(scope.graph, joined)?;
        let combined = combine.forward(scope, joined)?;
        let combined = tanh(scope.graph, combined)?;
        let shape = scope.graph.shape(outputs).to_vec();
        Ok((scope.graph.reshape(combined, &shape)?, Some(attended.weights)))
    }

    /// [x; h] of a unit's steps: inputs [T, B, E] beside the states before them, of which `first` [B, H] is the first
    /// and `outputs` [T, B, H] are the next.
    fn joined(&self, scope: &mut Scope, x: Value, first: Value, outputs: Value) -> Result<Value, GraphError> {
        let [time, batch, hidden] = *scope.graph.shape(outputs) else { unreachable!("outputs are [T, B, H]") };
        let mut before = scope.graph.reshape(first, &[1, batch, hidden])?;
        if time > 1 {
            let rest = slice(scope.graph, outputs, 0, 0, time - 1)?;
            before = stack(scope.graph, &[before, rest])?;
        }
        let joined = concat(scope.graph, x, before)?;
        reshape_rows(scope.graph, joined)
    }

    /// What the projection reads of õ: dropped out where there is a combining layer.
    fn features(&self, scope: &mut Scope, combined: Value) -> Result<Value, GraphError> {
        let dropped =
            if self.combine.is_some() { self.dropout(scope, "decoder.attention", combined)? } else { combined };
        reshape_rows(scope.graph, dropped)
    }
}

impl Model for Seq2Seq {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn projection(&self) -> Projection<'_> {
        self.output.projection()
    }

    fn encode(&self, scope: &mut Scope, source: Source) -> Result<Encoded, GraphError> {
        let lengths = source.positions_read(scope.graph, self.config.mask_padding)?;
        let x = self.source_embedding.forward(scope, source.ids)?;
        let x = self.dropout(scope, "encoder.embedding", x)?;
        let (states, mut last) = self.encoder.forward(scope, x, Some(lengths), None)?;
        for state in &mut last {
            let inner = self.bridge[0].forward(scope, state.hidden)?;
            let inner = relu(scope.graph, inner)?;
            let hidden = self.bridge[1].forward(scope, inner)?;
            state.hidden = tanh(scope.graph, hidden)?;
        }
        let mut start = Self::pack(&last);
        if self.config.input_feeding {
            let batch = scope.graph.shape(source.ids)[1];
            start.push(fill(scope.graph, &[batch, self.config.hidden], 0.0)?);
        }
        let memory = match &self.attention {
            Some(attention) => vec![states, attention.keys(scope, states)?],
            None => vec![],
        };
        Ok(Encoded { memory, weights: None, lengths, start })
    }

    fn decode(&self, scope: &mut Scope, encoded: &Encoded, ids: Value, lengths: Value) -> Result<Decoded, GraphError> {
        if self.feeds_the_step() {
            return unroll(self, scope, encoded, ids, Feedback::Forced);
        }
        let x = self.target_embedding.forward(scope, ids)?;
        let x = self.dropout(scope, "decoder.embedding", x)?;
        let start = self.unpack(&encoded.start);
        let (outputs, _) = self.decoder.forward(scope, x, Some(lengths), Some(&start))?;
        if self.config.rnn == RnnKind::Unit {
            return Ok(Decoded { features: self.joined(scope, x, start[0].hidden, outputs)?, weights: None });
        }
        let (combined, weights) = self.combine(scope, outputs, encoded)?;
        Ok(Decoded { features: self.features(scope, combined)?, weights: weights.map(Weights::Whole) })
    }

    fn step(
        &self,
        scope: &mut Scope,
        encoded: &Encoded,
        ids: Value,
        state: &State,
        _t: usize,
    ) -> Result<(Decoded, State), GraphError> {
        let batch = scope.graph.shape(ids)[0];
        let hidden = self.config.hidden;
        let mut states = self.unpack(state);
        let ids = scope.graph.reshape(ids, &[1, batch])?;
        let x = self.target_embedding.forward(scope, ids)?;
        let mut x = self.dropout(scope, "decoder.embedding", x)?;
        let mut weights = None;
        match self.config.attention {
            AttentionKind::CosineReplace => weights = self.replace(scope, &mut states, encoded)?,
            AttentionKind::Additive | AttentionKind::CosineConcat => {
                let query = states.last().expect("a model has layers").hidden;
                let attended = self.attend(scope, query, encoded)?;
                weights = Some(attended.weights);
                x = concat(scope.graph, attended.context, x)?;
                if let Some(context) = &self.context {
                    x = context.forward(scope, x)?;
                }
            }
            _ if self.config.input_feeding => {
                let fed = *state.last().expect("the state ends with õ");
                let fed = scope.graph.reshape(fed, &[1, batch, hidden])?;
                x = concat(scope.graph, x, fed)?;
            }
            _ => {}
        }
        let (outputs, last) = self.decoder.forward(scope, x, None, Some(&states))?;
        if self.config.rnn == RnnKind::Unit {
            let features = self.joined(scope, x, states[0].hidden, outputs)?;
            return Ok((Decoded { features, weights: None }, Self::pack(&last)));
        }
        let (combined, looked) = self.combine(scope, outputs, encoded)?;
        let mut next = Self::pack(&last);
        if self.config.input_feeding {
            next.push(scope.graph.reshape(combined, &[batch, hidden])?);
        }
        let features = self.features(scope, combined)?;
        Ok((Decoded { features, weights: weights.or(looked).map(Weights::Whole) }, next))
    }
}
