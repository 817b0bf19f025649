//! The text that training reads.

use std::path::PathBuf;

use crate::text::{TextError, Tokenizer};
use crate::train::bundled::captions_directory;
use crate::train::config::Config;
use crate::train::corpus::Corpus;
use anyhow::bail;

use super::learning::LearningBar;

/// Where a configuration's text lies.
pub fn directory(config: &Config) -> anyhow::Result<PathBuf> {
    Ok(match config.data.directory.as_str() {
        "" => captions_directory()?,
        directory => directory.into(),
    })
}

/// `resume`: a run began with it, so that no other text takes its place.
pub fn read(config: &Config, resume: bool) -> anyhow::Result<Corpus> {
    match Corpus::read(&directory(config)?, &config.data) {
        Err(TextError::MissingFile { path, .. }) if resume => bail!(
            "{} does not exist, and the run began with it: put it back, or say where the text is with --data DIR",
            path.display()
        ),
        corpus => Ok(corpus?),
    }
}

/// Learns the tokenizers, and shows how far they are.
pub fn train_tokenizers(corpus: &Corpus, config: &Config) -> anyhow::Result<[Tokenizer; 2]> {
    Ok(corpus.train_tokenizers(&config.data, LearningBar::new)?)
}

/// Says what is trained on.
pub fn report(corpus: &Corpus) {
    let [training, validation] = [0, 1].map(|i| corpus.splits[i].source.len());
    tell!("data      {training} training and {validation} validation pairs of {}", corpus.directory.display());
    for split in &corpus.halves {
        tell!("          {split} has no other language beside it and is left out");
    }
    if corpus.blank > 0 {
        tell!("          {} pairs with a blank side are left out", corpus.blank);
    }
}
