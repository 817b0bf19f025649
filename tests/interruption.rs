//! What ends a run from outside, from the command line: signals, a full disk, other processes. Nothing is lost, and
//! what cannot begin leaves nothing.

#![cfg(unix)]

#[allow(dead_code, reason = "other tests use the rest")]
mod cli;
#[allow(dead_code, reason = "other tests use the rest")]
mod same;
#[allow(dead_code, reason = "other tests use the rest")]
mod small;

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use cli::{Sandbox, stderr};
use rustix::process::{Pid, Signal, kill_process};
use same::assert_same;

/// One epoch is 50 steps of the smallest model.
const TRAIN: &str = "train --preset tiny --data data --device cpu --set data.max_tokens=40 --set train.epochs=3";

/// What nobody waits for.
const LONG: Duration = Duration::from_secs(60);

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a signal to a child");
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(start.elapsed() < LONG, "{what} does not come");
        std::thread::sleep(Duration::from_micros(200));
    }
}

impl Sandbox {
    fn start(&self, arguments: &str) -> Child {
        let mut command = self.wgrad(arguments, None);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("wgrad runs")
    }

    /// Whole lines of a run's log.
    fn lines(&self, run: &str) -> usize {
        let log = fs::read(self.path(run).join("metrics.jsonl")).unwrap_or_default();
        log.iter().filter(|&&byte| byte == b'\n').count()
    }

    /// 3,000 pairs of validation, 20 different ones: many batches.
    fn with_a_long_validation() -> Self {
        let sandbox = Self::with_captions(200);
        for split in ["val.de", "val.en"] {
            let line = String::from_utf8(sandbox.read(&format!("data/{split}"))).expect("text");
            sandbox.write(&format!("data/{split}"), line.repeat(150));
        }
        sandbox
    }

    /// `wgrad` with files that may grow to so many blocks of 512 bytes.
    fn wgrad_with_little_space(&self, arguments: &str, blocks: usize) -> Output {
        let mut command = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_wgrad");
        let script = format!("ulimit -f {blocks} && exec {program} {arguments}");
        command.args(["-c", &script]).current_dir(self.path("")).output().expect("sh runs")
    }
}

#[test]
fn a_signal_during_validation_ends_the_run_within_seconds() {
    let sandbox = Sandbox::with_a_long_validation();
    let train = format!("{TRAIN} --set train.epochs=2");
    sandbox.succeed(&format!("{train} --out undisturbed"));
    // At once after the last step of the first epoch, and later.
    for (name, number, status, later) in [("int", Signal::INT, 130, 0), ("term", Signal::TERM, 143, 100)] {
        let child = sandbox.start(&format!("{train} --out {name}"));
        wait_for("the last step", || sandbox.lines(name) >= 50);
        std::thread::sleep(Duration::from_millis(later));
        let asked = Instant::now();
        signal(&child, number);
        let output = child.wait_with_output().expect("its end");
        assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        assert!(String::from_utf8_lossy(&output.stdout).contains(&format!(" train --resume {name}\n")));
        assert_eq!(sandbox.lines(name), 50, "the epoch is not validated");
        sandbox.succeed(&format!("train --resume {name} --device cpu"));
        assert_same(&sandbox.path("undisturbed"), &sandbox.path(name));
    }
}

/// The text is read and the device is open: plans are being made.
#[test]
fn a_signal_before_training_leaves_nothing() {
    let sandbox = Sandbox::with_captions(40);
    for (number, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let arguments = "train --preset translator --data data --device cpu --out run";
        let mut child = sandbox.start(arguments);
        let mut said = std::io::BufReader::new(child.stderr.take().expect("a pipe"));
        std::io::BufRead::read_line(&mut said, &mut String::new()).expect("what device it is");
        let asked = Instant::now();
        signal(&child, number);
        assert_eq!(child.wait().expect("its end").code(), Some(status));
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        assert!(!sandbox.path("run").exists());
    }
}

/// A step of many seconds is under way.
#[test]
fn a_second_signal_ends_the_run_at_once() {
    let sandbox = Sandbox::with_captions(200);
    let arguments = "train --preset translator --data data --device cpu --out run --set train.batch.sentences=200";
    let child = sandbox.start(arguments);
    wait_for("the first save", || sandbox.path("run/last.safetensors").exists());
    let asked = Instant::now();
    for _ in 0..2 {
        signal(&child, Signal::TERM);
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = child.wait_with_output().expect("its end");
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(143), &b""[..]));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let said = stderr(&output);
    assert!(said.contains("finishing this step and saving; press Ctrl-C again to stop at once"), "{said}");
}

/// As `nohup` starts a program, which is to outlive its terminal.
#[test]
#[cfg(target_os = "linux")]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let sandbox = Sandbox::with_captions(200);
    let script = format!("trap '' HUP; exec {} {TRAIN} --out run", env!("CARGO_BIN_EXE_wgrad"));
    let mut command = Command::new("sh");
    let child = command
        .args(["-c", &script])
        .current_dir(sandbox.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh");
    wait_for("a step", || sandbox.lines("run") >= 5);
    signal(&child, Signal::HUP);
    assert!(child.wait_with_output().expect("its end").status.success());
    assert_eq!(sandbox.lines("run"), 3 * 51);
}

