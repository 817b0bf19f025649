//! Everything that can be checked, as one file.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::check::{Event, Problem, Row, check_gradients, check_op};
use crate::gpu::Properties;
use crate::ops::Listing;
use crate::ops::case::CaseSet;
use crate::train::config::Config;
use anyhow::{Context, bail};
use serde::Serialize;

use super::super::{unopened, usage};
use super::cases::{again, in_full, set, share, worst};
use super::plan::{self, CheckedPlan};
use super::{Cases, Check, choice};

/// Presets whose steps together launch every entry point that any preset's step does: recurrences with each attention,
/// and Transformers.
const PRESETS: [&str; 8] = [
    "captions",
    "lstm-attention",
    "rnn",
    "bahdanau",
    "course-lstm-attention",
    "scheduled-sampling",
    "course-full-transformer",
    "translator",
];

#[derive(Serialize)]
struct Report {
    wgrad: &'static str,
    system: String,
    /// `None` where only the CPU was checked.
    adapter: Option<Properties>,
    device: String,
    /// The folder of edited shaders, if they are not the built-in ones.
    shaders: Option<PathBuf>,
    /// Whether no more of the adapter was taken than WebGPU guarantees.
    webgpu_limits: bool,
    cases: &'static str,
    seed: u64,
    /// Every op on the device.
    ops: Vec<Row>,
    /// The CPU's f32 twins, and the derivatives by finite differences.
    cpu: Vec<Row>,
    /// How a training step was made smaller.
    reduced: String,
    plans: Vec<(&'static str, Vec<CheckedPlan>)>,
    /// Ops and presets whose turn did not come before the device was lost.
    not_checked: Vec<&'static str>,
}

pub fn run(file: &Path, check: &Check, all: &[Listing]) -> anyhow::Result<()> {
    let chosen = check.choice.resolve(all, all).map_err(usage)?;
    let device = chosen.device().map_err(unopened)?.describe();
    let adapter = chosen.properties()?;
    try_to_write(file).with_context(|| format!("cannot write {}", file.display())).map_err(usage)?;
    let slow = |told: Event| {
        if let Event::Slow(slow) = told {
            tell!("{slow}");
        }
    };
    let (mut ops, mut cpu, mut not_checked) = (vec![], vec![], vec![]);
    for op in all {
        let name = op.name;
        tell!("{name}");
        let quick: Vec<_> = op.cases(&CaseSet { full: false, ..set(check) }).into_iter().enumerate().collect();
        let cases: Vec<_> = op.cases(&set(check)).into_iter().enumerate().collect();
        if ops.iter().any(Row::lost) {
            not_checked.push(name);
        } else if !chosen.is_cpu() {
            ops.extend(check_op(name, &cases, &chosen.subjects(), slow)?);
        }
        cpu.extend(check_op(name, &cases, &[choice::cpu()], slow)?);
        cpu.extend(check_gradients(name, &quick));
    }
    let mut plans: Vec<(&str, Vec<CheckedPlan>)> = vec![];
    for preset in PRESETS {
        if ops.iter().any(Row::lost) || plans.last().is_some_and(|(_, checked)| plan::lost(checked)) {
            not_checked.push(preset);
            continue;
        }
        tell!("a step of {preset}");
        plans.push((preset, plan::check(Config::preset(preset)?, check.seed, &mut *chosen.device()?)?));
    }
    let report = Report {
        wgrad: env!("CARGO_PKG_VERSION"),
        system: format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH),
        adapter,
        device,
        shaders: check.choice.shaders.clone(),
        webgpu_limits: check.choice.webgpu_limits,
        cases: if check.cases == Cases::Full { "full" } else { "quick" },
        seed: check.seed,
        ops,
        cpu,
        reduced: plan::reduced(),
        plans,
        not_checked,
    };
    let json = file.extension().is_some_and(|extension| extension == "json");
    let text = if json { serde_json::to_string_pretty(&report)? } else { markdown(&report, check)? };
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    println!("wrote {}", file.display());
    let wrong = failures(&report);
    if wrong > 0 {
        bail!("{wrong} checks failed on {}; {} says which", report.device, file.display());
    }
    Ok(())
}

/// Before minutes of work: whether the file can be written at all. Leaves what was there.
fn try_to_write(file: &Path) -> std::io::Result<()> {
    let there = file.exists();
    std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    if there { Ok(()) } else { std::fs::remove_file(file) }
}

/// Rows and training steps that are wrong.
fn failures(report: &Report) -> usize {
    let rows = report.ops.iter().chain(&report.cpu).filter(|row| !row.failures.is_empty()).count();
    rows + report.plans.iter().flat_map(|(_, plans)| plans).filter(|plan| plan.first_wrong().is_some()).count()
}

