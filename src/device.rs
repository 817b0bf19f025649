//! Choosing a device by name: a GPU, or the CPU.

use std::fmt;
use std::sync::Arc;

use crate::cpu::Cpu;
use crate::gpu::{self, Gpu, OpenError, Shaders};
use crate::plan::Device;

/// An open device, and why it was taken.
pub struct Opened {
    pub device: Box<dyn Device>,
    pub why: Why,
}

/// Why a device was taken.
#[derive(Debug)]
pub enum Why {
    /// It was asked for by this name.
    Asked(String),
    /// The best adapter present, of this kind: "discrete GPU".
    Best(&'static str),
    /// The CPU, since there is no adapter.
    NoAdapter,
    /// The CPU, since there are only software adapters, called so.
    OnlySoftware(String),
    /// The CPU, since the best adapter could not be opened.
    Refused(OpenError),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Asked(name) => write!(f, "asked for as `{name}`"),
            Self::Best(kind) => write!(f, "the best {kind} present"),
            Self::NoAdapter => f.write_str("there is no GPU"),
            Self::OnlySoftware(name) => {
                write!(f, "there is no hardware GPU; the software adapter {name} runs the same shaders, slower")
            }
            Self::Refused(error) => error.fmt(f),
        }
    }
}

/// "auto" takes a hardware GPU if there is one, else the CPU; "cpu" takes the CPU; anything else the first adapter
/// whose name contains it, in any case.
///
/// # Errors
/// When no adapter has the name, or its driver gives no device.
pub fn open(name: &str) -> Result<Opened, OpenError> {
    open_with(name, None)
}

/// The same, with kernels from these shaders instead of the built-in ones.
///
/// # Errors
/// As for [`open`].
pub fn open_with(name: &str, shaders: Option<Arc<Shaders>>) -> Result<Opened, OpenError> {
    let gpu = |name: &str| {
        let mut gpu = Gpu::open(name)?;
        if let Some(shaders) = &shaders {
            gpu.take_shaders(shaders.clone());
        }
        Ok::<_, OpenError>(Box::new(gpu))
    };
    let cpu = |why| Opened { device: Box::new(Cpu::<f32>::new()), why };
    if name.eq_ignore_ascii_case("cpu") {
        return Ok(cpu(Why::Asked(name.into())));
    }
    if !name.eq_ignore_ascii_case("auto") {
        return Ok(Opened { device: gpu(name)?, why: Why::Asked(name.into()) });
    }
    let adapters = gpu::list();
    if let Some(best) = adapters.iter().find(|adapter| adapter.hardware) {
        return Ok(match gpu(&best.name) {
            Ok(device) => Opened { device, why: Why::Best(best.kind) },
            Err(error) => cpu(Why::Refused(error)),
        });
    }
    let software: Vec<_> = adapters.iter().map(|adapter| short(&adapter.name)).collect();
    Ok(cpu(if software.is_empty() { Why::NoAdapter } else { Why::OnlySoftware(software.join(", ")) }))
}

/// "llvmpipe (LLVM 19.1.7, 256 bits)" is chosen by its first word.
fn short(name: &str) -> &str {
    name.split([' ', '(']).next().unwrap_or(name)
}
