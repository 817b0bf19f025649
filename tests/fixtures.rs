//! Whole models against PyTorch: logits, loss, attention and every gradient of one batch, and the losses of ten steps
//! of Adam.
//!
//! `tests/fixtures/make.py` makes what is compared with, in f64.

mod gpu;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use wgrad::cpu::Cpu;
use wgrad::graph::{Graph, TensorType, Value};
use wgrad::models::{self, vocabulary_tensors};
use wgrad::nn::{Parameters, Recurrent, RecurrentSizes, RnnKind, RnnState, RnnUnit, Scope};
use wgrad::ops::add::add;
use wgrad::ops::mul::mul;
use wgrad::ops::sum::sum;
use wgrad::plan::{Device, Plan};
use wgrad::text::{BatchShape, EOS, PAD, SOS};
use wgrad::train::checkpoint::stored_shape;
use wgrad::train::config::Config;
use wgrad::train::dump::{IdBatch, dump, load_ids};
use wgrad::train::step::{StepBatch, StepResult, allocate, control_words, parameter_gradients, training_plan};
use wgrad::train::{Split, load_weights};

/// Folders with `settings.json`: a model each.
const FIXTURES: usize = 32;
/// Largest error of a tensor as a share of its largest magnitude.
const CPU: f64 = 1e-5;
const GPU: f64 = 1e-4;
/// Ten steps of Adam in f64, relative to each loss: 5e-8 is what storing PyTorch's losses as f32 leaves (seen: 2.2e-7
/// at most).
const EXACT_TRAINING: f64 = 1e-6;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

struct Fixture {
    path: PathBuf,
    config: Config,
    vocabularies: [usize; 2],
    batch: IdBatch,
}

impl Fixture {
    fn open(path: PathBuf) -> Self {
        let text = fs::read_to_string(path.join("settings.json")).expect("a fixture has settings");
        let settings: Json = serde_json::from_str(&text).expect("JSON");
        let kind = settings["model"]["kind"].as_str().expect("a kind");
        let preset = match kind {
            "seq2seq" => "tiny",
            "transformer-encoder" => "course-transformer",
            _ => "course-full-transformer",
        };
        let fixed = ["model.dropout=0.0", "data.max_tokens=4", "train.clip_norm=0.5", "train.shuffle=false"];
        let model = settings["model"].as_object().expect("keys").iter();
        let model = model.map(|(key, value)| format!("model.{key}={value}"));
        let mut assignments: Vec<String> = fixed.into_iter().map(String::from).chain(model).collect();
        for (key, name) in [("frame", "data.frame"), ("teacher_forcing", "train.teacher_forcing")] {
            assignments.push(format!("{name}={}", settings[key]));
        }
        assignments.push(format!("train.label_smoothing={}", settings["label_smoothing"]));
        assignments.push(format!("data.joint_vocabulary={}", settings["model"]["tied"] == "all"));
        let mut config = Config::preset(preset).expect("a preset");
        config.set_all(&assignments).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let model = path.join("model.safetensors");
        let vocabularies = vocabulary_tensors(&config.model)
            .map(|name| stored_shape(&model, name).unwrap_or_else(|| panic!("{}: no {name}", path.display()))[0]);
        let batch = load_ids(&path.join("batch.safetensors")).expect("ids");
        Self { path, config, vocabularies, batch }
    }

    fn all() -> Vec<Self> {
        let entries = fs::read_dir(folder()).expect("the fixtures").map(|e| e.expect("an entry").path());
        let mut paths: Vec<_> = entries.filter(|path| path.join("settings.json").exists()).collect();
        paths.sort();
        assert_eq!(paths.len(), FIXTURES, "fixtures are missing or new: run tests/fixtures/make.py, or count again");
        paths.into_iter().map(Self::open).collect()
    }

    fn name(&self) -> String {
        self.path.file_name().expect("a folder").to_string_lossy().into_owned()
    }

