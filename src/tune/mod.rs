//! Tuning: a study tries configurations of a [`Space`], one training run each, and finds what they bring.
//!
//! [`space`] reads which keys vary, and how. [`proposal`] chooses the next trial's values from the results so far and
//! stops a trial that falls behind; both are algorithms of the crate `optimizer`. [`study`] keeps all trials in one
//! file that several processes write to. [`summary`] says what a study found. Training itself is the caller's: a trial
//! is a run like any other.

pub mod proposal;
pub mod space;
pub mod study;
pub mod summary;

pub use space::{Space, SpaceError};
pub use study::{End, Role, Study, StudyError, Trial};

/// The spaces that come with the program, by name.
pub const SPACES: [(&str, &str); 4] = [
    ("seq2seq", include_str!("../../data/spaces/seq2seq.toml")),
    ("transformer-encoder", include_str!("../../data/spaces/transformer-encoder.toml")),
    ("transformer", include_str!("../../data/spaces/transformer.toml")),
    ("translator", include_str!("../../data/spaces/translator.toml")),
];
