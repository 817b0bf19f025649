//! Whole training steps and translations of a preset, timed, and where a step's time goes, op by op.
//!
//! The batch: 128 pairs of 20 tokens a side (special ones included) over vocabularies of 8,014 and 6,191, random words,
//! untrained parameters.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::cpu::Cpu;
use crate::decode::{Beam, Limit, Search};
use crate::models::{self, Model};
use crate::ops::threefry::threefry;
use crate::plan::{Clock, Counters, Device, DeviceError, Plan, Prepared};
use crate::text::{BatchShape, EOS};
use crate::train::Split;
use crate::train::config::Config;
use crate::train::step::{StepBatch, StepResult, allocate, control_words, training_plan};

use super::{BenchError, Samples, label, repeat};

const BATCH: usize = 128;
const TOKENS: usize = 20;
const VOCABULARIES: [usize; 2] = [8014, 6191];
/// Steps before the first that is timed: kernels compiled, caches warm. Their losses are compared with the CPU's.
const WARM_UP: usize = 3;
/// Seconds to spend on repetitions of one measurement.
const BUDGET: f64 = 4.0;

/// A training step and translations of one preset on one device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepReport {
    pub preset: String,
    /// From the first control word to the loss on the host.
    pub step: Samples,
    /// Until the step was submitted; the rest is waiting. On the CPU executor the whole step.
    pub host: Samples,
    /// On the device: the sum over the parts.
    pub device: Samples,
    /// Whether the device's own clock measured the parts.
    pub timestamps: bool,
    /// The first step, its kernels compiled and its buffers made.
    pub first: f64,
    /// Target tokens of a step.
    pub tokens: usize,
    pub dispatches: usize,
    /// Of one step.
    pub submits: u64,
    /// Bytes of one step.
    pub uploaded: u64,
    /// Bytes of all buffers on the device.
    pub held: u64,
    /// The process's peak resident memory in bytes after steps and translations, where the system tells.
    pub peak: Option<u64>,
    /// The largest relative difference of a loss from the CPU executor's; `None` on the CPU.
    pub loss_difference: Option<f64>,
    /// Where the step's time goes, longest first.
    pub parts: Vec<Part>,
    pub translations: Vec<Translation>,
}

/// All steps of a plan with one op on operands of the same shapes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    pub op: String,
    pub inputs: String,
    pub count: usize,
    /// Of all of them together.
    pub seconds: Samples,
    pub flops: f64,
    pub bytes: f64,
}

/// A batch of sentences, translated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Translation {
    pub beam: usize,
    pub sentences: usize,
    /// Tokens that were said, each sentence's end included: an untrained model may end its sentences at once.
    pub tokens: usize,
    pub seconds: Samples,
}

/// A preset's step made ready on a device.
struct Ready<'d> {
    device: &'d mut dyn Device,
    config: Config,
    model: Arc<dyn Model>,
    sources: Vec<Vec<u32>>,
    /// The plan once more, to look at.
    plan: Plan,
    prepared: Prepared,
    number: u64,
}

impl<'d> Ready<'d> {
    fn new(device: &'d mut dyn Device, config: &Config) -> Result<Self, BenchError> {
        let vocabularies = if config.data.joint_vocabulary { [VOCABULARIES[0]; 2] } else { VOCABULARIES };
        let words = TOKENS - config.data.frame.positions(0);
        let sentences = |side: usize| -> Vec<Vec<u32>> {
            let end = vocabularies[side] as u32 - EOS - 1;
            let word = |i: usize| EOS + 1 + threefry([i as u32, side as u32, 0, 7], [0; 4])[0] % end;
            (0..BATCH).map(|b| (0..words).map(|t| word(b * TOKENS + t)).collect()).collect()
        };
        let (sources, targets) = (sentences(0), sentences(1));
        let split = Split::new("training", [&sources, &targets], TOKENS, config.data.frame);
        let model = models::build(&config.model, vocabularies);
        split.upload(device)?;
        allocate(device, model.parameters(), config.train.seed, BATCH)?;
        let shape = BatchShape { sentences: BATCH, source: TOKENS, target: TOKENS };
        let batch = StepBatch { split: &split, shape, most: BATCH };
        let plan = training_plan(&*model, config, batch, &device.target())?;
        let prepared = device.prepare(plan.clone())?;
        Ok(Self { device, config: config.clone(), model, sources, plan, prepared, number: 0 })
    }

    fn start(&mut self) -> Result<(), DeviceError> {
        self.number += 1;
        let sentences: Vec<u32> = (0..BATCH as u32).collect();
        let rate = self.config.train.learning_rate;
        self.device.write_u32("control", &control_words(&self.config.train, self.number, rate, &sentences, BATCH))
    }

    /// One step, waited for: its loss, and the seconds until it was submitted and until it was done.
    fn step(&mut self) -> Result<(f64, [f64; 2]), BenchError> {
        let start = Instant::now();
        self.start()?;
        self.device.run(self.prepared, true)?;
        let submitted = start.elapsed().as_secs_f64();
        let record = self.device.logged(true)?;
        Ok((StepResult::from_log(&record[0]).loss(), [submitted, start.elapsed().as_secs_f64()]))
    }

