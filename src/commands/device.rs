//! Opening the device that `--device` names.

use std::sync::Arc;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::device::{self, Opened, Why};
use crate::gpu::{OpenError, Shaders};

#[derive(Clone, Debug, Args)]
pub struct DeviceChoice {
    /// Where to compute: auto (a hardware GPU if there is one, else the CPU), cpu, or part of a name that
    /// `wgrad devices` lists
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = NonEmptyStringValueParser::new())]
    pub device: String,
}

impl DeviceChoice {
    pub fn open(&self) -> Result<Opened, OpenError> {
        device::open(&self.device)
    }

    /// The device, with kernels from these shaders instead of the built-in ones.
    pub fn open_with(&self, shaders: Option<Arc<Shaders>>) -> Result<Opened, OpenError> {
        device::open_with(&self.device, shaders)
    }
}

/// Why a device was taken, with the flag that takes another.
pub fn reason(why: &Why) -> String {
    match why {
        Why::Asked(name) => format!("asked for by --device {name}"),
        Why::OnlySoftware(name) => format!("{why}: --device {name}"),
        why => why.to_string(),
    }
}

/// Files of a folder that the person at the command line vouches for by `--unchecked`.
pub fn vouched(shaders: Shaders) -> Shaders {
    // SAFETY: the flag's help says what the person takes upon themselves.
    unsafe { shaders.without_checks() }
}
