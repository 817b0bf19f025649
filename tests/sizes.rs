//! Sizes that a machine has no room for: what a run takes is known before it begins, and where it is not there after
//! all, an error says so.

mod cli;
#[path = "cli/refuse.rs"]
mod refuse;

use std::time::{Duration, Instant};

use cli::{Sandbox, stderr};

/// Trains a small model on the folder `data` on the CPU, into the folder that follows.
const TRAIN: &str = "train --preset tiny --data data --device cpu --set train.epochs=2 --out";

/// What a run says of itself under a heading.
fn said(sandbox: &Sandbox, arguments: &str, heading: &str) -> String {
    let output = sandbox.wgrad(arguments, None).output().expect("wgrad runs");
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    text.lines().find(|line| line.starts_with(heading)).unwrap_or_else(|| panic!("no {heading} in\n{text}")).into()
}

/// "memory    46 MiB on cpu (2 threads) of 23410 MiB": 46.
fn mebibytes(line: &str) -> u64 {
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{line}"))
}

#[test]
fn a_batch_that_is_larger_than_the_corpus_is_the_corpus() {
    let sandbox = Sandbox::with_captions(32);
    let memory = mebibytes(&said(&sandbox, &format!("{TRAIN} whole --set train.batch.sentences=32"), "memory"));
    let model = sandbox.read("whole/model.safetensors");
    for (run, size) in [("sentences", "train.batch.sentences=8192"), ("tokens", "train.batch.tokens=1000000")] {
        let line = said(&sandbox, &format!("{TRAIN} {run} --set {size}"), "memory");
        assert_eq!(mebibytes(&line), memory, "{line}");
        assert!(sandbox.read(&format!("{run}/model.safetensors")) == model, "{size} trained another model");
    }
}

#[test]
fn numbers_without_a_machine_are_refused_at_once() {
    let sandbox = Sandbox::with_captions(8);
    for (arguments, parts) in [
        ("--set model.layers=2147483648", &["`model.layers = 2147483648` in --set: expected", "from 1 to 1024"][..]),
        (
            "--set model.embedding=4611686018427387904",
            &["`model.embedding = 4611686018427387904` in --set: expected a whole number from 1 to 65535"],
        ),
        (
            "--set model.hidden=60000",
            &[" MiB of memory are needed, and the machine has ", "Lower model.hidden = 60000", "--set KEY=VALUE"],
        ),
        ("--set train.batch.sentences=4294967296", &["`train.batch = { sentences = 4294967296 }` in --set: expected"]),
    ] {
        let start = Instant::now();
        sandbox.refuse(&format!("{TRAIN} run {arguments}"), parts);
        let init = format!("init --preset tiny --src-vocab 9 --tgt-vocab 9 --out model {arguments}");
        sandbox.refuse(&init, parts);
        // A busy machine takes longer than the fraction of a second that this is.
        assert!(start.elapsed() < Duration::from_secs(20), "{arguments}: {:?}", start.elapsed());
    }
    sandbox.write("mine.toml", "[model]\nembedding = 4611686018427387904\n");
    sandbox.refuse(
        &format!("{TRAIN} run --config mine.toml"),
        &["`model.embedding = 4611686018427387904` in mine.toml: expected a whole number from 1 to 65535"],
    );
    let transformer = "train --preset course-full-transformer --data data --device cpu --out run";
    sandbox.refuse(
        &format!("{transformer} --set model.encoder_layers=65536"),
        &["`model.encoder_layers = 65536` in --set: expected a whole number from 1 to 1024"],
    );
    for pairs in ["18446744073709551615", "499001", "0"] {
        sandbox.refuse(
            &format!("data captions --out more --pairs {pairs}"),
            &[&format!("--pairs {pairs}: expected 1 to 499000; the grammar can surely make 500000")],
        );
    }
}

#[cfg(target_os = "linux")]
mod limits {
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    const WGRAD: &str = env!("CARGO_BIN_EXE_wgrad");

    impl Sandbox {
        /// `wgrad` under a limit of `prlimit`.
        fn limited(&self, program: impl AsRef<Path>, limit: &str, arguments: &str) -> Command {
            let mut command = Command::new("prlimit");
            command.arg(limit).arg("--").arg(program.as_ref()).args(arguments.split_whitespace());
            command.current_dir(self.path("")).env("RUST_BACKTRACE", "0").stdin(std::process::Stdio::null());
            command
        }
    }

    /// The plan of the largest batch is counted before it is asked for.
    #[test]
    fn batches_that_the_limit_of_memory_does_not_hold() {
        let sandbox = Sandbox::with_captions(2000);
        let large = "--set train.batch.sentences=100000 --set model.hidden=1024";
        let command = sandbox.limited(WGRAD, "--as=1000000000", &format!("{TRAIN} run {large}"));
        sandbox.refuse_command(
            command,
            &[
                " of memory are needed, and the machine has ",
                " MiB for batches of up to ",
                "Lower train.batch.sentences = 100000",
            ],
        );
    }

    /// From what holds nothing to what holds all: never an abort, never a folder that cannot be used.
    #[test]
    fn memory_that_ends_anywhere() {
        let sandbox = Sandbox::with_captions(40);
        let mut refused = 0;
        // About 40 several threads meet the limit at once: where one of them failed by itself, 11 of 35 runs aborted.
        for megabytes in (34..=44).chain([24, 32, 48, 56, 64, 80, 96, 128, 192, 256, 384, 512, 1024]) {
            let command =
                || sandbox.limited(WGRAD, &format!("--as={}", megabytes * 1_000_000), &format!("{TRAIN} run"));
            let output = command().output().expect("prlimit runs");
            match output.status.code() {
                Some(0) => std::fs::remove_dir_all(sandbox.path("run")).expect("a run"),
                Some(1) if stderr(&output).contains("error: ") => {
                    // Memory may end after the run has begun: then it goes on where there is more.
                    if sandbox.path("run").exists() {
                        sandbox.succeed("train --resume run --device cpu");
                        std::fs::remove_dir_all(sandbox.path("run")).expect("a run");
                    }
                    refused += 1;
                }
                // The system could not load the program: nothing of it has run.
                Some(127) if stderr(&output).contains("error while loading shared libraries") => (),
                other => panic!("{megabytes} MB: {other:?} {}", stderr(&output)),
            }
        }
        assert!(refused >= 1);
    }

    #[test]
    fn threads_that_the_system_does_not_give() {
        let sandbox = Sandbox::with_captions(40);
        std::fs::set_permissions(sandbox.path(""), std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("mine");
        // Another user may not come to where the program was built.
        let program = sandbox.path("wgrad");
        std::fs::copy(WGRAD, &program).expect("a copy");
        let mut command = sandbox.limited(&program, "--nproc=1", &format!("{TRAIN} run"));
        // The superuser has no limit.
        if std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("Linux")) == 0 {
            command.uid(64_123).gid(64_123);
        }
        let output = command.output().expect("prlimit runs");
        let text = stderr(&output);
        assert!(text.contains("threads   1 in place of ") && text.contains("ulimit -u"), "{text}");
        assert_eq!(output.status.code(), Some(0), "{text}");
    }
}
