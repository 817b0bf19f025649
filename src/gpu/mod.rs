//! Runs plans on a GPU. The only place that names wgpu.
//!
//! A plan is prepared once: kernels compiled, uniforms written, bind groups made. A run records its launches (1 to 2 µs
//! each; wgpu cannot replay a command buffer), submits once, and returns; nothing is allocated, compiled or read back.

mod adapter;
mod canaries;
mod context;
mod log;
mod loops;
mod open;
mod profile;
mod shaders;
mod standard;
mod uniforms;

pub use adapter::{AdapterInfo, Limits, OpenError, Properties, install_hint, list};
/// For tests that compile kernels as a [`Gpu`] does.
#[doc(hidden)]
pub use loops::straighten;
pub(crate) use loops::without_places;
pub use shaders::{Shaders, ShadersError};
pub use standard::warnings;

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::graph::{DType, Dispatch, Target, TensorType};
use crate::memory;
use crate::plan::{
    Buffer, Counters, Device, DeviceError, Plan, Prepared, Profile, Region, Step, check_access, fetched, share_slots,
};

use canaries::slot;
use context::{Context, Kernel, TIMESTAMPS};
use log::Log;
use uniforms::Uniforms;

/// Runs that may be queued before the host waits for the oldest: enough to keep a GPU busy, few enough to stop soon
/// after Ctrl-C.
const IN_FLIGHT: usize = 4;

struct Launch {
    kernel: Arc<Kernel>,
    bindings: wgpu::BindGroup,
    workgroups: [u32; 3],
}

struct Ready {
    plan: Plan,
    launches: Vec<Launch>,
    /// The first launch of each step, and the end of all.
    starts: Vec<usize>,
    /// The buffers behind the plan's slots.
    slots: Vec<wgpu::Buffer>,
}

/// A graphics adapter as a device.
pub struct Gpu {
    context: Arc<Context>,
    named: HashMap<String, (wgpu::Buffer, TensorType)>,
    pool: Vec<(wgpu::Buffer, usize)>,
    slots: Vec<usize>,
    plans: Vec<Ready>,
    target: Target,
    shaders: Arc<Shaders>,
    /// Whether kernels are compiled with runtime checks.
    checked: bool,
    /// Elements behind the end of every buffer: see [`Gpu::watch_ends`].
    spare: usize,
    /// Whether the driver tells the time between passes.
    has_clock: bool,
    log: Log,
    in_flight: VecDeque<wgpu::SubmissionIndex>,
    counters: Counters,
}

const STORAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST).union(wgpu::BufferUsages::COPY_SRC);

