//! What a device can reach at most, measured: copy bandwidth, multiply-add rate, and the time that a dispatch takes by
//! itself.
//!
//! Three ops that only exist for this, with kernels in `shaders/bench` and loops for the CPU.

use std::ops::RangeInclusive;
use std::time::Instant;

use multiversion::multiversion;
use multiversion::target::target_cfg_f;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::graph::{
    Call, Dispatch, Graph, Op, Operand, Real, Shader, Target, TensorType, Types, Value, Work, groups, reference, shader,
};
use crate::ops::Listing;
use crate::ops::elementwise::{WORKGROUP, grid, lanes};
use crate::plan::{Device, DeviceError, Plan, Prepared};

use super::{BenchError, Samples, repeat};

/// The files that only measure, for `--shaders`: nothing of them is compared or mutated.
pub const LISTING: Listing =
    Listing::new("ceilings", &[COPY, MULTIPLY_ADD, MULTIPLY_ADD_F16, EMPTY], |_| vec![], Vec::new);

const COPY: Shader = shader!("bench/copy");
const MULTIPLY_ADD: Shader = shader!("bench/multiply_add");
const MULTIPLY_ADD_F16: Shader = shader!("bench/multiply_add_f16");
const EMPTY: Shader = shader!("bench/empty");

/// Elements that are copied: 128 MiB there and back, as much as WebGPU lets a kernel bind. Of today's GPUs' caches (50
/// MiB in an H100, 96 in an RTX 5090) only those of AMD's MI300 family hold both, 256 MiB.
pub const COPIED: usize = 32 << 20;
/// Multiply-adds of a chain, by 8.
const ROUNDS: usize = 64;
/// Numbers that have chains: a large GPU does the fewest in 8 µs, about what a launch costs, and gets more until they
/// take it [`LONG`].
const NUMBERS: RangeInclusive<usize> = 1 << 16..=1 << 24;
/// Seconds beside which a launch costs nothing.
const LONG: f64 = 1e-3;
/// Dispatches of one submit whose time is shared out.
const DISPATCHES: usize = 256;
/// Seconds to spend on one ceiling.
const BUDGET: f64 = 0.3;

/// The ceilings of a device.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ceilings {
    /// Elements that were copied: [`COPIED`]; in runs saved before 29 November 2026 half as many.
    #[serde(default = "copied_before")]
    pub copied: usize,
    /// Seconds to copy them, by the faster of two kernels: an element an invocation, or four.
    pub copy: Samples,
    /// Bytes a second, read and written together.
    pub bandwidth: f64,
    /// Floating-point operations a second in f32, two a multiply-add.
    pub flops: f64,
    /// The same in f16, where the device has it; no kernel of wgrad uses it.
    pub half_flops: Option<f64>,
    /// Seconds of a dispatch that does nothing, among others.
    pub dispatch: f64,
    /// The same where each reads what the one before wrote.
    pub dependent: f64,
    /// Seconds from a submit of one such dispatch until the host has its result.
    pub round_trip: f64,
}

fn copied_before() -> usize {
    16 << 20
}

impl Ceilings {
    /// Operations a second that work of `flops` and `bytes` can reach: bound by arithmetic, or by memory.
    pub fn roofline(&self, work: Work) -> f64 {
        self.flops.min(self.bandwidth * work.flops / work.bytes)
    }

    /// Seconds that this work takes at least.
    pub fn least_seconds(&self, work: Work) -> f64 {
        (work.flops / self.flops).max(work.bytes / self.bandwidth)
    }
}

/// y = x
#[derive(Debug)]
pub struct Copy {
    pub vectors: bool,
}

impl Op for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(inputs.to_vec())
    }

    reference!(parallel);

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let len = types.inputs[0].len();
        let (entry, count) = if self.vectors { ("four", len / 4) } else { ("one", len) };
        let dispatch = Dispatch::new(COPY, entry)
            .constant("LANES", lanes(target))
            .read(Operand::Input(0))
            .write(Operand::Output(0));
        vec![dispatch.uniform(&[count]).workgroups(grid(count, target))]
    }
}

impl Copy {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        call.output(0).copy_from_slice(call.input(0));
    }

    fn parallel(&self, mut call: Call<f32>) {
        let chunks = call.output(0).par_chunks_mut(1 << 16).zip(call.input(0).par_chunks(1 << 16));
        chunks.for_each(|(y, x)| y.copy_from_slice(x));
    }
}