fn markdown(report: &Report, check: &Check) -> Result<String, std::fmt::Error> {
    let (mut out, mut told) = (String::new(), BTreeSet::new());
    let failures = failures(report);
    let verdict = if failures == 0 { "everything passed".into() } else { format!("{failures} checks failed") };
    writeln!(out, "# wgrad {} on {}: {verdict}\n", report.wgrad, report.device)?;
    writeln!(out, "System: {}. Cases: {}, seed {}.", report.system, report.cases, report.seed)?;
    if let Some(folder) = &report.shaders {
        writeln!(
            out,
            "\n**Shaders that stand in `{}` were read from there**: this says nothing of wgrad's own.",
            folder.display()
        )?;
    }
    if !report.not_checked.is_empty() {
        writeln!(out, "\n**The device was lost** before these were checked: {}.", report.not_checked.join(", "))?;
    }
    if report.webgpu_limits {
        writeln!(out, "\nNo more of the adapter was taken than WebGPU guarantees on every one.")?;
    }
    if let Some(adapter) = &report.adapter {
        let Properties { info, pci, subgroup, limits, features } = adapter;
        writeln!(out, "\n| adapter | {} |\n| --- | --- |", info.name)?;
        writeln!(out, "| kind | {} |\n| backend | {} |\n| driver | {} |", info.kind, info.backend, info.driver)?;
        writeln!(out, "| PCI | {:04x}:{:04x} |\n| subgroups | {} to {} |", pci[0], pci[1], subgroup[0], subgroup[1])?;
        limits.iter().try_for_each(|(name, value)| writeln!(out, "| {name} | {value} |"))?;
        writeln!(out, "| features | {} |", features.join(", "))?;
        writeln!(out, "\n## Ops, with the driver's bounds checks off and on\n")?;
        rows(&mut out, &report.ops, check, &mut told)?;
    }
    writeln!(out, "\n## CPU: f32 twins, and derivatives by finite differences\n")?;
    rows(&mut out, &report.cpu, check, &mut told)?;
    writeln!(out, "\n## Training steps, each step's real inputs handed to the reference\n\n{}.\n", report.reduced)?;
    writeln!(out, "| preset | kernels | steps | worst error | op |\n| --- | --- | --- | --- | --- |")?;
    for (preset, plans) in &report.plans {
        for checked in plans {
            let worst =
                checked.steps.iter().filter(|row| row.ran()).max_by(|a, b| a.worst.share.total_cmp(&b.worst.share));
            let (error, op) = worst.map_or(("did not run".into(), ""), |row| (share(row.worst.share), row.op));
            writeln!(out, "| {preset} | {} | {} | {error} | {op} |", checked.kernels, checked.steps.len())?;
        }
    }
    for (preset, plans) in &report.plans {
        for (checked, row) in plans.iter().filter_map(|checked| Some((checked, checked.first_wrong()?))) {
            let problem = fenced(row.problem.as_ref().expect("it is wrong"), &mut told);
            let launches = row.launches.join(" ");
            writeln!(
                out,
                "\nFirst wrong step of {preset}, {}: {}, {}: {problem} ({launches})",
                checked.kernels, row.step, row.label
            )?;
            writeln!(out, "`{}`", plan::again(preset, &check.choice, check.seed))?;
        }
    }
    Ok(out)
}

fn rows(out: &mut String, rows: &[Row], check: &Check, told: &mut BTreeSet<String>) -> std::fmt::Result {
    writeln!(out, "| op | kernels | cases | worst error | where |\n| --- | --- | --- | --- | --- |")?;
    for row in rows {
        let [share, place] = worst(row);
        let place = match row.not_run {
            0 => place,
            not_run => format!("{place} ({not_run} cases did not run)"),
        };
        writeln!(out, "| {} | {} | {} | {} | {} |", row.op, row.kernels, row.cases, share.trim(), place.trim())?;
    }
    for row in rows {
        for failure in &row.failures {
            let problem = fenced(&failure.problem, told);
            writeln!(out, "\nFAILED {}, {}, case {}: {}", row.op, row.kernels, failure.case, failure.label)?;
            writeln!(out, "{problem} ({}; {})", failure.mode, failure.launches.join(" "))?;
            writeln!(out, "`{}`", again(check, row.op, failure))?;
        }
    }
    Ok(())
}

/// What is wrong, in Markdown: what a compiler draws below a line keeps its columns.
fn fenced(problem: &Problem, told: &mut BTreeSet<String>) -> String {
    let text = in_full(problem, told);
    if text.contains('\n') { format!("\n```text\n{text}\n```\n\n") } else { text }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::graph::{Shader, Target};
    use crate::train::config::{self, Config};
    use crate::train::sample_step::SampleStep;

    use super::PRESETS;

    /// Shader and entry point of all launches of a preset's step on hardware.
    fn launched(preset: &str) -> BTreeSet<(Shader, &'static str)> {
        let sample_step = SampleStep::new(Config::preset(preset).expect("a preset"));
        let plan = sample_step.plan(&Target::webgpu()).expect("a plan");
        plan.steps.iter().flat_map(|step| &step.dispatches).map(|d| (d.shader, d.entry)).collect()
    }

    #[test]
    fn the_reports_steps_launch_all_that_any_presets_step_does() {
        let chosen: BTreeSet<_> = PRESETS.into_iter().flat_map(launched).collect();
        for (preset, _) in config::PRESETS {
            let missing: Vec<_> = launched(preset).difference(&chosen).copied().collect();
            assert!(missing.is_empty(), "{preset} launches {missing:?} too");
        }
    }
}
