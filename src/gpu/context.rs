//! A device, its queue, its compiled kernels, and the first error that its driver reported.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::graph::{Dispatch, Target};
use crate::plan::DeviceError;

use super::adapter::{AdapterInfo, OpenError};
use super::shaders::assemble;

/// Shader, entry point, constants: what a pipeline depends on.
type Key = (&'static str, &'static str, Vec<(&'static str, u32)>);

/// A compiled kernel.
pub struct Kernel {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

pub struct Context {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub info: AdapterInfo,
    pub target: Target,
    kernels: Mutex<HashMap<Key, Arc<Kernel>>>,
    /// The first error since it was last taken; drivers report errors whenever they like.
    error: Arc<Mutex<Option<DeviceError>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    pub fn new(adapter: &wgpu::Adapter, info: AdapterInfo) -> Result<Self, OpenError> {
        let limits = adapter.limits();
        let target = Target {
            software: info.kind == "software",
            alignment: (limits.min_storage_buffer_offset_alignment as usize / 4).max(1),
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_binding: (limits.max_storage_buffer_binding_size / 4) as usize,
        };
        // The defaults are WebGPU's guarantees; the adapter's own limits are larger nearly everywhere.
        let description =
            wgpu::DeviceDescriptor { label: Some("wgrad"), required_limits: limits, ..Default::default() };
        let (device, queue) = pollster::block_on(adapter.request_device(&description))
            .map_err(|e| OpenError::Refused { name: info.name.clone(), message: e.to_string() })?;
        let error = Arc::new(Mutex::new(None));
        let (first, name) = (error.clone(), info.name.clone());
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            let (device, message) = (name.clone(), e.to_string());
            lock(&first).get_or_insert(match e {
                wgpu::Error::OutOfMemory { .. } => DeviceError::OutOfMemory { device, message },
                _ => DeviceError::Validation { device, message },
            });
        }));
        let (first, name) = (error.clone(), info.name.clone());
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                lock(&first).get_or_insert(DeviceError::Lost { device: name.clone(), message });
            }
        });
        Ok(Self { device, queue, info, target, kernels: Mutex::default(), error })
    }

    /// The first error that the driver reported since the last check.
    pub fn check(&self) -> Result<(), DeviceError> {
        lock(&self.error).take().map_or(Ok(()), Err)
    }

    /// Waits until the queue is empty, or until `submission` is done.
    pub fn wait(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<(), DeviceError> {
        let waited = self.device.poll(wgpu::PollType::Wait { submission_index: submission, timeout: None });
        self.check()?;
        waited.map(|_| ()).map_err(|e| DeviceError::Lost { device: self.info.name.clone(), message: e.to_string() })
    }

    pub fn buffer(&self, label: &str, elements: usize, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let size = 4 * elements.max(4) as u64;
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: false,
        })
    }

    /// The kernel of a dispatch, compiled at its first use.
    pub fn kernel(&self, dispatch: &Dispatch) -> Arc<Kernel> {
        let key = (dispatch.shader, dispatch.entry, dispatch.constants.clone());
        if let Some(kernel) = lock(&self.kernels).get(&key) {
            return kernel.clone();
        }
        let kernel = Arc::new(self.compile(dispatch));
        lock(&self.kernels).insert(key, kernel.clone());
        kernel
    }

    fn compile(&self, dispatch: &Dispatch) -> Kernel {
        let label = format!("{}:{}", dispatch.shader, dispatch.entry);
        let source = wgpu::ShaderSource::Wgsl(assemble(dispatch.shader, &dispatch.constants).into());
        let descriptor = wgpu::ShaderModuleDescriptor { label: Some(&label), source };
        // SAFETY: the shaders are our own; every kernel is compared with its reference under the driver's bounds checks, guards its edges, and
        // has no endless loop. Checks cost 17 to 40 % of a product, and loop bounding alone has cost 100 times.
        let module =
            unsafe { self.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) };
        let storage =
            dispatch.bindings.iter().map(|&(_, write)| wgpu::BufferBindingType::Storage { read_only: !write });
        let uniform = (!dispatch.uniform.is_empty()).then_some(wgpu::BufferBindingType::Uniform);
        let entries: Vec<_> =
            storage.chain(uniform).enumerate().map(|(binding, ty)| layout_entry(binding as u32, ty)).collect();
        let layout = self
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(&label), entries: &entries });
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&label),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&label),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(dispatch.entry),
            // Every kernel writes its workgroup memory before it reads it.
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Kernel { pipeline, layout }
    }
}

fn layout_entry(binding: u32, ty: wgpu::BufferBindingType) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}
