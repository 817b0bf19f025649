//! Search for the likeliest translation: greedy, or with a beam (Graves 2012, Wu et al. 2016).
//!
//! The whole search of a batch is one plan: encoder, then step after step embedding, decoder, projection and choice, with each id fed to the next step on the
//! device. It runs in parts of a few steps. Between them the host reads what the steps chose, and leaves the rest out once every sentence has ended. Then it
//! follows the best hypothesis back and cuts it at its `<eos>`.

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use crate::graph::{ALIGNMENT, Graph, GraphError, TensorType, Value};
use crate::models::{Model, Source, State};
use crate::nn::Scope;
use crate::ops::argmax::argmax;
use crate::ops::beam_step::{BeamStep, Beams, beam_step};
use crate::ops::control::{NO_SENTENCE, SENTENCES};
use crate::ops::fill::fill_ids;
use crate::ops::gather_batch::{GatherBatch, gather_batch};
use crate::ops::gather_rows::gather_rows;
use crate::plan::{Device, DeviceError, Plan, Prepared};
use crate::text::{EOS, Frame, PAD, SOS};

/// Hypotheses that are continued side by side, those of all sentences of a batch together.
const ROWS: usize = 64;
/// Source lengths are rounded up to a multiple of this, so that few plans are needed.
const BUCKET: usize = 8;
/// Steps between two looks at what has been found, each of which waits for the device: a batch goes on for at most as many in vain.
const PART: usize = 4;
/// Log-probability of the hypotheses that a sentence does not have yet: no sum of real ones is as low.
const NEVER: f32 = -1e9;

/// What can go wrong while translating.
#[derive(Debug, Error)]
pub enum DecodeError {
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("wgrad put a graph together wrongly, please report this: {0}")]
    Graph(#[from] GraphError),
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
}

/// Translates with a model whose parameters lie on the device, in the resident buffer `parameters`.
pub struct Search {
    model: Arc<dyn Model>,
    frame: Frame,
    beam: Beam,
    /// By source length.
    plans: HashMap<usize, Parts>,
}

/// A prepared search.
#[derive(Clone)]
struct Parts {
    plan: Prepared,
    /// Steps of the plan after which each part is done.
    ends: Vec<usize>,
    /// Positions of the longest translation.
    limit: usize,
}

/// What a search found: for each of its parts the tokens of every step and row, with a beam then the rows that they continue.
struct Found {
    parts: Vec<Vec<u32>>,
    /// Positions that have been searched.
    steps: usize,
}

impl Found {
    fn id(&self, t: usize, row: usize) -> u32 {
        self.parts[t / PART][t % PART * padded() + row]
    }

    /// The row of step t − 1 that a row of step t continues.
    fn parent(&self, t: usize, row: usize) -> usize {
        self.parts[t / PART].get((PART + t % PART) * padded() + row).map_or(row, |&parent| parent as usize)
    }

    /// The tokens that lead to row `row` of the last step.
    fn follow(&self, mut row: usize) -> Vec<u32> {
        let mut tokens = vec![0; self.steps];
        for t in (0..tokens.len()).rev() {
            tokens[t] = self.id(t, row);
            row = self.parent(t, row);
        }
        tokens
    }
}

impl Search {
    /// # Panics
    /// When the beam's width is not from 1 to [`Beam::WIDEST`].
    pub fn new(model: Arc<dyn Model>, frame: Frame, beam: Beam) -> Self {
        assert!((1..=Beam::WIDEST).contains(&beam.width), "a beam of {}", beam.width);
        Self { model, frame, beam, plans: HashMap::new() }
    }

    /// The most tokens of a source sentence that the model has positions for; longer ones are cut.
    pub fn longest(&self) -> usize {
        self.model.max_positions().map_or(usize::MAX, |most| most - self.frame.positions(0))
    }

    /// Positions of a translation of a source of this many: half as many again, and ten more, which matter to very short ones.
    fn limit(&self, source: usize) -> usize {
        (source + source / 2 + 10).min(self.model.max_positions().unwrap_or(usize::MAX))
    }

