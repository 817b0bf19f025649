//! What training and decoding ask of a device. `cpu` and `gpu` implement it over the same plans.

use std::ops::Range;

use thiserror::Error;

use crate::graph::{DType, Target, TensorType};

use super::{Plan, Region, Slot};

/// A plan made ready on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared(pub usize);

/// What can go wrong on a device while a correct plan runs.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeviceError {
    #[error(
        "the device `{device}` ran out of memory: {message}. Smaller batches (train.batch) or a smaller model take less"
    )]
    OutOfMemory { device: String, message: String },
    #[error("the device `{device}` was lost: {message}. The last checkpoint of a run is intact")]
    Lost { device: String, message: String },
    #[error(
        "the driver of `{device}` refused a kernel: {message}. Please report this; the device `cpu` works without a \
         driver"
    )]
    Validation { device: String, message: String },
    #[error("{place}: {message}")]
    Shader { place: String, message: String },
    #[error("the buffer `{name}` must be {needed}, and on the device it is {present}")]
    Mismatch { name: String, needed: String, present: String },
}

/// How long each step of a plan took on the device.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Seconds, in the order of the plan's steps.
    pub steps: Vec<f64>,
    pub clock: Clock,
}

/// What measured a [`Profile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The device's own.
    Timestamps,
    /// The host's, around each step by itself: the cost of a submit is in every figure.
    Wall,
}

/// What a device has done since it was opened, and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub submits: u64,
    /// Bytes that the host wrote into buffers.
    pub uploaded: u64,
    /// Bytes of all buffers.
    pub held: u64,
}

/// Refuses to write `len` numbers of a type into a resident buffer, or to read them from it, that is not there, has
/// another type or is shorter.
pub(crate) fn check_access(
    name: &str,
    present: Option<&TensorType>,
    dtype: DType,
    len: usize,
) -> Result<(), DeviceError> {
    if present.is_some_and(|tensor| tensor.dtype == dtype && tensor.len() >= len) {
        return Ok(());
    }
    let dtype = if dtype == DType::F32 { "f32" } else { "u32" };
    let needed = if len == 0 { dtype.into() } else { format!("{dtype} of at least {len}") };
    let present = present.map_or("missing".into(), ToString::to_string);
    Err(DeviceError::Mismatch { name: name.into(), needed, present })
}

/// Where fetch `index` of a plan lies; refuses one that is not there, or has another type.
pub(crate) fn fetched(plan: &Plan, index: usize, dtype: DType) -> Result<Region, DeviceError> {
    let present = plan.fetches.get(index);
    check_access(&format!("fetch {index}"), present.map(|(_, tensor)| tensor), dtype, 0)?;
    Ok(present.expect("it was checked").0)
}

/// Runs plans. Every buffer that outlives a step is named, allocated once, and found by the plans under that name.
pub trait Device {
    /// What to tell the user: "cpu (2 threads)", "NVIDIA H100 (Vulkan)".
    fn describe(&self) -> String;

    /// Bytes of memory that can still be taken, or that the device has in all, where that is known.
    fn memory(&self) -> Option<u64> {
        None
    }

    /// What a plan for this device must respect.
    fn target(&self) -> Target;

    /// Makes a resident buffer of zeros, or replaces the one of this name.
    ///
    /// # Errors
    /// When memory is short. Everything is as before then.
    fn allocate(&mut self, name: &str, tensor: &TensorType) -> Result<(), DeviceError>;

    /// Overwrites the front of a resident buffer of numbers.
    ///
    /// # Errors
    /// When there is no such buffer, it holds ids, or it is shorter.
    fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<(), DeviceError>;

    /// Overwrites the front of a resident buffer of ids.
    ///
    /// # Errors
    /// When there is no such buffer, it holds numbers, or it is shorter.
    fn write_u32(&mut self, name: &str, values: &[u32]) -> Result<(), DeviceError>;

    /// The contents of a resident buffer of numbers. Waits for the device.
    ///
    /// # Errors
    /// When there is no such buffer, it holds ids, or the device is lost.
    fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, DeviceError>;

    /// Compiles kernels, binds buffers. Plans for large shapes come first, so that small ones reuse their slots.
    ///
    /// # Errors
    /// When memory is short, a kernel does not compile, or a named buffer is missing or has another type. Plans that
    /// were prepared before can be run then, and others prepared.
    fn prepare(&mut self, plan: Plan) -> Result<Prepared, DeviceError>;

    /// Fills every slot with these bits: tests let NaN stand where a kernel forgets to write.
    fn fill_slots(&mut self, bits: u32);

