//! Measures kernels and whole steps: medians with their spread, beside what the same device can reach at most.
//!
//! A device times the steps of a plan itself ([`crate::plan::Device::profile`]), so that everything here runs on a GPU
//! and on the CPU alike.

pub mod ceilings;
pub mod kernels;
pub mod report;
pub mod roofline;
pub mod step;

pub use ceilings::LISTING;

use std::time::Instant;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::decode::DecodeError;
use crate::graph::GraphError;
use crate::plan::{DeviceError, Step};
use crate::train::config::ConfigError;

/// Why something could not be measured.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BenchError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(
        "the kernels of `{op}` compute something else than the reference at \"{name}\": off by {difference:.1e} of the \
         largest number, at most {tolerance:.0e} is rounding. A check of the op says where"
    )]
    Wrong { op: String, name: String, difference: f64, tolerance: f64 },
    #[error("{blame}{0}", blame = .0.blame())]
    Graph(#[from] GraphError),
}

/// Durations of the same work, run again and again: median, and the 10th and 90th percentiles as its spread. Seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    pub median: f64,
    pub low: f64,
    pub high: f64,
    pub count: usize,
}

impl Samples {
    /// # Panics
    /// When there is none.
    pub fn new(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let last = seconds.len() - 1;
        let at = |share: f64| seconds[(share * last as f64).round() as usize];
        Self { median: at(0.5), low: at(0.1), high: at(0.9), count: seconds.len() }
    }
}

/// Calls `sample` until `budget` seconds are spent, at least 5 and at most 200 times.
///
/// # Errors
/// The first that `sample` gives.
pub fn repeat<T, E>(budget: f64, mut sample: impl FnMut() -> Result<T, E>) -> Result<Vec<T>, E> {
    let (start, mut samples) = (Instant::now(), vec![]);
    while samples.len() < 5 || (samples.len() < 200 && start.elapsed().as_secs_f64() < budget) {
        samples.push(sample()?);
    }
    Ok(samples)
}

/// The op of a step; those that only a backward pass has say so.
pub fn label(step: &Step) -> String {
    let debug = format!("{:?}", step.op);
    let kind = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let backward = if kind.ends_with("Backward") { " backward" } else { "" };
    format!("{}{backward}", step.op.name())
}