    /// Source positions of the plan for sentences of up to `longest` positions.
    fn time(&self, longest: usize) -> usize {
        longest.next_multiple_of(BUCKET).min(self.model.max_positions().unwrap_or(usize::MAX))
    }

    /// Sentences of a batch, each on `width` rows.
    pub fn sentences(&self) -> usize {
        ROWS / self.beam.width
    }

    fn rows(&self) -> usize {
        self.sentences() * self.beam.width
    }

    /// Numbers of a part of [`Found`].
    fn found_len(&self) -> usize {
        let kinds = if self.beam.width > 1 { 2 } else { 1 };
        kinds * PART * padded()
    }

    /// Translates token ids (without specials); the result is in the same order, without specials too. Of a source longer than
    /// [`longest`](Self::longest) only the beginning is read.
    ///
    /// # Errors
    /// When the device fails.
    pub fn translate(&mut self, device: &mut dyn Device, sources: &[Vec<u32>]) -> Result<Vec<Vec<u32>>, DecodeError> {
        let most = self.longest();
        let sources: Vec<&[u32]> = sources.iter().map(|ids| &ids[..ids.len().min(most)]).collect();
        let mut order: Vec<usize> = (0..sources.len()).filter(|&i| !sources[i].is_empty()).collect();
        // Longest first: the first plan allocates the slots that all others reuse.
        order.sort_by_key(|&i| (std::cmp::Reverse(sources[i].len()), i));
        let mut results = vec![vec![]; sources.len()];
        for batch in order.chunks(self.sentences()) {
            let longest = batch.iter().map(|&i| self.frame.positions(sources[i].len())).max().unwrap_or(1);
            let time = self.time(longest);
            let parts = self.prepare(device, time)?;
            self.upload(device, time, batch.iter().map(|&i| sources[i]));
            let found = self.run(device, &parts, batch.len() * self.beam.width)?;
            for (sentence, &i) in batch.iter().enumerate() {
                let tokens = found.follow(sentence * self.beam.width).into_iter();
                results[i] = tokens.take_while(|&id| id != EOS).filter(|&id| id != PAD && id != SOS).collect();
            }
        }
        Ok(results)
    }

    /// Runs a search until all of the first `rows` rows have ended.
    fn run(&self, device: &mut dyn Device, parts: &Parts, rows: usize) -> Result<Found, DecodeError> {
        let mut found = Found { parts: vec![], steps: 0 };
        let mut ended = vec![false; rows];
        let mut start = 0;
        for (part, &end) in parts.ends.iter().enumerate() {
            device.run_part(parts.plan, start..end)?;
            start = end;
            found.parts.push(device.fetch_u32(parts.plan, part)?);
            let before = std::mem::replace(&mut found.steps, parts.limit.min((part + 1) * PART));
            for (row, ended) in ended.iter_mut().enumerate() {
                // A hypothesis that has ended says <eos> at every step and may change its row, since a longer one may still become better.
                *ended = match self.beam.width {
                    1 => *ended || (before..found.steps).any(|t| found.id(t, row) == EOS),
                    _ => found.id(found.steps - 1, row) == EOS,
                };
            }
            if ended.iter().all(|&ended| ended) {
                break;
            }
        }
        Ok(found)
    }

