//! From a trained model to translations.

mod greedy;

pub use greedy::{DecodeError, Greedy};
