//! What a model is made of: the `[model]` part of a run's configuration.

use serde::{Deserialize, Serialize};

use crate::nn::{AttentionKind, RnnKind};

/// `[model]`: encoder, attention and decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    pub rnn: RnnKind,
    pub attention: AttentionKind,
    /// Elements of a token's embedding.
    pub embedding: usize,
    /// Elements of the recurrent state. With `bidirectional`, each direction of the encoder has half of them.
    pub hidden: usize,
    /// Whether a second recurrent network reads the source from its end.
    pub bidirectional: bool,
    /// Probability with which training sets an activation to zero.
    pub dropout: f32,
}
