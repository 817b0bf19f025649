//! The cases of the ops.

use std::collections::BTreeSet;

use crate::check::{Event, Failure, Kernels, Problem, Row, check_gradients, check_op};
use crate::ops::Listing;
use crate::ops::case::{Case, CaseSet};
use anyhow::bail;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use super::super::{chosen_ops, program, unopened, usage};
use super::{Cases, Check};

pub fn run(check: &Check, all: &[Listing]) -> anyhow::Result<()> {
    let ops = listed(check, all).map_err(usage)?;
    let chosen = check.choice.resolve(all, &ops).map_err(usage)?;
    let device = chosen.device().map_err(unopened)?.describe();
    if !check.json {
        println!("{device}, seed {}", check.seed);
        println!("{:22} {:9} {:>5}  worst error", "op", "kernels", "cases");
    }
    let (mut all, mut failed, mut not_checked) = (vec![], 0, vec![]);
    let mut told = BTreeSet::new();
    for op in &ops {
        let name = op.name;
        if all.iter().any(Row::lost) {
            not_checked.push(name);
            continue;
        }
        // More sizes say nothing more of a derivative.
        let quick = op.cases(&CaseSet { full: false, ..set(check) });
        let cases = numbered(check, op.cases(&set(check)));
        let mut screen = Screen::new(check, name, &mut told);
        let mut rows = check_op(name, &cases, &chosen.subjects(), |told| screen.show(told))?;
        if chosen.is_cpu() && (check.case.is_none() || check.cases == Cases::Quick) {
            let gradients = check_gradients(name, &numbered(check, quick));
            gradients.iter().for_each(|row| screen.show(Event::Row(row)));
            rows.extend(gradients);
        }
        failed += usize::from(rows.iter().any(|row| !row.failures.is_empty()));
        all.extend(rows);
    }
    if check.json {
        let object =
            serde_json::json!({ "device": device, "seed": check.seed, "ops": all, "not_checked": not_checked });
        println!("{}", serde_json::to_string_pretty(&object)?);
    }
    if !not_checked.is_empty() {
        bail!("{device} was lost before these ops were checked: {}", not_checked.join(", "));
    }
    if failed > 0 {
        bail!("{failed} of {} ops are wrong on {device}", ops.len());
    }
    Ok(())
}

pub fn set(check: &Check) -> CaseSet {
    CaseSet { full: check.cases == Cases::Full, seed: check.seed }
}

/// The ops asked for, in the order of the list.
fn listed(check: &Check, all: &[Listing]) -> anyhow::Result<Vec<Listing>> {
    let ops = chosen_ops(all, &check.ops)?;
    if check.case.is_some() && check.ops.len() != 1 {
        bail!("--case: a case has a number within its op; expected one op, as in --op softmax --case 3");
    }
    if let (Some(case), [op]) = (check.case, &ops[..]) {
        let count = op.cases(&set(check)).len();
        if case >= count {
            bail!("--case {case}: expected a number from 0 to {}, the cases of {}", count - 1, op.name);
        }
    }
    Ok(ops)
}

/// The cases asked for, with their numbers.
fn numbered(check: &Check, cases: Vec<Case>) -> Vec<(usize, Case)> {
    let wanted = |number: usize| check.case.is_none_or(|case| case == number);
    cases.into_iter().enumerate().filter(|(number, _)| wanted(*number)).collect()
}

/// "12.3 % of its bound"
pub fn share(share: f64) -> String {
    if share > 10.0 { format!("{share:.1e} times its bound") } else { format!("{:5.1} % of its bound", 100.0 * share) }
}

/// The worst error of a row, and where it was.
pub fn worst(row: &Row) -> [String; 2] {
    if row.not_run == row.cases {
        return ["did not run".into(), String::new()];
    }
    let place = match row.worst.at.as_str() {
        "" => String::new(),
        at => format!("case {}, {at}", row.worst_case),
    };
    [share(row.worst.share), place]
}