/// The presets that most runs take, in small; no signal can be caught here.
#[test]
fn killed_runs_of_the_flagship_presets_resume_to_the_same_bits() {
    let sandbox = Sandbox::with_captions(40);
    for preset in ["transformer", "translator", "captions"] {
        // Tokens enough that captions are no longer than training takes, in subwords too.
        let data = ["data.max_tokens=40", "data.source_vocabulary=500", "data.target_vocabulary=500"];
        let more = data.iter().chain(&["train.epochs=2", "train.batch.sentences=4", "train.checkpoint_every=3"]);
        let assignments = small::assignments(preset).into_iter().chain(more.copied());
        let assignments: String = assignments.map(|assignment| format!(" --set {assignment}")).collect();
        let train = format!("train --preset {preset} --data data --device cpu{assignments}");
        let undisturbed = format!("{preset}-undisturbed");
        sandbox.succeed(&format!("{train} --out {undisturbed}"));
        let mut child = sandbox.start(&format!("{train} --out {preset}"));
        // In the middle of the first epoch, in its validation or behind, and in the second epoch.
        for lines in [5, 10, 15] {
            wait_for("a step", || sandbox.lines(preset) >= lines || child.try_wait().expect("a child").is_some());
            child.kill().expect("a kill");
            assert!(!child.wait().expect("its end").success(), "{preset} ended before it could be killed");
            child = sandbox.start(&format!("train --resume {preset} --device cpu"));
        }
        let output = child.wait_with_output().expect("its end");
        assert!(output.status.success(), "{preset}: {}", stderr(&output));
        assert_same(&sandbox.path(&undisturbed), &sandbox.path(preset));
    }
}

#[test]
fn a_disk_that_is_full_at_the_first_save_leaves_nothing() {
    let sandbox = Sandbox::with_captions(40);
    sandbox.succeed(&format!("{TRAIN} --out whole"));
    // In the order in which they are written, each larger than those before.
    for file in ["config.toml", "tokenizer.de.json", "last.safetensors"] {
        let blocks = (sandbox.read(&format!("whole/{file}")).len() - 1) / 512;
        let output = sandbox.wgrad_with_little_space(&format!("{TRAIN} --out run"), blocks);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("error: cannot write run/{file}: File too large")), "{said}");
        let advice = "; raise the limit (`ulimit -f`), then train again: nothing of the run was left\n";
        assert!(said.ends_with(advice) && !said.contains("--resume"), "{said}");
        assert!(!sandbox.path("run").exists(), "{file}");
    }
    sandbox.succeed(&format!("{TRAIN} --out run"));
}

/// A disk that is full while training goes on, at any of its files, and has space again.
#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_full_later_leaves_a_run_that_goes_on() {
    use rustix::process::{Resource, Rlimit, prlimit};
    let sandbox = Sandbox::with_captions(200);
    sandbox.succeed(&format!("{TRAIN} --out undisturbed"));
    let last = sandbox.read("undisturbed/last.safetensors").len() as u64 - 1000;
    // No byte more; what the log and the model fit in but not the last checkpoint.
    for (name, bytes) in [("log", 0), ("last", last)] {
        let child = sandbox.start(&format!("{TRAIN} --out {name}"));
        wait_for("a step", || sandbox.lines(name) >= 30);
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        prlimit(Some(Pid::from_child(&child)), Resource::Fsize, limit).expect("a limit");
        let output = child.wait_with_output().expect("its end");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("File too large (os error 27); raise the limit (`ulimit -f`), then continue with `"),
            "{said}"
        );
        assert!(said.ends_with(&format!(" train --resume {name}`\n")), "{said}");
        let left: Vec<_> = fs::read_dir(sandbox.path(name))
            .expect("the run")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
        sandbox.succeed(&format!("train --resume {name} --device cpu"));
        assert_same(&sandbox.path("undisturbed"), &sandbox.path(name));
    }
}

#[test]
fn of_programs_that_begin_one_run_at_once_one_trains() {
    let sandbox = Sandbox::with_captions(40);
    sandbox.succeed(&format!("{TRAIN} --out undisturbed"));
    let children: Vec<_> = (0..4).map(|_| sandbox.start(&format!("{TRAIN} --out run"))).collect();
    let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().expect("its end")).collect();
    let (trained, refused): (Vec<_>, Vec<_>) = outputs.iter().partition(|output| output.status.success());
    assert_eq!(trained.len(), 1, "{:?}", outputs.iter().map(stderr).collect::<Vec<_>>());
    for output in refused {
        let said = stderr(output);
        let usual = ["error: another process trains in run: ", "error: run already has a run in it. "];
        assert!(output.status.code() == Some(1) && usual.iter().any(|refusal| said.contains(refusal)), "{said}");
    }
    assert_same(&sandbox.path("undisturbed"), &sandbox.path("run"));
}

/// All of them need the corpus, which is not there yet; none has the device.
#[test]
fn programs_that_make_the_corpus_at_once_all_have_it() {
    let sandbox = Sandbox::new();
    let children: Vec<_> = (0..4).map(|_| sandbox.start("train --preset tiny --device nowhere --out run")).collect();
    for child in children {
        let output = child.wait_with_output().expect("its end");
        let said = stderr(&output);
        assert!(said.contains("error: no device is called `nowhere`. "), "{said}");
    }
    let files: Vec<_> = sandbox.files().into_keys().collect();
    assert_eq!(files.len(), 6, "{files:?}");
}
