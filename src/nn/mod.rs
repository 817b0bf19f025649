//! Layers: parameters under PyTorch's names and shapes, and the ops that they are made of.

mod attention;
mod embedding;
mod linear;
mod parameters;
mod recurrent;
mod scope;

pub use attention::{Attention, AttentionKind};
pub use embedding::Embedding;
pub use linear::Linear;
pub use parameters::{Init, Parameter, Parameters};
pub use recurrent::{Layer, Recurrent, RnnKind, State};
pub use scope::Scope;
