//! `wgrad check`

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, ValueEnum};
use wgrad::check::{Row, Subject, check_gradients, check_op};
use wgrad::cpu::Cpu;
use wgrad::gpu::{self, Gpu, Limits, Shaders};
use wgrad::ops::case::{Case, CaseSet};
use wgrad::ops::{Listed, OPS};

/// Compares every kernel with its reference, number by number, and says how much of its error bound each one uses.
///
/// Exit status 1 if any number is out of bounds.
#[derive(Debug, Args)]
pub struct Check {
    /// Check this op only; may be given again
    #[arg(long = "op", value_name = "NAME")]
    ops: Vec<String>,
    /// Check this case of the op only
    #[arg(long, value_name = "N")]
    case: Option<usize>,
    /// Where to compute: auto (the best adapter, else the CPU), cpu, or part of a name that `wgrad devices` lists
    #[arg(long, value_name = "NAME", default_value = "auto")]
    device: String,
    /// Read the WGSL from this folder; files missing there are the built-in ones
    #[arg(long, value_name = "DIR")]
    shaders: Option<PathBuf>,
    /// Take no more of the adapter than WebGPU guarantees on every one
    #[arg(long)]
    webgpu_limits: bool,
    /// Draws the random numbers
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Which cases
    #[arg(long, value_enum, default_value = "quick")]
    cases: Cases,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Cases {
    /// Answered within a second for one op
    Quick,
}

impl Check {
    pub fn run(self) -> anyhow::Result<()> {
        let ops = self.listed()?;
        let shaders = self.shaders.as_deref().map(Shaders::read).transpose()?.map(Arc::new);
        let adapter = self.adapter()?;
        let limits = if self.webgpu_limits { Limits::WebGpu } else { Limits::Adapter };
        let subjects = || -> anyhow::Result<Vec<Subject>> {
            let Some(adapter) = &adapter else {
                return Ok(vec![Subject { device: Box::new(Cpu::<f32>::new()), mode: "f32" }]);
            };
            let open = |mode, checked| -> anyhow::Result<Subject> {
                let mut gpu = Gpu::open_within(adapter, limits)?;
                if checked {
                    gpu.check_bounds();
                }
                if let Some(shaders) = &shaders {
                    gpu.take_shaders(shaders.clone());
                }
                Ok(Subject { device: Box::new(gpu), mode })
            };
            Ok(vec![open("bounds checks off", false)?, open("bounds checks on", true)?])
        };
        let device = subjects()?[0].device.describe();
        if !self.json {
            println!("{device}, seed {}", self.seed);
            println!("{:22} {:9} {:>5}  worst error", "op", "kernels", "cases");
        }
        let (mut all, mut failed) = (vec![], 0);
        for (name, cases) in &ops {
            let cases = self.chosen(name, cases(&CaseSet { seed: self.seed }))?;
            let mut rows = check_op(name, &cases, &mut subjects()?)?;
            if adapter.is_none() {
                rows.extend(check_gradients(name, &cases));
            }
            failed += usize::from(rows.iter().any(|row| !row.failures.is_empty()));
            if !self.json {
                rows.iter().for_each(|row| self.print(row));
            }
            all.extend(rows);
        }
        if self.json {
            let object = serde_json::json!({ "device": device, "seed": self.seed, "ops": all });
            println!("{}", serde_json::to_string_pretty(&object)?);
        }
        if failed > 0 {
            bail!("{failed} of {} ops are wrong on {device}", ops.len());
        }
        Ok(())
    }

    /// The ops asked for, in the order of the list.
    fn listed(&self) -> anyhow::Result<Vec<Listed>> {
        for op in &self.ops {
            if !OPS.iter().any(|(name, _)| name == op) {
                let known: Vec<_> = OPS.iter().map(|(name, _)| *name).collect();
                bail!("--op {op}: there is no such op; expected one of {}", known.join(", "));
            }
        }
        if self.case.is_some() && self.ops.len() != 1 {
            bail!("--case: a case has a number within its op; name that op with --op");
        }
        let wanted = |name: &str| self.ops.is_empty() || self.ops.iter().any(|op| op == name);
        Ok(OPS.iter().filter(|(name, _)| wanted(name)).copied().collect())
    }

    /// The cases asked for, with their numbers.
    fn chosen(&self, op: &str, cases: Vec<Case>) -> anyhow::Result<Vec<(usize, Case)>> {
        let last = cases.len() - 1;
        let wanted = |number: usize| self.case.is_none_or(|case| case == number);
        let chosen: Vec<_> = cases.into_iter().enumerate().filter(|(number, _)| wanted(*number)).collect();
        if let (Some(case), true) = (self.case, chosen.is_empty()) {
            bail!("--case {case}: {op} has the cases 0 to {last}");
        }
        Ok(chosen)
    }

    /// The name of the adapter to check; `None` for the CPU.
    fn adapter(&self) -> anyhow::Result<Option<String>> {
        let adapter = match self.device.to_lowercase().as_str() {
            "cpu" => None,
            "auto" => gpu::list().into_iter().next().map(|adapter| adapter.name),
            _ => Some(self.device.clone()),
        };
        if adapter.is_none() && self.shaders.is_some() {
            bail!("--shaders: the CPU runs no shaders; expected a graphics adapter. {}", gpu::install_hint());
        }
        Ok(adapter)
    }

    fn print(&self, row: &Row) {
        let share = match row.worst.share {
            share if share > 10.0 => format!("{share:.1e} times its bound"),
            share => format!("{:5.1} % of its bound", 100.0 * share),
        };
        let place =
            if row.worst.at.is_empty() { String::new() } else { format!("case {}, {}", row.worst_case, row.worst.at) };
        println!("{:22} {:9} {:5}  {share}  {place}", row.op, row.kernels, row.cases);
        let Some(failure) = row.failures.first() else { return };
        println!("  FAILED case {}: {}", failure.case, failure.label);
        println!("    {} ({}; {})", failure.problem, failure.mode, failure.launches.join(" "));
        println!("    again: {}", self.again(row.op, failure.case));
        let failed: BTreeSet<usize> = row.failures.iter().map(|failure| failure.case).collect();
        println!("    {} of {} cases failed", failed.len(), row.cases);
    }

    /// The command that repeats one case.
    fn again(&self, op: &str, case: usize) -> String {
        let mut command = format!("wgrad check --op {op} --case {case} --device '{}'", self.device);
        if let Some(shaders) = &self.shaders {
            command += &format!(" --shaders '{}'", shaders.display());
        }
        if self.webgpu_limits {
            command += " --webgpu-limits";
        }
        if self.seed != 0 {
            command += &format!(" --seed {}", self.seed);
        }
        command
    }
}