    /// The worst error of the tensors that a dump gives, as a share of each tensor's largest magnitude.
    fn check_dump(&self, device: &mut dyn Device, tolerance: f64) -> f64 {
        let model = load_weights(device, &self.config.model, self.vocabularies, &self.path.join("model.safetensors"));
        let model = model.unwrap_or_else(|e| panic!("{}: {e}", self.name()));
        let tensors = dump(device, &*model, &self.config, self.vocabularies, &self.batch);
        let tensors = tensors.unwrap_or_else(|e| panic!("{}: {e}", self.name()));
        let expected = read(&self.path.join("expected.safetensors"));
        let gradients = expected.iter().filter(|(name, ..)| name.starts_with("grad."));
        let largest_gradient = gradients.map(|(.., values)| largest(values)).fold(0.0, f64::max);
        let mut worst = 0.0f64;
        for (name, shape, want) in expected.iter().filter(|(name, ..)| name != "losses") {
            let got = tensors.iter().find(|tensor| tensor.name == *name);
            let got = got.unwrap_or_else(|| panic!("{}: the dump has no {name}", self.name()));
            assert_eq!(got.shape, *shape, "{}: {name}", self.name());
            // A bias of all keys moves all scores of a query alike: its gradient is zero, and what is left of it is
            // rounding of the others.
            let magnitude = if name == "grad.attention.k.bias" { largest_gradient } else { largest(want) };
            for (i, (got, want)) in got.values.iter().zip(want).enumerate() {
                let error = f64::from((got - want).abs()) / magnitude;
                assert!(
                    error <= tolerance,
                    "{}: {name}[{i}] is {got}, PyTorch has {want}: {error:e} of {magnitude}",
                    self.name()
                );
                worst = worst.max(error);
            }
        }
        assert_eq!(tensors.len() + 1, expected.len(), "{}: the dump has more tensors than PyTorch", self.name());
        worst
    }

    /// The words of a side of the batch, without special tokens.
    fn words(ids: &[i64], sentences: usize) -> Vec<Vec<u32>> {
        let special = [PAD, SOS, EOS];
        let row = |row: &[i64]| row.iter().map(|&id| id as u32).filter(|id| !special.contains(id)).collect();
        ids.chunks(ids.len() / sentences).map(row).collect()
    }

    /// Ten steps of Adam, loss by loss; the largest relative error.
    fn check_training(&self, device: &mut dyn Device, tolerance: f64) -> f64 {
        let IdBatch { sentences, source, target } = &self.batch;
        let (config, frame) = (&self.config, self.config.data.frame);
        let sides = [source, target].map(|ids| Self::words(ids, *sentences));
        let split = Split::new("training", [&sides[0], &sides[1]], 9, frame);
        let labels = target.len() / sentences - if frame == wgrad::text::Frame::Both { 0 } else { 1 };
        let shape = BatchShape { sentences: *sentences, source: source.len() / sentences, target: labels };
        let model = models::build(&config.model, self.vocabularies);
        let stored = read(&self.path.join("model.safetensors"));
        let values = model
            .parameters()
            .iter()
            .map(|p| &stored.iter().find(|(name, ..)| *name == p.name).expect("checked by the dump").2);
        split.upload(device).expect("memory");
        allocate(device, model.parameters(), 0, *sentences).expect("memory");
        device.write_f32("parameters", &model.parameters().weights(values)).expect("it is there");
        let batch = StepBatch { split: &split, shape, most: *sentences };
        let plan = training_plan(&*model, config, batch, &device.target()).expect("a plan");
        let plan = device.prepare(plan).unwrap_or_else(|e| panic!("{}: {e}", self.name()));
        let sentences: Vec<u32> = (0..*sentences as u32).collect();
        for step in 1..=10 {
            device
                .write_u32("control", &control_words(&config.train, step, 1e-2, &sentences, sentences.len()))
                .expect("it is there");
            device.run(plan, true).expect("a step");
        }
        let (_, _, losses) =
            read(&self.path.join("expected.safetensors")).into_iter().find(|t| t.0 == "losses").expect("losses");
        let records = device.logged(true).expect("ten losses");
        assert_eq!(records.len(), losses.len(), "{}", self.name());
        let mut worst = 0.0f64;
        for (step, (record, want)) in records.iter().zip(losses).enumerate() {
            let (got, want) = (StepResult::from_log(record).loss(), f64::from(want));
            let error = (got - want).abs() / want;
            assert!(error <= tolerance, "{} step {step}: {got} against PyTorch's {want}", self.name());
            worst = worst.max(error);
        }
        worst
    }
}

fn largest(values: &[f32]) -> f64 {
    values.iter().fold(0.0, |max, &v| f64::from(v.abs()).max(max))
}

fn read(path: &Path) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("four bytes"));
    let tensors = file.tensors().into_iter();
    tensors.map(|(name, t)| (name, t.shape().to_vec(), t.data().chunks_exact(4).map(number).collect())).collect()
}

