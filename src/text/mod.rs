//! From text files to batches of token ids, and from token ids back to a score.
//!
//! A parallel corpus is two UTF-8 files whose lines translate each other. On the way to the device it passes through
//! these modules, in this order:
//!
//! 1. [`corpus`] reads `DIR/train.de` and `DIR/train.en` as [`ParallelText`] and finds the test sets of a directory.
//! 2. [`tokenizer`] learns a vocabulary from one side or both ([`Tokenizer::train`]) and turns lines into token ids and
//!    back.
//! 3. [`batches`] plans which sentences share a step and how long that step is ([`Batcher`]). It handles lengths and
//!    indices only; whoever builds the tensors adds [`SOS`] and [`EOS`] and fills up with [`PAD`].
//! 4. [`pieces()`] cuts a line that is far longer than those that training saw.
//! 5. [`bleu`] scores translations as sacreBLEU does.
//!
//! [`captions`] writes the corpus that wgrad ships.
//!
//! Everything here is a pure function of its input and a seed: no clock, no global state, no hash-map order. A run that
//! is resumed plans the batches that the uninterrupted run would have had.

pub mod batches;
pub mod bleu;
pub mod captions;
mod chrf;
pub mod corpus;
mod error;
mod foreign;
mod missing;
mod pieces;
mod random;
pub mod tokenizer;

pub use batches::{Batch, BatchShape, BatchSize, Batcher, Frame, within_limit};
pub use bleu::{Bleu, BleuKind, BleuTokenizer, corpus_bleu};
pub use chrf::sentence_chrf;
pub use corpus::{ParallelText, read_lines, read_pairs, test_halves, test_splits};
pub use error::TextError;
pub use foreign::Foreign;
pub use missing::Hint;
pub use pieces::pieces;
pub use tokenizer::{
    EOS, LONGEST_WORD, Learning, MOST_TOKENS, PAD, SOS, Tokenizer, TokenizerKind, TokenizerSettings, UNK,
};
