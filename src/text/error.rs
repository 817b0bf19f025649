//! What can be wrong with text files and tokenizers.

use std::path::PathBuf;

use thiserror::Error;

use super::foreign::{Foreign, from_latin1};
use super::missing::Hint;

/// A text file or a tokenizer that cannot be used. The message names the file, what was expected and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TextError {
    /// The operating system refused to read a file or to list a directory.
    #[error("cannot read {}: {error}", path.display())]
    Read { path: PathBuf, error: std::io::Error },

    /// A file that is no text, or text of another kind.
    #[error(
        "{} is {}; expected UTF-8, one sentence a line. Convert it with `{}`",
        path.display(), foreign.description(), foreign.conversion(path)
    )]
    Foreign { path: PathBuf, foreign: Foreign },

    /// A file that is not UTF-8. `line` and `column` count from 1, the column in bytes.
    #[error(
        "{}, line {line}: byte {column} of the line (0x{byte:02x}) is not valid UTF-8; convert the file, \
         e.g. from Latin-1 with `{}`",
        path.display(), from_latin1(path)
    )]
    NotUtf8 { path: PathBuf, line: usize, column: usize, byte: u8 },

    /// A file without a single line.
    #[error("{} is empty; expected one sentence a line", path.display())]
    EmptyFile { path: PathBuf },

    /// A split of which no pair has words on both sides.
    #[error("{}: every pair of {split} has a blank side; expected sentences", directory.display())]
    AllBlank { directory: PathBuf, split: String },

    /// One half of a split is missing; `hint` says what the directory holds instead.
    #[error("{} does not exist; {hint}", path.display())]
    MissingFile { path: PathBuf, hint: Hint },

    /// The two halves of a split have different numbers of lines, so lines do not translate each other.
    #[error(
        "{} has {source_lines} lines but {} has {target_lines}; line n of one must translate line n of the other, and \
         line {first_unmatched} is the first without a partner",
        source_path.display(),
        target_path.display()
    )]
    LineCounts {
        source_path: PathBuf,
        source_lines: usize,
        target_path: PathBuf,
        target_lines: usize,
        first_unmatched: usize,
    },

    /// No token of the training text was frequent enough to enter the vocabulary.
    #[error(
        "the vocabulary would be empty: nothing in the {lines} lines of training text occurs at least {min_frequency} \
         times; lower data.min_frequency, or check that the text is not blank"
    )]
    EmptyVocabulary { lines: usize, min_frequency: u32 },

    /// The vocabulary cannot hold the special tokens and one word or, for BPE, the characters that merges start from.
    #[error(
        "a vocabulary of {limit} tokens is too small for this text: it takes at least {needed} (the special tokens \
         and, for BPE, every character that occurs data.min_frequency times); raise data.source_vocabulary or \
         data.target_vocabulary"
    )]
    VocabularyTooSmall { limit: usize, needed: usize },

    /// A tokenizer file that is damaged or does not hold what [`Tokenizer::to_json`](crate::text::Tokenizer::to_json)
    /// gives.
    #[error("{} is not a tokenizer of this program: {reason}; train again, or restore the file", path.display())]
    TokenizerFile { path: PathBuf, reason: String },
}
