//! The plain driver: numbers of cases go to worker processes, one for each core. A worker that ends over a case costs
//! that case alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::thread::available_parallelism;
use std::time::Instant;

use crate::targets::{TARGETS, Target, named};
use crate::worker::{HANGS, Numbers, case, judge, keep_panics, work};

/// What a worker may take of memory, in KiB: allocations beyond fail.
const MEMORY: u64 = 2 << 20;

/// What a case may take of a processor's time.
const SECONDS: f64 = 10.0;

/// Cases that a worker process gets at once.
const PORTION: u64 = 10_000;

/// Cases that are saved of one fault: the others are counted.
const SAVED: u64 = 3;

const USAGE: &str = "\
usage: wgrad-fuzz [TARGET…] [--inputs N] [--seed S]    N cases over these targets, or over all
       wgrad-fuzz TARGET --case FILE…                  these cases again";

/// What the command line asks for.
#[derive(Default)]
struct Request {
    targets: Vec<&'static Target>,
    inputs: u64,
    seed: u64,
    cases: Vec<PathBuf>,
    /// Of a worker: from, to, the file of progress and the seconds of a case.
    worker: Vec<String>,
}

impl Request {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut request = Self { inputs: 100_000, seed: 1, ..Self::default() };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let mut number = |name: &str| {
                let given = arguments.next();
                given.and_then(|given| given.parse().ok()).ok_or_else(|| format!("{name}: expected a whole number"))
            };
            match argument.as_str() {
                "--inputs" => request.inputs = number("--inputs")?,
                "--seed" => request.seed = number("--seed")?,
                "--case" => request.cases.extend(arguments.by_ref().map(PathBuf::from)),
                "--worker" => request.worker.extend(arguments.by_ref()),
                name => {
                    let known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
                    let target = named(name).ok_or_else(|| {
                        format!("{name}: there is no such target; expected one of {}\n{USAGE}", known.join(", "))
                    })?;
                    request.targets.push(target);
                }
            }
        }
        if request.targets.is_empty() {
            request.targets = TARGETS.iter().collect();
        }
        Ok(request)
    }
}

/// The program: its arguments without its name.
pub fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    let request = match Request::read(arguments) {
        Ok(request) => request,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    if let [from, to, progress, seconds] = &request.worker[..] {
        let number = |text: &str| text.parse().expect("the driver's own argument");
        let numbers = Numbers { seed: request.seed, from: number(from), to: number(to) };
        let progress = File::options().write(true).open(progress).expect("the driver's own file");
        return work(request.targets[0], numbers, &progress, seconds.parse().expect("the driver's own argument"));
    }
    if !request.cases.is_empty() {
        return again(request.targets[0], &request.cases);
    }
    campaign(&request)
}

/// Judges saved cases in this very process.
fn again(target: &Target, files: &[PathBuf]) -> ExitCode {
    keep_panics();
    let mut failed = false;
    for file in files {
        let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let judged = judge(target, &bytes);
        failed |= judged.is_err();
        match judged {
            Ok(true) => println!("{}: taken", file.display()),
            Ok(false) => println!("{}: refused", file.display()),
            Err(said) => println!("{}: {said}", file.display()),
        }
    }
    ExitCode::from(u8::from(failed))
}

/// What became of a target's cases.
#[derive(Default)]
struct Tally {
    judged: u64,
    taken: u64,
    seconds: f64,
    /// How often each fault came.
    faults: BTreeMap<String, u64>,
}

/// Some cases of one target.
#[derive(Clone, Copy)]
struct Portion {
    target: &'static Target,
    numbers: Numbers,
}

