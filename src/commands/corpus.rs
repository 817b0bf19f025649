//! The text that training reads.

use std::path::PathBuf;

use crate::text::{ParallelText, TextError, Tokenizer, TokenizerSettings, read_pairs, test_halves, test_splits};
use crate::train::config::Config;
use anyhow::bail;

use super::data::bundled_captions;
use super::learning::LearningBar;

/// The text of a run.
pub struct Corpus {
    directory: PathBuf,
    /// Training and validation.
    pub splits: [ParallelText; 2],
    /// Pairs of them left out because a side is blank.
    blank: usize,
    /// The first test set, or else the validation set.
    pub test: (String, ParallelText),
    /// Files of test sets that lack the other language.
    halves: Vec<String>,
}

impl Corpus {
    /// `resume`: a run began with it, so that no other text takes its place.
    pub fn read(config: &Config, resume: bool) -> anyhow::Result<Self> {
        let data = &config.data;
        let directory = if data.directory.is_empty() { bundled_captions()? } else { PathBuf::from(&data.directory) };
        let read = |split: &str| match read_pairs(&directory, split, &data.source, &data.target) {
            Err(TextError::MissingFile { path, .. }) if resume => {
                bail!(
                    "{} does not exist, and the run began with it: put it back, or say where the text is with \
                     --data DIR",
                    path.display()
                )
            }
            text => Ok(text?),
        };
        let (training, blank_training) = read("train")?.without_blanks();
        let (validation, blank_validation) = read("val")?.without_blanks();
        for (text, split) in [(&training, "train"), (&validation, "val")] {
            if text.source.is_empty() {
                bail!("{}: every pair of {split} has a blank side; expected sentences", directory.display());
            }
        }
        let name =
            test_splits(&directory, &data.source, &data.target)?.into_iter().next().unwrap_or_else(|| "val".into());
        let (test, _) = read(&name)?.without_blanks();
        let halves = test_halves(&directory, &data.source, &data.target)?;
        Ok(Self {
            directory,
            splits: [training, validation],
            blank: blank_training + blank_validation,
            test: (name, test),
            halves,
        })
    }

    pub fn train_tokenizers(&self, config: &Config) -> anyhow::Result<[Tokenizer; 2]> {
        let data = &config.data;
        let sides = &self.splits[0];
        let settings = |vocabulary| TokenizerSettings {
            kind: data.tokenizer,
            vocabulary,
            min_frequency: data.min_frequency,
            lowercase: data.lowercase,
        };
        let learn = |lines: &[String], vocabulary, files: &str| {
            Tokenizer::train(lines, &settings(vocabulary), &mut LearningBar::new(files))
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

    pub fn report(&self) {
        let [training, validation] = [0, 1].map(|i| self.splits[i].source.len());
        tell!("data      {training} training and {validation} validation pairs of {}", self.directory.display());
        for split in &self.halves {
            tell!("          {split} has no other language beside it and is left out");
        }
        if self.blank > 0 {
            tell!("          {} pairs with a blank side are left out", self.blank);
        }
    }
}
