//! What is checked: an adapter with built-in or edited shaders, or the CPU.

use std::path::PathBuf;
use std::sync::Arc;

use crate::bench;
use crate::check::{DeviceUnderTest, Open, plan_of};
use crate::cpu::Cpu;
use crate::gpu::{self, Gpu, Limits, OpenError, Properties, Shaders};
use crate::graph::{Dispatch, Shader, Target};
use crate::ops::Listing;
use crate::ops::case::CaseSet;
use crate::plan::Device;
use crate::shell::word;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::super::device::vouched;
use super::super::expected_adapter;

#[derive(Debug, Args)]
pub struct Choice {
    /// Where to compute: auto (the best adapter, else the CPU), cpu, or part of a name that `wgrad devices` lists
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = NonEmptyStringValueParser::new())]
    pub device: String,
    /// Read the WGSL from this folder; files missing there are the built-in ones
    #[arg(long, value_name = "DIR")]
    pub shaders: Option<PathBuf>,
    /// Run the kernels of --shaders as wgrad's own run too, without the driver's checks of every index and loop: a
    /// wrong one can reach memory that is not its own
    #[arg(long, requires = "shaders")]
    pub unchecked: bool,
    /// Take no more of the adapter than WebGPU guarantees on every one
    #[arg(long)]
    pub webgpu_limits: bool,
}

/// What a choice comes to.
pub struct Chosen {
    /// `None`: the CPU.
    adapter: Option<String>,
    shaders: Option<Arc<Shaders>>,
    limits: Limits,
    /// Whether training runs any of the kernels without the driver's checks.
    unchecked: bool,
}

impl Choice {
    /// The arguments that choose the same again.
    pub fn arguments(&self) -> String {
        let mut arguments = format!("--device {}", word(&self.device));
        if let Some(shaders) = &self.shaders {
            arguments += &format!(" --shaders {}", word(shaders));
        }
        if self.unchecked {
            arguments += " --unchecked";
        }
        if self.webgpu_limits {
            arguments += " --webgpu-limits";
        }
        arguments
    }

    /// Name of the adapter; `None`: the CPU.
    pub fn adapter(&self) -> Option<String> {
        match self.device.to_lowercase().as_str() {
            "cpu" => None,
            "auto" => gpu::list().into_iter().next().map(|adapter| adapter.name),
            _ => Some(self.device.clone()),
        }
    }

    /// The adapter, as training has it.
    pub fn open(&self) -> Result<Gpu, OpenError> {
        Gpu::open_apart(&self.adapter().ok_or(OpenError::NoAdapter)?, self.limits(), 0)
    }

    fn limits(&self) -> Limits {
        if self.webgpu_limits { Limits::WebGpu } else { Limits::Adapter }
    }

    /// Tells what other compilers take differently of WGSL from a folder, which has files of any of `all`, in kernels
    /// of `ops`.
    pub fn resolve(&self, all: &[Listing], ops: &[Listing]) -> anyhow::Result<Chosen> {
        let known = all.iter().chain([&bench::LISTING]);
        let shaders = self.shaders.as_deref().map(|folder| Shaders::read(folder, known)).transpose()?;
        let shaders = shaders.map(|shaders| Arc::new(if self.unchecked { vouched(shaders) } else { shaders }));
        let adapter = self.adapter();
        if adapter.is_none() && shaders.is_some() {
            return Err(expected_adapter("--shaders: the CPU runs no shaders"));
        }
        if adapter.is_none() && self.webgpu_limits {
            return Err(expected_adapter("--webgpu-limits: the CPU has no such limits"));
        }
        if let Some(shaders) = &shaders {
            gpu::warnings(shaders, &kernels(ops)).iter().for_each(|warning| tell!("warning: {warning}"));
        }
        let limits = self.limits();
        let unchecked = self.shaders.is_none() || self.unchecked;
        let unchecked = unchecked && ops.iter().flat_map(Listing::shaders).any(Shader::is_unchecked);
        Ok(Chosen { adapter, shaders, limits, unchecked })
    }
}

/// What the ops' quick cases launch on every kind of adapter.
fn kernels(ops: &[Listing]) -> Vec<Dispatch> {
    let least = Target::webgpu();
    let targets = [(false, 0), (false, 4), (true, 0), (true, 8)];
    let targets = targets.map(|(software, subgroup)| Target { software, subgroup, ..least.clone() });
    let cases = ops.iter().flat_map(|op| op.cases(&CaseSet::default()));
    let plans = cases.flat_map(|case| targets.each_ref().map(|target| plan_of(&case, target).0));
    plans.flat_map(|plan| plan.steps).flat_map(|step| step.dispatches).collect()
}

impl Chosen {
    pub fn is_cpu(&self) -> bool {
        self.adapter.is_none()
    }

    /// Everything that is checked: the CPU; or the adapter with kernels as in training, and with the driver's bounds
    /// checks, which training has for WGSL that is not built in.
    pub fn subjects(&self) -> Vec<DeviceUnderTest> {
        let Some(adapter) = self.adapter.clone() else {
            return vec![cpu()];
        };
        let open = |mode, checked| {
            let (adapter, limits, shaders) = (adapter.clone(), self.limits, self.shaders.clone());
            let open: Open = Box::new(move |number| {
                let mut gpu = Gpu::open_apart(&adapter, limits, number)?;
                gpu.watch_ends();
                if checked {
                    gpu.check_bounds();
                }
                if let Some(shaders) = &shaders {
                    gpu.take_shaders(shaders.clone());
                }
                Ok(Box::new(gpu))
            });
            DeviceUnderTest { open, mode }
        };
        let checked = open("bounds checks on", true);
        if self.unchecked { vec![open("bounds checks off", false), checked] } else { vec![checked] }
    }

    /// The device as training has it.
    pub fn device(&self) -> Result<Box<dyn Device>, OpenError> {
        (self.subjects()[0].open)(0)
    }

    /// What the adapter is and can do.
    pub fn properties(&self) -> anyhow::Result<Option<Properties>> {
        self.adapter.as_ref().map(|adapter| Ok(Gpu::open(adapter)?.properties().clone())).transpose()
    }
}

pub fn cpu() -> DeviceUnderTest {
    DeviceUnderTest { open: Box::new(|_| Ok(Box::new(Cpu::<f32>::new()))), mode: "f32" }
}
