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
pub enum ReportError {
    #[error("cannot read {}: {error}; expected a file that `wgrad bench --save` wrote", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{} is no run of `wgrad bench`: {error}. Expected a file that `wgrad bench --save` of this version wrote", path.display())]
    Malformed { path: PathBuf, error: serde_json::Error },
    #[error("cannot write {}: {error}", path.display())]
    Unwritable { path: PathBuf, error: io::Error },
    #[error(
        "{} was measured on `{then}`, this run on `{now}`: only runs of one device can be compared. Choose it with --device, or save a new run",
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
    /// A run that was saved on this device.
    ///
    /// # Errors
    /// When there is no such file, or it holds something else, or a run on another device.
    pub fn read(path: &Path, device: &str) -> Result<Self, ReportError> {
        let text = fs::read_to_string(path).map_err(|error| ReportError::Unreadable { path: path.into(), error })?;
        let report: Self =
            serde_json::from_str(&text).map_err(|error| ReportError::Malformed { path: path.into(), error })?;
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
        let mut timings = vec![("copy of 64 MiB".to_string(), self.ceilings.copy)];
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

    #[test]
    fn only_what_is_beyond_the_spread_is_a_change() {
        let samples = |low: f64, high: f64| Samples { median: (low + high) / 2.0, low, high, count: 9 };
        let verdict = |then, now| Change::new("a kernel".into(), then, now).verdict;
        assert_eq!(verdict(samples(2.0, 3.0), samples(1.0, 1.9)), Verdict::Faster);
        assert_eq!(verdict(samples(2.0, 3.0), samples(3.1, 9.0)), Verdict::Slower);
        assert_eq!(verdict(samples(2.0, 3.0), samples(1.0, 2.0)), Verdict::Same);
        assert_eq!(verdict(samples(2.0, 3.0), samples(2.9, 9.0)), Verdict::Same);
    }

    /// f16's rate came later than the first saved runs.
    #[test]
    fn a_saved_run_may_lack_what_came_later() {
        let copy = Samples { median: 2.0, low: 1.0, high: 3.0, count: 9 };
        let times = Ceilings {
            copy,
            bandwidth: 4.0,
            flops: 5.0,
            half_flops: Some(6.0),
            dispatch: 7.0,
            dependent: 8.0,
            round_trip: 9.0,
        };
        let report =
            Report { wgrad: "0.1".into(), device: "a device".into(), ceilings: times, kernels: vec![], step: None };
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
