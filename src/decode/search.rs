//! Search for the likeliest translation: greedy, or with a beam (Graves 2012, Wu et al. 2016).
//!
//! Sentences whose lengths round up to the same number of positions share a batch, and a batch always has as many rows:
//! what becomes of a sentence depends on its own length, never on its neighbours. The encoder is one plan (`plans.rs`),
//! and every few steps of the decoder are one more, made when a sentence first gets that far; the state waits in
//! resident buffers between them. After each the host reads what the steps chose. A sentence is done when all of its
//! hypotheses have ended, or at its own limit; its neighbours may go on. The best hypothesis is then followed back.

use std::sync::Arc;

use thiserror::Error;

use crate::graph::GraphError;
use crate::models::Model;
use crate::ops::control::{NO_SENTENCE, SENTENCES};
use crate::plan::{Device, DeviceError};
use crate::text::{EOS, Frame, PAD, SOS};

use super::Limit;
use super::plans::{NEVER, PART, Plans, ROWS, padded};

/// What can go wrong while translating.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DecodeError {
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("{blame}{0}", blame = .0.blame())]
    Graph(#[from] GraphError),
    #[error(
        "the model's scores are infinite or not numbers: its weights overflow, and there is no translation. Train \
         again with a lower train.learning_rate or train.clip_norm"
    )]
    NotNumbers,
}

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beam {
    /// Hypotheses of a sentence, at most [`WIDEST`](Self::WIDEST); 1 is greedy search.
    pub width: usize,
    /// Hypotheses are compared by their log-probability / length^`length_penalty`.
    pub length_penalty: f32,
}

impl Beam {
    pub const GREEDY: Self = Self { width: 1, length_penalty: 0.0 };
    /// The widest beam there is: one sentence takes all rows.
    pub const WIDEST: usize = ROWS;

    /// Sentences of a batch, each on `width` rows.
    pub fn sentences(self) -> usize {
        ROWS / self.width
    }
}

/// What ended a translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The model's `<eos>`.
    Eos,
    /// The limit: nothing that the model thought of had ended before.
    Limit,
    /// The device cannot hold the plan of a sentence of this length, as its message says. There are no tokens.
    OutOfMemory(String),
}

/// A sentence's translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Without special ones.
    pub tokens: Vec<u32>,
    pub end: End,
}

/// Translates with a model whose parameters lie on the device, in the resident buffer `parameters`.
pub struct Search {
    model: Arc<dyn Model>,
    frame: Frame,
    beam: Beam,
    limit: Limit,
    plans: Plans,
}

/// What a batch's plans found: for each of them the tokens of every step and row, with a beam then the rows that they
/// continue.
#[derive(Default)]
struct Found(Vec<Vec<u32>>);

impl Found {
    fn id(&self, t: usize, row: usize) -> u32 {
        self.0[t / PART][t % PART * padded() + row]
    }

    /// The row of step t − 1 that a row of step t continues.
    fn parent(&self, t: usize, row: usize) -> usize {
        self.0[t / PART].get((PART + t % PART) * padded() + row).map_or(row, |&parent| parent as usize)
    }

    /// The tokens that lead to row `row` of step `steps` − 1.
    fn follow(&self, steps: usize, mut row: usize) -> Vec<u32> {
        let mut tokens = vec![0; steps];
        for t in (0..steps).rev() {
            tokens[t] = self.id(t, row);
            row = self.parent(t, row);
        }
        tokens
    }
}

impl Search {
    /// # Panics
    /// When the beam's width is not from 1 to [`Beam::WIDEST`].
    pub fn new(model: Arc<dyn Model>, frame: Frame, beam: Beam, limit: Limit) -> Self {
        assert!((1..=Beam::WIDEST).contains(&beam.width), "a beam of {}", beam.width);
        let plans = Plans::new(model.clone(), beam);
        Self { model, frame, beam, limit, plans }
    }

    /// The most tokens of a sentence, source or translation, that the model has positions for; longer sources are cut.
    pub fn longest(&self) -> usize {
        self.model.max_positions().map_or(usize::MAX, |most| most - self.frame.positions(0))
    }

    /// Sentences that share a batch.
    pub(super) fn sentences(&self) -> usize {
        self.beam.sentences()
    }

    /// The most tokens of a translation of so many.
    fn limit(&self, source: usize) -> usize {
        self.limit.of(source).min(self.longest()).min(usize::MAX - self.frame.positions(0))
    }

    /// Translates token ids (without specials); the result is in the same order. Of a source longer than
    /// [`longest`](Self::longest) only the beginning is read.
    ///
    /// # Errors
    /// When the device fails, or the model's scores are no numbers.
    pub fn translate(
        &mut self,
        device: &mut dyn Device,
        sources: &[Vec<u32>],
    ) -> Result<Vec<Translation>, DecodeError> {
        Ok(self.translate_while(device, sources, &|| true)?.expect("nobody stopped it"))
    }

