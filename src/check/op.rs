//! All cases of one op on one or more devices.

use std::fmt;

use rayon::prelude::*;
use serde::Serialize;

use crate::graph::{Dispatch, Target};
use crate::ops::case::Case;
use crate::plan::{Device, DeviceError, Plan};

use super::compare::{Compared, Expected, Problem, Worst, compare, difference, expected, plan_of, run_twice, stray};
use super::gradient::check_gradient;

/// A device, and how it was told to compile.
pub struct Subject {
    pub device: Box<dyn Device>,
    /// What a failure says of it: "bounds checks on".
    pub mode: &'static str,
}

/// Which of an op's kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernels {
    /// The op has the same ones for every adapter.
    All,
    /// Those for software adapters.
    Software,
    /// Those for hardware.
    Hardware,
    /// The CPU's f32 twin.
    Cpu,
    /// No kernel: the derivative of the reference, against finite differences.
    Derivative,
}

impl fmt::Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Self::All => "all",
            Self::Software => "software",
            Self::Hardware => "hardware",
            Self::Cpu => "cpu",
            Self::Derivative => "gradient",
        })
    }
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
    pub failures: Vec<Failure>,
}

/// The targets whose kernels a device can run, its own first.
pub fn targets(device: &dyn Device) -> Vec<(Kernels, Target)> {
    let own = device.target();
    if own.is_cpu() {
        return vec![(Kernels::Cpu, own)];
    }
    let kernels = |software| if software { Kernels::Software } else { Kernels::Hardware };
    let both = [own.software, !own.software];
    both.map(|software| (kernels(software), Target { software, ..own.clone() })).into()
}

/// Runs numbered cases on every subject, with every kind of kernels that the subject can run.
///
/// # Errors
/// When a device fails, or a shader does not compile.
pub fn check_op(op: &'static str, cases: &[(usize, Case)], subjects: &mut [Subject]) -> Result<Vec<Row>, DeviceError> {
    let mut rows: Vec<Row> = vec![];
    let mut distinct = false;
    // So many references at once: enough for every core, few enough to hold in memory.
    for chunk in cases.chunks(8) {
        let judged: Vec<Expected> = chunk.par_iter().map(|(_, case)| expected(case)).collect();
        for subject in &mut *subjects {
            for ((number, case), expected) in chunk.iter().zip(&judged) {
                let mut first: Option<(Plan, Worst, Option<Failure>)> = None;
                for (kernels, target) in targets(&*subject.device) {
                    let (plan, types) = plan_of(case, &target);
                    let same = first.as_ref().is_some_and(|(known, ..)| same_kernels(known, &plan));
                    distinct |= first.is_some() && !same;
                    let (worst, failure) = if let (true, Some((_, worst, failure))) = (same, &first) {
                        (worst.clone(), failure.clone().map(|failure| Failure { kernels, ..failure }))
                    } else {
                        let runs = run_twice(&mut *subject.device, case, plan.clone(), &types)?;
                        let Compared { worst, problem, loosest, .. } = compare(expected, &runs[0]);
                        let problem = problem.or_else(|| difference(expected, &runs));
                        let problem = problem.or(stray(&mut *subject.device)?).or(loosest);
                        let failure = problem.map(|problem| Failure {
                            case: *number,
                            label: case.label(),
                            kernels,
                            launches: launches(plan.steps.iter().flat_map(|step| &step.dispatches)),
                            mode: subject.mode,
                            problem,
                        });
                        (worst, failure)
                    };
                    first.get_or_insert((plan, worst.clone(), failure.clone()));
                    add(&mut rows, Row::new(op, kernels), *number, worst, failure);
                }
            }
        }
    }
    for row in &mut rows {
        row.cases = cases.len();
    }
    if !distinct {
        rows.truncate(1);
        if let [Row { kernels: kernels @ (Kernels::Software | Kernels::Hardware), failures, .. }] = &mut rows[..] {
            *kernels = Kernels::All;
            failures.iter_mut().for_each(|failure| failure.kernels = Kernels::All);
        }
    }
    Ok(rows)
}

fn same_kernels(a: &Plan, b: &Plan) -> bool {
    let all = |plan: &Plan| plan.steps.iter().flat_map(|step| step.dispatches.clone()).collect::<Vec<_>>();
    all(a) == all(b)
}

/// Each kernel once, as `shader:entry`.
pub fn launches<'a>(dispatches: impl Iterator<Item = &'a Dispatch>) -> Vec<String> {
    let mut names = vec![];
    for dispatch in dispatches {
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
    let mut rows = vec![];
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
        add(&mut rows, Row::new(op, Kernels::Derivative), number, worst, failure);
    }
    let row = rows.pop()?;
    Some(Row { cases: cases.len(), ..row })
}

impl Row {
    fn new(op: &'static str, kernels: Kernels) -> Self {
        Self { op, kernels, cases: 0, worst: Worst::default(), worst_case: 0, failures: vec![] }
    }
}

/// Adds a result to the row like `empty`.
fn add(rows: &mut Vec<Row>, empty: Row, case: usize, worst: Worst, failure: Option<Failure>) {
    let at = rows.iter().position(|row| row.kernels == empty.kernels).unwrap_or_else(|| {
        rows.push(empty);
        rows.len() - 1
    });
    let row = &mut rows[at];
    if worst.share > row.worst.share {
        (row.worst, row.worst_case) = (worst, case);
    }
    row.failures.extend(failure);
}
