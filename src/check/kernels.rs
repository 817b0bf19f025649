//! The kinds of an op's kernels, and which of them a device can run.

use std::fmt;

use serde::Serialize;

use crate::graph::Target;
use crate::plan::Device;

/// Which of an op's kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kernels {
    /// The op has the same ones for every adapter.
    All,
    /// Those for software adapters.
    Software,
    /// Those for hardware, without subgroup operations.
    Hardware,
    /// Those for hardware with subgroup operations.
    Subgroups,
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
            Self::Subgroups => "subgroups",
            Self::Cpu => "cpu",
            Self::Derivative => "gradient",
        })
    }
}

/// The targets whose kernels a device can run, its own first.
pub fn targets(device: &dyn Device) -> Vec<(Kernels, Target)> {
    let own = device.target();
    if own.is_cpu() {
        return vec![(Kernels::Cpu, own)];
    }
    let software = (Kernels::Software, Target { software: true, ..own.clone() });
    let mut targets = vec![];
    if own.subgroup > 0 {
        targets.push((Kernels::Subgroups, Target { software: false, ..own.clone() }));
    }
    targets.push((Kernels::Hardware, Target { software: false, subgroup: 0, ..own.clone() }));
    targets.insert(if own.software { 0 } else { targets.len() }, software);
    targets
}
