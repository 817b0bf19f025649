//! From a trained model to translations.

mod limit;
mod plans;
mod search;
mod translator;

pub use limit::{Lengths, Limit};
pub use search::{Beam, DecodeError, End, Search, Translation};
pub use translator::{Translated, Translator};
