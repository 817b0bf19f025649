//! The plans of a search, and the resident buffers through which one hands over to the next.
//!
//! For each number of source positions there is an encoder, and a plan for each few steps, which knows where in the
//! translation it stands (positions, lengths). The state before it lies in one of two sets of buffers, and it fills the
//! other. Buffers are made in powers of two, so that a growing state (a Transformer's past) and sources of other
//! lengths need few of them: all together less than four times the largest.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::graph::{ALIGNMENT, Graph, GraphError, TensorType, Value};
use crate::models::{Encoded, Model, Source, State};
use crate::nn::Scope;
use crate::ops::beam_step::{BeamStep, Beams, beam_step};
use crate::ops::control::SENTENCES;
use crate::ops::gather_batch::{GatherBatch, gather_batch};
use crate::ops::gather_rows::gather_rows;
use crate::plan::{Device, DeviceError, Plan, Prepared};
use crate::text::{EOS, PAD, SOS};

use super::{Beam, DecodeError};

/// Hypotheses that are continued side by side, those of all sentences of a batch together.
pub const ROWS: usize = 64;
/// Source lengths are rounded up to a multiple of this, so that few plans are needed.
const BUCKET: usize = 8;
/// Steps of a plan, behind which the host waits for the device: a batch goes on for at most as many in vain.
pub const PART: usize = 4;
/// Log-probability of the hypotheses that a sentence does not have yet: no sum of real ones is as low.
pub const NEVER: f32 = -1e9;

/// The ids of a step start at a multiple of [`ALIGNMENT`].
pub fn padded() -> usize {
    ROWS.next_multiple_of(ALIGNMENT)
}

/// Plans that are ready, and those to come.
pub struct Plans {
    model: Arc<dyn Model>,
    beam: Beam,
    by_time: HashMap<usize, ByTime>,
    buffers: HashSet<String>,
}

/// The plans for one number of source positions.
struct ByTime {
    encoder: Prepared,
    memory: Vec<TensorType>,
    /// The steps that a translation may take.
    steps: usize,
    parts: Vec<Prepared>,
    /// What each part begins with, and what the next will begin with.
    states: Vec<Vec<TensorType>>,
}

/// A resident buffer under this name, of which `tensor` takes the front.
struct Held {
    name: String,
    whole: TensorType,
    tensor: TensorType,
}

impl Held {
    fn new(name: &str, tensor: TensorType) -> Self {
        let capacity = tensor.len().next_power_of_two();
        let whole = TensorType { shape: vec![capacity], dtype: tensor.dtype };
        Self { name: format!("search.{name}.{capacity}"), whole, tensor }
    }

    fn read(&self, graph: &mut Graph) -> Result<Value, GraphError> {
        let whole = graph.input(&self.name, self.whole.clone())?;
        graph.view(whole, 0, &self.tensor.shape)
    }

    fn write(&self, graph: &mut Graph, values: &[(Value, usize)]) -> Result<Value, GraphError> {
        let whole = graph.input(&self.name, self.whole.clone())?;
        graph.pack(whole, values)
    }
}

fn ids(len: usize) -> TensorType {
    TensorType::u32(&[len])
}

/// A part of the state of set `set`.
fn state(number: usize, set: usize, tensor: &TensorType) -> Held {
    Held::new(&format!("state.{number}.{set}"), tensor.clone())
}

fn memory(number: usize, tensor: &TensorType) -> Held {
    Held::new(&format!("memory.{number}"), tensor.clone())
}

impl Plans {
    pub fn new(model: Arc<dyn Model>, beam: Beam) -> Self {
        Self { model, beam, by_time: HashMap::new(), buffers: HashSet::new() }
    }

    /// Source positions of the plans for a sentence of so many.
    pub fn time(&self, positions: usize) -> usize {
        positions.next_multiple_of(BUCKET).min(self.model.max_positions().unwrap_or(usize::MAX))
    }

    fn rows(&self) -> usize {
        self.beam.sentences() * self.beam.width
    }