fn campaign(request: &Request) -> ExitCode {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    if let Err(fault) = notices(scratch.path()) {
        eprintln!("error: {fault}");
        return ExitCode::FAILURE;
    }
    let mut failed = regressions(&request.targets, scratch.path());
    let portions = Mutex::new(portions(request));
    let tallies = Mutex::new(BTreeMap::<&str, Tally>::new());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..available_parallelism().map_or(1, usize::from) {
            let (portions, tallies, scratch) = (&portions, &tallies, scratch.path());
            scope.spawn(move || {
                loop {
                    // Released before the portion is worked on.
                    let next = portions.lock().expect("no panic holds it").pop();
                    let Some(portion) = next else { break };
                    let started = Instant::now();
                    let done = judge_portion(portion, scratch, thread, SECONDS);
                    let mut tallies = tallies.lock().expect("no panic holds it");
                    let tally = tallies.entry(portion.target.name).or_default();
                    tally.seconds += started.elapsed().as_secs_f64();
                    tally.judged += portion.numbers.to - portion.numbers.from;
                    tally.taken += done.taken;
                    for (number, fault) in done.faults {
                        report(portion, number, &fault, tally);
                    }
                }
            });
        }
    });
    let tallies = tallies.into_inner().expect("no panic held it");
    println!("\n| target | cases | taken | faults | cases a second |\n|---|---:|---:|---:|---:|");
    let mut judged = 0;
    for (name, tally) in &tallies {
        let faults: u64 = tally.faults.values().sum();
        failed |= faults > 0;
        judged += tally.judged;
        println!(
            "| {name} | {} | {} | {faults} | {:.0} |",
            tally.judged,
            tally.taken,
            tally.judged as f64 / tally.seconds
        );
    }
    println!("\n{judged} cases of seed {} in {:.0} s", request.seed, begun.elapsed().as_secs_f64());
    ExitCode::from(u8::from(failed))
}

/// All portions of a campaign, in turns of the targets, so that each is heard of early.
fn portions(request: &Request) -> Vec<Portion> {
    let shares: u64 = request.targets.iter().map(|target| target.share).sum();
    let mut portions = vec![];
    for &target in &request.targets {
        let count = request.inputs * target.share.max(1) / shares.max(1);
        // Slow targets have small shares, and portions that take as long.
        let portion = (PORTION * target.share / TARGETS[0].share).max(1);
        for from in (0..count).step_by(portion as usize) {
            let numbers = Numbers { seed: request.seed, from, to: (from + portion).min(count) };
            portions.push((from as f64 / count as f64, Portion { target, numbers }));
        }
    }
    // The last is the first to be taken.
    portions.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    portions.into_iter().map(|(_, portion)| portion).collect()
}

/// What came of a portion: how many cases wgrad took, and which failed.
#[derive(Default)]
struct Done {
    taken: u64,
    faults: Vec<(u64, String)>,
}

/// Has a portion judged by workers, a new one after each that ends before its time.
fn judge_portion(portion: Portion, scratch: &Path, thread: usize, seconds: f64) -> Done {
    let Portion { target, mut numbers } = portion;
    let mut done = Done::default();
    while numbers.from < numbers.to {
        let progress = scratch.join(format!("progress-{thread}"));
        fs::write(&progress, u64::MAX.to_le_bytes()).expect("a temporary file");
        let mut errors = tempfile::tempfile_in(scratch).expect("a temporary file");
        let temporary = scratch.join(format!("worker-{thread}"));
        fs::create_dir_all(&temporary).expect("a temporary folder");
        // Memory is limited before the program begins.
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -c 0; ulimit -v {MEMORY}; exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().expect("this program's file"))
            .args([target.name, "--seed", &numbers.seed.to_string(), "--worker"])
            .args([numbers.from.to_string(), numbers.to.to_string()])
            .arg(&progress)
            .arg(seconds.to_string())
            // The cores are shared out among workers.
            .env("RAYON_NUM_THREADS", "1")
            .env("RUST_BACKTRACE", "0")
            .env("TMPDIR", &temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone().expect("a temporary file"))
            .spawn()
            .expect("a worker can be started");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut whole = false;
        for line in output.lines().map_while(Result::ok) {
            if let Some(taken) = line.strip_prefix("done ") {
                (done.taken, whole) = (done.taken + taken.parse::<u64>().expect("a worker's own number"), true);
            } else if let Some((number, said)) = line.strip_prefix("failed ").and_then(|rest| rest.split_once(' ')) {
                done.faults.push((number.parse().expect("a worker's own number"), said.into()));
            }
        }
        let status = child.wait().expect("a child of this process");
        // What the worker left.
        let _ = fs::remove_dir_all(&temporary);
        if whole {
            break;
        }
        let mut said = vec![];
        errors.seek(SeekFrom::Start(0)).and_then(|_| errors.read_to_end(&mut said)).expect("a temporary file");
        let said = String::from_utf8_lossy(&said);
        let at = fs::read(&progress).ok().and_then(|bytes| bytes.try_into().ok()).map_or(u64::MAX, u64::from_le_bytes);
        assert!(at != u64::MAX, "{}: a worker ends before its first case ({status}): {said}", target.name);
        let how = match status.code() {
            Some(HANGS) => format!("takes more than {seconds} seconds"),
            _ => format!("ends the process ({status}): {}", said.trim().replace('\n', " ")),
        };
        done.faults.push((at, how));
        numbers.from = at + 1;
    }
    done
}

