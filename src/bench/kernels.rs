//! Every op at the sizes of our models, timed cold: before each run a copy of 128 MiB sweeps its operands out of the
//! caches.

use serde::{Deserialize, Serialize};

use crate::cpu::{Cpu, Element};
use crate::graph::{DType, Graph, GraphError, Real, TensorType, Types, Value, Work};
use crate::ops::Listing;
use crate::ops::case::{Bench, Tensor};
use crate::plan::{Clock, Device, DeviceError, Plan, Prepared};

use super::ceilings::{COPIED, Ceilings, Copy};
use super::{BenchError, Samples, repeat};

/// Seconds to spend on repetitions of one kernel.
const BUDGET: f64 = 0.5;
/// Largest difference of a result from the reference's, relative to the largest number of the tensor. The derived
/// bounds of `wgrad check` are tighter; this one finds a kernel that computes something else at a bench's size.
const TOLERANCE: f64 = 1e-4;

/// One op at one size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KernelReport {
    pub op: String,
    pub name: String,
    pub seconds: Samples,
    pub flops: f64,
    pub bytes: f64,
    /// The share of what the roofline allows at this intensity: 1 is as fast as memory or arithmetic of the device can
    /// be.
    pub roofline: f64,
    /// Whether memory bounds it there, not arithmetic.
    pub memory_bound: bool,
    pub dispatches: usize,
    /// Whether the device's own clock measured it.
    pub timestamps: bool,
    /// The largest difference from the reference, relative to the largest number of the tensor.
    pub difference: f64,
}

/// Measures these ops; tells each result to `done` at once.
///
/// # Errors
/// When the device fails, or computes something else than the reference.
pub fn measure(
    device: &mut dyn Device,
    ceilings: &Ceilings,
    ops: &[Listing],
    mut done: impl FnMut(&KernelReport),
) -> Result<Vec<KernelReport>, BenchError> {
    let sweep = TensorType::f32(&[COPIED]);
    device.allocate("bench.sweep", &sweep)?;
    device.write_f32("bench.sweep", &vec![1.0; COPIED])?;
    let mut reports = vec![];
    for op in ops {
        for bench in op.benches() {
            reports.push(kernel(device, ceilings, op.name, &bench)?);
            done(&reports[reports.len() - 1]);
        }
    }
    Ok(reports)
}

/// The outputs that are computed: no parts of others, and none that nobody reads.
fn outputs(bench: &Bench, values: &[Value], graph: &Graph) -> Vec<Value> {
    let types = Types {
        inputs: bench.case.inputs.iter().map(Tensor::tensor_type).collect(),
        outputs: values.iter().map(|v| graph.type_of(*v).clone()).collect(),
        wanted: vec![true; values.len()],
    };
    let wanted = |o: &usize| !bench.unread.contains(o) && bench.case.op.alias(*o, &types).is_none();
    (0..values.len()).filter(wanted).map(|o| values[o]).collect()
}

/// A plan of the op, its inputs uploaded; with `sweep` behind a copy that fills the caches with something else.
struct Ready {
    plan: Plan,
    prepared: Prepared,
    types: Vec<DType>,
    /// Fetches before those of the op.
    swept: usize,
}

impl Ready {
    fn new(device: &mut dyn Device, bench: &Bench, sweep: bool) -> Result<Self, BenchError> {
        let mut graph = Graph::new();
        let mut fetches = vec![];
        if sweep {
            let buffer = graph.input("bench.sweep", TensorType::f32(&[COPIED]))?;
            fetches.push(graph.push1(Copy { vectors: false }, &[buffer])?);
        }
        let swept = fetches.len();
        let tensors = bench.case.inputs.iter().enumerate();
        let inputs = tensors
            .map(|(i, tensor)| graph.input(&format!("bench.{i}"), tensor.tensor_type()))
            .collect::<Result<Vec<_>, GraphError>>()?;
        let values = graph.push_shared(bench.case.op.clone(), &inputs)?;
        fetches.extend(outputs(bench, &values, &graph));
        let types = fetches[swept..].iter().map(|&v| graph.type_of(v).dtype).collect();
        for (i, tensor) in bench.case.inputs.iter().enumerate() {
            device.allocate(&format!("bench.{i}"), &tensor.tensor_type())?;
        }
        let plan = Plan::new(&graph, &fetches, &[], &device.target());
        let prepared = device.prepare(plan.clone())?;
        Ok(Self { plan, prepared, types, swept })
    }

