//! Round after round until the time is over, on all cores.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use fastrand::Rng;

use crate::same::assert_same;
use crate::subject::Laboratory;
use crate::trouble::{Round, disks};

#[derive(Parser)]
struct Arguments {
    /// How long rounds are begun
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,
    /// Of the first round; the others follow [default: the time]
    #[arg(long)]
    seed: Option<u64>,
    /// No more rounds than these
    #[arg(long, default_value_t = u64::MAX)]
    rounds: u64,
    /// What is tortured
    #[arg(long)]
    program: PathBuf,
}

/// What has happened so far.
#[derive(Default)]
struct Counts {
    kills: AtomicUsize,
    full_disks: AtomicUsize,
    pairs: AtomicUsize,
    lost: Mutex<Vec<u64>>,
}

pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    let first = arguments.seed.unwrap_or(now.as_secs());
    // What fails is told by the round that it fails in.
    std::panic::set_hook(Box::new(|_| {}));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let laboratory = catch_unwind(|| Laboratory::new(folder.path(), arguments.program.clone()));
    let laboratory = match laboratory {
        Ok(laboratory) => laboratory,
        Err(panic) => {
            eprintln!("error: {}", said(&*panic));
            return ExitCode::FAILURE;
        }
    };
    let disks = disks(folder.path());
    println!("seed {first}, {} subjects", laboratory.subjects.len());
    if !disks {
        println!("no full disks: only root may mount one");
    }
    let (counts, next) = (Counts::default(), AtomicU64::new(0));
    let begun = Instant::now();
    let limit = Duration::from_secs_f64(60.0 * arguments.minutes);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while begun.elapsed() < limit {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= arguments.rounds {
                        break;
                    }
                    let seed = first.wrapping_add(number);
                    let round = || round(&laboratory, seed, disks, begun, &counts);
                    let outcome = catch_unwind(AssertUnwindSafe(round)).unwrap_or_else(|panic| Err(said(&*panic)));
                    if let Err(what) = outcome {
                        let what = what.trim_end();
                        println!("{seed}: LOST: {what}\n  again: tests/torture.sh --seed {seed} --rounds 1");
                        counts.lost.lock().expect("no poison").push(seed);
                    }
                }
            });
        }
    });
    let lost = counts.lost.into_inner().expect("no poison");
    let [kills, full, pairs] = [&counts.kills, &counts.full_disks, &counts.pairs].map(|n| n.load(Ordering::Relaxed));
    println!("{kills} kills, {full} full disks, {pairs} pairs of processes, {} runs lost", lost.len());
    if lost.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("what is left of the runs: {}", folder.keep().display());
    ExitCode::FAILURE
}

/// Subjects come in turn, so that all of them come; of seven rounds one fills the disk and one has two processes.
fn round(laboratory: &Laboratory, seed: u64, disks: bool, begun: Instant, counts: &Counts) -> Result<(), String> {
    let subject = &laboratory.subjects[seed as usize % laboratory.subjects.len()];
    let name = format!("{} on {}", subject.preset, subject.device);
    let reference = laboratory.reference(subject).map_err(|what| format!("{name}: {what}"))?;
    let tell = |what: String| println!("{seed} at {:3.0} s: {name}: {what}", begun.elapsed().as_secs_f64());
    let run = laboratory.folder.join(seed.to_string());
    let mut round = Round { laboratory, subject, reference: &reference, run, rng: Rng::with_seed(seed), tell: &tell };
    let done = match round.rng.u8(..7) {
        0 if disks => round.full_disk().map(|()| counts.full_disks.fetch_add(1, Ordering::Relaxed)),
        1 => round.two().map(|()| counts.pairs.fetch_add(1, Ordering::Relaxed)),
        _ => round.kills().map(|kills| counts.kills.fetch_add(kills, Ordering::Relaxed)),
    };
    done.map_err(|what| format!("{name}: {what}"))?;
    // It may be gone with its disk.
    let _ = std::fs::remove_dir_all(&round.run);
    Ok(())
}

/// Whether two runs came to the same bits, and if not, what differs.
pub fn same(one: &Path, other: &Path) -> Result<(), String> {
    catch_unwind(|| assert_same(one, other)).map_err(|panic| said(&*panic))
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic").to_owned()
}
