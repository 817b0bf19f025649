//! WHEN and WHERE: turns a graph into a list of steps over memory slots. Pure data, so it is tested without a GPU.
//!
//! In order: nodes that no root needs are dropped (`live`), neighbours are fused (`fuse`), every value gets its place
//! (`place`), and every op writes down its kernel launches. `gpu` records those launches; `cpu` runs the ops'
//! references over the very same places.

mod device;
mod fuse;
mod live;
mod place;
#[cfg(test)]
mod tests;

pub use device::{Clock, Counters, Device, DeviceError, Prepared, Profile, pool_elements, share_slots};
pub(crate) use device::{check_access, fetched};

use std::fmt;
use std::sync::Arc;

use crate::graph::{DType, Dispatch, Graph, Op, Operand, Target, TensorType, Types, Value};

/// A buffer of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Buffer {
    /// Scratch memory, reused within a step and from plan to plan.
    Slot(usize),
    /// The plan's `inputs[i]`: outlives the step.
    Input(usize),
}

/// Part of a buffer, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    pub buffer: Buffer,
    pub offset: usize,
    pub len: usize,
}

/// A reusable buffer: the largest number of elements that any of its tenants needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub dtype: DType,
    pub len: usize,
}

/// One op, where its operands lie, and the kernels that compute it.
#[derive(Clone, Debug)]
pub struct Step {
    pub op: Arc<dyn Op>,
    pub types: Types,
    pub inputs: Vec<Region>,
    /// `None` where nobody reads an output that need not exist.
    pub outputs: Vec<Option<Region>>,
    pub scratch: Vec<Region>,
    /// Empty on the CPU, which runs the op's reference.
    pub dispatches: Vec<Dispatch>,
}

impl Step {
    /// Where an operand that a kernel binds lies.
    ///
    /// # Panics
    /// If it is an output that nobody wants: an op binds none of those.
    pub fn region(&self, operand: Operand) -> Region {
        match operand {
            Operand::Input(i) => self.inputs[i],
            Operand::Output(o) => self.outputs[o].expect("an op binds only outputs that are wanted"),
            Operand::Scratch(s) => self.scratch[s],
        }
    }
}

/// Everything that a device needs to run one graph, again and again.
#[derive(Clone, Debug)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub slots: Vec<Slot>,
    pub inputs: Vec<(String, TensorType)>,
    /// Where the values asked for lie after a run.
    pub fetches: Vec<(Region, TensorType)>,
}

impl Plan {
    /// Plans the computation of `fetches`, to be read back, and of `effects`, wanted only for the buffers they update.
    pub fn new(graph: &Graph, fetches: &[Value], effects: &[Value], target: &Target) -> Self {
        let roots: Vec<Value> = fetches.iter().chain(effects).copied().collect();
        let mut jobs = live::live(graph, &roots);
        fuse::fuse(&mut jobs, graph, &roots);
        place::place(graph, jobs, fetches, &roots, target)
    }

    /// A plan that does nothing.
    pub fn empty() -> Self {
        Self { steps: vec![], slots: vec![], inputs: vec![], fetches: vec![] }
    }

    /// Kernel launches of one run.
    pub fn dispatch_count(&self) -> usize {
        self.steps.iter().map(|s| s.dispatches.len()).sum()
    }

    /// Elements of all slots together: the memory that one run needs besides its inputs.
    pub fn slot_elements(&self) -> usize {
        self.slots.iter().map(|s| s.len).sum()
    }
}

impl fmt::Display for Plan {
    /// One line a step, for `wgrad train -v`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for step in &self.steps {
            let inputs: Vec<_> = step.types.inputs.iter().map(ToString::to_string).collect();
            let outputs: Vec<_> = step.types.outputs.iter().map(ToString::to_string).collect();
            let kernels: Vec<_> = step.dispatches.iter().map(|d| format!("{}:{}", d.shader, d.entry)).collect();
            writeln!(
                f,
                "{:20} ({}) -> {}  {}",
                step.op.name(),
                inputs.join(", "),
                outputs.join(", "),
                kernels.join(" ")
            )?;
        }
        let megabytes = self.slot_elements() as f64 * 4e-6;
        write!(
            f,
            "{} steps, {} dispatches, {} slots of {megabytes:.1} MB together",
            self.steps.len(),
            self.dispatch_count(),
            self.slots.len()
        )
    }
}