    fn upload(device: &mut dyn Device, bench: &Bench) -> Result<(), DeviceError> {
        let mut inputs = bench.case.inputs.iter().enumerate();
        inputs.try_for_each(|(i, tensor)| match tensor {
            Tensor::F32(_, values) => device.write_f32(&format!("bench.{i}"), values),
            Tensor::U32(_, ids) => device.write_u32(&format!("bench.{i}"), ids),
        })
    }

    /// The results of one run on fresh inputs, as f64.
    fn results(&self, device: &mut dyn Device, bench: &Bench) -> Result<Vec<Vec<f64>>, DeviceError> {
        Self::upload(device, bench)?;
        device.run(self.prepared, false)?;
        let mut results = vec![];
        for (i, dtype) in self.types.iter().enumerate() {
            results.push(match dtype {
                DType::F32 => device.fetch_f32(self.prepared, self.swept + i)?.into_iter().map(f64::from).collect(),
                DType::U32 => device.fetch_u32(self.prepared, self.swept + i)?.into_iter().map(f64::from).collect(),
            });
        }
        Ok(results)
    }
}

fn kernel(device: &mut dyn Device, ceilings: &Ceilings, op: &str, bench: &Bench) -> Result<KernelReport, BenchError> {
    let ready = Ready::new(device, bench, true)?;
    let found = ready.results(device, bench)?;
    // On a GPU the judge is the f32 twin, which the tests hold to the reference; the twin itself is judged by the
    // reference in f64.
    let expected = if device.target().is_cpu() { judge::<f64>(bench)? } else { judge::<f32>(bench)? };
    let difference = found.iter().zip(&expected).map(|(a, b)| difference(a, b)).fold(0.0, f64::max);
    if difference > TOLERANCE {
        return Err(BenchError::Wrong { op: op.into(), name: bench.name.into(), difference, tolerance: TOLERANCE });
    }
    let steps = &ready.plan.steps[1..];
    let work = steps
        .iter()
        .map(|s| s.op.work(&s.types))
        .fold(Work::default(), |sum, w| Work { flops: sum.flops + w.flops, bytes: sum.bytes + w.bytes });
    let mut clock = Clock::Wall;
    let seconds = Samples::new(repeat(BUDGET, || {
        let profile = device.profile(ready.prepared)?;
        clock = profile.clock;
        Ok::<_, DeviceError>(profile.steps[1..].iter().sum())
    })?);
    let least = ceilings.least_seconds(work);
    Ok(KernelReport {
        op: op.into(),
        name: bench.name.into(),
        seconds,
        flops: work.flops,
        bytes: work.bytes,
        roofline: least / seconds.median,
        memory_bound: work.bytes / ceilings.bandwidth >= work.flops / ceilings.flops,
        dispatches: steps.iter().map(|s| s.dispatches.len()).sum(),
        timestamps: clock == Clock::Timestamps,
        difference,
    })
}

/// The op's results on the CPU.
fn judge<T: Element + Real>(bench: &Bench) -> Result<Vec<Vec<f64>>, BenchError> {
    let mut cpu = Cpu::<T>::new();
    let ready = Ready::new(&mut cpu, bench, false)?;
    Ok(ready.results(&mut cpu, bench)?)
}

/// The largest difference of two tensors, relative to the largest number of the second.
fn difference(found: &[f64], expected: &[f64]) -> f64 {
    let largest = expected.iter().fold(f64::MIN_POSITIVE, |most, x| most.max(x.abs()));
    let apart = |(a, b): (&f64, &f64)| if a.is_nan() { f64::INFINITY } else { (a - b).abs() / largest };
    found.iter().zip(expected).map(apart).fold(0.0, f64::max)
}
