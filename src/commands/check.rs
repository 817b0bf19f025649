//! `wgrad check`

mod cases;
mod choice;
mod mutants;
mod plan;
mod report;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::ops::Listing;

use choice::Choice;

/// Compares every kernel with its reference, number by number, and says how much of its error bound each one uses.
///
/// With --shaders it warns of what naga, wgpu's compiler of WGSL, takes and others refuse or make something else of, as
/// Chrome's does.
///
/// Exit status: 0 if every number is within its bound; 1 if one is not, a kernel does not compile, or the device fails;
/// 2 if the command line asks for what is not there.
#[derive(Debug, Args)]
pub struct Check {
    /// Check this op only; may be given again
    #[arg(long = "op", value_name = "NAME", conflicts_with_all = ["plan", "report"])]
    ops: Vec<String>,
    /// Check this case of the op only
    #[arg(long, value_name = "N", conflicts_with_all = ["plan", "report"])]
    case: Option<usize>,
    /// Check a preset's whole training step instead, op by op on the inputs that each one really gets
    #[arg(long, value_name = "PRESET", conflicts_with = "report")]
    plan: Option<String>,
    /// Check everything and write it to a Markdown file, or to JSON if its name ends so: for a bug report, or for
    /// docs/adapters.md
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Change one thing at a time in the WGSL, so many times, and list the changes that the quick cases do not notice.
    /// Each mutant runs in a process of its own; N beyond their number takes all
    #[arg(long, value_name = "N", conflicts_with_all = ["plan", "report", "case", "cases", "shaders"])]
    mutants: Option<usize>,
    /// Write the verdicts on mutants to this file, or go on with it
    #[arg(long, value_name = "FILE", requires = "mutants")]
    verdicts: Option<PathBuf>,
    /// Run the mutants whose numbers come in on standard input
    #[arg(long, hide = true)]
    mutant_worker: bool,
    #[command(flatten)]
    choice: Choice,
    /// Draws the random numbers, and the random sizes of the full list; of a training step the parameters and what
    /// dropout drops; of mutants which ones
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Which cases
    #[arg(long, value_enum, default_value = "quick", conflicts_with = "plan")]
    cases: Cases,
    /// Print JSON
    #[arg(long, conflicts_with = "report")]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Cases {
    /// Odd sizes, edges and extremes of every op: what is wrong shows at once, that all is right when the driver has
    /// compiled every kernel
    Quick,
    /// These and every odd size, grids of more than 65,535 workgroups, random sizes: minutes, and 4 GB of memory
    Full,
}

impl Check {
    pub fn run(self, ops: &'static [Listing]) -> anyhow::Result<()> {
        if self.mutant_worker {
            return mutants::work_on(&self, ops);
        }
        if let Some(count) = self.mutants {
            return mutants::run(&self, count, ops);
        }
        match (&self.plan, &self.report) {
            (Some(preset), _) => plan::run(preset, &self.choice, self.seed, self.json, ops),
            (_, Some(file)) => report::run(file, &self, ops),
            _ => cases::run(&self, ops),
        }
    }
}
