//! Which kernels there are: those of the ops' cases, the presets' plans and the bench's ceilings, for every kind of
//! adapter.

use std::collections::BTreeMap;
use std::ops::Range;

use naga::valid::Capabilities;
use wgrad::bench::ceilings;
use wgrad::check::plan_of;
use wgrad::decode::{Beam, Limit, Search};
use wgrad::graph::{Dispatch, Target, TensorType};
use wgrad::models;
use wgrad::ops::OPS;
use wgrad::ops::case::CaseSet;
use wgrad::plan::{Clock, Counters, Device, DeviceError, Plan, Prepared, Profile, Region};
use wgrad::text::BatchShape;
use wgrad::train::Split;
use wgrad::train::config::{Config, PRESETS};
use wgrad::train::step::{StepBatch, training_plan, validation_plan};

/// What a pipeline depends on: shader, entry point, constants.
pub type Kernel = (&'static str, &'static str, Vec<(&'static str, u32)>);

/// Kernels, and the launches that use them.
pub type Kernels = BTreeMap<Kernel, Vec<Dispatch>>;

/// A device that only takes note of what it would launch.
struct Recorder {
    target: Target,
    kernels: Kernels,
    fetches: Vec<Vec<usize>>,
    steps: Vec<usize>,
}

impl Recorder {
    fn new(target: Target) -> Self {
        Self { target, kernels: BTreeMap::new(), fetches: vec![], steps: vec![] }
    }
}

impl Device for Recorder {
    fn describe(&self) -> String {
        "recorder".into()
    }

    fn target(&self) -> Target {
        self.target.clone()
    }

    fn allocate(&mut self, _name: &str, _tensor: &TensorType) -> Result<(), DeviceError> {
        Ok(())
    }

    fn write_f32(&mut self, _name: &str, _values: &[f32]) -> Result<(), DeviceError> {
        Ok(())
    }

    fn write_u32(&mut self, _name: &str, _values: &[u32]) -> Result<(), DeviceError> {
        Ok(())
    }

    fn read_f32(&mut self, _name: &str) -> Result<Vec<f32>, DeviceError> {
        unreachable!("nothing is computed here")
    }

    fn prepare(&mut self, plan: Plan) -> Result<Prepared, DeviceError> {
        for dispatch in plan.steps.iter().flat_map(|s| &s.dispatches) {
            let key = (dispatch.shader.name(), dispatch.entry, dispatch.constants.clone());
            self.kernels.entry(key).or_default().push(dispatch.clone());
        }
        self.steps.push(plan.steps.len());
        self.fetches.push(plan.fetches.iter().map(|(region, _)| region.len).collect());
        Ok(Prepared(self.fetches.len() - 1))
    }

    fn fill_slots(&mut self, _bits: u32) {}

    fn run(&mut self, _plan: Prepared, _log: bool) -> Result<(), DeviceError> {
        Ok(())
    }

    fn run_part(&mut self, _plan: Prepared, _steps: Range<usize>) -> Result<(), DeviceError> {
        Ok(())
    }

    fn profile(&mut self, plan: Prepared) -> Result<Profile, DeviceError> {
        Ok(Profile { steps: vec![1.0; self.steps[plan.0]], clock: Clock::Wall })
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }

    fn read_bits(&mut self, _plan: Prepared, _region: &Region) -> Result<Vec<u32>, DeviceError> {
        unreachable!("nothing is computed here")
    }

    fn logged(&mut self, _wait: bool) -> Result<Vec<Vec<f32>>, DeviceError> {
        Ok(vec![])
    }

    fn fetch_f32(&mut self, plan: Prepared, index: usize) -> Result<Vec<f32>, DeviceError> {
        Ok(vec![0.0; self.fetches[plan.0][index]])
    }

    fn fetch_u32(&mut self, plan: Prepared, index: usize) -> Result<Vec<u32>, DeviceError> {
        Ok(vec![0; self.fetches[plan.0][index]])
    }
}

/// The kernels of all ops' cases, those that training, validating and translating take with every preset, and those
/// that measure a device.
pub fn kernels(target: Target) -> Kernels {
    let mut recorder = Recorder::new(target.clone());
    for case in OPS.iter().flat_map(|op| op.cases(&CaseSet::default())) {
        recorder.prepare(plan_of(&case, &target).0).expect("a plan");
    }
    for (preset, _) in PRESETS {
        let config = Config::preset(preset).expect("a preset");
        // Multi30k's English words that occur twice; shapes of a large batch and of a small one.
        let model = models::build(&config.model, [6191; 2]);
        let words = vec![vec![4; 12]; 4];
        let split = Split::new("training", [&words, &words], 16, config.data.frame);
        for shape in
            [BatchShape { sentences: 128, source: 20, target: 20 }, BatchShape { sentences: 3, source: 4, target: 4 }]
        {
            let batch = StepBatch { split: &split, shape, most: 128 };
            for plan in [training_plan, validation_plan] {
                recorder.prepare(plan(&*model, &config, batch, &target).expect("the shapes fit")).expect("a plan");
            }
        }
        for width in [1, 5] {
            let beam = Beam { width, length_penalty: 1.0 };
            let mut search = Search::new(model.clone(), config.data.frame, beam, Limit::Usual);
            search.translate(&mut recorder, &words).expect("a search of nothing");
        }
    }
    ceilings::measure(&mut recorder).expect("the ceilings of nothing");
    recorder.kernels
}

/// Adapters that kernels are chosen by: software without and with subgroup operations, the least that WebGPU grants,
/// what most hardware grants, and the same with each optional feature.
pub fn targets() -> [Target; 6] {
    let least = Target::webgpu();
    let software = Target { software: true, alignment: 4, max_invocations: 1024, ..least.clone() };
    let usual = Target { max_invocations: 1024, ..least.clone() };
    [
        software.clone(),
        Target { subgroup: 8, ..software },
        least,
        usual.clone(),
        Target { half: true, ..usual.clone() },
        Target { subgroup: 4, ..usual },
    ]
}

/// The optional features of a target, under naga's names.
pub fn capabilities(target: &Target) -> Capabilities {
    let mut capabilities = Capabilities::empty();
    capabilities.set(Capabilities::SHADER_FLOAT16, target.half);
    capabilities.set(Capabilities::SUBGROUP, target.subgroup > 0);
    capabilities
}

/// The kernels of all targets, each with the capabilities of the first that takes it.
pub fn kernels_of_all() -> BTreeMap<Kernel, (Capabilities, Vec<Dispatch>)> {
    let mut all = BTreeMap::new();
    for target in targets() {
        let capabilities = capabilities(&target);
        for (kernel, launches) in kernels(target) {
            all.entry(kernel).or_insert((capabilities, launches));
        }
    }
    all
}
