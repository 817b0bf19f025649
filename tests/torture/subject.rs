//! What is tortured: a preset in small on a device, and what an undisturbed run of it comes to.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wgrad::train::config::PRESETS;

use crate::campaign::same;
use crate::small::{self, ENGLISH, GERMAN};

/// Copies of the four pairs that make the training set. A batch is one pair.
const COPIES: usize = 5;
const STEPS: usize = 4 * COPIES;
const EPOCHS: usize = 6;

/// A preset on a device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    pub preset: &'static str,
    pub device: String,
}

/// An undisturbed run.
pub struct Reference {
    pub folder: PathBuf,
    /// What it took, from its start to its end.
    pub time: Duration,
}

/// The program, its text and the undisturbed runs so far.
pub struct Laboratory {
    pub folder: PathBuf,
    program: PathBuf,
    pub subjects: Vec<Subject>,
    references: Mutex<HashMap<Subject, Arc<Mutex<Option<Arc<Reference>>>>>>,
}

impl Laboratory {
    pub fn new(folder: &Path, program: PathBuf) -> Self {
        let data = folder.join("data");
        fs::create_dir(&data).expect("a new folder");
        for (split, copies) in [("train", COPIES), ("val", 2)] {
            for (language, text) in [("de", GERMAN), ("en", ENGLISH)] {
                fs::write(data.join(format!("{split}.{language}")), text.repeat(copies)).expect("a file");
            }
        }
        let mut laboratory = Self { folder: folder.into(), program, subjects: vec![], references: Mutex::default() };
        let devices = ["cpu".to_owned(), laboratory.software_adapter()];
        let subjects = PRESETS.iter().flat_map(|(preset, _)| devices.iter().map(move |device| (preset, device)));
        laboratory.subjects = subjects.map(|(preset, device)| Subject { preset, device: device.clone() }).collect();
        laboratory
    }

    /// One word of the name of the software adapter that the tests run on.
    fn software_adapter(&self) -> String {
        let listed =
            self.wgrad().args(["devices", "--json"]).stdout(Stdio::piped()).output().expect("the program runs");
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
        let adapters = listed["adapters"].as_array().expect("adapters");
        let software = adapters.iter().find(|adapter| adapter["kind"] == "software");
        let software = software.expect("a software adapter: tests/install_vulkan.sh installs one");
        software["name"].as_str().and_then(|name| name.split(' ').next()).expect("a name").to_owned()
    }

    fn wgrad(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// A new run in `run`.
    pub fn begin(&self, subject: &Subject, run: &Path) -> Command {
        let mut command = self.wgrad();
        let epochs = format!("train.epochs={EPOCHS}");
        let fixed = ["train.batch.sentences=1", "train.checkpoint_every=3", epochs.as_str()];
        command.args(["train", "--preset", subject.preset, "--device", &subject.device, "--data", "data", "--out"]);
        command.arg(run);
        for assignment in small::assignments(subject.preset).into_iter().chain(fixed) {
            command.args(["--set", assignment]);
        }
        command
    }

    /// The same run again.
    pub fn resume(&self, subject: &Subject, run: &Path) -> Command {
        let mut command = self.wgrad();
        command.args(["train", "--device", &subject.device, "--resume"]).arg(run);
        command
    }

    /// What the run is without trouble; the first who asks makes it.
    pub fn reference(&self, subject: &Subject) -> Result<Arc<Reference>, String> {
        let place = self.references.lock().expect("no poison").entry(subject.clone()).or_default().clone();
        let mut place = place.lock().map_err(|_| "no undisturbed run".to_owned())?;
        if let Some(reference) = &*place {
            return Ok(reference.clone());
        }
        let folder = self.folder.join(format!("{}-{}-undisturbed", subject.preset, subject.device));
        let start = Instant::now();
        let output = self.begin(subject, &folder).stderr(Stdio::piped()).output().expect("the program runs");
        if !output.status.success() {
            return Err(format!("undisturbed, it failed: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let mut time = start.elapsed();
        if subject.device != "cpu" {
            // The driver has compiled the kernels, which took most of the time, and keeps them.
            let again = self.folder.join(format!("{}-{}-again", subject.preset, subject.device));
            let start = Instant::now();
            let status = self.begin(subject, &again).status().expect("the program runs");
            time = start.elapsed();
            if !status.success() {
                return Err("undisturbed, it failed the second time".into());
            }
            same(&folder, &again).map_err(|what| format!("undisturbed, it has other bits the second time: {what}"))?;
            fs::remove_dir_all(again).expect("a run");
        }
        Ok(place.insert(Arc::new(Reference { folder, time })).clone())
    }
}

/// How far a run has come, from its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub steps: usize,
    pub epochs: usize,
}

impl Progress {
    pub fn of(run: &Path) -> Self {
        let log = fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
        let count = |kind: &str| log.lines().filter(|line| line.contains(&format!("\"kind\":\"{kind}\""))).count();
        Self { steps: count("step"), epochs: count("epoch") }
    }

    /// Whether all steps of an epoch are done, and its validation is not.
    pub fn validates(self) -> bool {
        self.steps == STEPS * (self.epochs + 1)
    }
}
