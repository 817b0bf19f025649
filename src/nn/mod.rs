//! Layers: parameters under PyTorch's names and shapes, and the ops that they are made of.

mod attention;
mod embedding;
mod layer_norm;
mod linear;
mod multihead_attention;
mod parameters;
mod projection;
mod recurrent;
mod rnn_unit;
mod scope;
mod transformer_layer;

pub use attention::{Attention, AttentionKind, Context, Memory};
pub use embedding::Embedding;
pub use layer_norm::LayerNorm;
pub use linear::{Linear, linear};
pub use multihead_attention::MultiheadAttention;
pub use parameters::{Init, Parameter, Parameters};
pub use projection::Projection;
pub use recurrent::{Recurrent, RecurrentSizes, RnnKind, RnnState};
pub use rnn_unit::RnnUnit;
pub use scope::Scope;
pub use transformer_layer::{Residual, TransformerLayer};
