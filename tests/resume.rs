//! A run that ends in the middle, wherever, and is resumed comes to the bits of one that did not: every preset, in
//! small. A device that fails at one of its runs stands for a kill, one that asks to stop for Ctrl-C;
//! `tests/interruption.rs` kills and stops processes.

mod gpu;
mod same;
mod small;

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use same::assert_same;
use small::{ENGLISH, GERMAN};
use wgrad::cpu::Cpu;
use wgrad::graph::{Target, TensorType};
use wgrad::ops::control;
use wgrad::plan::{Counters, Device, DeviceError, Plan, Prepared, Profile, Region};
use wgrad::text::{ParallelText, Tokenizer, TokenizerSettings};
use wgrad::train::config::{Config, PRESETS};
use wgrad::train::run_directory::RunDirectory;
use wgrad::train::{Outcome, Setup, TrainError, Trainer};

/// What a device is asked to run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    Training,
    Validation,
    Translation,
}
use Work::{Training, Translation, Validation};

/// A device that fails for good when it is asked for so many runs of a kind, and one more, or asks for an end of
/// training then.
struct Mortal<'d> {
    device: &'d mut dyn Device,
    kind: Work,
    left: usize,
    stop: Option<&'d AtomicBool>,
    /// What runs next.
    next: Work,
}

impl Mortal<'_> {
    fn live(&mut self, kind: Work) -> Result<(), DeviceError> {
        match (self.left.checked_sub(1), self.stop) {
            _ if kind != self.kind => (),
            (Some(left), _) => self.left = left,
            (None, Some(stop)) => stop.store(true, Ordering::Relaxed),
            (None, None) => return Err(DeviceError::Lost { device: "mortal".into(), message: "killed".into() }),
        }
        Ok(())
    }
}

impl Device for Mortal<'_> {
    fn run(&mut self, plan: Prepared, log: bool) -> Result<(), DeviceError> {
        self.live(self.next)?;
        self.device.run(plan, log)
    }
    fn run_part(&mut self, plan: Prepared, steps: Range<usize>) -> Result<(), DeviceError> {
        self.device.run_part(plan, steps)
    }
    fn write_u32(&mut self, name: &str, values: &[u32]) -> Result<(), DeviceError> {
        // Validation writes control words of step 0, and a search has its own.
        match (name, name.starts_with("search.")) {
            ("control", _) => self.next = if values[control::STEP] == 0 { Validation } else { Training },
            (_, true) => self.next = Translation,
            _ => {}
        }
        self.device.write_u32(name, values)
    }
    fn describe(&self) -> String {
        self.device.describe()
    }
    fn target(&self) -> Target {
        self.device.target()
    }
    fn allocate(&mut self, name: &str, tensor: &TensorType) -> Result<(), DeviceError> {
        self.device.allocate(name, tensor)
    }
    fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<(), DeviceError> {
        self.device.write_f32(name, values)
    }
    fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, DeviceError> {
        self.device.read_f32(name)
    }
    fn prepare(&mut self, plan: Plan) -> Result<Prepared, DeviceError> {
        self.device.prepare(plan)
    }
    fn fill_slots(&mut self, bits: u32) {
        self.device.fill_slots(bits);
    }
    fn read_bits(&mut self, plan: Prepared, region: &Region) -> Result<Vec<u32>, DeviceError> {
        self.device.read_bits(plan, region)
    }
    fn profile(&mut self, plan: Prepared) -> Result<Profile, DeviceError> {
        self.device.profile(plan)
    }
    fn counters(&self) -> Counters {
        self.device.counters()
    }
    fn logged(&mut self, wait: bool) -> Result<Vec<Vec<f32>>, DeviceError> {
        self.device.logged(wait)
    }
    fn fetch_f32(&mut self, plan: Prepared, index: usize) -> Result<Vec<f32>, DeviceError> {
        self.device.fetch_f32(plan, index)
    }
    fn fetch_u32(&mut self, plan: Prepared, index: usize) -> Result<Vec<u32>, DeviceError> {
        self.device.fetch_u32(plan, index)
    }
}

/// A preset in small, trained for two epochs of four steps with a checkpoint in the middle of each.
struct Subject {
    config: Config,
    text: ParallelText,
    tokenizers: [Tokenizer; 2],
}

impl Subject {
    fn new(preset: &str) -> Self {
        let mut config = Config::preset(preset).expect("it is one of the presets");
        let train = ["train.epochs=2", "train.batch.sentences=1", "train.checkpoint_every=3"];
        config.set_all(&[&small::assignments(preset)[..], &train].concat()).expect("assignments");
        let [source, target] = [GERMAN, ENGLISH].map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
        let settings = TokenizerSettings {
            kind: config.data.tokenizer,
            vocabulary: 60,
            min_frequency: 1,
            lowercase: config.data.lowercase,
        };
        let learn = |text: &[String]| Tokenizer::train(text, &settings, &mut ()).expect("a tokenizer");
        let tokenizers = match config.data.joint_vocabulary {
            true => [(); 2].map(|()| learn(&[&source[..], &target[..]].concat())),
            false => [learn(&source), learn(&target)],
        };
        Self { config, text: ParallelText { source, target }, tokenizers }
    }

