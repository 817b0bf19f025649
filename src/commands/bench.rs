//! `wgrad bench`

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bench::ceilings::{self, Ceilings};
use crate::bench::kernels::{self, KernelReport};
use crate::bench::report::{Change, Report, Verdict};
use crate::bench::step::{self, Part, StepReport};
use crate::bench::{Samples, roofline};
use crate::device::{Opened, Why};
use crate::gpu::{self, Shaders};
use crate::graph::Work;
use crate::ops::Listing;
use anyhow::{Context, bail};
use clap::Args;

use super::device::{DeviceChoice, reason, vouched};
use super::{chosen_ops, expected_adapter, unopened, usage};

/// Measures a device's ceilings, then every kernel beside them; with --step a preset's training step and translation
/// instead.
#[derive(Debug, Args)]
pub struct Bench {
    /// Only this op; may be given several times [default: all]
    #[arg(long = "op", value_name = "NAME", conflicts_with = "step")]
    ops: Vec<String>,
    /// A whole training step of this preset, op by op, and translation
    #[arg(long, value_name = "PRESET")]
    step: Option<String>,
    /// Read the WGSL from this folder; files missing there are the built-in ones. Takes the best adapter, of software
    /// too, unless --device names one
    #[arg(long, value_name = "DIR")]
    shaders: Option<PathBuf>,
    /// Run the kernels of --shaders as wgrad's own run, without the driver's checks of every index and loop: a wrong
    /// one can reach memory that is not its own
    #[arg(long, requires = "shaders")]
    unchecked: bool,
    /// Save the run, for --against
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    save: Option<PathBuf>,
    /// Compare with a saved run; a change is only what lies beyond the spread of both
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Draw the roofline with every kernel below it
    #[arg(long, value_name = "FILE", conflicts_with = "step")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceChoice,
}

