//! The adapters of this machine: one instance for the whole process finds them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Serialize;
use thiserror::Error;

/// Why no GPU could be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    #[error("no device is called `{wanted}`. Present: {present}; part of a name, or its backend, is enough")]
    Unknown { wanted: String, present: String },
    #[error("no graphics adapter was found, neither a GPU nor a software one. {}", install_hint())]
    NoAdapter,
    #[error("the driver of `{name}` gave no device: {message}. Update the driver, or take the device `cpu`")]
    Refused { name: String, message: String },
}

/// An adapter as `wgrad devices` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct AdapterInfo {
    pub name: String,
    /// "Vulkan", "Metal", "DX12"
    pub backend: String,
    /// "discrete GPU", "integrated GPU", "software", ...
    pub kind: &'static str,
    pub driver: String,
    /// Whether it is real hardware: what the device `auto` takes.
    pub hardware: bool,
}

impl AdapterInfo {
    /// "NVIDIA H100 (Vulkan)": Windows has the same GPU by Vulkan and by DX12.
    pub fn label(&self) -> String {
        format!("{} ({})", self.name, self.backend)
    }
}

/// All that a bug report should say of an adapter.
#[derive(Clone, Debug, Serialize)]
pub struct Properties {
    #[serde(flatten)]
    pub info: AdapterInfo,
    /// PCI numbers of maker and model.
    pub pci: [u32; 2],
    /// Least and most invocations of a subgroup.
    pub subgroup: [u32; 2],
    /// Limits of compute shaders, under WebGPU's names.
    pub limits: BTreeMap<&'static str, u64>,
    pub features: Vec<String>,
}

impl Properties {
    pub(super) fn of(adapter: &wgpu::Adapter, info: AdapterInfo) -> Self {
        let (details, limits) = (adapter.get_info(), adapter.limits());
        let limits = BTreeMap::from([
            ("max_buffer_size", limits.max_buffer_size),
            ("max_storage_buffer_binding_size", limits.max_storage_buffer_binding_size),
            ("max_storage_buffers_per_shader_stage", limits.max_storage_buffers_per_shader_stage.into()),
            ("max_uniform_buffer_binding_size", limits.max_uniform_buffer_binding_size),
            ("min_storage_buffer_offset_alignment", limits.min_storage_buffer_offset_alignment.into()),
            ("min_uniform_buffer_offset_alignment", limits.min_uniform_buffer_offset_alignment.into()),
            ("max_compute_workgroup_storage_size", limits.max_compute_workgroup_storage_size.into()),
            ("max_compute_invocations_per_workgroup", limits.max_compute_invocations_per_workgroup.into()),
            ("max_compute_workgroup_size_x", limits.max_compute_workgroup_size_x.into()),
            ("max_compute_workgroups_per_dimension", limits.max_compute_workgroups_per_dimension.into()),
        ]);
        Self {
            info,
            pci: [details.vendor, details.device],
            subgroup: [details.subgroup_min_size, details.subgroup_max_size],
            limits,
            features: adapter.features().iter_names().map(|(name, _)| name.to_string()).collect(),
        }
    }
}

/// The command that installs a software adapter on this system, for machines without a GPU.
pub fn install_hint() -> &'static str {
    if cfg!(target_os = "linux") {
        "Install Vulkan with a software adapter: `tests/install_vulkan.sh` in wgrad's sources, or `sudo apt-get \
         install libvulkan1 mesa-vulkan-drivers` (Debian, Ubuntu), `sudo dnf install vulkan-loader \
         mesa-vulkan-drivers` (Fedora), `sudo pacman -S vulkan-icd-loader vulkan-swrast` (Arch). Without any, \
         the device `cpu` trains as well"
    } else if cfg!(target_os = "windows") {
        "Install the graphics driver of your GPU's maker; Windows brings the software adapter WARP. The device \
         `cpu` trains without either"
    } else {
        "macOS 10.13 or later brings Metal. The device `cpu` trains without it"
    }
}

fn instance() -> &'static wgpu::Instance {
    static INSTANCE: OnceLock<wgpu::Instance> = OnceLock::new();
    INSTANCE.get_or_init(|| wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle()))
}

fn adapters() -> Vec<(AdapterInfo, wgpu::Adapter)> {
    let found = pollster::block_on(instance().enumerate_adapters(wgpu::Backends::PRIMARY));
    found.into_iter().map(|adapter| (describe(&adapter.get_info()), adapter)).collect()
}

fn describe(info: &wgpu::AdapterInfo) -> AdapterInfo {
    let (kind, hardware) = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => ("discrete GPU", true),
        wgpu::DeviceType::IntegratedGpu => ("integrated GPU", true),
        wgpu::DeviceType::VirtualGpu => ("virtual GPU", true),
        wgpu::DeviceType::Cpu => ("software", false),
        wgpu::DeviceType::Other => ("other", false),
    };
    let backend = format!("{:?}", info.backend);
    let driver = format!("{} {}", info.driver, info.driver_info).trim().to_string();
    AdapterInfo { name: info.name.clone(), backend, kind, driver, hardware }
}

/// All adapters, best first: discrete, integrated, other hardware, software.
pub fn list() -> Vec<AdapterInfo> {
    sorted().into_iter().map(|(info, _)| info).collect()
}

pub(super) fn sorted() -> Vec<(AdapterInfo, wgpu::Adapter)> {
    let mut adapters = adapters();
    let rank = |info: &AdapterInfo| {
        ["discrete GPU", "integrated GPU", "virtual GPU", "other"].iter().position(|k| *k == info.kind).unwrap_or(9)
    };
    adapters.sort_by_key(|(info, _)| rank(info));
    adapters
}

/// How much of an adapter to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limits {
    /// All that it offers.
    Adapter,
    /// What WebGPU guarantees on every adapter: 16 KiB of workgroup memory, 256 invocations, 8 storage buffers a
    /// kernel, 128 MiB a binding.
    WebGpu,
}
