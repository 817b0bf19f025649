//! Searching for translations: the same on the CPU and through the shaders, and a beam finds nothing less likely than greedy search does.

mod gpu;

use std::ops::Range;
use std::sync::Arc;

use wgrad::cpu::Cpu;
use wgrad::decode::{Beam, Search};
use wgrad::graph::{Target, TensorType};
use wgrad::models::{self, Model};
use wgrad::plan::{Counters, Device, DeviceError, Plan, Prepared, Profile, Region};
use wgrad::text::{EOS, SOS};
use wgrad::train::config::Config;
use wgrad::train::dump::{IdBatch, dump};

const VOCABULARY: usize = 9;
const BEAM: Beam = Beam { width: 4, length_penalty: 0.0 };

fn config(preset: &str, assignments: &[&str]) -> Config {
    let mut config = Config::preset(preset).expect("a preset");
    config.set_all(assignments).expect("assignments that fit");
    config
}

/// Small models of every family, with parameters large enough for clear decisions.
fn configs() -> Vec<Config> {
    let transformer = ["model.hidden=8", "model.heads=2", "model.feed_forward=16"];
    vec![
        config("tiny", &["model.attention=cosine-concat", "model.rnn=gru", "model.layers=2"]),
        config("tiny", &["model.attention=dot", "model.input_feeding=true"]),
        config("seed-full-transformer", &transformer),
        config("seed-transformer", &transformer),
    ]
}

fn sources() -> Vec<Vec<u32>> {
    (0..21u32).map(|s| (0..s % 6).map(|t| 4 + (s * 3 + t * 7) % 5).collect()).collect()
}

/// Twice as large as at the start of training, with a liking for `<eos>`, so that most translations end.
fn parameters(model: &dyn Model) -> Vec<f32> {
    let mut parameters: Vec<f32> = model.parameters().initial(5).iter().map(|p| 2.0 * p).collect();
    let bias = model.parameters().iter().find(|p| p.name.ends_with("output.bias")).expect("a projection");
    parameters[bias.offset + EOS as usize] += 0.5;
    parameters
}

fn search(device: &mut dyn Device, config: &Config, beam: Beam) -> (Arc<dyn Model>, Vec<Vec<u32>>) {
    let model = models::build(&config.model, [VOCABULARY; 2]);
    let parameters = parameters(&*model);
    device.allocate("parameters", &TensorType::f32(&[parameters.len()])).expect("memory");
    device.write_f32("parameters", &parameters);
    let found = Search::new(model.clone(), config.data.frame, beam).translate(device, &sources()).expect("a search");
    (model, found)
}

#[test]
fn shaders_find_what_the_cpu_finds() {
    for config in configs() {
        for beam in [Beam::GREEDY, BEAM, Beam { length_penalty: 1.0, ..BEAM }] {
            let (_, expected) = search(&mut Cpu::<f32>::new(), &config, beam);
            let (_, found) = search(&mut gpu::open(), &config, beam);
            assert_eq!(found, expected, "{:?} {beam:?}", config.model);
            assert!(expected[0].is_empty(), "nothing in, nothing out");
        }
    }
}

/// A CPU that counts the steps of plans that it runs.
struct Counting {
    cpu: Cpu<f32>,
    steps: usize,
}

impl Device for Counting {
    fn describe(&self) -> String {
        self.cpu.describe()
    }
    fn target(&self) -> Target {
        self.cpu.target()
    }
    fn allocate(&mut self, name: &str, tensor: &TensorType) -> Result<(), DeviceError> {
        self.cpu.allocate(name, tensor)
    }
    fn write_f32(&mut self, name: &str, values: &[f32]) {
        self.cpu.write_f32(name, values);
    }
    fn write_u32(&mut self, name: &str, values: &[u32]) {
        self.cpu.write_u32(name, values);
    }
    fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, DeviceError> {
        self.cpu.read_f32(name)
    }
    fn prepare(&mut self, plan: Plan) -> Result<Prepared, DeviceError> {
        self.cpu.prepare(plan)
    }
    fn fill_slots(&mut self, bits: u32) {
        self.cpu.fill_slots(bits);
    }
    fn run(&mut self, plan: Prepared, log: bool) -> Result<(), DeviceError> {
        self.cpu.run(plan, log)
    }
    fn profile(&mut self, plan: Prepared) -> Result<Profile, DeviceError> {
        self.cpu.profile(plan)
    }
    fn counters(&self) -> Counters {
        self.cpu.counters()
    }
    fn read_bits(&mut self, plan: Prepared, region: &Region) -> Result<Vec<u32>, DeviceError> {
        self.cpu.read_bits(plan, region)
    }
    fn run_part(&mut self, plan: Prepared, steps: Range<usize>) -> Result<(), DeviceError> {
        self.steps += steps.len();
        self.cpu.run_part(plan, steps)
    }
    fn logged(&mut self, wait: bool) -> Result<Vec<Vec<f32>>, DeviceError> {
        self.cpu.logged(wait)
    }
    fn fetch_f32(&mut self, plan: Prepared, index: usize) -> Result<Vec<f32>, DeviceError> {
        self.cpu.fetch_f32(plan, index)
    }
    fn fetch_u32(&mut self, plan: Prepared, index: usize) -> Result<Vec<u32>, DeviceError> {
        self.cpu.fetch_u32(plan, index)
    }
}

