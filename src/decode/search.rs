//! Search for the likeliest translation: greedy, or with a beam (Graves 2012, Wu et al. 2016).
//!
//! The whole search of a batch is one plan: encoder, then step after step embedding, decoder, projection and choice, with each id fed to the next step on the
//! device. The host reads everything once at the end, follows the best hypothesis back and cuts it at its `<eos>`.

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use crate::graph::{ALIGNMENT, Graph, GraphError, TensorType, Value};
use crate::models::{Model, Source, State};
use crate::nn::Scope;
use crate::ops::argmax::argmax;
use crate::ops::beam_step::{BeamStep, Beams, WIDEST, beam_step};
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
    /// Hypotheses of a sentence, at most [`WIDEST`]; 1 is greedy search.
    pub width: usize,
    /// Hypotheses are compared by their log-probability / length^`length_penalty`.
    pub length_penalty: f32,
}

impl Beam {
    pub const GREEDY: Self = Self { width: 1, length_penalty: 0.0 };
    /// The widest beam there is.
    pub const WIDEST: usize = WIDEST;
}

/// Translates with a model whose parameters lie on the device, in the resident buffer `parameters`.
pub struct Search {
    model: Arc<dyn Model>,
    frame: Frame,
    beam: Beam,
    /// By source length.
    plans: HashMap<usize, Prepared>,
}

impl Search {
    /// # Panics
    /// When the beam's width is not from 1 to [`Beam::WIDEST`].
    pub fn new(model: Arc<dyn Model>, frame: Frame, beam: Beam) -> Self {
        assert!((1..=WIDEST).contains(&beam.width), "a beam of {}", beam.width);
        Self { model, frame, beam, plans: HashMap::new() }
    }

    /// The most tokens of a source sentence that the model has positions for; longer ones are cut.
    pub fn longest(&self) -> usize {
        self.model.max_positions().map_or(usize::MAX, |most| most - self.frame.positions(0))
    }

    /// Positions of a translation of a source of this many: half as many again, and ten more for very short ones.
    fn limit(&self, source: usize) -> usize {
        (source + source / 2 + 10).min(self.model.max_positions().unwrap_or(usize::MAX))
    }

    /// Positions that are computed for a source of so many tokens, specials not counted: the search does not stop early.
    pub fn positions(&self, source: usize) -> usize {
        self.limit(self.time(self.frame.positions(source)))
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
            let plan = self.prepare(device, time)?;
            self.upload(device, time, batch.iter().map(|&i| sources[i]));
            device.run(plan, false)?;
            let ids = device.fetch_u32(plan, 0)?;
            let parents = if self.beam.width > 1 { device.fetch_u32(plan, 1)? } else { vec![] };
            for (sentence, &i) in batch.iter().enumerate() {
                let tokens = self.follow(&ids, &parents, self.limit(time), sentence * self.beam.width);
                results[i] =
                    tokens.into_iter().take_while(|&id| id != EOS).filter(|&id| id != PAD && id != SOS).collect();
            }
        }
        Ok(results)
    }

    /// The tokens that lead to row `row` of the last step.
    fn follow(&self, ids: &[u32], parents: &[u32], steps: usize, mut row: usize) -> Vec<u32> {
        let mut tokens = vec![0; steps];
        for t in (0..steps).rev() {
            let at = t * padded() + row;
            tokens[t] = ids[at];
            row = parents.get(at).map_or(row, |&parent| parent as usize);
        }
        tokens
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

    fn prepare(&mut self, device: &mut dyn Device, time: usize) -> Result<Prepared, DecodeError> {
        if let Some(&plan) = self.plans.get(&time) {
            return Ok(plan);
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
        for name in ["ids", "parents"] {
            device.allocate(&format!("search.{name}.{time}"), &u32s(self.limit(time) * padded()))?;
        }
        let plan = self.plan(device, time)?;
        let prepared = device.prepare(plan)?;
        self.plans.insert(time, prepared);
        Ok(prepared)
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
        let (mut state, mut ids, mut parents) = (encoded.start.clone(), vec![], vec![]);
        for t in 0..limit {
            let (decoded, next) = self.model.step(&mut scope, &encoded, beams.ids, &state, t)?;
            let logits = self.model.projection().logits(&mut scope, decoded.features)?;
            if self.beam.width == 1 {
                beams.ids = argmax(scope.graph, logits)?;
                state = next;
            } else {
                let Beam { width, length_penalty } = self.beam;
                let op = BeamStep { beam: width, length_penalty, length: t + 1, end: EOS };
                beams = beam_step(scope.graph, op, logits, beams.scores, beams.lengths, beams.ids)?;
                state = reorder(scope.graph, next, beams.parents)?;
                parents.push((beams.parents, t * padded()));
            }
            ids.push((beams.ids, t * padded()));
        }
        let mut pack = |name: &str, values: &[(Value, usize)]| {
            let buffer = graph.input(&format!("search.{name}.{time}"), u32s(limit * padded()))?;
            graph.pack(buffer, values)
        };
        let mut found = vec![pack("ids", &ids)?];
        if self.beam.width > 1 {
            found.push(pack("parents", &parents)?);
        }
        Ok(Plan::new(&graph, &found, &[], &device.target()))
    }
}

/// The states of the hypotheses that live on.
fn reorder(graph: &mut Graph, state: State, parents: Value) -> Result<State, GraphError> {
    state.into_iter().map(|value| gather_rows(graph, value, parents)).collect()
}

/// The ids of a step start at a multiple of [`ALIGNMENT`].
fn padded() -> usize {
    ROWS.next_multiple_of(ALIGNMENT)
}
