//! Whole models, made of layers.

mod config;
mod seq2seq;

pub use config::ModelConfig;
pub use seq2seq::{Encoded, Seq2Seq};
