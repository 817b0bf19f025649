//! What a run of `wgrad bench` found, as a file, and what has changed since another.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Samples;
use super::ceilings::Ceilings;
use super::kernels::KernelReport;
use super::step::StepReport;

/// One run: of kernels, or of a preset's step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub wgrad: String,
    pub device: String,
    pub ceilings: Ceilings,
    pub kernels: Vec<KernelReport>,
    pub step: Option<StepReport>,
}

/// A saved run that cannot be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    #[error("cannot read {}: {error}; expected a file that `wgrad bench --save` wrote", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error(
        "{} is no run of `wgrad bench`: {error}. Expected a file that `wgrad bench --save` of this version wrote",
        path.display()
    )]
    Malformed { path: PathBuf, error: serde_json::Error },
    #[error("cannot write {}: {error}", path.display())]
    Unwritable { path: PathBuf, error: io::Error },
    #[error(
        "{} was measured on `{then}`, this run on `{now}`: only runs of one device can be compared. Choose it with \
         --device, or save a new run",
        path.display()
    )]
    OtherDevice { path: PathBuf, then: String, now: String },
}

/// The same thing measured in two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub name: String,
    pub then: Samples,
    pub now: Samples,
    pub verdict: Verdict,
}

/// A change only where the two spreads, from the 10th to the 90th percentile, have nothing in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Faster,
    Slower,
    Same,
}

impl Change {
    fn new(name: String, then: Samples, now: Samples) -> Self {
        let verdict = if now.high < then.low {
            Verdict::Faster
        } else if now.low > then.high {
            Verdict::Slower
        } else {
            Verdict::Same
        };
        Self { name, then, now, verdict }
    }
}

impl Report {
    /// A run that was saved.
    ///
    /// # Errors
    /// When there is no such file, or it holds something else.
    pub fn open(path: &Path) -> Result<Self, ReportError> {
        let text = fs::read_to_string(path).map_err(|error| ReportError::Unreadable { path: path.into(), error })?;
        serde_json::from_str(&text).map_err(|error| ReportError::Malformed { path: path.into(), error })
    }

    /// A run that was saved on this device.
    ///
    /// # Errors
    /// As [`open`](Self::open), or it is a run on another device.
    pub fn read(path: &Path, device: &str) -> Result<Self, ReportError> {
        let report = Self::open(path)?;
        if report.device != device {
            let (then, now) = (report.device, device.into());
            return Err(ReportError::OtherDevice { path: path.into(), then, now });
        }
        Ok(report)
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        let text = serde_json::to_string_pretty(self).expect("numbers and names");
        fs::write(path, text).map_err(|error| ReportError::Unwritable { path: path.into(), error })
    }

    /// Everything that was timed, by name.
    fn timings(&self) -> Vec<(String, Samples)> {
        let mut timings = vec![(format!("copy of {} MiB", self.ceilings.copied >> 18), self.ceilings.copy)];
        timings.extend(self.kernels.iter().map(|k| (format!("{}: {}", k.op, k.name), k.seconds)));
        if let Some(step) = &self.step {
            timings.push((format!("{}: training step", step.preset), step.step));
            timings.push((format!("{}: training step, device", step.preset), step.device));
            for t in &step.translations {
                timings.push((format!("{}: translation, beam {}", step.preset, t.beam), t.seconds));
            }
            timings.extend(step.parts.iter().map(|p| (format!("{}: {} {}", step.preset, p.op, p.inputs), p.seconds)));
        }
        timings
    }

    /// Whether it has any of these ops, of all ops if there are none; or this preset's step.
    pub fn has(&self, ops: &[String], preset: Option<&str>) -> bool {
        match preset {
            Some(preset) => self.step.as_ref().is_some_and(|step| step.preset == preset),
            None => self.kernels.iter().any(|kernel| ops.is_empty() || ops.contains(&kernel.op)),
        }
    }

    /// "kernels of add, sum", or "a step of captions"
    pub fn subject(&self) -> String {
        if let Some(step) = &self.step {
            return format!("a step of {}", step.preset);
        }
        let mut ops: Vec<&str> = self.kernels.iter().map(|kernel| kernel.op.as_str()).collect();
        ops.dedup();
        format!("kernels of {}", ops.join(", "))
    }

