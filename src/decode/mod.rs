//! From a trained model to translations.

mod search;

pub use search::{Beam, DecodeError, Search};
