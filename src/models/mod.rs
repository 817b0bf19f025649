//! Whole models, made of layers. `train` and `decode` know them through [`Model`].

mod config;
mod own;
mod seq2seq;
pub mod textbook_rnn;
mod transformer;
mod transformer_encoder;
mod unroll;

use std::fmt::Debug;
use std::sync::Arc;

use crate::graph::{Graph, GraphError, Value};
use crate::nn::{Parameters, Projection, Scope};
use crate::ops::fill::fill_ids;

pub use config::{ModelConfig, Positions, Seq2SeqConfig, Tied, TransformerConfig, TransformerEncoderConfig};
pub use own::OwnModel;
pub use seq2seq::Seq2Seq;
pub use transformer::Transformer;
pub use transformer_encoder::TransformerEncoder;
pub use unroll::{Feedback, unroll};

/// A batch of source sentences: ids [S, B], lengths `[B]`.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    pub ids: Value,
    pub lengths: Value,
}

impl Source {
    /// How many positions of each sentence are read, `[B]`: its own, or those of the padding too.
    fn positions_read(self, graph: &mut Graph, mask_padding: bool) -> Result<Value, GraphError> {
        let [time, batch] = *graph.shape(self.ids) else { unreachable!("ids are [S, B]") };
        if mask_padding { Ok(self.lengths) } else { fill_ids(graph, &[batch], time as u32) }
    }
}

/// What an encoder leaves: all that the decoder reads of the source.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Tensors [S, B, ..], computed once a sentence.
    pub memory: Vec<Value>,
    /// Probabilities of an attention within the encoder, if the decoder has none to show.
    pub weights: Option<Value>,
    /// Source lengths `[B]`.
    pub lengths: Value,
    /// The decoder's first state.
    pub start: State,
}

/// What a decoder carries from one position to the next: tensors [B, W], or [t, B, W] with a row for each past
/// position.
pub type State = Vec<Value>;

/// What a decoder says of T positions.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// What the projection reads, [T·B, H].
    pub features: Value,
    /// Probabilities over the source: the last attention's.
    pub weights: Option<Weights>,
}

/// How attention's probabilities lie.
#[derive(Clone, Copy, Debug)]
pub enum Weights {
    /// [B, T, S], or [B, heads, T, S].
    Whole(Value),
    /// [T, B, S], or [T, B, heads, S]: stacked step by step.
    Steps(Value),
}

/// A translation model. All shapes are time-major: ids [T, B], states [T, B, H].
pub trait Model: Debug + Send + Sync {
    fn parameters(&self) -> &Parameters;

    /// The projection to the target vocabulary.
    fn projection(&self) -> Projection<'_>;

    /// The longest sentence, special tokens included, where the model has a limit.
    fn max_positions(&self) -> Option<usize> {
        None
    }

    /// Source positions that a step holds to say `target` positions of a source of `source` ones.
    fn source_positions(&self, source: usize, _target: usize) -> usize {
        source
    }

    /// Reads the source sentences.
    ///
    /// # Errors
    /// When shapes don't fit.
    fn encode(&self, scope: &mut Scope, source: Source) -> Result<Encoded, GraphError>;

    /// Reads the right tokens (teacher forcing): ids [T, B] of `lengths` `[B]`.
    ///
    /// # Errors
    /// When shapes don't fit.
    fn decode(&self, scope: &mut Scope, encoded: &Encoded, ids: Value, lengths: Value) -> Result<Decoded, GraphError>;

    /// Reads one token a sentence, ids `[B]` at position `t`, in `state`.
    ///
    /// # Errors
    /// When shapes don't fit.
    fn step(
        &self,
        scope: &mut Scope,
        encoded: &Encoded,
        ids: Value,
        state: &State,
        t: usize,
    ) -> Result<(Decoded, State), GraphError>;
}

/// Names of parameters whose first axes are the vocabularies, source and target; empty where they are not known.
pub fn vocabulary_tensors(config: &ModelConfig) -> [&'static str; 2] {
    match config {
        ModelConfig::Seq2Seq(_) => ["encoder.embedding.weight", "decoder.output.weight"],
        ModelConfig::TransformerEncoder(_) => ["embedding.weight", "output.weight"],
        ModelConfig::Transformer(_) => ["src_embedding.weight", "output.bias"],
        // Its names are its own.
        ModelConfig::Own(_) => ["", ""],
    }
}

/// The model that a configuration describes, over vocabularies of these sizes, source and target.
pub fn build(config: &ModelConfig, vocabularies: [usize; 2]) -> Arc<dyn Model> {
    match config {
        ModelConfig::Seq2Seq(config) => Arc::new(Seq2Seq::new(config, vocabularies)),
        ModelConfig::TransformerEncoder(config) => Arc::new(TransformerEncoder::new(config, vocabularies)),
        ModelConfig::Transformer(config) => Arc::new(Transformer::new(config, vocabularies)),
        ModelConfig::Own(model) => model.build(vocabularies),
    }
}
