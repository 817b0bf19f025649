//! One training step, timed: the teacher-forced LSTM of `shared/peers` (batch 128, 20 tokens, embedding and hidden 128, vocabularies 8,014 and 6,191).
//!
//!     cargo bench --bench training_step -- [--device cpu|llvmpipe|NAME] [--steps 7] [--losses]
//!
//! Prints the median, the first step (kernels compiled), kernel launches, and the process's peak memory. `--losses` trains 20 steps on the CPU too and prints
//! the largest relative difference between the two devices' losses. Only ratios of figures taken in one run on one machine mean anything.

use std::time::Instant;

use clap::Parser;
use wgrad::cpu::Cpu;
use wgrad::gpu::Gpu;
use wgrad::models;
use wgrad::ops::philox::philox;
use wgrad::plan::{Device, Prepared};
use wgrad::text::{BatchShape, EOS};
use wgrad::train::Split;
use wgrad::train::config::Config;
use wgrad::train::step::{StepBatch, StepResult, allocate, control_words, training_plan};

const BATCH: usize = 128;
const TOKENS: usize = 20;
const VOCABULARIES: [usize; 2] = [8014, 6191];

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value = "cpu")]
    device: String,
    #[arg(long, default_value_t = 7)]
    steps: usize,
    #[arg(long, default_value = "lstm")]
    preset: String,
    #[arg(long)]
    losses: bool,
    /// What `cargo bench` passes to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

struct Bench {
    device: Box<dyn Device>,
    config: Config,
    plan: Prepared,
    step: u64,
    launches: usize,
}

fn open(name: &str) -> Box<dyn Device> {
    match name {
        "cpu" => Box::new(Cpu::<f32>::new()),
        _ => Box::new(Gpu::open(name).unwrap_or_else(|e| panic!("{e}"))),
    }
}

impl Bench {
    fn new(device: &str, preset: &str) -> Self {
        let mut device = open(device);
        let config = Config::preset(preset).expect("a preset");
        let ids = |side: usize| -> Vec<Vec<u32>> {
            let id = |i: usize| {
                EOS + 1 + philox([i as u32, side as u32, 0, 7], [0, 0])[0] % (VOCABULARIES[side] as u32 - EOS - 1)
            };
            let words = TOKENS - config.data.frame.positions(0);
            (0..BATCH).map(|b| (0..words).map(|t| id(b * TOKENS + t)).collect()).collect()
        };
        let split = Split::new("training", [&ids(0), &ids(1)], TOKENS, config.data.frame);
        let model = models::build(&config.model, VOCABULARIES);
        split.upload(device.as_mut()).expect("memory");
        allocate(device.as_mut(), &model.parameters().initial(config.train.seed), BATCH).expect("memory");
        let shape = BatchShape { sentences: BATCH, source: TOKENS, target: TOKENS };
        let plan = training_plan(&*model, &config, StepBatch { split: &split, shape, most: BATCH }, &device.target());
        let plan = plan.expect("the preset's shapes");
        let launches = plan.dispatch_count();
        let plan = device.prepare(plan).unwrap_or_else(|e| panic!("{e}"));
        Self { device, config, plan, step: 0, launches }
    }

    /// One step, waited for; gives its loss.
    fn step(&mut self) -> f64 {
        self.step += 1;
        let sentences: Vec<u32> = (0..BATCH as u32).collect();
        let control = control_words(&self.config.train, self.step, self.config.train.learning_rate, &sentences, BATCH);
        self.device.write_u32("control", &control);
        self.device.run(self.plan, true).unwrap_or_else(|e| panic!("{e}"));
        let record = self.device.logged(true).unwrap_or_else(|e| panic!("{e}"));
        StepResult::from_log(&record[0]).loss()
    }
}

fn main() {
    let arguments = Arguments::parse();
    let start = Instant::now();
    let mut bench = Bench::new(&arguments.device, &arguments.preset);
    bench.step();
    let first = start.elapsed().as_secs_f64();
    bench.step();
    let mut times: Vec<f64> = (0..arguments.steps)
        .map(|_| {
            let start = Instant::now();
            bench.step();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let (median, least, most) = (times[times.len() / 2], times[0], times[times.len() - 1]);
    println!(
        "{:14} {median:9.2} ms/step  ({least:.2} to {most:.2})  first {first:.2} s  {} launches  peak {}  {}",
        arguments.preset,
        bench.launches,
        peak_memory(),
        bench.device.describe()
    );
    if arguments.losses {
        let mut devices = ["cpu", &arguments.device].map(|device| Bench::new(device, &arguments.preset));
        let difference = (0..20).map(|_| {
            let [cpu, other] = [0, 1].map(|i| devices[i].step());
            (cpu - other).abs() / cpu
        });
        println!("largest relative difference of 20 losses: {:.1e}", difference.fold(0.0, f64::max));
    }
}

/// The process's peak resident memory, where the system tells.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.trim().strip_suffix(" kB"));
    line.and_then(|kb| kb.trim().parse::<f64>().ok()).map_or("unknown".into(), |kb| format!("{:.0} MiB", kb / 1024.0))
}
