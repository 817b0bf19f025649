//! Greedy search: the most likely token at every step.
//!
//! The whole search of a batch is one plan: encoder, then step after step embedding, recurrence, attention, projection and argmax, with each id fed to the
//! next step on the device. The host reads the ids once at the end and cuts each sentence at its `<eos>`.

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use crate::graph::{ALIGNMENT, Graph, GraphError, TensorType};
use crate::models::{Model, Source};
use crate::nn::Scope;
use crate::ops::argmax::argmax;
use crate::ops::control::{NO_SENTENCE, SENTENCES};
use crate::ops::fill::fill_ids;
use crate::ops::gather_batch::{GatherBatch, gather_batch};
use crate::plan::{Device, DeviceError, Plan, Prepared};
use crate::text::{EOS, Frame, PAD, SOS};

/// Sentences that are translated side by side.
const BATCH: usize = 64;
/// Source lengths are rounded up to a multiple of this, so that few plans are needed.
const BUCKET: usize = 8;

/// What can go wrong while translating.
#[derive(Debug, Error)]
pub enum DecodeError {
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("wgrad put a graph together wrongly, please report this: {0}")]
    Graph(#[from] GraphError),
}

/// Translates with a model whose parameters lie on the device, in the resident buffer `parameters`.
pub struct Greedy {
    model: Arc<dyn Model>,
    frame: Frame,
    /// By source length.
    plans: HashMap<usize, Prepared>,
}

impl Greedy {
    pub fn new(model: Arc<dyn Model>, frame: Frame) -> Self {
        Self { model, frame, plans: HashMap::new() }
    }

    /// The most tokens of a source sentence that the model has positions for; longer ones are cut.
    pub fn longest(&self) -> usize {
        self.model.max_positions().map_or(usize::MAX, |most| most - self.frame.positions(0))
    }

    /// Positions of a translation of a source of this many: half as many again, and ten more for very short ones.
    fn limit(&self, source: usize) -> usize {
        (source + source / 2 + 10).min(self.model.max_positions().unwrap_or(usize::MAX))
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
        for batch in order.chunks(BATCH) {
            let longest = batch.iter().map(|&i| self.frame.positions(sources[i].len())).max().unwrap_or(1);
            let time = longest.next_multiple_of(BUCKET).min(self.model.max_positions().unwrap_or(usize::MAX));
            let plan = self.prepare(device, time)?;
            self.upload(device, time, batch.iter().map(|&i| sources[i]));
            device.run(plan, false)?;
            let ids = device.fetch_u32(plan, 0)?;
            for (row, &i) in batch.iter().enumerate() {
                let tokens = (0..self.limit(time)).map(|t| ids[t * padded_batch() + row]);
                results[i] = tokens.take_while(|&id| id != EOS).filter(|&id| id != PAD && id != SOS).collect();
            }
        }
        Ok(results)
    }

    fn upload<'s>(&self, device: &mut dyn Device, time: usize, batch: impl Iterator<Item = &'s [u32]>) {
        let (mut tokens, mut offsets): (Vec<u32>, Vec<u32>) = (vec![], vec![0]);
        let mut control = vec![0; SENTENCES];
        for (row, sentence) in batch.enumerate() {
            tokens.extend(self.frame.source_start());
            tokens.extend(sentence);
            tokens.push(EOS);
            offsets.push(tokens.len() as u32);
            control.push(row as u32);
        }
        control.resize(SENTENCES + BATCH, NO_SENTENCE);
        device.write_u32(&format!("greedy.tokens.{time}"), &tokens);
        device.write_u32("greedy.offsets", &offsets);
        device.write_u32("greedy.control", &control);
    }

    fn prepare(&mut self, device: &mut dyn Device, time: usize) -> Result<Prepared, DecodeError> {
        if let Some(&plan) = self.plans.get(&time) {
            return Ok(plan);
        }
        let u32s = |len: usize| TensorType::u32(&[len]);
        if self.plans.is_empty() {
            device.allocate("greedy.offsets", &u32s(BATCH + 1))?;
            device.allocate("greedy.control", &u32s(SENTENCES + BATCH))?;
        }
        device.allocate(&format!("greedy.tokens.{time}"), &u32s(BATCH * time))?;
        device.allocate(&format!("greedy.ids.{time}"), &u32s(self.limit(time) * padded_batch()))?;
        let plan = self.plan(device, time)?;
        let prepared = device.prepare(plan)?;
        self.plans.insert(time, prepared);
        Ok(prepared)
    }

    /// The whole search for sources of up to `time` tokens.
    fn plan(&self, device: &dyn Device, time: usize) -> Result<Plan, GraphError> {
        let u32s = |len: usize| TensorType::u32(&[len]);
        let mut graph = Graph::new();
        let tokens = graph.input(&format!("greedy.tokens.{time}"), u32s(BATCH * time))?;
        let offsets = graph.input("greedy.offsets", u32s(BATCH + 1))?;
        let control = graph.input("greedy.control", u32s(SENTENCES + BATCH))?;
        let limit = self.limit(time);
        let found = graph.input(&format!("greedy.ids.{time}"), u32s(limit * padded_batch()))?;
        let which = |time| GatherBatch { batch: BATCH, time, labels: false, padding: PAD };
        let source =
            gather_batch(&mut graph, which(self.model.source_positions(time, limit)), tokens, offsets, control)?;
        let mut scope = Scope::evaluating(&mut graph, self.model.parameters())?;
        let encoded = self.model.encode(&mut scope, Source { ids: source.ids, lengths: source.lengths })?;
        let mut ids = fill_ids(scope.graph, &[BATCH], SOS)?;
        let (mut state, mut all) = (encoded.start.clone(), vec![]);
        for t in 0..limit {
            let (decoded, next) = self.model.step(&mut scope, &encoded, ids, &state, t)?;
            let logits = self.model.projection().logits(&mut scope, decoded.features)?;
            ids = argmax(scope.graph, logits)?;
            all.push((ids, t * padded_batch()));
            state = next;
        }
        let found = graph.pack(found, &all)?;
        Ok(Plan::new(&graph, &[found], &[], &device.target()))
    }
}

/// The ids of a step start at a multiple of [`ALIGNMENT`].
fn padded_batch() -> usize {
    BATCH.next_multiple_of(ALIGNMENT)
}
