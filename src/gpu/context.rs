//! A device, its queue, its compiled kernels, and the first error that its driver reported.

use std::borrow::Cow;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wgpu::naga;

use crate::graph::{Dispatch, Target};
use crate::plan::DeviceError;

use super::adapter::{AdapterInfo, Limits, OpenError, Properties};
use super::loops::straighten;
use super::shaders::{Shaders, Source};

/// What a clock between launches needs. Apple's GPUs have it between passes, not inside of an encoder.
pub const TIMESTAMPS: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY;

/// Source (constants included), entry point, runtime checks: what a pipeline depends on.
type Key = (String, &'static str, bool);

/// A compiled kernel.
pub struct Kernel {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

pub struct Context {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub info: AdapterInfo,
    pub properties: Properties,
    pub target: Target,
    /// Bytes of the adapter's own memory, where the driver tells.
    pub memory: Option<u64>,
    kernels: Mutex<HashMap<Key, Arc<Kernel>>>,
    /// The first error since it was last taken; drivers report errors whenever they like.
    error: Arc<Mutex<Option<DeviceError>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    pub fn new(adapter: &wgpu::Adapter, info: AdapterInfo, limits: Limits) -> Result<Self, OpenError> {
        // The adapter's own limits are larger than WebGPU's nearly everywhere. What an optional feature changes is what
        // a kernel may say, and so every device gets it that can: `wgrad bench` measures the one that trains.
        let (limits, optional) = match limits {
            Limits::Adapter => (adapter.limits(), wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP),
            Limits::WebGpu => (wgpu::Limits::default(), wgpu::Features::empty()),
        };
        // A clock, for `wgrad bench`; it costs nothing where nobody reads it.
        let required_features = adapter.features() & (optional | TIMESTAMPS);
        let target = Target {
            software: info.kind == "software",
            alignment: (limits.min_storage_buffer_offset_alignment as usize / 4).max(4),
            max_invocations: limits.max_compute_invocations_per_workgroup,
            // A kernel counts numbers in u32.
            max_binding: (limits.max_storage_buffer_binding_size / 4).min(u32::MAX.into()) as usize,
            half: required_features.contains(wgpu::Features::SHADER_F16),
            subgroup: if required_features.contains(wgpu::Features::SUBGROUP) {
                adapter.get_info().subgroup_min_size
            } else {
                0
            },
        };
        let description = wgpu::DeviceDescriptor {
            label: Some("wgrad"),
            required_limits: limits,
            required_features,
            ..Default::default()
        };
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
        let properties = Properties::of(adapter, info.clone());
        let memory = memory_of(adapter);
        Ok(Self { device, queue, info, properties, target, memory, kernels: Mutex::default(), error })
    }

    /// The first error that the driver reported since the last check.
    pub fn check(&self) -> Result<(), DeviceError> {
        lock(&self.error).take().map_or(Ok(()), Err)
    }

    /// Waits until the queue is empty, or until `submission` is done.
    pub fn wait(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<(), DeviceError> {
        let waited = self.poll(wgpu::PollType::Wait { submission_index: submission, timeout: None });
        self.check()?;
        waited.map_err(|message| DeviceError::Lost { device: self.info.name.clone(), message })
    }

    /// Lets the driver tell what is done; an error is its message.
    pub fn poll(&self, how: wgpu::PollType) -> Result<(), String> {
        // wgpu panics where it finds that the device was lost.
        match catch_unwind(AssertUnwindSafe(|| self.device.poll(how))) {
            Ok(polled) => polled.map(drop).map_err(|e| e.to_string()),
            Err(_) => Err("it does not answer".into()),
        }
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

    /// The kernel of a dispatch, compiled at its first use; `checked`: with runtime checks of every index and loop.
    /// WGSL that nobody vouches for has them always.
    pub fn kernel(&self, dispatch: &Dispatch, shaders: &Shaders, checked: bool) -> Arc<Kernel> {
        let source = shaders.assemble(dispatch);
        let checked = checked || !source.unchecked;
        let key = (source.text.clone(), dispatch.entry, checked);
        if let Some(kernel) = lock(&self.kernels).get(&key) {
            return kernel.clone();
        }
        let kernel = Arc::new(self.compile(dispatch, &source, checked));
        // What was refused is compiled anew, so that all who ask for it are told why.
        if lock(&self.error).is_none() {
            lock(&self.kernels).insert(key, kernel.clone());
        }
        kernel
    }

    fn compile(&self, dispatch: &Dispatch, source: &Source, checked: bool) -> Kernel {
        let label = format!("{}:{}", dispatch.shader, dispatch.entry);
        let straight = naga::front::wgsl::parse_str(&source.for_naga()).map(|mut module| {
            straighten(&mut module);
            self.module(dispatch, wgpu::ShaderSource::Naga(Cow::Owned(module)), checked)
        });
        let module = match straight {
            Ok((module, None)) => module,
            // From the text, so that what is wrong is told with its line.
            _ => {
                let wgsl = wgpu::ShaderSource::Wgsl(source.for_naga());
                let (module, error) = self.module(dispatch, wgsl, checked);
                if let Some(error) = error {
                    self.refused(source, &module, &error);
                }
                module
            }
        };
        let errors = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
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
        if let Some(error) = pollster::block_on(errors.pop()) {
            self.refused(source, &module, &error);
        }
        Kernel { pipeline, layout }
    }

    fn module(
        &self,
        dispatch: &Dispatch,
        source: wgpu::ShaderSource,
        checked: bool,
    ) -> (wgpu::ShaderModule, Option<wgpu::Error>) {
        // All entry points of a shader share what the compiler says against it.
        let descriptor = wgpu::ShaderModuleDescriptor { label: Some(dispatch.shader.name()), source };
        let errors = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let module = if checked {
            self.device.create_shader_module(descriptor)
        } else {
            // SAFETY: every file of the source is built in, or its author has vouched for it (`Shader::unchecked`,
            // `Shaders::without_checks`). Checks cost 17 to 40 % of a product, and loop bounding alone has cost 100
            // times.
            unsafe { self.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
        };
        (module, pollster::block_on(errors.pop()))
    }

    /// Takes note of what the compiler says against a shader, with the line of the file that it is about.
    fn refused(&self, source: &Source, module: &wgpu::ShaderModule, error: &wgpu::Error) {
        let said = pollster::block_on(module.get_compilation_info()).messages.into_iter().next();
        let (place, message) = match said {
            Some(said) => {
                let line = said.location.map(|location| location.line_number as usize);
                (source.place(line), source.renumber(&said.message))
            }
            None => (source.place(None), error.to_string()),
        };
        lock(&self.error).get_or_insert(DeviceError::Shader { place, message });
    }
}

/// Bytes of the largest heap that is the adapter's own: Vulkan alone tells.
#[cfg(not(target_vendor = "apple"))]
fn memory_of(adapter: &wgpu::Adapter) -> Option<u64> {
    /// `VK_MEMORY_HEAP_DEVICE_LOCAL_BIT`
    const DEVICE_LOCAL: u32 = 1;
    // SAFETY: the adapter lives as long as the reference, and a question changes nothing.
    let heaps = unsafe {
        let vulkan = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = vulkan.shared_instance().raw_instance();
        let known = instance.get_physical_device_memory_properties(vulkan.raw_physical_device());
        known.memory_heaps.into_iter().take(known.memory_heap_count as usize).collect::<Vec<_>>()
    };
    heaps.into_iter().filter(|heap| heap.flags.as_raw() & DEVICE_LOCAL != 0).map(|heap| heap.size).max()
}

#[cfg(target_vendor = "apple")]
fn memory_of(_: &wgpu::Adapter) -> Option<u64> {
    None
}

fn layout_entry(binding: u32, ty: wgpu::BufferBindingType) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}