/// Many multiply-adds a number, in independent chains: y = Σ over the chains c of what `8 · ROUNDS` times v = factor ·
/// v + addend make of x + c.
#[derive(Clone, Copy, Debug)]
pub struct MultiplyAdd {
    /// In f16 instead of f32: 16 chains instead of 8.
    pub half: bool,
    /// Factor and addend. With 1 and 1 a chain adds the number of its multiply-adds to x, exactly (in f16 up to 2048).
    pub step: [f32; 2],
}

impl MultiplyAdd {
    /// A factor below 1 keeps every number finite.
    fn new(half: bool) -> Self {
        Self { half, step: [0.9375, 0.0625] }
    }

    fn chains(&self) -> usize {
        if self.half { 16 } else { 8 }
    }

    /// Multiply-adds of a number.
    fn count(&self) -> usize {
        self.chains() * 8 * ROUNDS
    }
}

impl Op for MultiplyAdd {
    fn name(&self) -> &'static str {
        "multiply_add"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(inputs.to_vec())
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(2 * self.count(), types.inputs[0].len())
    }

    fn dispatches(&self, types: &Types, _target: &Target) -> Vec<Dispatch> {
        let shader = if self.half { MULTIPLY_ADD_F16 } else { MULTIPLY_ADD };
        let dispatch = Dispatch::new(shader, "main").constant("ROUNDS", ROUNDS as u32);
        let dispatch = dispatch.read(Operand::Input(0)).write(Operand::Output(0));
        let dispatch = self.step.iter().fold(dispatch, |dispatch, &number| dispatch.number(number));
        vec![dispatch.workgroups(groups(types.inputs[0].len().div_ceil(WORKGROUP)))]
    }
}

impl MultiplyAdd {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let [factor, addend] = self.step.map(|number| T::of(number.into()));
        for (y, &x) in call.output(0).iter_mut().zip(call.input(0)) {
            *y = T::default();
            for chain in 0..self.chains() {
                let mut v = x + T::of(chain as f64);
                for _ in 0..8 * ROUNDS {
                    v = v * factor + addend;
                }
                *y += v;
            }
        }
    }

    /// f32 alone: the CPU executor has no f16.
    fn parallel(&self, mut call: Call<f32>) {
        let chunks = call.output(0).par_chunks_mut(1 << 12).zip(call.input(0).par_chunks(1 << 12));
        chunks.for_each(|(y, x)| multiply_add(x, y, self.step));
    }
}

/// As many chains at a time as keep the CPU's vector unit busy: a multiply-add takes some 4 cycles, and 2 can begin in
/// each, of 16 numbers with AVX-512, else of 8 or fewer. Fused where there is such an instruction. Two cores of an AMD
/// EPYC reach 443 GFLOP/s with 256 chains, 430 with 128, and 168 with 64 where product and sum are not fused, which
/// their matrix products (450) exceed.
#[multiversion(targets = "simd")]
fn multiply_add(x: &[f32], y: &mut [f32], step: [f32; 2]) {
    let fused = target_cfg_f!(target_feature = "fma") || cfg!(target_arch = "aarch64");
    match (target_cfg_f!(target_feature = "avx512f"), fused) {
        (true, _) => chains::<256>(x, y, step, f32::mul_add),
        (false, true) => chains::<64>(x, y, step, f32::mul_add),
        (false, false) => chains::<64>(x, y, step, |v, factor, addend| v * factor + addend),
    }
}

/// Eight chains of each number, `CHAINS` at a time.
#[inline(always)]
fn chains<const CHAINS: usize>(
    x: &[f32],
    y: &mut [f32],
    [factor, addend]: [f32; 2],
    next: impl Fn(f32, f32, f32) -> f32,
) {
    let numbers = CHAINS / 8;
    for (y, x) in y.chunks_exact_mut(numbers).zip(x.chunks_exact(numbers)) {
        let mut v = [0.0f32; CHAINS];
        for (i, v) in v.iter_mut().enumerate() {
            *v = x[i % numbers] + (i / numbers) as f32;
        }
        for _ in 0..8 * ROUNDS {
            for v in &mut v {
                *v = next(*v, factor, addend);
            }
        }
        for (i, y) in y.iter_mut().enumerate() {
            *y = v.iter().skip(i).step_by(numbers).sum();
        }
    }
}

