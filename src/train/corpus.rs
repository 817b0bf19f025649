//! The text of a run, and the tokenizers that are learned from it.

use std::path::{Path, PathBuf};

use crate::text::{
    Learning, ParallelText, TextError, Tokenizer, TokenizerSettings, read_pairs, test_halves, test_splits,
};

use super::config::DataConfig;

/// Text to train on: `train` and `val` of both languages in a folder, and a test set if there is one.
#[derive(Clone, Debug)]
pub struct Corpus {
    pub directory: PathBuf,
    /// Training and validation.
    pub splits: [ParallelText; 2],
    /// Pairs of them left out because a side is blank.
    pub blank: usize,
    /// The first test set, or else the validation set: its name and its text.
    pub test: (String, ParallelText),
    /// Files of test sets that lack the other language.
    pub halves: Vec<String>,
}

impl Corpus {
    /// Reads `train.de`, `train.en`, `val.de`, `val.en` and a test set, for the languages of `data`, in a folder.
    ///
    /// # Errors
    /// When a file is missing, is no text, has another number of lines than the other language's, or nothing is left.
    pub fn read(directory: &Path, data: &DataConfig) -> Result<Self, TextError> {
        let read = |split: &str| read_pairs(directory, split, &data.source, &data.target);
        let (training, blank_training) = read("train")?.without_blanks();
        let (validation, blank_validation) = read("val")?.without_blanks();
        for (text, split) in [(&training, "train"), (&validation, "val")] {
            if text.source.is_empty() {
                return Err(TextError::AllBlank { directory: directory.into(), split: split.into() });
            }
        }
        let name =
            test_splits(directory, &data.source, &data.target)?.into_iter().next().unwrap_or_else(|| "val".into());
        let (test, _) = read(&name)?.without_blanks();
        Ok(Self {
            directory: directory.into(),
            splits: [training, validation],
            blank: blank_training + blank_validation,
            test: (name, test),
            halves: test_halves(directory, &data.source, &data.target)?,
        })
    }

    /// The vocabularies of source and target, one for both where `data` says so. `watch` makes who is told how far the
    /// one of these files is.
    ///
    /// # Errors
    /// When the text has no word that is frequent enough.
    pub fn train_tokenizers<L: Learning>(
        &self,
        data: &DataConfig,
        watch: impl Fn(&str) -> L,
    ) -> Result<[Tokenizer; 2], TextError> {
        let sides = &self.splits[0];
        let settings = |vocabulary| TokenizerSettings {
            kind: data.tokenizer,
            vocabulary,
            min_frequency: data.min_frequency,
            lowercase: data.lowercase,
        };
        let learn = |lines: &[String], vocabulary, files: &str| {
            Tokenizer::train(lines, &settings(vocabulary), &mut watch(files))
        };
        let [source, target] = [&data.source, &data.target].map(|language| format!("train.{language}"));
        if data.joint_vocabulary {
            let both = [&sides.source[..], &sides.target[..]].concat();
            let tokenizer = learn(&both, data.source_vocabulary, &format!("{source} and {target}"))?;
            return Ok([tokenizer.clone(), tokenizer]);
        }
        Ok([
            learn(&sides.source, data.source_vocabulary, &source)?,
            learn(&sides.target, data.target_vocabulary, &target)?,
        ])
    }
}
