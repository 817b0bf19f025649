//! All cases of one op on one or more devices.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use rayon::prelude::*;
use serde::Serialize;

use crate::gpu::OpenError;
use crate::graph::TensorType;
use crate::ops::case::Case;
use crate::plan::{Device, DeviceError, Plan, Step};

use super::compare::{Compared, Expected, Problem, Worst, compare, difference, expected, overrun, plan_of, run_twice};
use super::gradient::check_gradient;
use super::kernels::{Kernels, targets};
use super::watch::{PATIENCE, still_running, watched};
use super::work::{Kind, Unit, chunks, kinds, units};

/// Opens a device of its own for each number: those that compile and run at the same time.
pub type Open = Box<dyn Fn(usize) -> Result<Box<dyn Device>, OpenError> + Sync>;

/// Devices that were told alike how to compile.
pub struct DeviceUnderTest {
    pub open: Open,
    /// What a failure says of them: "bounds checks on".
    pub mode: &'static str,
}

/// A case that did not pass.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The case's number in the op's list.
    pub case: usize,
    pub label: String,
    pub kernels: Kernels,
    /// What was launched, as `shader:entry`.
    pub launches: Vec<String>,
    pub mode: &'static str,
    pub problem: Problem,
}

/// The result of an op's cases with one kind of kernels.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub op: &'static str,
    pub kernels: Kernels,
    pub cases: usize,
    pub worst: Worst,
    /// The number of the case in which the worst error was.
    pub worst_case: usize,
    /// A kernel that is refused in one case after the other fails here once.
    pub failures: Vec<Failure>,
    /// Cases in which a kernel was refused, or whose turn did not come before the device was lost.
    pub not_run: usize,
}

/// What a case came to.
#[derive(Clone)]
struct Outcome {
    /// `None`: nothing was computed.
    worst: Option<Worst>,
    failure: Option<Failure>,
}

/// What [`check_op`] tells while it works.
pub enum Event<'a> {
    /// One run more is over, of so many: each case runs once for each subject and kind of kernels.
    Run { of: usize },
    /// A case that did not pass, at once: the other kernels may take long to compile.
    Failure(&'a Failure),
    /// A case that takes long, and may never end.
    Slow(Slow),
    /// All cases of a kind.
    Row(&'a Row),
}

/// A case that is still running after 30 seconds.
pub struct Slow {
    op: &'static str,
    case: usize,
    kernels: Kernels,
    mode: &'static str,
    launches: Vec<String>,
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { op, case, kernels, mode, launches } = self;
        f.write_str(&still_running(&format!("{op} case {case}, {kernels} kernels, {mode}"), launches))
    }
}

/// What a thread sends while it works.
enum Arrived<'a> {
    Slow(Slow),
    /// Of this case.
    Outcome(&'a Unit, usize, Outcome),
}

/// Devices that work at the same time, if there are as many cores: each costs memory, and its driver the time to open
/// it.
const MOST_DEVICES: usize = 6;