    /// Makes the buffer if it is not there yet.
    fn hold(&mut self, device: &mut dyn Device, held: Held) -> Result<Held, DecodeError> {
        if !self.buffers.contains(&held.name) {
            device.allocate(&held.name, &held.whole)?;
            self.buffers.insert(held.name.clone());
        }
        Ok(held)
    }

    /// Scores, lengths and newest tokens of the hypotheses, in set `set`.
    fn beams(&self, set: usize) -> [Held; 3] {
        let rows = self.rows();
        [("scores", TensorType::f32(&[rows])), ("lengths", ids(rows)), ("ids", ids(rows))]
            .map(|(name, tensor)| Held::new(&format!("{name}.{set}"), tensor))
    }

    fn source_lengths(&self) -> Held {
        Held::new("source_lengths", ids(self.rows()))
    }

    fn tokens(&self, time: usize) -> Held {
        Held::new("tokens", ids(self.beam.sentences() * time))
    }

    fn offsets() -> Held {
        Held::new("offsets", ids(ROWS + 1))
    }

    fn control() -> Held {
        Held::new("control", ids(SENTENCES + ROWS))
    }

    /// For each step of a part its tokens, with a beam then the rows that they continue.
    fn found(&self) -> Held {
        let kinds = if self.beam.width > 1 { 2 } else { 1 };
        Held::new("found", ids(kinds * PART * padded()))
    }

    /// Puts a batch where the encoder for `time` finds it, and the hypotheses where the first part does.
    ///
    /// # Errors
    /// When the encoder's plan for `time` is not there.
    pub fn write(
        &self,
        device: &mut dyn Device,
        time: usize,
        sources: [&[u32]; 3],
        scores: &[f32],
    ) -> Result<(), DeviceError> {
        let rows = self.rows();
        let places = [self.tokens(time), Self::offsets(), Self::control()];
        for (place, values) in places.iter().zip(sources) {
            device.write_u32(&place.name, values)?;
        }
        let [first, lengths, newest] = self.beams(0);
        device.write_f32(&first.name, &scores[..rows])?;
        device.write_u32(&lengths.name, &vec![1; rows])?;
        device.write_u32(&newest.name, &vec![SOS; rows])
    }

    /// The plan that reads sources of up to `time` positions, of which a translation may take `steps`.
    ///
    /// # Errors
    /// When memory is short.
    pub fn encoder(&mut self, device: &mut dyn Device, time: usize, steps: usize) -> Result<Prepared, DecodeError> {
        if let Some(ready) = self.by_time.get(&time) {
            return Ok(ready.encoder);
        }
        let model = self.model.clone();
        let mut graph = Graph::new();
        for held in self.beams(0).into_iter().chain([self.found()]) {
            self.hold(device, held)?;
        }
        let tokens = self.hold(device, self.tokens(time))?.read(&mut graph)?;
        let offsets = self.hold(device, Self::offsets())?.read(&mut graph)?;
        let control = self.hold(device, Self::control())?.read(&mut graph)?;
        let time_held = model.source_positions(time, steps);
        let which = GatherBatch { batch: self.rows(), time: time_held, labels: false, padding: PAD };
        let source = gather_batch(&mut graph, which, tokens, offsets, control)?;
        let mut scope = Scope::evaluating(&mut graph, model.parameters())?;
        let encoded = model.encode(&mut scope, Source { ids: source.ids, lengths: source.lengths })?;
        let types = |values: &[Value]| values.iter().map(|&v| graph.type_of(v).clone()).collect::<Vec<_>>();
        let (memory_types, start) = (types(&encoded.memory), types(&encoded.start));
        let mut left = vec![(self.source_lengths(), encoded.lengths)];
        let numbered = encoded.memory.iter().zip(&memory_types).enumerate();
        left.extend(numbered.map(|(number, (&value, tensor))| (memory(number, tensor), value)));
        let numbered = encoded.start.iter().zip(&start).enumerate();
        left.extend(numbered.map(|(number, (&value, tensor))| (state(number, 0, tensor), value)));
        let effects = self.leave(device, &mut graph, left)?;
        let encoder = device.prepare(Plan::new(&graph, &[], &effects, &device.target()))?;
        let by_time = ByTime { encoder, memory: memory_types, steps, parts: vec![], states: vec![start] };
        self.by_time.insert(time, by_time);
        Ok(encoder)
    }

