//! Opening the device that `--device` names.

use std::sync::Arc;

use crate::cpu::Cpu;
use crate::gpu::{self, Gpu, OpenError, Shaders};
use crate::plan::Device;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

#[derive(Clone, Debug, Args)]
pub struct DeviceChoice {
    /// Where to compute: auto (a hardware GPU if there is one, else the CPU), cpu, or part of a name that
    /// `wgrad devices` lists
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = NonEmptyStringValueParser::new())]
    pub device: String,
}

/// Files of a folder that the person at the command line vouches for by `--unchecked`.
pub fn vouched(shaders: Shaders) -> Shaders {
    // SAFETY: the flag's help says what the person takes upon themselves.
    unsafe { shaders.without_checks() }
}

/// An open device, and why it was taken.
pub struct Opened {
    pub device: Box<dyn Device>,
    pub why: String,
}

impl DeviceChoice {
    pub fn open(&self) -> anyhow::Result<Opened> {
        self.open_with(None)
    }

    /// The device, with kernels from these shaders instead of the built-in ones.
    pub fn open_with(&self, shaders: Option<Arc<Shaders>>) -> anyhow::Result<Opened> {
        let gpu = |name: &str| {
            let mut gpu = Gpu::open(name)?;
            if let Some(shaders) = &shaders {
                gpu.take_shaders(shaders.clone());
            }
            Ok::<_, OpenError>(gpu)
        };
        let cpu = |why: String| Opened { device: Box::new(Cpu::<f32>::new()), why };
        if self.device.eq_ignore_ascii_case("cpu") {
            return Ok(cpu("asked for by --device cpu".into()));
        }
        if !self.device.eq_ignore_ascii_case("auto") {
            let why = format!("asked for by --device {}", self.device);
            return Ok(Opened { device: Box::new(gpu(&self.device)?), why });
        }
        let adapters = gpu::list();
        let software: Vec<_> = adapters.iter().filter(|a| !a.hardware).map(|a| short(&a.name)).collect();
        Ok(match adapters.iter().find(|a| a.hardware) {
            Some(adapter) => match gpu(&adapter.name) {
                Ok(gpu) => Opened { device: Box::new(gpu), why: format!("the best {} present", adapter.kind) },
                Err(error) => cpu(format!("{error}")),
            },
            None if software.is_empty() => cpu("there is no GPU".into()),
            None => {
                let name = software.join(", ");
                cpu(format!(
                    "there is no hardware GPU; the software adapter {name} runs the same shaders, slower: \
                     --device {name}"
                ))
            }
        })
    }
}

/// "llvmpipe (LLVM 19.1.7, 256 bits)" is chosen by its first word.
fn short(name: &str) -> &str {
    name.split([' ', '(']).next().unwrap_or(name)
}