impl Bench {
    pub fn run(self, all: &'static [Listing]) -> anyhow::Result<()> {
        // What can be wrong with the arguments is found before minutes are spent on measuring.
        let ops = self.check(all).map_err(usage)?;
        let mut opened = self.open(all)?;
        let device = opened.device.as_mut();
        let saved =
            self.against.as_ref().map(|path| self.saved(path, &device.describe())).transpose().map_err(usage)?;
        if !self.json {
            println!("{}: {}\n", device.describe(), reason(&opened.why));
        }
        // Before the ceilings, whose copies would count in the memory that a step takes.
        let step = self.step.as_ref().map(|preset| step::measure(device, preset)).transpose()?;
        let ceilings = ceilings::measure(device)?;
        if !self.json {
            print_ceilings(&ceilings);
        }
        let mut report = Report {
            wgrad: env!("CARGO_PKG_VERSION").into(),
            device: device.describe(),
            ceilings,
            kernels: vec![],
            step,
        };
        if let Some(step) = &report.step {
            if !self.json {
                print_step(step, &ceilings);
            }
        } else {
            if !self.json {
                print_kernel_header();
            }
            report.kernels = kernels::measure(device, &ceilings, &ops, |kernel| {
                if !self.json {
                    print_kernel(kernel);
                }
            })?;
            if !self.json {
                print_clock(&report.kernels);
            }
        }
        if let Some(path) = &self.save {
            report.write(path)?;
        }
        if let Some(path) = &self.svg {
            fs::write(path, roofline::svg(&report)).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let (changes, missing) = saved.map(|then| (report.against(&then), report.missing_in(&then))).unzip();
        if self.json {
            let object = serde_json::json!({ "run": report, "changes": changes, "not_in_the_saved_run": missing });
            println!("{}", serde_json::to_string_pretty(&object)?);
        } else if let (Some(changes), Some(missing)) = (&changes, &missing) {
            print_changes(changes, missing);
        }
        Ok(())
    }

    /// The device: with --shaders an adapter, though `auto` alone would not take one of software.
    fn open(&self, all: &[Listing]) -> anyhow::Result<Opened> {
        let Some(folder) = &self.shaders else {
            return self.device.open().map_err(unopened);
        };
        let shaders = Shaders::read(folder, all.iter().chain([&crate::bench::LISTING])).map_err(usage)?;
        let shaders = Some(Arc::new(if self.unchecked { vouched(shaders) } else { shaders }));
        let on_cpu =
            |cpu: &str| usage(expected_adapter(&format!("--shaders {}: {cpu} runs no shaders", folder.display())));
        if self.device.device.eq_ignore_ascii_case("auto") {
            let best = gpu::list().into_iter().next().ok_or_else(|| on_cpu("the CPU"))?;
            let opened = DeviceChoice { device: best.name }.open_with(shaders).map_err(unopened)?;
            return Ok(Opened { why: Why::Best("adapter"), ..opened });
        }
        let opened = self.device.open_with(shaders).map_err(unopened)?;
        if opened.device.target().is_cpu() {
            return Err(on_cpu(&opened.device.describe()));
        }
        Ok(opened)
    }

    /// The run to compare with, if it has anything that this one measures.
    fn saved(&self, path: &Path, device: &str) -> anyhow::Result<Report> {
        let then = Report::read(path, device)?;
        if !then.has(&self.ops, self.step.as_deref()) {
            let (wanted, arguments) = match &self.step {
                Some(preset) => (format!("a step of {preset}"), format!(" --step {preset}")),
                None if self.ops.is_empty() => ("kernels".into(), String::new()),
                None => (format!("kernels of {}", self.ops.join(", ")), format!(" --op {}", self.ops.join(" --op "))),
            };
            bail!(
                "--against {}: it has {}; expected {wanted}, as `wgrad bench{arguments} --save FILE` writes",
                path.display(),
                then.subject()
            );
        }
        Ok(then)
    }

    fn check(&self, all: &[Listing]) -> anyhow::Result<Vec<Listing>> {
        let ops = chosen_ops(all, &self.ops)?;
        if let Some(preset) = &self.step {
            super::preset(preset)?;
        }
        for (flag, path) in [("--save", &self.save), ("--svg", &self.svg)] {
            let folder = path.as_ref().and_then(|path| path.parent()).filter(|folder| !folder.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                bail!("{flag}: there is no folder {}; make it first", folder.display());
            }
        }
        Ok(ops)
    }
}

/// "2.31 ms (2.20 to 2.45)"
fn milliseconds(s: &Samples) -> String {
    let digits = if s.median < 0.01 { 3 } else { 1 };
    format!("{:.digits$} ms ({:.digits$} to {:.digits$})", 1e3 * s.median, 1e3 * s.low, 1e3 * s.high)
}

fn print_ceilings(c: &Ceilings) {
    println!("ceilings, measured");
    println!("  copy          {:8.2} GB/s, read and written together", c.bandwidth * 1e-9);
    println!("  multiply-add  {:8.2} GFLOP/s in f32", c.flops * 1e-9);
    if let Some(flops) = c.half_flops {
        println!("                {:8.2} GFLOP/s in f16, which no kernel uses", flops * 1e-9);
    }
    println!("  dispatch      {:8.1} us, one that depends on the last {:.1} us", 1e6 * c.dispatch, 1e6 * c.dependent);
    println!("  round trip    {:8.1} us from a submit to its result on the host\n", 1e6 * c.round_trip);
}

fn print_kernel_header() {
    println!(
        "{:22} {:48} {:>10} {:>21} {:>9} {:>8} {:>6}  bound by",
        "op", "at", "ms", "10 % to 90 % of runs", "GFLOP/s", "GB/s", "roof"
    );
}

fn print_kernel(k: &KernelReport) {
    let ms = |seconds: f64| 1e3 * seconds;
    let spread = format!("{:.3} to {:.3}", ms(k.seconds.low), ms(k.seconds.high));
    println!(
        "{:22} {:48} {:10.3} {spread:>21} {:9.2} {:8.2} {:5.0}%  {}",
        k.op,
        k.name,
        ms(k.seconds.median),
        k.flops / k.seconds.median * 1e-9,
        k.bytes / k.seconds.median * 1e-9,
        100.0 * k.roofline,
        if k.memory_bound { "memory" } else { "arithmetic" }
    );
}

fn print_clock(kernels: &[KernelReport]) {
    let clock = if kernels.iter().all(|k| k.timestamps) {
        "by the device's timestamps"
    } else {
        "by the host's clock (the device tells no time between passes; the cost of a submit is in every figure)"
    };
    let worst = kernels.iter().map(|k| k.difference).fold(0.0, f64::max);
    println!(
        "\nmedians, {clock}; caches swept before each run; results within {worst:.1e} of the CPU's, relative to the \
         largest number"
    );
}

fn print_changes(changes: &[Change], missing: &[String]) {
    println!(
        "\nsince the saved run (a change is only what lies beyond the spread of both; the copy shows how the machine \
         itself drifts)"
    );
    for change in changes {
        let verdict = match change.verdict {
            Verdict::Faster => "faster",
            Verdict::Slower => "SLOWER",
            Verdict::Same => "",
        };
        println!(
            "{verdict:6} {:5.2} times as long  {:.3} -> {:.3} ms  {}",
            change.now.median / change.then.median,
            1e3 * change.then.median,
            1e3 * change.now.median,
            change.name
        );
    }
    if !missing.is_empty() {
        println!("not in the saved run, and so not compared:\n  {}", missing.join("\n  "));
    }
}

/// Shares of a step below this are added up in one line.
const SMALL: f64 = 0.005;

fn print_step(report: &StepReport, ceilings: &Ceilings) {
    let per_second = |tokens: usize, s: &Samples| format!("{:.0} target tokens a second", tokens as f64 / s.median);
    println!("{}", report.preset);
    println!("  training step   {}, {}", milliseconds(&report.step), per_second(report.tokens, &report.step));
    println!("  first step      {:.2} s, with compiling and allocating", report.first);
    if let Some(difference) = report.loss_difference {
        let clock = if report.timestamps { "the device's clock" } else { "the host's clock, each op by itself" };
        println!("  host            {} until it is submitted", milliseconds(&report.host));
        println!("  device          {} by {clock}", milliseconds(&report.device));
        println!("  {} dispatches, {} submits a step", report.dispatches, report.submits);
        println!("  losses          differ from the CPU executor's by at most {difference:.1e} (relative)");
    }
    println!("  uploaded        {} bytes a step", report.uploaded);
    println!("  held            {:.1} MiB in buffers", report.held as f64 / 1048576.0);
    if let Some(peak) = report.peak {
        println!("  peak            {:.0} MiB of the process", peak as f64 / 1048576.0);
    }
    for t in &report.translations {
        let search = if t.beam == 1 { "greedy".to_string() } else { format!("beam of {}", t.beam) };
        let line = format!("{}, {}", milliseconds(&t.seconds), per_second(t.tokens, &t.seconds));
        println!("  translation     {search}, {} sentences: {line}", t.sentences);
    }
    println!(
        "\nwhere the step's time goes{:>6} {:>9} {:>6} {:>9} {:>8} {:>6}  inputs",
        "n", "ms", "share", "GFLOP/s", "GB/s", "roof"
    );
    let total: f64 = report.parts.iter().map(|p| p.seconds.median).sum();
    let (large, small): (Vec<&Part>, Vec<&Part>) = report.parts.iter().partition(|p| p.seconds.median >= SMALL * total);
    for part in large {
        let seconds = part.seconds.median;
        let least = ceilings.least_seconds(Work { flops: part.flops, bytes: part.bytes });
        println!(
            "{:26}{:6} {:9.2} {:5.1}% {:9.2} {:8.2} {:5.0}%  {}",
            part.op,
            part.count,
            1e3 * seconds,
            100.0 * seconds / total,
            part.flops / seconds * 1e-9,
            part.bytes / seconds * 1e-9,
            100.0 * least / seconds,
            part.inputs
        );
    }
    let seconds: f64 = small.iter().map(|p| p.seconds.median).sum();
    let count: usize = small.iter().map(|p| p.count).sum();
    println!("{:26}{count:6} {:9.2} {:5.1}%", "the rest", 1e3 * seconds, 100.0 * seconds / total);
}