/// The RNN unit of one step and the LSTM unit over a sequence: what they give, and the derivatives of Σ out·c + Σ
/// h'·d + Σ outputs·e.
fn check_units(device: &mut dyn Device, tolerance: f64) {
    let files = ["model", "inputs", "expected"].map(|file| read(&folder().join(format!("units/{file}.safetensors"))));
    let tensor =
        |file: usize, name: &str| files[file].iter().find(|t| t.0 == name).unwrap_or_else(|| panic!("no {name}"));
    let shape = |name: &str| tensor(1, name).1.clone();
    let [inputs, hidden, outputs] = [shape("x")[1], shape("h")[1], shape("of_out")[1]];
    let mut parameters = Parameters::new();
    let unit = RnnUnit::new(&mut parameters, "rnn", [inputs, hidden, outputs]);
    let sizes = RecurrentSizes { kind: RnnKind::Lstm, layers: 1, bidirectional: false, inputs, hidden };
    let lstm = Recurrent::new(&mut parameters, "lstm", sizes);
    let flat = parameters.weights(parameters.iter().map(|p| &tensor(0, &p.name).2));
    device.allocate("parameters", &TensorType::f32(&[flat.len()])).expect("memory");
    device.write_f32("parameters", &flat).expect("it is there");
    let mut graph = Graph::new();
    let mut input = |name: &str| {
        device.allocate(name, &TensorType::f32(&shape(name))).expect("memory");
        device.write_f32(name, &tensor(1, name).2).expect("it is there");
        graph.input(name, TensorType::f32(&shape(name))).expect("a new input")
    };
    let [x, h, c, sequence] = ["x", "h", "c", "sequence"].map(&mut input);
    let factors = ["of_out", "of_hidden", "of_outputs"].map(&mut input);
    let mut scope = Scope::evaluating(&mut graph, &parameters).expect("a scope");
    let (out, new) = unit.forward(&mut scope, x, h).expect("the shapes fit");
    let initial = [RnnState { hidden: h, cell: Some(c) }];
    let (sequence, last) = lstm.forward(&mut scope, sequence, None, Some(&initial)).expect("the shapes fit");
    let mut values: Vec<(String, Value)> =
        [("hidden", new), ("out", out), ("outputs", sequence), ("last_h", last[0].hidden)]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
    values.push(("last_c".into(), last[0].cell.expect("an LSTM has a cell")));
    let parts = [out, new, sequence].into_iter().zip(factors).map(|(value, factor)| {
        let weighted = mul(&mut graph, value, factor).expect("same shape");
        sum(&mut graph, weighted).expect("a sum")
    });
    let loss = parts
        .collect::<Vec<_>>()
        .into_iter()
        .reduce(|a, b| add(&mut graph, a, b).expect("scalars"))
        .expect("three parts");
    for (gradient, offset) in parameter_gradients(&mut graph, &parameters, loss).expect("derivatives") {
        let parameter = parameters.iter().find(|p| p.offset == offset).expect("it is one of them");
        values.push((format!("grad.{}", parameter.name), gradient));
    }
    let fetches: Vec<Value> = values.iter().map(|(_, value)| *value).collect();
    let plan = device.prepare(Plan::new(&graph, &fetches, &[], &device.target())).expect("a plan");
    device.run(plan, false).expect("a run");
    assert_eq!(values.len(), files[2].len(), "PyTorch's results have other names");
    for (i, (name, _)) in values.iter().enumerate() {
        let (got, want) = (device.fetch_f32(plan, i).expect("numbers"), &tensor(2, name).2);
        assert_eq!(got.len(), want.len(), "units: {name}");
        let magnitude = largest(want);
        for (got, want) in got.iter().zip(want) {
            let error = f64::from((got - want).abs());
            assert!(error <= tolerance * magnitude, "units: {name} is {got}, PyTorch has {want}");
        }
    }
}

#[test]
fn units_equal_pytorch() {
    check_units(&mut Cpu::<f32>::new(), CPU);
    check_units(&mut gpu::open(), GPU);
}

#[test]
fn models_equal_pytorch_on_the_cpu() {
    for fixture in Fixture::all() {
        let worst = fixture.check_dump(&mut Cpu::<f32>::new(), CPU);
        let exact = fixture.check_training(&mut Cpu::<f64>::new(), EXACT_TRAINING);
        let trained = fixture.check_training(&mut Cpu::<f32>::new(), CPU);
        println!("{:44} {worst:.1e}, ten steps {trained:.1e}, in f64 {exact:.1e}", fixture.name());
    }
}

#[test]
fn models_equal_pytorch_through_the_shaders() {
    for fixture in Fixture::all() {
        let worst = fixture.check_dump(&mut gpu::open(), GPU);
        let trained = fixture.check_training(&mut gpu::open(), GPU);
        println!("{:44} {worst:.1e}, ten steps {trained:.1e}", fixture.name());
    }
}