    /// Trains in a folder, or goes on there, for so many epochs or until it is asked to stop.
    fn train(
        &self,
        device: &mut dyn Device,
        path: &Path,
        epochs: usize,
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        let texts = [self.text.clone(), self.text.clone()];
        let resume = path.exists();
        let mut run = match resume {
            true => RunDirectory::resume(path).expect("the folder of a run"),
            false => RunDirectory::new(path, self.config.clone()).expect("a new folder"),
        };
        run.change(&[format!("train.epochs={epochs}")]).expect("what may change");
        let setup = Setup::new(run.config(), self.tokenizers.clone(), texts, device)?;
        Trainer::new(setup.allocate(device)?, &run, resume)?.train(stop, &mut ())
    }
}

static NEVER: AtomicBool = AtomicBool::new(false);

/// Trains, with a kill at these moments, then for one epoch, then with kills in the second epoch, and compares with
/// what was never killed.
fn check_resumes(
    preset: &str,
    new_device: &dyn Fn() -> Box<dyn Device>,
    first: &[(Work, usize)],
    second: &[(Work, usize)],
) {
    let subject = Subject::new(preset);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [undisturbed, killed] = ["undisturbed", preset].map(|name| folder.path().join(name));
    subject.train(&mut *new_device(), &undisturbed, 2, &NEVER).unwrap_or_else(|e| panic!("{preset}: {e}"));
    for (epochs, kills) in [(1, first), (2, second)] {
        for &(kind, left) in kills {
            let mut device = new_device();
            let mut mortal = Mortal { device: &mut *device, kind, left, stop: None, next: Training };
            let ended = subject.train(&mut mortal, &killed, 2, &NEVER);
            let error = ended.map_or_else(|e| e.to_string(), |_| "it went on".into());
            assert!(error.contains("killed"), "{preset}, after {left} more of {kind:?}: {error}");
        }
        let ended = subject.train(&mut *new_device(), &killed, epochs, &NEVER);
        assert_eq!(ended.unwrap_or_else(|e| panic!("{preset}: {e}")), Outcome::Finished);
    }
    assert_same(&undisturbed, &killed);
}

#[test]
fn every_preset_resumes_to_the_same_bits() {
    let cpu = || Box::new(Cpu::<f32>::new()) as Box<dyn Device>;
    for (preset, _) in PRESETS {
        // Before a checkpoint of its own, after one, in the validation and in the translations of the first epoch.
        let first = [(Training, 1), (Training, 3), (Validation, 0), (Translation, 0)];
        let second = [(Training, 1), (Validation, 1), (Translation, 0)];
        check_resumes(preset, &cpu, &first, &second);
    }
}

/// One whose validated parameters are those that it trains, and one that averages them for validation.
#[test]
fn a_run_that_is_stopped_resumes_to_the_same_bits() {
    for preset in ["transformer", "tuned-transformer"] {
        let subject = Subject::new(preset);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [undisturbed, stopped] = ["undisturbed", preset].map(|name| folder.path().join(name));
        subject.train(&mut Cpu::<f32>::new(), &undisturbed, 2, &NEVER).unwrap_or_else(|e| panic!("{preset}: {e}"));
        // At the first, a middle and the last batch of a validation; a second stop of the same one; and in the second
        // epoch.
        let [first, middle, last] = [0, 1, 3].map(|left| (Validation, left));
        for (kind, left) in [(Training, 1), first, first, middle, last, (Translation, 0), (Training, 1), middle, last] {
            let stop = AtomicBool::new(false);
            let device = &mut Cpu::<f32>::new();
            let mut mortal = Mortal { device, kind, left, stop: Some(&stop), next: Training };
            let ended = subject.train(&mut mortal, &stopped, 2, &stop).unwrap_or_else(|e| panic!("{preset}: {e}"));
            assert_eq!(ended, Outcome::Interrupted, "{preset}, after {left} more of {kind:?}");
        }
        let ended = subject.train(&mut Cpu::<f32>::new(), &stopped, 2, &NEVER);
        assert_eq!(ended.unwrap_or_else(|e| panic!("{preset}: {e}")), Outcome::Finished);
        assert_same(&undisturbed, &stopped);
    }
}

#[test]
fn a_transformer_resumes_to_the_same_bits_through_the_shaders() {
    let gpu = || Box::new(gpu::open()) as Box<dyn Device>;
    check_resumes("transformer", &gpu, &[(Training, 1)], &[(Validation, 0)]);
}