impl Gpu {
    /// Opens the best adapter whose name contains `name`, in any case ("" takes the best of all).
    ///
    /// # Errors
    /// When there is no such adapter (those present are listed), none at all (the command that installs one is named),
    /// or the driver refuses.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        Self::open_apart(name, Limits::Adapter, 0)
    }

    /// [`open`](Self::open), with as much of the adapter as `limits` says. Each number stands for a queue and compiled
    /// kernels of its own, for devices that are to work at the same time.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_apart(name: &str, limits: Limits, number: usize) -> Result<Self, OpenError> {
        let context = open::open(name, limits, number)?;
        let log = Log::new(&context);
        let (named, in_flight, target) = (HashMap::new(), VecDeque::new(), context.target.clone());
        let counters = Counters::default();
        let (pool, slots, plans, shaders) = (vec![], vec![], vec![], Arc::default());
        let has_clock = context.device.features().contains(TIMESTAMPS);
        Ok(Self {
            context,
            named,
            pool,
            slots,
            plans,
            target,
            shaders,
            checked: false,
            spare: 0,
            has_clock,
            log,
            in_flight,
            counters,
        })
    }

    /// Plans made from now on take the kernels for hardware, so that a software adapter can test them.
    pub fn take_hardware_kernels(&mut self) {
        self.target.software = false;
    }

    /// What the adapter is and can do.
    pub fn properties(&self) -> &Properties {
        &self.context.properties
    }

    /// Plans made from now on are compiled with the driver's bounds checks, which training leaves out.
    pub fn check_bounds(&mut self) {
        self.checked = true;
    }

    /// Buffers made from now on are longer than what lies in them, by garbage that kernels can reach: what they read
    /// there is NaN, and [`Device::overrun`] notices what they write there. To be called before anything is allocated.
    pub fn watch_ends(&mut self) {
        self.spare = 1024;
    }

    /// Plans made from now on take their kernels from these shaders.
    pub fn take_shaders(&mut self, shaders: Arc<Shaders>) {
        self.shaders = shaders;
    }

    fn resolve<'a>(&'a self, plan: &Plan, slots: &'a [wgpu::Buffer], region: &Region) -> (&'a wgpu::Buffer, u64, u64) {
        let buffer = match region.buffer {
            Buffer::Slot(slot) => &slots[slot],
            Buffer::Input(input) => &self.named[&plan.inputs[input].0].0,
        };
        (buffer, 4 * region.offset as u64, 4 * region.len as u64)
    }

    fn launch(
        &self,
        plan: &Plan,
        slots: &[wgpu::Buffer],
        step: &Step,
        dispatch: &Dispatch,
        uniforms: &Uniforms,
    ) -> Launch {
        let kernel = self.context.kernel(dispatch, &self.shaders, self.checked);
        let storage = dispatch.bindings.iter().map(|&(operand, _)| {
            let (buffer, offset, size) = self.resolve(plan, slots, &step.region(operand));
            let size = if self.spare == 0 { size } else { buffer.size() - offset };
            wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(size) }
        });
        let uniform = (!dispatch.uniform.is_empty()).then(|| uniforms.binding(dispatch));
        let entries: Vec<_> = storage
            .chain(uniform)
            .enumerate()
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: wgpu::BindingResource::Buffer(buffer),
            })
            .collect();
        let bindings = self.context.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(dispatch.entry),
            layout: &kernel.layout,
            entries: &entries,
        });
        Launch { kernel, bindings, workgroups: dispatch.workgroups }
    }

    fn read(&mut self, buffer: &wgpu::Buffer, offset: u64, size: u64) -> Result<Vec<u8>, DeviceError> {
        let device = &self.context.device;
        let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
        let staging = self.context.buffer("read back", (size / 4) as usize, usage);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, size);
        self.enqueue(encoder);
        staging.map_async(wgpu::MapMode::Read, 0..size, |_| {});
        self.context.wait(None)?;
        self.in_flight.clear();
        let lost = |e: wgpu::MapRangeError| DeviceError::Lost {
            device: self.context.info.name.clone(),
            message: e.to_string(),
        };
        Ok(staging.get_mapped_range(0..size).map_err(lost)?.to_vec())
    }

    fn fetch(&mut self, plan: Prepared, index: usize, dtype: DType) -> Result<Vec<u32>, DeviceError> {
        let region = fetched(&self.plans[plan.0].plan, index, dtype)?;
        self.read_bits(plan, &region)
    }

    /// Records the launches of some steps, and submits them once.
    fn submit(&mut self, plan: Prepared, steps: Range<usize>, log: bool) -> Result<(), DeviceError> {
        let ready = &self.plans[plan.0];
        let mut encoder = self.context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        record(&mut encoder, &ready.launches[ready.starts[steps.start]..ready.starts[steps.end]], None);
        if log {
            let regions = ready.plan.fetches.iter().map(|(region, _)| self.resolve(&ready.plan, &ready.slots, region));
            let regions: Vec<_> = regions.map(|(buffer, offset, size)| (buffer.clone(), offset, size)).collect();
            self.log.record(&mut encoder, &regions);
        }
        let submission = self.enqueue(encoder);
        self.log.submitted(&self.context);
        self.in_flight.push_back(submission);
        if self.in_flight.len() > IN_FLIGHT {
            let oldest = self.in_flight.pop_front();
            self.context.wait(oldest)?;
        }
        self.context.check()
    }

    /// Refuses a tensor of more than `most` numbers, which is what this adapter `does` at most.
    fn fits(&self, numbers: usize, does: &str, most: usize) -> Result<(), DeviceError> {
        if numbers <= most {
            return Ok(());
        }
        let message = format!("a tensor has {numbers} numbers, and this adapter {does} {most} at most");
        Err(DeviceError::OutOfMemory { device: self.context.info.name.clone(), message })
    }

    fn enqueue(&mut self, encoder: wgpu::CommandEncoder) -> wgpu::SubmissionIndex {
        self.counters.submits += 1;
        self.context.queue.submit([encoder.finish()])
    }

    /// A resident buffer of at least `len` of these, and its elements.
    fn buffer(&self, name: &str, dtype: DType, len: usize) -> Result<(&wgpu::Buffer, usize), DeviceError> {
        let present = self.named.get(name);
        check_access(name, present.map(|(_, tensor)| tensor), dtype, len)?;
        let (buffer, tensor) = present.expect("it was checked");
        Ok((buffer, tensor.len()))
    }

    fn write(&mut self, name: &str, dtype: DType, bytes: &[u8]) -> Result<(), DeviceError> {
        let (buffer, _) = self.buffer(name, dtype, bytes.len() / 4)?;
        self.context.queue.write_buffer(buffer, 0, bytes);
        self.counters.uploaded += bytes.len() as u64;
        Ok(())
    }
}