/// Runs numbered cases on every subject, with every kind of kernels that the subject can run, and tells what comes of
/// it as soon as it is known: first of the kernels that the subject takes by itself. Several threads have a device of
/// their own each, since compiling takes most of the time, and llvmpipe compiles in a device's queue. Kernels that do
/// not compile fail like those that are wrong. A device that is lost is the last thing that is told of: the rest is not
/// run.
///
/// # Errors
/// When a device cannot be opened.
pub fn check_op(
    op: &'static str,
    cases: &[(usize, Case)],
    subjects: &[DeviceUnderTest],
    mut tell: impl FnMut(Event),
) -> Result<Vec<Row>, OpenError> {
    let kinds = kinds(cases, targets(&*(subjects[0].open)(0)?));
    let devices = thread::available_parallelism().map_or(1, usize::from).min(MOST_DEVICES);
    let units = units(cases, &kinds, subjects.len(), devices);
    let of = units.iter().map(|unit| unit.cases.len()).sum();
    // By subject, kind, case.
    let mut outcomes: Vec<Vec<Vec<Option<Outcome>>>> = vec![vec![vec![None; cases.len()]; kinds.len()]; subjects.len()];
    let mut left: Vec<usize> =
        (0..kinds.len()).map(|k| kinds[k].same_as.iter().filter(|&&same| same == k).count() * subjects.len()).collect();
    let mut rows: Vec<Row> = vec![];
    let lost = AtomicBool::new(false);
    for chunk in chunks(cases) {
        if lost.load(Ordering::Relaxed) {
            break;
        }
        let judged: Vec<Expected> = cases[chunk.clone()].par_iter().map(|(_, case)| expected(case)).collect();
        let (next, (results, arriving)) = (AtomicUsize::new(0), mpsc::channel::<Result<Arrived, OpenError>>());
        let work = |device: usize, results: mpsc::Sender<_>| {
            while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                let subject = &subjects[unit.subject];
                let mut device = match (subject.open)(device) {
                    Ok(device) => device,
                    Err(_) if lost.load(Ordering::Relaxed) => return,
                    Err(e) => return drop(results.send(Err(e))),
                };
                for &i in unit.cases.iter().filter(|i| chunk.contains(i)) {
                    if lost.load(Ordering::Relaxed) {
                        return;
                    }
                    let expected = &judged[i - chunk.start];
                    let (kind, mode) = (&kinds[unit.kind], subject.mode);
                    let slow = || {
                        let (number, case) = &cases[i];
                        let launches = launches(&plan_of(case, &kind.target).0.steps);
                        let slow = Slow { op, case: *number, kernels: kind.kernels, mode, launches };
                        // Nobody listens after an error.
                        let _ = results.send(Ok(Arrived::Slow(slow)));
                    };
                    let outcome = watched(PATIENCE, slow, || outcome(&mut *device, &cases[i], kind, expected, mode));
                    lost.fetch_or(
                        outcome.failure.as_ref().is_some_and(|failure| failure.problem.lost()),
                        Ordering::Relaxed,
                    );
                    if results.send(Ok(Arrived::Outcome(unit, i, outcome))).is_err() {
                        return;
                    }
                }
            }
        };
        thread::scope(|scope| -> Result<(), OpenError> {
            let start = |device: &usize| {
                let (work, results, device) = (&work, results.clone(), *device);
                thread::Builder::new().spawn_scoped(scope, move || work(device, results)).is_ok()
            };
            // Fewer where the system gives fewer threads; without any the work is done here.
            if (0..devices.min(units.len())).take_while(start).count() == 0 {
                work(0, results.clone());
            }
            drop(results);
            for arrived in arriving {
                let (unit, i, outcome) = match arrived? {
                    Arrived::Slow(slow) => {
                        tell(Event::Slow(slow));
                        continue;
                    }
                    Arrived::Outcome(unit, i, outcome) => (unit, i, outcome),
                };
                tell(Event::Run { of });
                outcome.failure.iter().for_each(|failure| tell(Event::Failure(failure)));
                outcomes[unit.subject][unit.kind][i] = Some(outcome);
                left[unit.kind] -= 1;
                while left.get(rows.len()) == Some(&0) {
                    rows.push(row(op, cases, &kinds[rows.len()], &outcomes));
                    tell(Event::Row(&rows[rows.len() - 1]));
                }
            }
            Ok(())
        })?;
    }
    for kind in &kinds[rows.len()..] {
        rows.push(row(op, cases, kind, &outcomes));
        tell(Event::Row(&rows[rows.len() - 1]));
    }
    Ok(rows)
}

/// Runs one case.
fn outcome(
    device: &mut dyn Device,
    (number, case): &(usize, Case),
    kind: &Kind,
    expected: &Expected,
    mode: &'static str,
) -> Outcome {
    let (plan, types) = plan_of(case, &kind.target);
    let launches = launches(&plan.steps);
    let (worst, problem) = match run(device, case, plan, &types, expected) {
        Ok((worst, problem)) => (Some(worst), problem),
        Err(error) => (None, Some(error.into())),
    };
    let failure = problem.map(|problem| {
        let (case, label) = (*number, case.label());
        Failure { case, label, kernels: kind.kernels, launches, mode, problem }
    });
    Outcome { worst, failure }
}