    /// The parts of the plan, each with its seconds in every one of the profiles.
    fn parts(&self, profiles: &[Vec<f64>]) -> Vec<Part> {
        let mut groups: Vec<(Part, Vec<f64>)> = vec![];
        let mut known: HashMap<(String, String), usize> = HashMap::new();
        for (i, step) in self.plan.steps.iter().enumerate() {
            let inputs: Vec<String> = step.types.inputs.iter().map(ToString::to_string).collect();
            let (op, inputs) = (label(step), inputs.join(" "));
            let at = *known.entry((op.clone(), inputs.clone())).or_insert_with(|| {
                let seconds = Samples { median: 0.0, low: 0.0, high: 0.0, count: 0 };
                groups
                    .push((Part { op, inputs, count: 0, seconds, flops: 0.0, bytes: 0.0 }, vec![0.0; profiles.len()]));
                groups.len() - 1
            });
            let (part, seconds) = &mut groups[at];
            let work = step.op.work(&step.types);
            part.count += 1;
            part.flops += work.flops;
            part.bytes += work.bytes;
            seconds.iter_mut().zip(profiles).for_each(|(sum, profile)| *sum += profile[i]);
        }
        let finish = |(part, seconds)| Part { seconds: Samples::new(seconds), ..part };
        let mut parts: Vec<Part> = groups.into_iter().map(finish).collect();
        parts.sort_by(|a, b| b.seconds.median.total_cmp(&a.seconds.median));
        parts
    }

    fn translate(&mut self, width: usize) -> Result<Translation, BenchError> {
        let beam = if width == 1 { Beam::GREEDY } else { Beam { width, length_penalty: 1.0 } };
        let mut search = Search::new(self.model.clone(), self.config.data.frame, beam, Limit::Usual);
        let sources = &self.sources[..beam.sentences()];
        let said = search.translate(self.device, sources)?;
        let seconds = repeat(BUDGET, || {
            let start = Instant::now();
            search.translate(self.device, sources).map(|_| start.elapsed().as_secs_f64())
        })?;
        let tokens = said.iter().map(|translation| translation.tokens.len() + 1).sum();
        Ok(Translation { beam: width, sentences: sources.len(), tokens, seconds: Samples::new(seconds) })
    }
}

/// Measures a preset on a device.
///
/// # Errors
/// When the device fails, or `preset` is no preset.
pub fn measure(device: &mut dyn Device, preset: &str) -> Result<StepReport, BenchError> {
    let config = Config::preset(preset)?;
    let on_cpu = device.target().is_cpu();
    let start = Instant::now();
    let mut ready = Ready::new(device, &config)?;
    let mut losses = vec![ready.step()?.0];
    let first = start.elapsed().as_secs_f64();
    for _ in 1..WARM_UP {
        losses.push(ready.step()?.0);
    }
    let before = ready.device.counters();
    let times: Vec<[f64; 2]> = repeat(BUDGET, || ready.step().map(|(_, times)| times))?;
    let after = ready.device.counters();
    let per_step = |count: fn(&Counters) -> u64| (count(&after) - count(&before)) / times.len() as u64;
    let profiles = repeat(BUDGET / 2.0, || {
        ready.start()?;
        ready.device.profile(ready.prepared)
    })?;
    let timestamps = profiles[0].clock == Clock::Timestamps;
    let profiles: Vec<Vec<f64>> = profiles.into_iter().map(|profile| profile.steps).collect();
    let samples = |i: usize| Samples::new(times.iter().map(|t| t[i]).collect());
    let mut report = StepReport {
        preset: preset.into(),
        step: samples(1),
        host: samples(0),
        device: Samples::new(profiles.iter().map(|p| p.iter().sum()).collect()),
        timestamps,
        first,
        tokens: BATCH * TOKENS,
        dispatches: ready.plan.dispatch_count(),
        submits: per_step(|c| c.submits),
        uploaded: per_step(|c| c.uploaded),
        held: after.held,
        peak: None,
        loss_difference: None,
        parts: ready.parts(&profiles),
        translations: vec![],
    };
    for width in [1, 5] {
        report.translations.push(ready.translate(width)?);
    }
    report.peak = peak_memory();
    if !on_cpu {
        report.loss_difference = Some(loss_difference(&config, &losses)?);
    }
    Ok(report)
}

/// The largest relative difference of these losses from those of the CPU executor.
fn loss_difference(config: &Config, losses: &[f64]) -> Result<f64, BenchError> {
    let mut cpu = Cpu::<f32>::new();
    let mut ready = Ready::new(&mut cpu, config)?;
    losses.iter().try_fold(0.0, |worst: f64, loss| {
        let expected = ready.step()?.0;
        Ok(worst.max((loss - expected).abs() / expected))
    })
}

/// The process's peak resident memory in bytes.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kb| kb * 1024)
}