/// Records launches in one pass, with a clock at its ends or without.
fn record(encoder: &mut wgpu::CommandEncoder, launches: &[Launch], clock: Option<wgpu::ComputePassTimestampWrites>) {
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes: clock });
    for Launch { kernel, bindings, workgroups: [x, y, z] } in launches {
        pass.set_pipeline(&kernel.pipeline);
        pass.set_bind_group(0, bindings, &[]);
        pass.dispatch_workgroups(*x, *y, *z);
    }
}

impl Device for Gpu {
    fn describe(&self) -> String {
        self.context.info.label()
    }

    /// A software adapter has the machine's memory.
    fn memory(&self) -> Option<u64> {
        if self.context.info.kind == "software" { memory::available() } else { self.context.memory }
    }

    fn target(&self) -> Target {
        self.target.clone()
    }

    fn allocate(&mut self, name: &str, tensor: &TensorType) -> Result<(), DeviceError> {
        let most = self.context.device.limits().max_buffer_size / 4;
        self.fits(tensor.len() + self.spare, "holds", usize::try_from(most).unwrap_or(usize::MAX))?;
        let buffer = self.context.buffer(name, tensor.len() + self.spare, STORAGE);
        self.context.check()?;
        self.fill_end(name, &buffer, tensor.len());
        self.named.insert(name.into(), (buffer, tensor.clone()));
        Ok(())
    }

    fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<(), DeviceError> {
        self.write(name, DType::F32, bytemuck::cast_slice(values))
    }

    fn write_u32(&mut self, name: &str, values: &[u32]) -> Result<(), DeviceError> {
        self.write(name, DType::U32, bytemuck::cast_slice(values))
    }

    fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, DeviceError> {
        let (buffer, len) = self.buffer(name, DType::F32, 0)?;
        let (buffer, size) = (buffer.clone(), 4 * len as u64);
        Ok(bytemuck::pod_collect_to_vec(&self.read(&buffer, 0, size)?))
    }

