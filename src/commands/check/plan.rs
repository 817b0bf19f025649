//! A preset's whole training step.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{Kernels, StepRow, check_steps, still_running, targets};
use crate::ops::Listing;
use crate::plan::Device;
use crate::train::config::Config;
use crate::train::sample_step::{SENTENCES, SampleStep, TOKENS, VOCABULARY};
use anyhow::bail;
use serde::Serialize;

use super::super::{program, unopened, usage};
use super::cases::{indented, share};
use super::choice::Choice;

/// A step with one kind of kernels.
#[derive(Serialize)]
pub struct CheckedPlan {
    pub kernels: Kernels,
    /// One that the device did not run is the last one.
    pub steps: Vec<StepRow>,
    /// Steps of the plan.
    pub of: usize,
}

impl CheckedPlan {
    /// The first step that is wrong.
    pub fn first_wrong(&self) -> Option<&StepRow> {
        self.steps.iter().find(|row| row.problem.is_some())
    }
}

/// Checks the second step of training, whose moments are not zero, with every kind of kernels that the device can run.
pub fn check(mut config: Config, seed: u64, device: &mut dyn Device) -> anyhow::Result<Vec<CheckedPlan>> {
    config.train.seed = seed;
    let sample_step = SampleStep::new(config);
    let mut checked: Vec<CheckedPlan> = vec![];
    for (kernels, target) in targets(device) {
        let plan = sample_step.plan(&target)?;
        let begin = |device: &mut dyn Device, step| {
            if step == 1 {
                sample_step.upload(device)?;
            }
            sample_step.write_control(device, step)
        };
        let slow = |StepRow { step, label, launches, .. }: &StepRow| {
            tell!("{}", still_running(&format!("step {step}, {label}, {kernels} kernels"), launches));
        };
        let mut steps = vec![];
        check_steps(device, &plan, begin, slow, |row| steps.push(row));
        checked.push(CheckedPlan { kernels, steps, of: plan.steps.len() });
        if lost(&checked) {
            break;
        }
    }
    Ok(checked)
}

/// Whether the device was lost.
pub fn lost(checked: &[CheckedPlan]) -> bool {
    checked.iter().flat_map(|checked| &checked.steps).any(StepRow::lost)
}

/// What was made smaller than in a run.
pub fn reduced() -> String {
    format!(
        "{SENTENCES} sentences of at most {TOKENS} tokens, vocabularies of at most {VOCABULARY} words, all widths and \
         layers as in the preset"
    )
}

pub fn run(preset: &str, choice: &Choice, seed: u64, json: bool, ops: &[Listing]) -> anyhow::Result<()> {
    let config = super::super::preset(preset).map_err(usage)?;
    let mut device = choice.resolve(ops, ops).map_err(usage)?.device().map_err(unopened)?;
    let checked = check(config, seed, &mut *device)?;
    let device = device.describe();
    if json {
        let object = serde_json::json!({
            "device": device, "preset": preset, "seed": seed, "reduced": reduced(), "plans": checked,
        });
        println!("{}", serde_json::to_string_pretty(&object)?);
    } else {
        println!("{device}, a training step of {preset}: {}", reduced());
        let mut told = BTreeSet::new();
        checked.iter().for_each(|checked| print(checked, &mut told));
        if checked.iter().any(|checked| checked.first_wrong().is_some()) {
            println!("again: {}", again(preset, choice, seed));
        }
    }
    if let Some(wrong) = checked.iter().find_map(CheckedPlan::first_wrong) {
        bail!("step {} of {preset} is wrong on {device}: {}", wrong.step, wrong.op);
    }
    Ok(())
}

/// The command that repeats it.
pub fn again(preset: &str, choice: &Choice, seed: u64) -> String {
    format!("{} check --plan {preset} --seed {seed} {}", program(), choice.arguments())
}

/// One line an op, then the first wrong step.
fn print(checked: &CheckedPlan, told: &mut BTreeSet<String>) {
    println!("{:22} {:9} {:>5}  worst error", "op", "kernels", "steps");
    for (op, summary) in summaries(checked) {
        let Summary { steps, worst, at, loose } = summary;
        let loose = match loose {
            0.0 => String::new(),
            share => format!("; {:.1} % of the numbers have a bound that says nothing", 100.0 * share),
        };
        println!("{op:22} {:9} {steps:5}  {}  {at}{loose}", checked.kernels, share(worst));
    }
    if let Some(row) = checked.first_wrong() {
        println!("  FIRST WRONG: step {} of {}: {}", row.step, checked.of, row.label);
        let problem = indented(row.problem.as_ref().expect("it is wrong"), told);
        println!("    {problem} ({} kernels: {})", checked.kernels, row.launches.join(" "));
    }
}

/// The steps of one op.
#[derive(Default)]
pub struct Summary {
    pub steps: usize,
    pub worst: f64,
    /// The step with the worst error.
    pub at: String,
    /// Share of the numbers whose bound says nothing.
    pub loose: f64,
}

pub fn summaries(checked: &CheckedPlan) -> BTreeMap<&'static str, Summary> {
    let mut summaries: BTreeMap<&'static str, Summary> = BTreeMap::new();
    let mut numbers: BTreeMap<&'static str, [usize; 2]> = BTreeMap::new();
    for row in checked.steps.iter().filter(|row| row.ran()) {
        let summary = summaries.entry(row.op).or_default();
        summary.steps += 1;
        if row.worst.share > summary.worst {
            (summary.worst, summary.at) = (row.worst.share, format!("step {}, {}", row.step, row.worst.at));
        }
        let [all, loose] = numbers.entry(row.op).or_default();
        *all += row.numbers;
        *loose += row.loose;
        summary.loose = *loose as f64 / (*all).max(1) as f64;
    }
    summaries
}