/// What is wrong; the many lines of a compiler only where they were not told before.
pub fn in_full(problem: &Problem, told: &mut BTreeSet<String>) -> String {
    let text = problem.to_string();
    match text.split_once('\n') {
        Some((first, _)) if told.contains(&text) => format!("{first}, as above"),
        Some(_) => {
            told.insert(text.clone());
            text
        }
        None => text,
    }
}

/// [`in_full`] below a failure, for what stands in brackets to follow: after several lines in one of its own.
pub fn indented(problem: &Problem, told: &mut BTreeSet<String>) -> String {
    let text = in_full(problem, told);
    if text.contains('\n') { text.replace('\n', "\n    ") + "\n   " } else { text }
}

/// What a person sees of an op's check: rows and failures on standard output, unless it is JSON, and how far it is on a
/// terminal.
struct Screen<'a> {
    check: &'a Check,
    op: &'static str,
    /// Hidden where there is no terminal.
    bar: ProgressBar,
    /// Kinds of which a failure stands there.
    failed: Vec<Kernels>,
    /// For [`in_full`].
    told: &'a mut BTreeSet<String>,
}

impl<'a> Screen<'a> {
    fn new(check: &'a Check, op: &'static str, told: &'a mut BTreeSet<String>) -> Self {
        let style = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len}").expect("the template is well-formed");
        let bar = ProgressBar::new(0)
            .with_style(style.progress_chars("━╸ "))
            .with_prefix(op)
            .with_finish(ProgressFinish::AndClear);
        Self { check, op, bar, failed: vec![], told }
    }

    fn show(&mut self, told: Event) {
        let json = self.check.json;
        match told {
            Event::Run { of } => {
                self.bar.set_length(of as u64);
                self.bar.inc(1);
            }
            Event::Failure(failure) if !json && !self.failed.contains(&failure.kernels) => {
                self.failed.push(failure.kernels);
                let bar = self.bar.clone();
                bar.suspend(|| self.print_failure(failure));
            }
            Event::Slow(slow) => self.bar.suspend(|| tell!("{slow}")),
            Event::Row(row) if !json => {
                let bar = self.bar.clone();
                bar.suspend(|| self.print_row(row));
            }
            _ => {}
        }
    }

    fn print_row(&mut self, row: &Row) {
        let [share, place] = worst(row);
        println!("{:22} {:9} {:5}  {share}  {place}", row.op, row.kernels, row.cases);
        if !self.failed.contains(&row.kernels) {
            row.failures.iter().take(1).for_each(|failure| self.print_failure(failure));
        }
        let wrong = row.failures.iter().filter(|failure| failure.problem.ran());
        let wrong: BTreeSet<usize> = wrong.map(|failure| failure.case).collect();
        if !wrong.is_empty() {
            println!("    {} of {} cases failed", wrong.len(), row.cases);
        }
        if row.not_run > 0 {
            println!("    {} of {} cases did not run", row.not_run, row.cases);
        }
    }

    fn print_failure(&mut self, failure: &Failure) {
        println!("  FAILED case {} of {}, {} kernels: {}", failure.case, self.op, failure.kernels, failure.label);
        let problem = indented(&failure.problem, self.told);
        println!("    {problem} ({}; {})", failure.mode, failure.launches.join(" "));
        println!("    again: {}", again(self.check, self.op, failure));
    }
}

/// The command that repeats one case.
pub fn again(check: &Check, op: &str, failure: &Failure) -> String {
    let cpu = matches!(failure.kernels, Kernels::Cpu | Kernels::Derivative);
    let device = if cpu { "--device cpu".into() } else { check.choice.arguments() };
    let mut command = format!("{} check --op {op} --case {} {device}", program(), failure.case);
    if check.cases == Cases::Full && failure.kernels != Kernels::Derivative {
        command += " --cases full";
    }
    format!("{command} --seed {}", check.seed)
}