fn run(
    device: &mut dyn Device,
    case: &Case,
    plan: Plan,
    types: &[TensorType],
    expected: &Expected,
) -> Result<(Worst, Option<Problem>), DeviceError> {
    let runs = run_twice(device, case, plan, types)?;
    let Compared { worst, problem, loosest, .. } = compare(expected, &runs[0]);
    let problem = problem.or_else(|| difference(expected, &runs));
    Ok((worst, problem.or(overrun(device)?).or(loosest)))
}

/// A kind's outcomes on all subjects, those that it shares with kinds before it included.
fn row(op: &'static str, cases: &[(usize, Case)], kind: &Kind, outcomes: &[Vec<Vec<Option<Outcome>>>]) -> Row {
    let kernels = kind.kernels;
    let mut row = Row::new(op, kernels, cases.len());
    let outcome = |of_subject: &[Vec<Option<Outcome>>], i: usize| of_subject[kind.same_as[i]][i].clone();
    for of_subject in outcomes {
        for (i, (number, _)) in cases.iter().enumerate() {
            if let Some(Outcome { worst, failure }) = outcome(of_subject, i) {
                let failure = failure.map(|failure| Failure { kernels, ..failure });
                row.add(*number, worst.unwrap_or_default(), failure);
            }
        }
    }
    let ran = |i: usize| outcomes.iter().all(|o| outcome(o, i).is_some_and(|outcome| outcome.worst.is_some()));
    row.not_run = (0..cases.len()).filter(|&i| !ran(i)).count();
    row
}

/// Each kernel once, as `shader:entry`.
pub fn launches(steps: &[Step]) -> Vec<String> {
    let mut names = vec![];
    for dispatch in steps.iter().flat_map(|step| &step.dispatches) {
        let name = format!("{}:{}", dispatch.shader, dispatch.entry);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The derivatives of an op's cases, against finite differences; `None` if it has none.
pub fn check_gradients(op: &'static str, cases: &[(usize, Case)]) -> Option<Row> {
    let cases: Vec<_> = cases.iter().filter(|(_, case)| !case.differentiable.is_empty()).collect();
    let checked: Vec<_> = cases.par_iter().map(|(number, case)| (*number, case, check_gradient(case))).collect();
    let mut row = Row::new(op, Kernels::Derivative, cases.len());
    for (number, case, (worst, problem)) in checked {
        let (label, launches) = (case.label(), vec![]);
        let failure = problem.map(|problem| Failure {
            case: number,
            label,
            kernels: Kernels::Derivative,
            launches,
            mode: "f64",
            problem,
        });
        row.add(number, worst, failure);
    }
    (row.cases > 0).then_some(row)
}

impl Row {
    fn new(op: &'static str, kernels: Kernels, cases: usize) -> Self {
        Self { op, kernels, cases, worst: Worst::default(), worst_case: 0, failures: vec![], not_run: 0 }
    }

    /// Whether the device was lost.
    pub fn lost(&self) -> bool {
        self.failures.iter().any(|failure| failure.problem.lost())
    }

    fn add(&mut self, case: usize, worst: Worst, failure: Option<Failure>) {
        if worst.share > self.worst.share {
            (self.worst, self.worst_case) = (worst, case);
        }
        self.failures
            .extend(failure.filter(|failure| !self.failures.iter().any(|known| known.is_same_refusal(failure))));
    }
}

impl Failure {
    fn is_same_refusal(&self, other: &Self) -> bool {
        match (&self.problem, &other.problem) {
            (Problem::Refused { message }, Problem::Refused { message: other }) => message == other,
            _ => false,
        }
    }
}
