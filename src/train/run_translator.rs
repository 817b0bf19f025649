//! A run's trained model as a translator.

use crate::decode::{Beam, DecodeError, Limit, Search, Translated, Translator};
use crate::plan::Device;

use super::load::load;
use super::run_directory::RunDirectory;
use super::{TrainError, checkpoint::Trained};

/// A trained model on a device, between its tokenizers.
pub struct RunTranslator {
    device: Box<dyn Device>,
    translator: Translator,
    /// The longest source that training took.
    seen: usize,
}

impl RunTranslator {
    /// Opens a run's best model. `limit` is the most tokens of a translation; without one what training saw for a
    /// source of its length, half as many again, and 10.
    ///
    /// # Errors
    /// When a file of the run is missing, damaged or of another run, or memory is short.
    pub fn open(
        run: &RunDirectory,
        beam: Beam,
        limit: Option<usize>,
        mut device: Box<dyn Device>,
    ) -> Result<Self, TrainError> {
        let tokenizers = run.tokenizers()?;
        let (model, trained) = load(device.as_mut(), run, [&tokenizers[0], &tokenizers[1]])?;
        let data = &run.config().data;
        let seen = trained.map_or(data.max_tokens, |trained| trained.lengths.source.max(1));
        let search = Search::new(model, data.frame, beam, limit_of(limit, trained));
        Ok(Self { device, translator: Translator::new(tokenizers, search, seen), seen })
    }

    pub fn translator(&self) -> &Translator {
        &self.translator
    }

    /// The longest source that training took, in tokens.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// The translations of lines, in order; one that the device cannot hold is empty.
    ///
    /// # Errors
    /// When the device fails, or the model's scores are no numbers.
    pub fn translate(&mut self, lines: &[String]) -> Result<Vec<String>, DecodeError> {
        let mut translations = vec![];
        self.translate_each(lines, &mut |line| translations.push(line.text))?;
        Ok(translations)
    }

    /// Hands each translation on as soon as it and those before it are there.
    ///
    /// # Errors
    /// As for [`translate`](Self::translate).
    pub fn translate_each(&mut self, lines: &[String], said: &mut dyn FnMut(Translated)) -> Result<(), DecodeError> {
        self.translator.translate(self.device.as_mut(), lines, &|| true, said).map(drop)
    }
}

fn limit_of(tokens: Option<usize>, trained: Option<Trained>) -> Limit {
    match (tokens, trained) {
        (Some(tokens), _) => Limit::Tokens(tokens),
        (None, Some(trained)) => Limit::Trained(trained.lengths),
        (None, None) => Limit::Usual,
    }
}
