//! Gives every value its place: a resident buffer, part of another value, or a slot that later values reuse.

use std::collections::HashMap;
use std::sync::Arc;

use crate::graph::{Alias, DType, Graph, Kind, Op, Target, TensorType, Types, Value};
use crate::ops::slice::Slice;

use super::live::{Job, Reader, readers};
use super::{Buffer, Plan, Region, Slot, Step};

/// Before slots are shared out every computed value that owns memory has one of its own, numbered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Storage {
    Own(usize),
    Input(usize),
}

#[derive(Clone, Copy, Debug)]
struct Location {
    storage: Storage,
    offset: usize,
}

/// A step whose operands still lie in storages.
struct Draft {
    op: Arc<dyn Op>,
    types: Types,
    inputs: Vec<(Location, usize)>,
    outputs: Vec<Option<(Location, usize)>>,
    scratch: Vec<(Location, usize)>,
}

struct Placer<'g> {
    graph: &'g Graph,
    target: &'g Target,
    locations: HashMap<Value, Location>,
    /// Where a gradient goes in the flat buffer, if it can be computed right there.
    packed: HashMap<Value, Location>,
    inputs: Vec<(String, TensorType)>,
    storages: Vec<Slot>,
    drafts: Vec<Draft>,
}

pub fn place(graph: &Graph, jobs: Vec<Option<Job>>, fetches: &[Value], roots: &[Value], target: &Target) -> Plan {
    let readers = readers(graph, &jobs, roots);
    let mut placer = Placer {
        graph,
        target,
        locations: HashMap::new(),
        packed: HashMap::new(),
        inputs: vec![],
        storages: vec![],
        drafts: vec![],
    };
    let is_read = |node: usize| readers[node].iter().any(|r| !r.is_empty());
    for node in (0..jobs.len()).filter(|&n| is_read(n) && matches!(graph.nodes()[n].kind, Kind::Input { .. })) {
        placer.add_input(node);
    }
    for node in (0..jobs.len()).filter(|&n| is_read(n) && matches!(graph.nodes()[n].kind, Kind::Pack { .. })) {
        placer.reserve(node, &readers);
    }
    for (node, job) in jobs.into_iter().enumerate() {
        match (job, &graph.nodes()[node].kind) {
            (Some(job), _) => placer.add_step(node, job, &readers[node]),
            (None, Kind::View { offset }) if is_read(node) => {
                let from = placer.locations[&graph.nodes()[node].inputs[0]];
                placer.locations.insert(Value { node, output: 0 }, Location { offset: from.offset + offset, ..from });
            }
            (None, Kind::Pack { .. }) if is_read(node) => placer.add_pack(node),
            _ => {}
        }
    }
    placer.finish(fetches)
}

