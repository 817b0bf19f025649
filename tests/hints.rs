//! Whatever wgrad advises works when it is typed: the commands and flags in errors about data files, and every command
//! that it prints, as a shell reads it.
#![cfg(unix)]

#[allow(dead_code, reason = "other tests use the rest")]
mod cli;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cli::{Sandbox, stderr};
use rustix::process::{Pid, Signal, kill_process};

const EPOCH: &str = "--preset tiny --device cpu --set train.epochs=1";

/// Types a command, with `wgrad` on the path; gives what it prints.
fn type_in(sandbox: &Sandbox, command: &str) -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_wgrad")).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("a path"));
    let mut shell = Command::new("sh");
    shell.args(["-ec", command]).current_dir(sandbox.path("")).env("PATH", path).stdin(Stdio::null());
    let output = shell.output().expect("a shell");
    assert!(output.status.success(), "{command}: {}", stderr(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The commands between backticks.
fn commands(said: &str) -> Vec<&str> {
    said.split('`').skip(1).step_by(2).filter(|command| command.contains(' ')).collect()
}

/// Runs `wgrad` and does what its errors advise, no more than `most` times, until it succeeds. Gives all that it said.
#[track_caller]
fn follow(sandbox: &Sandbox, arguments: &[&str], most: usize) -> String {
    let mut arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let mut said = String::new();
    for _ in 0..=most {
        let output = sandbox.wgrad("", None).args(&arguments).output().expect("wgrad runs");
        if output.status.success() {
            return said;
        }
        let error = stderr(&output);
        said += &error;
        let typed = commands(&error);
        typed.iter().for_each(|command| drop(type_in(sandbox, command)));
        let flags: Vec<&str> = error.split([' ', ',', ';', '\n']).collect();
        let sets = flags.windows(2).filter(|pair| pair[0] == "--set" && pair[1].contains('='));
        let before = arguments.len();
        arguments.extend(sets.flatten().map(|&word| word.to_owned()));
        assert!(!typed.is_empty() || arguments.len() > before, "no advice in {error}");
    }
    panic!("{most} times followed, and refused all the same:\n{said}");
}

impl Sandbox {
    /// Trains an epoch on the folder, with all advice followed.
    #[track_caller]
    fn follow_training(&self, folder: &str, most: usize) -> String {
        let fixed: Vec<&str> = ["train"].into_iter().chain(EPOCH.split(' ')).collect();
        follow(self, &[&fixed[..], &["--data", folder, "--out", "run"]].concat(), most)
    }
}

/// What is done to a folder of eight captions a split, and how many times advice is taken at most.
#[test]
fn files_of_other_names_are_taken_as_advised() {
    for (change, most) in [
        ("mv train.de train.de.txt", 1),
        ("for f in *; do mv $f $f.txt; done", 2),
        ("gzip train.de", 1),
        ("gzip *", 2),
        ("mv train.de train.de.txt; gzip train.de.txt", 1),
        ("paste train.de train.en > train.tsv; rm train.de train.en", 1),
        ("paste train.en train.de | gzip > train.en-de.tsv.gz; rm train.de train.en", 1),
        ("for s in train val; do mv $s.de $s-DE.txt; mv $s.en ${s}_en.tok; done", 2),
        ("for s in train val; do mv $s.de $s.de-en.de; mv $s.en $s.de-en.en; done", 2),
        ("mv val.de dev.de; mv val.en dev.en", 1),
        ("rm val.*", 1),
        ("for s in train val; do mv $s.de $s.it; mv $s.en $s.fr; done", 1),
        ("for s in train val; do mv $s.de $s.it; done", 1),
        ("iconv -f utf-8 -t utf-16 train.de > train.de.txt; rm train.de", 1),
    ] {
        let sandbox = Sandbox::with_captions(40);
        fs::rename(sandbox.path("data"), sandbox.path("it's my data")).expect("another name");
        type_in(&sandbox, &format!("cd \"it's my data\"; rm test.*; {change}"));
        let lines = |sandbox: &Sandbox| type_in(sandbox, "cat \"it's my data\"/* | grep -c .");
        let said = sandbox.follow_training("it's my data", most);
        assert!(!said.is_empty(), "{change}: nothing was refused");
        assert_ne!(lines(&sandbox), "0\n", "{change}: the text is gone");
    }
}

#[test]
fn files_that_are_no_text_become_text_as_advised() {
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let sandbox = Sandbox::with_captions(40);
    let good = sandbox.read("data/train.de");
    let text = String::from_utf8(good.clone()).expect("captions");
    let marked = format!("\u{feff}{text}");
    sandbox.write("packed", &good);
    type_in(&sandbox, "gzip packed");
    let latin1: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).expect("German is in Latin-1")).collect();
    for (name, bytes) in [
        ("compressed by gzip", sandbox.read("packed.gz")),
        ("UTF-16", utf16(&marked, u16::to_le_bytes)),
        ("UTF-16", utf16(&marked, u16::to_be_bytes)),
        ("UTF-16", utf16(&text, u16::to_le_bytes)),
        ("UTF-16", utf16(&text, u16::to_be_bytes)),
        ("carriage returns alone", text.replace('\n', "\r").into()),
        ("Latin-1", latin1),
    ] {
        sandbox.write("data/train.de", &bytes);
        let said = sandbox.follow_training("data", 1);
        assert!(said.contains(name) && said.contains("Latin-1") == (name == "Latin-1"), "{said}");
        assert_eq!(sandbox.read("data/train.de"), good, "{said}");
        // As the source of an evaluation, and of a translation.
        let source = sandbox.path("source.txt");
        fs::write(&source, &bytes).expect("a file");
        let evaluate = "evaluate run --src source.txt --ref data/train.en --device cpu";
        follow(&sandbox, &evaluate.split(' ').collect::<Vec<_>>(), 1);
        fs::write(&source, &bytes).expect("a file");
        let output = sandbox.wgrad("translate run --device cpu", Some("source.txt")).output().expect("wgrad runs");
        let error = stderr(&output);
        if name != "Latin-1" {
            let advice = error.split_once("Convert it: ").unwrap_or_else(|| panic!("{error}")).1;
            let translated = type_in(&sandbox, &advice.replace("FILE", "source.txt"));
            assert_eq!(translated.lines().count(), 40, "{advice}");
        }
        fs::remove_dir_all(sandbox.path("run")).expect("a run");
    }
    // What packs is not everywhere; that it is told apart has a test of its own.
    for (bytes, decoder, ending) in [
        (&b"\xfd7zXZ\0\0\x04"[..], "xz -cd < ", "xz"),
        (b"BZh91AY&SY\x01", "bzip2 -cd < ", "bz2"),
        (b"\x28\xb5\x2f\xfd\x24\x01", "zstd -cd < ", "zst"),
        (b"PK\x03\x04\x14\0", "unzip -p ", "zip"),
    ] {
        sandbox.write("data/train.de", bytes);
        let output = sandbox.wgrad(&format!("train {EPOCH} --data data --out run"), None).output().expect("wgrad runs");
        let error = stderr(&output);
        let file = sandbox.path("data/train.de");
        let command = format!("&& {decoder}{0}.{ending} > {0}`", file.display());
        assert!(error.contains(&command) && !error.contains("Latin-1"), "{error}");
    }
}