    /// Where a kernel wrote past the end of a buffer since it was allocated or filled, if the device keeps watch
    /// (`Gpu::watch_ends`).
    ///
    /// # Errors
    /// When the device is lost.
    fn overrun(&mut self) -> Result<Option<String>, DeviceError> {
        Ok(None)
    }

    /// Runs a plan: one submit. Returns at once on a GPU. With `log`, the fetches (at most eight numbers together) are
    /// kept for [`Device::logged`].
    ///
    /// # Errors
    /// When an earlier run failed.
    fn run(&mut self, plan: Prepared, log: bool) -> Result<(), DeviceError>;

    /// The bits of part of a plan's buffers. Waits for the device.
    ///
    /// # Errors
    /// When the device is lost.
    fn read_bits(&mut self, plan: Prepared, region: &Region) -> Result<Vec<u32>, DeviceError>;

    /// Runs these of a plan's steps: the next ones after those that ran last, or the first. The rest may be left out.
    ///
    /// # Errors
    /// As [`Device::run`].
    fn run_part(&mut self, plan: Prepared, steps: Range<usize>) -> Result<(), DeviceError>;

    /// Runs a plan with a clock on every step. Waits for the device.
    ///
    /// # Errors
    /// When the device is lost.
    fn profile(&mut self, plan: Prepared) -> Result<Profile, DeviceError>;

    fn counters(&self) -> Counters;

    /// The fetches of logged runs that have arrived, those of a run in one list, oldest first; with `wait`, of all of
    /// them.
    ///
    /// # Errors
    /// When the device is lost.
    fn logged(&mut self, wait: bool) -> Result<Vec<Vec<f32>>, DeviceError>;

    /// Fetch `index` of the plan's latest run, as numbers. Waits for the device.
    ///
    /// # Errors
    /// When there is no such fetch, it holds ids, or the device is lost.
    fn fetch_f32(&mut self, plan: Prepared, index: usize) -> Result<Vec<f32>, DeviceError>;

    /// Fetch `index` of the plan's latest run, as ids. Waits for the device.
    ///
    /// # Errors
    /// When there is no such fetch, it holds numbers, or the device is lost.
    fn fetch_u32(&mut self, plan: Prepared, index: usize) -> Result<Vec<u32>, DeviceError>;
}

/// Maps a plan's slots onto a pool that all plans share: the largest onto the first, and so on. `provide` makes a new
/// buffer, or grows the one it is offered; `None` where that has another type, or cannot grow.
///
/// # Errors
/// When `provide` finds no memory.
pub fn share_slots(
    slots: &[Slot],
    pool: &mut Vec<usize>,
    mut provide: impl FnMut(DType, Option<usize>, usize) -> Result<Option<usize>, DeviceError>,
) -> Result<Vec<usize>, DeviceError> {
    let mut order: Vec<usize> = (0..slots.len()).collect();
    order.sort_by_key(|&s| std::cmp::Reverse(slots[s].len));
    let mut used = vec![false; pool.len()];
    let mut result = vec![0; slots.len()];
    for slot in order {
        let Slot { dtype, len } = slots[slot];
        let mut place = None;
        for free in (0..used.len()).filter(|&p| !used[p]) {
            if provide(dtype, Some(pool[free]), len)?.is_some() {
                place = Some(free);
                break;
            }
        }
        let place = match place {
            Some(place) => place,
            None => {
                pool.push(provide(dtype, None, len)?.expect("a new buffer has the type that was asked for"));
                used.push(true);
                pool.len() - 1
            }
        };
        used[place] = true;
        result[slot] = pool[place];
    }
    Ok(result)
}

/// Elements of the buffers that a device makes for the slots of these plans, prepared in this order.
pub fn pool_elements<'p>(plans: impl IntoIterator<Item = &'p Plan>, target: &Target) -> usize {
    let (mut pool, mut buffers): (Vec<usize>, Vec<Slot>) = (vec![], vec![]);
    for plan in plans {
        let provide = |dtype, index: Option<usize>, len| {
            let Some(index) = index else {
                buffers.push(Slot { dtype, len });
                return Ok(Some(buffers.len() - 1));
            };
            let buffer = &mut buffers[index];
            // As the devices do: the CPU makes a buffer longer, a GPU takes another one.
            let fits = if target.is_cpu() { buffer.dtype == dtype } else { buffer.len >= len };
            if fits {
                buffer.len = buffer.len.max(len);
            }
            Ok(fits.then_some(index))
        };
        share_slots(&plan.slots, &mut pool, provide).expect("nothing is allocated");
    }
    buffers.iter().fold(0, |sum, slot| sum.saturating_add(slot.len))
}