impl Placer<'_> {
    fn add_input(&mut self, node: usize) {
        let Kind::Input { name } = &self.graph.nodes()[node].kind else { unreachable!("the caller chose inputs") };
        let location = Location { storage: Storage::Input(self.inputs.len()), offset: 0 };
        self.inputs.push((name.clone(), self.graph.nodes()[node].outputs[0].clone()));
        self.locations.insert(Value { node, output: 0 }, location);
    }

    /// Finds the values that nobody but this pack reads: they are computed at their place in the flat buffer.
    fn reserve(&mut self, pack: usize, readers: &[Vec<Vec<Reader>>]) {
        let node = &self.graph.nodes()[pack];
        let Kind::Pack { offsets } = &node.kind else { unreachable!("the caller chose packs") };
        let flat = self.locations[&node.inputs[0]];
        for (&value, offset) in node.inputs[1..].iter().zip(offsets) {
            let mut source = value;
            while readers[source.node][source.output].len() == 1 {
                match &self.graph.nodes()[source.node].kind {
                    Kind::View { offset: 0 } => source = self.graph.nodes()[source.node].inputs[0],
                    Kind::Op(_) if self.graph.type_of(source).len() == self.graph.type_of(value).len() => {
                        self.packed.insert(source, Location { storage: flat.storage, offset: flat.offset + offset });
                        break;
                    }
                    _ => break,
                }
            }
        }
    }

    fn own(&mut self, dtype: DType, len: usize) -> Location {
        self.storages.push(Slot { dtype, len });
        Location { storage: Storage::Own(self.storages.len() - 1), offset: 0 }
    }

    fn aligned(&self, location: Location) -> bool {
        location.offset.is_multiple_of(self.target.alignment)
    }

    fn add_step(&mut self, node: usize, job: Job, readers: &[Vec<Reader>]) {
        let outputs = self.graph.nodes()[node].outputs.clone();
        let wanted: Vec<bool> = (0..outputs.len()).map(|o| !readers[o].is_empty() || !job.op.optional(o)).collect();
        let inputs = job.inputs.iter().map(|v| self.graph.type_of(*v).clone()).collect();
        let mut types = Types { inputs, outputs, wanted };
        let aliases: Vec<_> = (0..types.outputs.len()).map(|o| job.op.alias(o, &types)).collect();
        // A tensor that a wanted alias is part of must exist.
        for (o, alias) in aliases.iter().enumerate() {
            if let (Some(Alias::Output { index, .. }), true) = (*alias, types.wanted[o]) {
                types.wanted[index] = true;
            }
        }
        if let [Some(Alias::Input { index, offset })] = aliases[..] {
            let from = self.locations[&job.inputs[index]];
            let location = Location { offset: from.offset + offset, ..from };
            if self.aligned(location) {
                self.locations.insert(Value { node, output: 0 }, location);
                return;
            }
        }
        let mut copies = vec![];
        for (o, alias) in aliases.iter().enumerate() {
            let value = Value { node, output: o };
            if let (Some(index), true) = (job.op.in_place(o), types.wanted[o]) {
                self.locations.insert(value, self.locations[&job.inputs[index]]);
            } else if types.wanted[o] && !matches!(alias, Some(Alias::Output { .. })) {
                let reserved = self.packed.get(&value).copied();
                let location = reserved.unwrap_or_else(|| self.own(types.outputs[o].dtype, types.outputs[o].len()));
                self.locations.insert(value, location);
            }
        }
        for o in (0..types.outputs.len()).filter(|&o| types.wanted[o]) {
            let Some(Alias::Output { index, offset }) = aliases[o] else {
                continue;
            };
            let from = self.locations[&Value { node, output: index }];
            let location = Location { offset: from.offset + offset, ..from };
            if self.aligned(location) {
                self.locations.insert(Value { node, output: o }, location);
            } else {
                let own = self.own(types.outputs[o].dtype, types.outputs[o].len());
                self.locations.insert(Value { node, output: o }, own);
                copies.push((from, types.outputs[index].len(), offset, own, types.outputs[o].clone()));
            }
        }
        let operand = |value: &Value| (self.locations[value], self.graph.type_of(*value).len());
        let own = |o: usize| !matches!(aliases[o], Some(Alias::Output { .. }));
        let result = |o: usize| {
            (types.wanted[o] && own(o)).then(|| (self.locations[&Value { node, output: o }], types.outputs[o].len()))
        };
        let (inputs, outputs) =
            (job.inputs.iter().map(operand).collect(), (0..types.outputs.len()).map(result).collect());
        let lengths = if self.target.is_cpu() { vec![] } else { job.op.scratch(&types, self.target) };
        let scratch = lengths.into_iter().map(|len| (self.own(DType::F32, len), len)).collect();
        self.drafts.push(Draft { op: job.op, types, inputs, outputs, scratch });
        for (from, len, offset, to, tensor) in copies {
            self.add_copy(from, len, offset, to, &tensor);
        }
    }

    /// Copies `tensor` from element `offset` of a tensor of `len` elements.
    fn add_copy(&mut self, from: Location, len: usize, offset: usize, to: Location, tensor: &TensorType) {
        let flat = |len| TensorType { shape: vec![len], dtype: tensor.dtype };
        let types = Types { inputs: vec![flat(len)], outputs: vec![flat(tensor.len())], wanted: vec![true] };
        let op = Arc::new(Slice { axis: 0, start: offset, len: tensor.len() });
        let outputs = vec![Some((to, tensor.len()))];
        self.drafts.push(Draft { op, types, inputs: vec![(from, len)], outputs, scratch: vec![] });
    }

    fn add_pack(&mut self, pack: usize) {
        let node = &self.graph.nodes()[pack];
        let Kind::Pack { offsets } = &node.kind else { unreachable!("the caller chose packs") };
        let flat = self.locations[&node.inputs[0]];
        self.locations.insert(Value { node: pack, output: 0 }, flat);
        for (value, offset) in node.inputs[1..].iter().zip(offsets) {
            let (from, to) = (self.locations[value], Location { storage: flat.storage, offset: flat.offset + offset });
            if from.storage != to.storage || from.offset != to.offset {
                let tensor = self.graph.type_of(*value).clone();
                self.add_copy(from, tensor.len(), 0, to, &tensor);
            }
        }
    }

    /// Shares slots out: a linear scan over the steps, best fit first.
    fn finish(self, fetches: &[Value]) -> Plan {
        let mut last_use = vec![0; self.storages.len()];
        for (step, draft) in self.drafts.iter().enumerate() {
            for (location, _) in draft.inputs.iter().chain(draft.outputs.iter().flatten()).chain(&draft.scratch) {
                if let Storage::Own(storage) = location.storage {
                    last_use[storage] = step;
                }
            }
        }
        for value in fetches {
            if let Storage::Own(storage) = self.locations[value].storage {
                last_use[storage] = usize::MAX;
            }
        }
        let mut ends: Vec<Vec<usize>> = vec![vec![]; self.drafts.len()];
        for (storage, &step) in last_use.iter().enumerate().filter(|(_, step)| **step != usize::MAX) {
            ends[step].push(storage);
        }
        let mut slots: Vec<Slot> = vec![];
        let mut free: Vec<usize> = vec![];
        let mut slot_of: Vec<Option<usize>> = vec![None; self.storages.len()];
        let mut steps = Vec::with_capacity(self.drafts.len());
        for (number, draft) in self.drafts.into_iter().enumerate() {
            let written: Vec<usize> = (draft.outputs.iter().flatten().chain(&draft.scratch))
                .filter_map(
                    |(location, _)| if let Storage::Own(storage) = location.storage { Some(storage) } else { None },
                )
                .collect();
            for &storage in &written {
                if slot_of[storage].is_none() {
                    slot_of[storage] = Some(take_slot(&mut slots, &mut free, self.storages[storage]));
                }
            }
            let region = |&(location, len): &(Location, usize)| {
                let buffer = match location.storage {
                    Storage::Own(storage) => {
                        Buffer::Slot(slot_of[storage].expect("a value is written before it is read"))
                    }
                    Storage::Input(input) => Buffer::Input(input),
                };
                Region { buffer, offset: location.offset, len }
            };
            let dispatches = if self.target.is_cpu() { vec![] } else { draft.op.dispatches(&draft.types, self.target) };
            steps.push(Step {
                inputs: draft.inputs.iter().map(region).collect(),
                outputs: draft.outputs.iter().map(|o| o.as_ref().map(region)).collect(),
                scratch: draft.scratch.iter().map(region).collect(),
                op: draft.op,
                types: draft.types,
                dispatches,
            });
            free.extend(ends[number].iter().filter_map(|&storage| slot_of[storage]));
        }
        let fetches = fetches.iter().map(|value| {
            let (location, tensor) = (self.locations[value], self.graph.type_of(*value).clone());
            let buffer = match location.storage {
                Storage::Own(storage) => Buffer::Slot(slot_of[storage].expect("fetched values are computed")),
                Storage::Input(input) => Buffer::Input(input),
            };
            (Region { buffer, offset: location.offset, len: tensor.len() }, tensor)
        });
        Plan { steps, fetches: fetches.collect(), slots, inputs: self.inputs }
    }
}

/// The smallest free slot that holds `need`, else the largest one, grown, else a new one.
fn take_slot(slots: &mut Vec<Slot>, free: &mut Vec<usize>, need: Slot) -> usize {
    let candidates = || free.iter().copied().filter(|&s| slots[s].dtype == need.dtype);
    let fitting = candidates().filter(|&s| slots[s].len >= need.len).min_by_key(|&s| slots[s].len);
    match fitting.or_else(|| candidates().max_by_key(|&s| slots[s].len)) {
        Some(slot) => {
            slots[slot].len = slots[slot].len.max(need.len);
            free.retain(|&s| s != slot);
            slot
        }
        None => {
            slots.push(need);
            slots.len() - 1
        }
    }
}
