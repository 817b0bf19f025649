//! Whole training steps: the same losses on the CPU and through the shaders, few launches, the same bits every run.

mod gpu;

use std::sync::Arc;

use wgrad::cpu::Cpu;
use wgrad::gpu::Gpu;
use wgrad::graph::Target;
use wgrad::models::{self, Model};
use wgrad::plan::{Device, Plan};
use wgrad::text::{BatchShape, Frame};
use wgrad::train::Split;
use wgrad::train::config::Config;
use wgrad::train::step::{StepBatch, StepResult, allocate, control_words, training_plan};

const SHAPE: BatchShape = BatchShape { sentences: 6, source: 8, target: 8 };

/// Five pairs of lengths 1 to 7 for a batch of six: a row stays empty.
fn split() -> Split {
    let side = |salt: u32| -> Vec<Vec<u32>> {
        (0..5u32).map(|s| (0..1 + (s * 3 + salt) % 7).map(|t| 4 + (s * 11 + t * 7 + salt) % 40).collect()).collect()
    };
    Split::new("training", [&side(0), &side(2)], 8, Frame::Target)
}

fn config(preset: &str, assignments: &[&str]) -> Config {
    let mut config = Config::preset(preset).expect("a preset");
    config.set_all(assignments).expect("valid assignments");
    config
}

fn plan(config: &Config, target: &Target) -> (Arc<dyn Model>, Plan) {
    let vocabularies = if config.data.joint_vocabulary { [47, 47] } else { [45, 47] };
    let model = models::build(&config.model, vocabularies);
    let batch = StepBatch { split: &split(), shape: SHAPE, most: 6 };
    let plan = training_plan(&*model, config, batch, target);
    (model, plan.expect("the shapes fit"))
}

/// Losses of ten steps, and the parameters after them.
fn train(device: &mut dyn Device, config: &Config) -> (Vec<f64>, Vec<f32>) {
    let (model, plan) = plan(config, &device.target());
    split().upload(device).expect("memory");
    allocate(device, model.parameters(), 3, 6).expect("memory");
    let plan = device.prepare(plan).unwrap_or_else(|e| panic!("{e}"));
    for step in 1..=10 {
        device
            .write_u32("control", &control_words(&config.train, step, 1e-2, &[0, 1, 2, 3, 4], 6))
            .expect("it is there");
        device.run(plan, true).unwrap_or_else(|e| panic!("{e}"));
    }
    let losses = device.logged(true).expect("ten losses").iter().map(|r| StepResult::from_log(r).loss()).collect();
    (losses, device.read_f32("parameters").expect("parameters"))
}

fn adapter(hardware_kernels: bool) -> Gpu {
    let mut gpu = gpu::open();
    if hardware_kernels {
        gpu.take_hardware_kernels();
    }
    gpu
}

fn compare(assignments: &[&str]) {
    compare_preset("tiny", assignments);
}

fn compare_preset(preset: &str, assignments: &[&str]) {
    let config = config(preset, assignments);
    let (expected, _) = train(&mut Cpu::<f64>::new(), &config);
    assert!(expected[9] < 0.9 * expected[0], "the loss does not fall: {expected:?}");
    let mut devices: Vec<Box<dyn Device>> =
        vec![Box::new(Cpu::<f32>::new()), Box::new(adapter(false)), Box::new(adapter(true))];
    for device in &mut devices {
        let (losses, _) = train(device.as_mut(), &config);
        assert_eq!(losses.len(), expected.len(), "{preset} {assignments:?}");
        for (step, (loss, expected)) in losses.iter().zip(&expected).enumerate() {
            // Ten steps of Adam, whose first ones divide by tiny moments, grow rounding of 1e-7 by some hundred times.
            assert!(
                (loss - expected).abs() <= 1e-4 * expected,
                "{preset} {assignments:?} step {step}: {loss} against {expected}"
            );
        }
    }
}

#[test]
fn lstm_with_dot_attention_and_dropout() {
    compare(&["model.rnn=lstm", "model.attention=dot", "model.dropout=0.2"]);
}

#[test]
fn bidirectional_lstm_with_additive_attention_and_smoothing() {
    compare(&["model.attention=additive", "model.bidirectional=true", "train.label_smoothing=0.1"]);
}

#[test]
fn lstm_wider_than_a_workgroup() {
    compare(&["model.hidden=260", "model.bidirectional=false"]);
}

#[test]
fn rnn_without_attention() {
    compare(&["model.rnn=rnn", "model.attention=none", "model.bidirectional=true"]);
}

#[test]
fn the_unit_of_textbooks() {
    compare_preset("rnn-unit", &["model.hidden=16", "model.embedding=8"]);
}

#[test]
fn transformers_that_drop_probabilities_of_their_attention() {
    let sizes = ["model.hidden=8", "model.feed_forward=16", "data.frame=target"];
    let dropout = ["model.dropout=0.0", "model.attention_dropout=0.3"];
    compare_preset("course-full-transformer", &[&sizes[..], &["model.heads=2"], &dropout].concat());
    compare_preset(
        "course-transformer",
        &[&sizes[..], &["model.head_width=3", "model.value_width=5"], &dropout].concat(),
    );
}

#[test]
fn same_seed_same_bits() {
    let config = config("tiny", &["model.dropout=0.3"]);
    let twice = |mut a: Box<dyn Device>, mut b: Box<dyn Device>| {
        let (first, second) = (train(a.as_mut(), &config).1, train(b.as_mut(), &config).1);
        assert_eq!(first.len(), second.len());
        assert!(first.iter().zip(&second).all(|(a, b)| a.to_bits() == b.to_bits()));
    };
    twice(Box::new(Cpu::<f32>::new()), Box::new(Cpu::<f32>::new()));
    twice(Box::new(adapter(false)), Box::new(adapter(false)));
}

/// No GPU needed: the plan is data.
#[test]
fn a_step_takes_at_most_80_launches() {
    for preset in ["lstm", "lstm-attention", "captions", "rnn"] {
        let config = Config::preset(preset).expect("a preset");
        let model = models::build(&config.model, [8000, 6000]);
        let shape = BatchShape { sentences: 128, source: 20, target: 20 };
        let batch = StepBatch { split: &split(), shape, most: 128 };
        let plan = training_plan(&*model, &config, batch, &Target::webgpu()).expect("the shapes fit");
        println!("{preset}: {} launches", plan.dispatch_count());
        assert!(plan.dispatch_count() <= 80, "{preset}: {} launches\n{plan}", plan.dispatch_count());
    }
}