    fn prepare(&mut self, plan: Plan) -> Result<Prepared, DeviceError> {
        for (name, tensor) in &plan.inputs {
            let present = self.named.get(name).map(|(_, t)| t);
            if present != Some(tensor) {
                let present = present.map_or("missing".into(), ToString::to_string);
                return Err(DeviceError::Mismatch { name: name.clone(), needed: tensor.to_string(), present });
            }
        }
        let regions =
            plan.steps.iter().flat_map(|s| s.inputs.iter().chain(s.outputs.iter().flatten()).chain(&s.scratch));
        self.fits(regions.map(|r| r.len).max().unwrap_or(0), "binds", self.context.target.max_binding)?;
        // Where memory ends while slots are made, those that are none must not be given to later plans.
        let before = (self.pool.len(), self.slots.clone());
        // A slot that must grow gets a new buffer; plans made before keep the old one.
        let (context, pool, spare) = (&self.context, &mut self.pool, self.spare);
        let indices = share_slots(&plan.slots, &mut self.slots, |_, index, len| match index {
            Some(index) => Ok((pool[index].1 >= len).then_some(index)),
            None => {
                pool.push((context.buffer("slot", len + spare, STORAGE), len));
                Ok(Some(pool.len() - 1))
            }
        })?;
        if let Err(error) = self.context.check() {
            self.pool.truncate(before.0);
            self.slots = before.1;
            return Err(error);
        }
        let slots: Vec<_> = indices.into_iter().map(|i| self.pool[i].0.clone()).collect();
        let uniforms = Uniforms::new(&self.context, &plan);
        let dispatches = plan.steps.iter().flat_map(|step| step.dispatches.iter().map(move |d| (step, d)));
        let launches = dispatches.map(|(step, d)| self.launch(&plan, &slots, step, d, &uniforms)).collect();
        self.context.check()?;
        let mut starts = vec![0];
        starts.extend(plan.steps.iter().scan(0, |end, step| {
            *end += step.dispatches.len();
            Some(*end)
        }));
        self.plans.push(Ready { plan, launches, starts, slots });
        Ok(Prepared(self.plans.len() - 1))
    }

    fn fill_slots(&mut self, bits: u32) {
        for (i, (buffer, elements)) in self.pool.iter().enumerate() {
            self.context.queue.write_buffer(buffer, 0, bytemuck::cast_slice(&vec![bits; *elements]));
            self.fill_end(&slot(i), buffer, *elements);
        }
    }

    fn overrun(&mut self) -> Result<Option<String>, DeviceError> {
        self.find_overrun()
    }

    fn run(&mut self, plan: Prepared, log: bool) -> Result<(), DeviceError> {
        self.submit(plan, 0..self.plans[plan.0].plan.steps.len(), log)
    }

    fn run_part(&mut self, plan: Prepared, steps: Range<usize>) -> Result<(), DeviceError> {
        self.submit(plan, steps, false)
    }

    fn read_bits(&mut self, plan: Prepared, region: &Region) -> Result<Vec<u32>, DeviceError> {
        let ready = &self.plans[plan.0];
        let (buffer, offset, size) = self.resolve(&ready.plan, &ready.slots, region);
        let buffer = buffer.clone();
        Ok(bytemuck::pod_collect_to_vec(&self.read(&buffer, offset, size)?))
    }

    fn profile(&mut self, plan: Prepared) -> Result<Profile, DeviceError> {
        profile::profile(self, plan)
    }

    fn counters(&self) -> Counters {
        let elements: usize =
            self.named.values().map(|(_, t)| t.len()).chain(self.pool.iter().map(|(_, len)| *len)).sum();
        Counters { held: 4 * elements as u64, ..self.counters }
    }

    fn logged(&mut self, wait: bool) -> Result<Vec<Vec<f32>>, DeviceError> {
        self.log.arrived(&self.context, wait)
    }

    fn fetch_f32(&mut self, plan: Prepared, index: usize) -> Result<Vec<f32>, DeviceError> {
        Ok(self.fetch(plan, index, DType::F32)?.into_iter().map(f32::from_bits).collect())
    }

    fn fetch_u32(&mut self, plan: Prepared, index: usize) -> Result<Vec<u32>, DeviceError> {
        self.fetch(plan, index, DType::U32)
    }
}