    fn upload<'s>(&self, device: &mut dyn Device, time: usize, batch: impl Iterator<Item = &'s [u32]>) {
        let (mut tokens, mut offsets): (Vec<u32>, Vec<u32>) = (vec![], vec![0]);
        let mut control = vec![0; SENTENCES];
        for (number, sentence) in batch.enumerate() {
            tokens.extend(self.frame.source_start());
            tokens.extend(sentence);
            tokens.push(EOS);
            offsets.push(tokens.len() as u32);
            control.extend(vec![number as u32; self.beam.width]);
        }
        control.resize(SENTENCES + ROWS, NO_SENTENCE);
        device.write_u32(&format!("search.tokens.{time}"), &tokens);
        device.write_u32("search.offsets", &offsets);
        device.write_u32("search.control", &control);
    }

    fn prepare(&mut self, device: &mut dyn Device, time: usize) -> Result<Parts, DecodeError> {
        if let Some(parts) = self.plans.get(&time) {
            return Ok(parts.clone());
        }
        let u32s = |len: usize| TensorType::u32(&[len]);
        if self.plans.is_empty() {
            device.allocate("search.offsets", &u32s(ROWS + 1))?;
            device.allocate("search.control", &u32s(SENTENCES + ROWS))?;
            device.allocate("search.scores", &TensorType::f32(&[self.rows()]))?;
            // The first step continues one hypothesis a sentence: several empty ones would all become the same.
            let first = (0..self.rows()).map(|row| if row % self.beam.width == 0 { 0.0 } else { NEVER });
            device.write_f32("search.scores", &first.collect::<Vec<_>>());
        }
        device.allocate(&format!("search.tokens.{time}"), &u32s(ROWS * time))?;
        for part in 0..self.limit(time).div_ceil(PART) {
            device.allocate(&found_name(time, part), &u32s(self.found_len()))?;
        }
        let plan = self.plan(device, time)?;
        let ends = plan.ready.clone();
        let parts = Parts { plan: device.prepare(plan)?, ends, limit: self.limit(time) };
        self.plans.insert(time, parts.clone());
        Ok(parts)
    }

    /// The whole search for sources of up to `time` tokens.
    fn plan(&self, device: &dyn Device, time: usize) -> Result<Plan, GraphError> {
        let u32s = |len: usize| TensorType::u32(&[len]);
        let (rows, limit) = (self.rows(), self.limit(time));
        let mut graph = Graph::new();
        let tokens = graph.input(&format!("search.tokens.{time}"), u32s(ROWS * time))?;
        let offsets = graph.input("search.offsets", u32s(ROWS + 1))?;
        let control = graph.input("search.control", u32s(SENTENCES + ROWS))?;
        let scores = graph.input("search.scores", TensorType::f32(&[rows]))?;
        let which =
            GatherBatch { batch: rows, time: self.model.source_positions(time, limit), labels: false, padding: PAD };
        let source = gather_batch(&mut graph, which, tokens, offsets, control)?;
        let mut scope = Scope::evaluating(&mut graph, self.model.parameters())?;
        let encoded = self.model.encode(&mut scope, Source { ids: source.ids, lengths: source.lengths })?;
        let first = fill_ids(scope.graph, &[rows], SOS)?;
        let mut beams = Beams { scores, lengths: fill_ids(scope.graph, &[rows], 1)?, parents: first, ids: first };
        let (mut state, mut fetches, mut part) = (encoded.start.clone(), vec![], vec![]);
        for t in 0..limit {
            let (decoded, next) = self.model.step(&mut scope, &encoded, beams.ids, &state, t)?;
            let logits = self.model.projection().logits(&mut scope, decoded.features)?;
            let at = t % PART;
            if self.beam.width == 1 {
                beams.ids = argmax(scope.graph, logits)?;
                state = next;
            } else {
                let Beam { width, length_penalty } = self.beam;
                let op = BeamStep { beam: width, length_penalty, length: t + 1, end: EOS };
                beams = beam_step(scope.graph, op, logits, beams.scores, beams.lengths, beams.ids)?;
                state = reorder(scope.graph, next, beams.parents)?;
                part.push((beams.parents, (PART + at) * padded()));
            }
            part.push((beams.ids, at * padded()));
            if at + 1 == PART || t + 1 == limit {
                let buffer = scope.graph.input(&found_name(time, t / PART), u32s(self.found_len()))?;
                fetches.push(scope.graph.pack(buffer, &part)?);
                part.clear();
            }
        }
        Ok(Plan::new(&graph, &fetches, &[], &device.target()))
    }
}

/// The buffer for what a part of a search finds.
fn found_name(time: usize, part: usize) -> String {
    format!("search.found.{time}.{part}")
}

/// The states of the hypotheses that live on.
fn reorder(graph: &mut Graph, state: State, parents: Value) -> Result<State, GraphError> {
    state.into_iter().map(|value| gather_rows(graph, value, parents)).collect()
}

/// The ids of a step start at a multiple of [`ALIGNMENT`].
fn padded() -> usize {
    ROWS.next_multiple_of(ALIGNMENT)
}