    /// What was timed in this run and not in an earlier one.
    pub fn missing_in(&self, then: &Self) -> Vec<String> {
        let old = then.timings();
        let names = self.timings().into_iter().map(|(name, _)| name);
        names.filter(|name| !old.iter().any(|(known, _)| known == name)).collect()
    }

    /// What this run and an earlier one have in common; the copy, which tells of the machine's own drift, comes first.
    pub fn against(&self, then: &Self) -> Vec<Change> {
        let old = then.timings();
        let find = |name: &str| old.iter().find(|(known, _)| known == name).map(|(_, samples)| *samples);
        let timings = self.timings().into_iter();
        timings.filter_map(|(name, now)| Some(Change::new(name.clone(), find(&name)?, now))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Change, Report, Verdict};
    use crate::bench::Samples;
    use crate::bench::ceilings::Ceilings;
    use crate::bench::kernels::KernelReport;

    #[test]
    fn only_what_is_beyond_the_spread_is_a_change() {
        let samples = |low: f64, high: f64| Samples { median: (low + high) / 2.0, low, high, count: 9 };
        let verdict = |then, now| Change::new("a kernel".into(), then, now).verdict;
        assert_eq!(verdict(samples(2.0, 3.0), samples(1.0, 1.9)), Verdict::Faster);
        assert_eq!(verdict(samples(2.0, 3.0), samples(3.1, 9.0)), Verdict::Slower);
        assert_eq!(verdict(samples(2.0, 3.0), samples(1.0, 2.0)), Verdict::Same);
        assert_eq!(verdict(samples(2.0, 3.0), samples(2.9, 9.0)), Verdict::Same);
    }

    const COPY: Samples = Samples { median: 2.0, low: 1.0, high: 3.0, count: 9 };

    fn report(ops: &[&str]) -> Report {
        let kernel = |op: &&str| KernelReport {
            op: op.to_string(),
            name: "some".into(),
            seconds: COPY,
            flops: 0.0,
            bytes: 0.0,
            roofline: 0.0,
            memory_bound: true,
            dispatches: 1,
            timestamps: false,
            difference: 0.0,
        };
        let ceilings = Ceilings {
            copied: 32 << 20,
            copy: COPY,
            bandwidth: 4.0,
            flops: 5.0,
            half_flops: Some(6.0),
            dispatch: 7.0,
            dependent: 8.0,
            round_trip: 9.0,
        };
        let kernels = ops.iter().map(kernel).collect();
        Report { wgrad: "0.1".into(), device: "a device".into(), ceilings, kernels, step: None }
    }

    #[test]
    fn what_an_earlier_run_lacks_is_told() {
        let (then, now) = (report(&["add", "add", "sum"]), report(&["sum", "tanh"]));
        assert_eq!(now.missing_in(&then), ["tanh: some"]);
        let half = Report { ceilings: Ceilings { copied: 16 << 20, ..then.ceilings }, ..report(&["sum", "tanh"]) };
        assert_eq!(now.missing_in(&half), ["copy of 128 MiB"], "another copy is no change of the machine");
        assert_eq!(then.subject(), "kernels of add, sum");
        let has = |ops: &[&str]| then.has(&ops.iter().map(ToString::to_string).collect::<Vec<_>>(), None);
        assert!(has(&[]) && has(&["tanh", "sum"]) && !has(&["tanh"]));
        assert!(!then.has(&[], Some("tiny")) && !report(&[]).has(&[], None));
    }

    /// f16's rate came later than the first saved runs.
    #[test]
    fn a_saved_run_may_lack_what_came_later() {
        let report = report(&[]);
        let times = report.ceilings;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run");
        report.write(&path).expect("a file");
        assert_eq!(Report::read(&path, "a device").expect("a run").ceilings, times);
        let text = fs::read_to_string(&path).expect("a file");
        let line = text.lines().find(|line| line.contains("half_flops")).expect("the rate");
        fs::write(&path, text.replace(line, "")).expect("a file");
        let old = Report::read(&path, "a device").expect("a run").ceilings;
        assert_eq!(old, Ceilings { half_flops: None, ..times });
    }
}