/// y = x, of one number.
#[derive(Debug)]
struct Empty;

impl Op for Empty {
    fn name(&self) -> &'static str {
        "empty"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(inputs.to_vec())
    }

    reference!();

    fn dispatches(&self, _types: &Types, _target: &Target) -> Vec<Dispatch> {
        vec![Dispatch::new(EMPTY, "main").read(Operand::Input(0)).write(Operand::Output(0))]
    }
}

impl Empty {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        call.output(0)[0] = call.input(0)[0];
    }
}

/// Measures the ceilings of a device.
///
/// # Errors
/// When the device fails.
pub fn measure(device: &mut dyn Device) -> Result<Ceilings, BenchError> {
    let mut copies = vec![];
    for vectors in [false, true] {
        copies.push(Samples::new(one(device, Copy { vectors }, COPIED)?));
    }
    copies.sort_by(|a, b| a.median.total_cmp(&b.median));
    let flops = rate(device, MultiplyAdd::new(false))?;
    let half_flops = device.target().half.then(|| rate(device, MultiplyAdd::new(true))).transpose()?;
    let [single, independent, dependent] = [(1, false), (DISPATCHES, false), (DISPATCHES, true)].map(|(n, chained)| {
        let prepared = empties(device, n, chained)?;
        wait(device, prepared)?;
        Ok::<_, BenchError>(Samples::new(repeat(BUDGET, || wait(device, prepared))?).median)
    });
    let (single, more) = (single?, (DISPATCHES - 1) as f64);
    Ok(Ceilings {
        copied: COPIED,
        copy: copies[0],
        bandwidth: 8.0 * COPIED as f64 / copies[0].median,
        flops,
        half_flops,
        dispatch: (independent? - single).max(0.0) / more,
        dependent: (dependent? - single).max(0.0) / more,
        round_trip: single,
    })
}

/// Operations a second.
fn rate(device: &mut dyn Device, op: MultiplyAdd) -> Result<f64, BenchError> {
    let mut numbers = *NUMBERS.start();
    loop {
        let seconds = Samples::new(one(device, op, numbers)?).median;
        if seconds >= LONG || numbers == *NUMBERS.end() {
            return Ok((2 * op.count() * numbers) as f64 / seconds);
        }
        numbers *= 4;
    }
}

/// Seconds of an op on `len` numbers.
fn one(device: &mut dyn Device, op: impl Op, len: usize) -> Result<Vec<f64>, BenchError> {
    let tensor = TensorType::f32(&[len]);
    let name = format!("bench.{}", op.name());
    device.allocate(&name, &tensor)?;
    device.write_f32(&name, &(0..len).map(|i| (i % 1021) as f32 / 1021.0).collect::<Vec<_>>())?;
    let mut graph = Graph::new();
    let x = graph.input(&name, tensor)?;
    let y = graph.push1(op, &[x])?;
    let prepared = device.prepare(Plan::new(&graph, &[y], &[], &device.target()))?;
    device.profile(prepared)?;
    repeat(BUDGET, || Ok(device.profile(prepared)?.steps[0]))
}

/// A plan of `count` dispatches that do nothing, each on buffers of its own, or each on the result of the one before.
fn empties(device: &mut dyn Device, count: usize, chained: bool) -> Result<Prepared, BenchError> {
    let tensor = TensorType::f32(&[1]);
    device.allocate("bench.number", &tensor)?;
    let mut graph = Graph::new();
    let mut x = graph.input("bench.number", tensor)?;
    let mut results: Vec<Value> = vec![];
    for _ in 0..count {
        let y = graph.push1(Empty, &[x])?;
        if chained {
            x = y;
        } else {
            results.push(y);
        }
    }
    let fetches = if chained { vec![x] } else { results };
    Ok(device.prepare(Plan::new(&graph, &fetches, &[], &device.target()))?)
}

/// Seconds until the first result of a plan is on the host.
fn wait(device: &mut dyn Device, plan: Prepared) -> Result<f64, DeviceError> {
    let start = Instant::now();
    device.run(plan, false)?;
    device.fetch_f32(plan, 0)?;
    Ok(start.elapsed().as_secs_f64())
}