    /// Leaves values in resident buffers.
    fn leave(
        &mut self,
        device: &mut dyn Device,
        graph: &mut Graph,
        values: Vec<(Held, Value)>,
    ) -> Result<Vec<Value>, DecodeError> {
        let write = |(held, value)| Ok(self.hold(device, held)?.write(graph, &[(value, 0)])?);
        values.into_iter().map(write).collect()
    }

    /// The plan of steps `number`·[`PART`] to the next part's first. Its fetches are what it found, and the hypotheses'
    /// scores. All earlier parts and the encoder have been asked for before.
    ///
    /// # Errors
    /// When memory is short.
    pub fn part(&mut self, device: &mut dyn Device, time: usize, number: usize) -> Result<Prepared, DecodeError> {
        let ready = &self.by_time[&time];
        if let Some(&part) = ready.parts.get(number) {
            return Ok(part);
        }
        let model = self.model.clone();
        let (set, next_set) = (number % 2, (number + 1) % 2);
        let mut graph = Graph::new();
        let mut memories = vec![];
        for (i, tensor) in ready.memory.iter().enumerate() {
            memories.push(memory(i, tensor).read(&mut graph)?);
        }
        let mut past: State = vec![];
        for (i, tensor) in ready.states[number].iter().enumerate() {
            past.push(state(i, set, tensor).read(&mut graph)?);
        }
        let steps = number * PART..ready.steps.min((number + 1) * PART);
        let encoded = Encoded {
            memory: memories,
            weights: None,
            lengths: self.source_lengths().read(&mut graph)?,
            start: vec![],
        };
        let [scores, lengths, newest] = self.beams(set);
        let newest = newest.read(&mut graph)?;
        let (scores, lengths) = (scores.read(&mut graph)?, lengths.read(&mut graph)?);
        let mut beams = Beams { scores, lengths, parents: newest, ids: newest };
        let mut found = vec![];
        let mut scope = Scope::evaluating(&mut graph, model.parameters())?;
        for (at, t) in steps.enumerate() {
            let (decoded, next) = model.step(&mut scope, &encoded, beams.ids, &past, t)?;
            let logits = model.projection().logits(&mut scope, decoded.features)?;
            let Beam { width, length_penalty } = self.beam;
            let op = BeamStep { beam: width, length_penalty, length: t + 1, end: EOS };
            beams = beam_step(scope.graph, op, logits, beams.scores, beams.lengths, beams.ids)?;
            found.push((beams.ids, at * padded()));
            // A single hypothesis continues itself.
            past = if width == 1 { next } else { reorder(scope.graph, next, beams.parents)? };
            if width > 1 {
                found.push((beams.parents, (PART + at) * padded()));
            }
        }
        let types: Vec<TensorType> = past.iter().map(|&value| graph.type_of(value).clone()).collect();
        let [scores, lengths, newest] = self.beams(next_set);
        let mut left = vec![(lengths, beams.lengths), (newest, beams.ids)];
        let numbered = past.iter().zip(&types).enumerate();
        left.extend(numbered.map(|(i, (&value, tensor))| (state(i, next_set, tensor), value)));
        let effects = self.leave(device, &mut graph, left)?;
        let scores = self.hold(device, scores)?.write(&mut graph, &[(beams.scores, 0)])?;
        let found = self.found().write(&mut graph, &found)?;
        let part = device.prepare(Plan::new(&graph, &[found, scores], &effects, &device.target()))?;
        let ready = self.by_time.get_mut(&time).expect("it was there above");
        ready.parts.push(part);
        ready.states.push(types);
        Ok(part)
    }
}

/// The states of the hypotheses that live on.
fn reorder(graph: &mut Graph, state: State, parents: Value) -> Result<State, GraphError> {
    state.into_iter().map(|value| gather_rows(graph, value, parents)).collect()
}