    /// [`translate`](Self::translate), or `None` where `go_on` said no, which is asked before every batch.
    ///
    /// # Errors
    /// As for [`translate`](Self::translate).
    pub fn translate_while(
        &mut self,
        device: &mut dyn Device,
        sources: &[Vec<u32>],
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<Translation>>, DecodeError> {
        let most = self.longest();
        let sources: Vec<&[u32]> = sources.iter().map(|ids| &ids[..ids.len().min(most)]).collect();
        let time = |i: usize| self.plans.time(self.frame.positions(sources[i].len()));
        let mut order: Vec<(usize, usize)> =
            (0..sources.len()).filter(|&i| !sources[i].is_empty()).map(|i| (time(i), i)).collect();
        // Longest first: the first plan allocates the slots that all others reuse.
        order.sort_by_key(|&(time, i)| (std::cmp::Reverse(time), i));
        let nothing = Translation { tokens: vec![], end: End::Eos };
        let mut results = vec![nothing; sources.len()];
        let (same_time, most) = (order.chunk_by(|a, b| a.0 == b.0), self.beam.sentences());
        for batch in same_time.flat_map(|sentences| sentences.chunks(most)) {
            if !go_on() {
                return Ok(None);
            }
            let batch_sources: Vec<&[u32]> = batch.iter().map(|&(_, i)| sources[i]).collect();
            let translations = self.translate_batch(device, batch[0].0, &batch_sources)?;
            batch.iter().zip(translations).for_each(|(&(_, i), translation)| results[i] = translation);
        }
        Ok(Some(results))
    }

    /// Translates sentences that share plans of `time` source positions.
    fn translate_batch(
        &mut self,
        device: &mut dyn Device,
        time: usize,
        sources: &[&[u32]],
    ) -> Result<Vec<Translation>, DecodeError> {
        let limits: Vec<usize> = sources.iter().map(|source| self.limit(source.len())).collect();
        let mut done: Vec<Option<Translation>> = vec![None; sources.len()];
        match self.search(device, time, sources, &limits, &mut done) {
            Err(DecodeError::Device(DeviceError::OutOfMemory { message, .. })) => {
                let lost = Translation { tokens: vec![], end: End::OutOfMemory(message) };
                Ok(done.into_iter().map(|found| found.unwrap_or_else(|| lost.clone())).collect())
            }
            Err(error) => Err(error),
            Ok(()) => Ok(done.into_iter().map(|found| found.expect("each reaches its limit")).collect()),
        }
    }

    /// Runs plan after plan until all sentences are done.
    fn search(
        &mut self,
        device: &mut dyn Device,
        time: usize,
        sources: &[&[u32]],
        limits: &[usize],
        done: &mut [Option<Translation>],
    ) -> Result<(), DecodeError> {
        // Of the longest sentence that these plans take, so that they are the same whoever meets.
        let steps = self.frame.positions(self.limit(time - self.frame.positions(0)));
        let encoder = self.plans.encoder(device, time, steps)?;
        self.upload(device, time, sources)?;
        device.run(encoder, false)?;
        let mut found = Found::default();
        for number in 0.. {
            let part = self.plans.part(device, time, number)?;
            device.run(part, false)?;
            found.0.push(device.fetch_u32(part, 0)?);
            let mut scores = None;
            for (sentence, done) in done.iter_mut().enumerate().filter(|(_, done)| done.is_none()) {
                let limit = limits[sentence];
                *done = (number * PART..steps.min((number + 1) * PART))
                    .find_map(|t| self.translation(&found, sentence, t + 1, limit));
                if done.is_none() {
                    continue;
                }
                // What once is no number stays none.
                if scores.is_none() {
                    scores = Some(device.fetch_f32(part, 1)?);
                }
                let first = sentence * self.beam.width;
                if scores.iter().any(|scores| !scores[first..][..self.beam.width].iter().all(|s| s.is_finite())) {
                    return Err(DecodeError::NotNumbers);
                }
            }
            if done.iter().all(Option::is_some) {
                break;
            }
        }
        Ok(())
    }

    /// The translation of a sentence after so many steps if it is done then: nothing changes any more, or its limit is
    /// reached. There the best hypothesis that has ended comes before all that have not.
    fn translation(&self, found: &Found, sentence: usize, steps: usize, limit: usize) -> Option<Translation> {
        let mut rows = sentence * self.beam.width..(sentence + 1) * self.beam.width;
        // A hypothesis that has ended says <eos> at every step.
        let ended = |row: usize| found.id(steps - 1, row) == EOS;
        let at_limit = steps == self.frame.positions(limit);
        if !at_limit && !rows.clone().all(ended) {
            return None;
        }
        let best = rows.find(|&row| ended(row));
        let followed = found.follow(steps, best.unwrap_or(sentence * self.beam.width)).into_iter();
        let words = followed.take_while(|&id| id != EOS).filter(|&id| id != PAD && id != SOS);
        let mut tokens: Vec<u32> = words.collect();
        // A model that leaves out the <sos> of [`Frame::Both`] has room for one word more.
        let end = if best.is_some() && tokens.len() <= limit { End::Eos } else { End::Limit };
        tokens.truncate(limit);
        Some(Translation { tokens, end })
    }

    fn upload(&self, device: &mut dyn Device, time: usize, sources: &[&[u32]]) -> Result<(), DeviceError> {
        let (mut tokens, mut offsets): (Vec<u32>, Vec<u32>) = (vec![], vec![0]);
        let mut control = vec![0; SENTENCES];
        for (number, sentence) in sources.iter().enumerate() {
            tokens.extend(self.frame.source_start());
            tokens.extend(*sentence);
            tokens.push(EOS);
            offsets.push(tokens.len() as u32);
            control.extend(vec![number as u32; self.beam.width]);
        }
        control.resize(SENTENCES + ROWS, NO_SENTENCE);
        // The first step continues one hypothesis a sentence: several empty ones would all become the same.
        let scores: Vec<f32> = (0..ROWS).map(|row| if row % self.beam.width == 0 { 0.0 } else { NEVER }).collect();
        self.plans.write(device, time, [&tokens, &offsets, &control], &scores)
    }
}