/// Tells of a case that failed, and saves it, unless its fault is known well enough.
fn report(portion: Portion, number: u64, fault: &str, tally: &mut Tally) {
    // Faults at one place with one message but for its numbers and quotations are one.
    let kind: String = fault.chars().take(160).filter(|c| !c.is_ascii_digit()).take(100).collect();
    let count = tally.faults.entry(kind).or_default();
    *count += 1;
    if *count > SAVED {
        return;
    }
    let (name, seed) = (portion.target.name, portion.numbers.seed);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts").join(name);
    let path = folder.join(format!("{seed}-{number}"));
    let saved = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, case(portion.target, seed, number)));
    saved.unwrap_or_else(|error| eprintln!("cannot save {}: {error}", path.display()));
    let fault: String = fault.chars().take(600).collect();
    println!("{name}, seed {seed}, number {number}: {fault}\n    saved as {}", path.display());
}

/// Whether the driver notices what it must notice: faults on purpose.
fn notices(scratch: &Path) -> Result<(), String> {
    let target = named("planted").expect("it is there");
    let seed = 1;
    for (fault, said) in
        [(1, "on purpose"), (2, "ends the process (signal: 6"), (3, "takes more than"), (4, "memory allocation")]
    {
        let from = (0..).find(|&number| case(target, seed, number)[0] % 16 == fault).expect("some number has it");
        let found = judge_portion(Portion { target, numbers: Numbers { seed, from, to: from + 1 } }, scratch, 0, 0.5);
        if !matches!(&found.faults[..], [(number, what)] if *number == from && what.contains(said)) {
            return Err(format!("a fault on purpose was not noticed: expected `{said}`, found {:?}", found.faults));
        }
    }
    Ok(())
}

/// Judges the inputs that failed once, each in a process of its own. Whether one fails again.
fn regressions(targets: &[&'static Target], scratch: &Path) -> bool {
    let (mut judged, mut failed) = (0, false);
    for target in targets {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions").join(target.name);
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("an entry of a folder").path();
            let output = Command::new("sh")
                .args(["-c", &format!("ulimit -c 0; ulimit -v {MEMORY}; ulimit -t {SECONDS}; exec \"$0\" \"$@\"")])
                .arg(std::env::current_exe().expect("this program's file"))
                .args([target.name, "--case"])
                .arg(&path)
                .env("TMPDIR", scratch)
                .env("RAYON_NUM_THREADS", "1")
                .output()
                .expect("a worker can be started");
            judged += 1;
            if !output.status.success() {
                failed = true;
                let said = [output.stdout, output.stderr].concat();
                println!("{} fails again ({}): {}", path.display(), output.status, String::from_utf8_lossy(&said));
            }
        }
    }
    println!("{judged} cases that failed once");
    failed
}
