//! Greedy search: the most likely token at every step.
//!
//! The whole search of a batch is one plan: encoder, then step after step embedding, recurrence, attention, projection and argmax, with each id fed to the
//! next step on the device. The host reads the ids once at the end and cuts each sentence at its `<eos>`.

use std::collections::HashMap;

use thiserror::Error;

use crate::graph::{ALIGNMENT, Graph, GraphError, TensorType};
use crate::models::Seq2Seq;
use crate::nn::Scope;
use crate::ops::argmax::argmax;
use crate::ops::control::{NO_SENTENCE, SENTENCES};
use crate::ops::gather_batch::{GatherBatch, gather_batch};
use crate::plan::{Device, DeviceError, Plan, Prepared};
use crate::text::{EOS, PAD, SOS};

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
    model: Seq2Seq,
    /// By source length.
    plans: HashMap<usize, Prepared>,
}

/// Longest translation of a source of this many tokens: half as long again, and ten more for very short ones.
fn limit(source: usize) -> usize {
    source + source / 2 + 10
}

impl Greedy {
    pub fn new(model: &Seq2Seq) -> Self {
        Self { model: model.clone(), plans: HashMap::new() }
    }

    /// Translates token ids (without specials); the result is in the same order, without specials too.
    ///
    /// # Errors
    /// When the device fails.
    pub fn translate(&mut self, device: &mut dyn Device, sources: &[Vec<u32>]) -> Result<Vec<Vec<u32>>, DecodeError> {
        let mut order: Vec<usize> = (0..sources.len()).filter(|&i| !sources[i].is_empty()).collect();
        // Longest first: the first plan allocates the slots that all others reuse.
        order.sort_by_key(|&i| (std::cmp::Reverse(sources[i].len()), i));
        let mut results = vec![vec![]; sources.len()];
        for batch in order.chunks(BATCH) {
            let longest = batch.iter().map(|&i| sources[i].len() + 1).max().unwrap_or(1);
            let time = longest.next_multiple_of(BUCKET);
            let plan = self.prepare(device, time)?;
            self.upload(device, time, batch.iter().map(|&i| sources[i].as_slice()));
            device.run(plan, false)?;
            let ids = device.fetch_u32(plan, 0)?;
            for (row, &i) in batch.iter().enumerate() {
                let tokens = (0..limit(time)).map(|t| ids[t * padded_batch() + row]);
                results[i] = tokens.take_while(|&id| id != EOS).filter(|&id| id != PAD && id != SOS).collect();
            }
        }
        Ok(results)
    }

    fn upload<'s>(&self, device: &mut dyn Device, time: usize, batch: impl Iterator<Item = &'s [u32]>) {
        let (mut tokens, mut offsets): (Vec<u32>, Vec<u32>) = (vec![], vec![0]);
        let mut control = vec![0; SENTENCES];
        for (row, sentence) in batch.enumerate() {
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
            for (name, len) in
                [("offsets", BATCH + 1), ("control", SENTENCES + BATCH), ("ones", BATCH), ("start", BATCH)]
            {
                device.allocate(&format!("greedy.{name}"), &u32s(len))?;
            }
            device.write_u32("greedy.ones", &[1; BATCH]);
            device.write_u32("greedy.start", &[SOS; BATCH]);
        }
        device.allocate(&format!("greedy.tokens.{time}"), &u32s(BATCH * time))?;
        device.allocate(&format!("greedy.ids.{time}"), &u32s(limit(time) * padded_batch()))?;
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
        let ones = graph.input("greedy.ones", u32s(BATCH))?;
        let start = graph.input("greedy.start", u32s(BATCH))?;
        let found = graph.input(&format!("greedy.ids.{time}"), u32s(limit(time) * padded_batch()))?;
        let which = GatherBatch { batch: BATCH, time, labels: false, padding: PAD };
        let source = gather_batch(&mut graph, which, tokens, offsets, control)?;
        let mut scope = Scope::evaluating(&mut graph, &self.model.parameters)?;
        let encoded = self.model.encode(&mut scope, source.ids, source.lengths)?;
        let (mut state, mut ids, mut all) = (encoded.initial, start, vec![]);
        for t in 0..limit(time) {
            let input = scope.graph.reshape(ids, &[1, BATCH])?;
            let (features, next) = self.model.decode(&mut scope, &encoded, (input, ones), state)?;
            let logits = self.model.logits(&mut scope, features)?;
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
