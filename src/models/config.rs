//! What a model is made of: the `[model]` part of a run's configuration.

use serde::{Deserialize, Serialize};

use crate::nn::{AttentionKind, RnnKind};

use super::OwnModel;

/// `[model]`, one of the families.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ModelConfig {
    #[serde(rename = "seq2seq")]
    Seq2Seq(Seq2SeqConfig),
    TransformerEncoder(TransformerEncoderConfig),
    Transformer(TransformerConfig),
    /// One of another crate.
    Own(OwnModel),
}

impl ModelConfig {
    /// Its name in a configuration, `model.kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            ModelConfig::Seq2Seq(_) => "seq2seq",
            ModelConfig::TransformerEncoder(_) => "transformer-encoder",
            ModelConfig::Transformer(_) => "transformer",
            ModelConfig::Own(_) => "own",
        }
    }

    /// The keys that say how large the model is, with their values.
    pub fn sizes(&mut self) -> Vec<(&'static str, &mut usize)> {
        match self {
            ModelConfig::Seq2Seq(config) => vec![
                ("model.layers", &mut config.layers),
                ("model.embedding", &mut config.embedding),
                ("model.hidden", &mut config.hidden),
            ],
            ModelConfig::TransformerEncoder(config) => vec![
                ("model.hidden", &mut config.hidden),
                ("model.heads", &mut config.heads),
                ("model.head_width", &mut config.head_width),
                ("model.value_width", &mut config.value_width),
                ("model.feed_forward", &mut config.feed_forward),
                ("model.max_positions", &mut config.max_positions),
            ],
            ModelConfig::Transformer(config) => vec![
                ("model.hidden", &mut config.hidden),
                ("model.heads", &mut config.heads),
                ("model.feed_forward", &mut config.feed_forward),
                ("model.encoder_layers", &mut config.encoder_layers),
                ("model.decoder_layers", &mut config.decoder_layers),
                ("model.max_positions", &mut config.max_positions),
            ],
            ModelConfig::Own(_) => vec![],
        }
    }

    /// Probability with which training sets an activation to zero.
    pub fn dropout(&self) -> f32 {
        match self {
            ModelConfig::Seq2Seq(config) => config.dropout,
            ModelConfig::TransformerEncoder(config) => config.dropout,
            ModelConfig::Transformer(config) => config.dropout,
            ModelConfig::Own(model) => model.dropout,
        }
    }
}

/// A recurrent encoder and decoder (Sutskever et al. 2014, Bahdanau et al. 2015, Luong et al. 2015).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seq2SeqConfig {
    /// With `unit`, one layer of one direction and no attention.
    pub rnn: RnnKind,
    /// Recurrent layers of the encoder, and of the decoder.
    pub layers: usize,
    /// Whether a second recurrent network reads the source from its end.
    pub bidirectional: bool,
    pub attention: AttentionKind,
    /// Whether the attention's result joins the next step's input (Luong et al. 2015, 3.3). With `dot` and `general`.
    pub input_feeding: bool,
    /// Whether encoder and attention leave padding out. Without, they read it like words, as simple implementations do.
    pub mask_padding: bool,
    /// Elements of a token's embedding.
    pub embedding: usize,
    /// Elements of the recurrent state. With `bidirectional`, each direction of the encoder has half of them.
    pub hidden: usize,
    /// Probability with which training sets an activation to zero.
    pub dropout: f32,
    /// Whether all time steps drop the same elements (Gal and Ghahramani 2016).
    pub variational_dropout: bool,
}

/// One Transformer layer that translates position by position, without a decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerEncoderConfig {
    /// Elements of a token's representation.
    pub hidden: usize,
    pub heads: usize,
    /// Elements of a head's queries and keys.
    pub head_width: usize,
    /// Elements of a head's values.
    pub value_width: usize,
    /// Elements of the feed-forward network's hidden layer.
    pub feed_forward: usize,
    /// Rows of the position embedding: the longest sentence, special tokens included.
    pub max_positions: usize,
    /// Whether the attention leaves padding out.
    pub mask_padding: bool,
    pub dropout: f32,
    /// Probability with which training drops a probability of the attention, as torch.nn.MultiheadAttention does. 0 in
    /// configurations from before it was there.
    #[serde(default)]
    pub attention_dropout: f32,
}

/// Encoder and decoder of Vaswani et al. (2017), as torch.nn.Transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerConfig {
    /// Elements of a token's representation, `d_model`.
    pub hidden: usize,
    /// Heads of each attention; they share `hidden` out.
    pub heads: usize,
    /// Elements of the feed-forward network's hidden layer.
    pub feed_forward: usize,
    pub encoder_layers: usize,
    pub decoder_layers: usize,
    /// Whether a sublayer normalizes its input (Xiong et al. 2020), not the sum behind it.
    pub norm_first: bool,
    pub positions: Positions,
    /// Rows of the position embedding: the longest sentence, special tokens included.
    pub max_positions: usize,
    pub tied: Tied,
    pub dropout: f32,
    /// As of [`TransformerEncoderConfig`].
    #[serde(default)]
    pub attention_dropout: f32,
}

/// How a Transformer knows where a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Positions {
    /// A trained embedding of positions (Gehring et al. 2017).
    Learned,
    /// Sines and cosines of different wave lengths (Vaswani et al. 2017, 3.5).
    Sinusoidal,
}

/// Which of a Transformer's three matrices over vocabularies are one (Press and Wolf 2017). Tied embeddings are
/// multiplied by √hidden, as in Vaswani et al. (2017), 3.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tied {
    None,
    /// Target embedding and output.
    Target,
    /// Source embedding, target embedding and output; the languages share a vocabulary.
    All,
}