#[test]
fn a_vocabulary_is_made_as_advised() {
    let sandbox = Sandbox::with_captions(40);
    let train = format!("train {EPOCH} --data data --out run --set data.min_frequency=1000");
    follow(&sandbox, &train.split(' ').collect::<Vec<_>>(), 1);
}

#[test]
fn printed_commands_are_read_by_the_shell_as_they_were_meant() {
    for name in ["my run 2", "it's \"mine\""] {
        let sandbox = Sandbox::with_captions(40);
        let train = |arguments: &[&str]| {
            let mut command = sandbox.wgrad("train", None);
            command.args(arguments).args(["--device", "cpu"]);
            let output = command.output().expect("wgrad runs");
            (output.status.success(), String::from_utf8(output.stdout.clone()).expect("UTF-8"), stderr(&output))
        };
        let new = ["--preset", "tiny", "--data", "data", "--out", name, "--set", "train.epochs=1"];
        let (trained, printed, said) = train(&new);
        assert!(trained, "{said}");
        // How to translate.
        let command = printed.lines().find_map(|line| line.strip_prefix("translate  ")).expect("a last line");
        fs::copy(sandbox.path("data/test.de"), sandbox.path("text.de")).expect("a copy");
        type_in(&sandbox, command);
        assert_eq!(sandbox.read("text.en").iter().filter(|&&byte| byte == b'\n').count(), 20);
        // What a name is taken by.
        let (trained, _, said) = train(&new);
        assert!(!trained);
        commands(&said).iter().for_each(|command| drop(type_in(&sandbox, command)));
        // How to go on for longer.
        let (_, _, said) = train(&["--resume", name]);
        let command = said.split_once("is finished; for longer: ").unwrap_or_else(|| panic!("{said}")).1;
        let command = command.split(", N a larger").next().expect("a beginning").replace("=N", "=2");
        assert!(type_in(&sandbox, &command).contains("best epoch"));
        // A model that is gone.
        fs::remove_file(sandbox.path(name).join("model.safetensors")).expect("a model");
        let output = sandbox.wgrad("translate", None).arg(name).output().expect("wgrad runs");
        let said = stderr(&output);
        let resume = commands(&said)[0];
        type_in(&sandbox, &format!("{resume} --set train.epochs=3"));
        assert!(sandbox.path(name).join("model.safetensors").exists());
    }
}

#[test]
fn a_stopped_run_goes_on_as_advised() {
    let sandbox = Sandbox::with_captions(40);
    let train = "train --preset tiny --data data --device cpu --set train.epochs=2000 --set train.patience=0 --out";
    let mut command = sandbox.wgrad(train, None);
    let child = command.arg("my run 2").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("wgrad runs");
    let metrics = sandbox.path("my run 2/metrics.jsonl");
    let start = Instant::now();
    while fs::metadata(&metrics).map_or(0, |log| log.len()) == 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "training stands still");
        std::thread::sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), Signal::INT).expect("a signal");
    let output = child.wait_with_output().expect("an end");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let command = printed.split_once("Continue with:\n").unwrap_or_else(|| panic!("{printed}{}", stderr(&output))).1;
    // Without the rest of its epochs, which would take a minute.
    let epochs = format!("{} --set train.epochs=1", command.trim());
    assert!(type_in(&sandbox, &epochs).contains("best epoch"));
}

/// Where the corpus cannot be kept, the error says which variable puts it elsewhere.
#[test]
fn a_home_that_cannot_be_written_to() {
    let sandbox = Sandbox::new();
    sandbox.write("home", "no folder");
    let mut command = sandbox.wgrad("train", None);
    command.env_remove("XDG_CACHE_HOME").env_remove("LOCALAPPDATA").env("HOME", sandbox.path("home"));
    let output = command.output().expect("wgrad runs");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("set XDG_CACHE_HOME to ") && said.contains("home/.cache/wgrad/captions-"), "{said}");
}
