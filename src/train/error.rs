//! What ends a training run early.

use std::path::PathBuf;

use thiserror::Error;

use crate::decode::DecodeError;
use crate::graph::GraphError;
use crate::plan::DeviceError;
use crate::text::TextError;

use super::checkpoint::CheckpointError;
use super::files::FileError;
use super::footprint::NoRoom;
use super::metrics::MetricsError;
use super::run_directory::RunError;

/// A run that could not go on. Everything up to the last checkpoint is on disk.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("{blame}{0}", blame = .0.blame())]
    Graph(#[from] GraphError),
    #[error(
        "{} has {tokens} tokens but the model in {} was trained with {expected}: it is the tokenizer of another model. \
         Restore the one that training wrote, or train again",
        tokenizer.display(), checkpoint.display()
    )]
    WrongTokenizer { tokenizer: PathBuf, tokens: usize, checkpoint: PathBuf, expected: usize },
    #[error(
        "{} is not the tokenizer that the model in {} was trained with: one of the files was changed. Restore the one \
         that training wrote, or train again",
        tokenizer.display(), checkpoint.display()
    )]
    ChangedTokenizer { tokenizer: PathBuf, checkpoint: PathBuf },
    #[error(
        "{} changed since the run in {} began: it would go on with another text. Restore what changed, or train again \
         in another folder",
        files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", "), run.display()
    )]
    Changed { files: Vec<PathBuf>, run: PathBuf },
    #[error(
        "`{key} = {there}` when the run in {} began, and `{key} = {here}` in its config.toml now: it would go on as \
         another run. Put the value back, or train again in another folder", run.display()
    )]
    Reconfigured { key: String, there: String, here: String, run: PathBuf },
    #[error(
        "the loss is not a number any more {at}: the training diverged. The last checkpoint is intact; lower \
         train.learning_rate or train.clip_norm and train again"
    )]
    Diverged { at: String },
    /// So soon that a learning rate is hardly why.
    #[error(
        "the loss is not a number any more {at}, {steps} steps after the run went on from {}, where it was one. If the \
         run diverged at this very step before too, lower train.learning_rate and train again. Else the checkpoint \
         does not hold what it should, and no other learning rate helps: go on from a copy of the run's folder, and \
         please report this with the checkpoint",
        checkpoint.display()
    )]
    DivergedOnResume { at: String, steps: u64, checkpoint: PathBuf },
    #[error(
        "no {split} sentence is left: all {count} pairs have more than {limit} tokens on a side. Raise data.max_tokens"
    )]
    NothingLeft { split: String, count: usize, limit: usize },
}

impl TrainError {
    /// Whether training ended for want of space on the disk.
    pub fn is_full_disk(&self) -> bool {
        let file = match self {
            Self::File(file)
            | Self::Checkpoint(CheckpointError::File(file))
            | Self::Metrics(MetricsError::File(file))
            | Self::Run(RunError::File(file)) => file,
            _ => return false,
        };
        matches!(file, FileError::DiskFull { .. })
    }
}
