//! Training: the step as a graph, the loop around it, and what a run leaves on disk.

pub mod bundled;
pub mod checkpoint;
pub mod config;
pub mod corpus;
pub mod dump;
mod error;
pub mod files;
pub mod fingerprint;
pub mod footprint;
mod load;
pub mod metrics;
mod resident;
pub mod run_directory;
mod run_translator;
pub mod sample_step;
pub mod schedule;
pub mod score;
mod setup;
pub mod step;
mod trainer;
mod watch;

pub use error::TrainError;
pub use load::{check_tokenizers, load, load_weights};
pub use resident::Split;
pub use run_translator::RunTranslator;
pub use setup::{Ready, Setup};
pub use trainer::{Outcome, Trainer};
pub use watch::{Speed, Watch};