/// Beside sentences that run into the limit, a search takes all its steps; alone, a sentence that ends early takes fewer, and says the same.
#[test]
fn a_search_stops_where_all_sentences_have_ended() {
    let mut early = 0;
    for config in configs() {
        for beam in [Beam::GREEDY, BEAM] {
            let (model, together) = search(&mut Cpu::<f32>::new(), &config, beam);
            let mut steps = vec![];
            for (source, expected) in sources().into_iter().zip(together) {
                let mut device = Counting { cpu: Cpu::new(), steps: 0 };
                let parameters = parameters(&*model);
                device.allocate("parameters", &TensorType::f32(&[parameters.len()])).expect("memory");
                device.write_f32("parameters", &parameters);
                let alone = Search::new(model.clone(), config.data.frame, beam).translate(&mut device, &[source]);
                assert_eq!(alone.expect("a search"), [expected], "{:?} {beam:?}", config.model);
                steps.extend((device.steps > 0).then_some(device.steps));
            }
            println!("{} {beam:?}: {steps:?}", config.model.kind());
            // All sources are as long, in steps of eight, so that their plans have the same steps.
            early += usize::from(2 * steps.iter().min().expect("searches") < *steps.iter().max().expect("searches"));
        }
    }
    assert!(early >= 3, "only {early} of 8 searches have both sentences that end early and sentences that do not");
}

/// ln p of a translation that has ended, by the model's own forced logits.
fn log_probability(model: &dyn Model, config: &Config, source: &[u32], target: &[u32]) -> f64 {
    let mut cpu = Cpu::<f32>::new();
    let parameters = parameters(model);
    cpu.allocate("parameters", &TensorType::f32(&[parameters.len()])).expect("memory");
    cpu.write_f32("parameters", &parameters);
    let ids = |start: &[u32], words: &[u32]| start.iter().chain(words).chain(&[EOS]).map(|&id| i64::from(id)).collect();
    let batch = IdBatch { sentences: 1, source: ids(&[], source), target: ids(&[SOS], target) };
    let tensors = dump(&mut cpu, model, config, [VOCABULARY; 2], &batch).expect("a dump");
    -f64::from(tensors[1].values[0]) * (target.len() + 1) as f64
}

#[test]
fn a_beam_is_at_least_as_good() {
    let (mut better, mut compared) = (0, 0);
    for attention in ["dot", "general", "additive"] {
        let (more, of) = compare(&config("tiny", &[&format!("model.attention={attention}")]));
        (better, compared) = (better + more, compared + of);
    }
    assert!(better > 0, "the beam found what greedy search found: it is not tested");
    assert!(compared >= 15, "only {compared} translations ended");
}

/// Of how many sources the beam's translation is likelier than the greedy one, and how many were compared.
fn compare(config: &Config) -> (usize, usize) {
    let (model, greedy) = search(&mut Cpu::<f32>::new(), config, Beam::GREEDY);
    let (_, wide) = search(&mut Cpu::<f32>::new(), config, Beam { width: 9, ..BEAM });
    let (mut better, mut compared) = (0, 0);
    for ((source, greedy), wide) in sources().iter().zip(&greedy).zip(&wide) {
        // A translation that ran into the limit has no end to score.
        let ended = |words: &Vec<u32>| words.len() < source.len() + 5;
        if source.is_empty() || !ended(greedy) || !ended(wide) {
            continue;
        }
        let [of_greedy, of_wide] = [greedy, wide].map(|words| log_probability(&*model, config, source, words));
        assert!(of_wide >= of_greedy - 1e-4, "{source:?}: beam {wide:?} {of_wide}, greedy {greedy:?} {of_greedy}");
        compared += 1;
        better += usize::from(of_wide > of_greedy + 1e-4);
    }
    (better, compared)
}
