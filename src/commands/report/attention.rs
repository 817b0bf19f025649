//! Where a run's model looks, for a page.

use std::sync::Arc;

use crate::models::Model;
use crate::plan::Device;
use crate::report::Attention;
use crate::text::{EOS, Frame, PAD, SOS, Tokenizer};
use crate::train::config::Config;
use crate::train::dump::{IdBatch, dump};
use crate::train::load;
use crate::train::run_directory::RunDirectory;

use super::super::device::DeviceChoice;

/// Tokens of a sentence whose attention fits on a page.
const LONGEST: usize = 24;

/// A run's model, on a device of its own: a dump names buffers that a search has too.
pub struct Looker {
    device: Box<dyn Device>,
    model: Arc<dyn Model>,
    tokenizers: [Tokenizer; 2],
    /// The run's, but that the model reads the translation that it is given.
    config: Config,
}

impl Looker {
    pub fn open(run: &RunDirectory, device: &DeviceChoice) -> anyhow::Result<Self> {
        let tokenizers = run.tokenizers()?;
        let mut device = device.open()?.device;
        let (model, _) = load(device.as_mut(), run, [&tokenizers[0], &tokenizers[1]])?;
        let mut config = run.config().clone();
        config.train.teacher_forcing = 1.0;
        Ok(Self { device, model, tokenizers, config })
    }

    /// Where the model looks while it says its own translation of a sentence; `None` where it has no attention.
    pub fn attention(&mut self, sentence: &str, translation: &str) -> anyhow::Result<Option<Attention>> {
        let frame = self.config.data.frame;
        // Beyond its start, its end and its positions a model reads nothing.
        let longest = LONGEST.min(self.model.max_positions().map_or(LONGEST, |most| most.saturating_sub(2)));
        let ids = |tokenizer: &Tokenizer, line: &str, start: &[u32]| -> Vec<i64> {
            let words = tokenizer.encode(line).into_iter().take(longest);
            start.iter().copied().chain(words).chain([EOS]).map(i64::from).collect()
        };
        let [from, into] = &self.tokenizers;
        let source = ids(from, sentence, frame.source_start());
        let target = ids(into, translation, &[SOS]);
        let batch = IdBatch { sentences: 1, source: source.clone(), target: target.clone() };
        let vocabularies = [from, into].map(Tokenizer::vocabulary_size);
        let tensors = dump(self.device.as_mut(), &*self.model, &self.config, vocabularies, &batch)?;
        let Some(weights) = tensors.into_iter().find(|tensor| tensor.name == "attention") else { return Ok(None) };
        let [.., rows, columns] = weights.shape[..] else { return Ok(None) };
        // What it says, not what it reads: without the start that only some frames say.
        let said = if frame == Frame::Both { &target[..] } else { &target[1..] };
        // A Transformer encoder looks from the source's positions.
        let target = if rows == said.len() { labels(into, said, rows) } else { labels(from, &source, rows) };
        Ok(Some(Attention {
            sentence: sentence.to_owned(),
            source: labels(from, &source, columns),
            target,
            heads: weights.values.chunks(rows * columns).map(<[f32]>::to_vec).collect(),
        }))
    }
}

/// So many tokens as words, padded.
fn labels(tokenizer: &Tokenizer, ids: &[i64], length: usize) -> Vec<String> {
    let label = |id: i64| match id as u32 {
        SOS => "<sos>".into(),
        EOS => "<eos>".into(),
        PAD => "<pad>".into(),
        id => tokenizer.decode(&[id]).trim().to_owned(),
    };
    ids.iter().copied().chain(std::iter::repeat(i64::from(PAD))).take(length).map(label).collect()
}
