//! A clock on every step of a plan.

use std::time::Instant;

use crate::plan::{Clock, DeviceError, Prepared, Profile};

use super::{Gpu, Launch, record};

pub fn profile(gpu: &mut Gpu, plan: Prepared) -> Result<Profile, DeviceError> {
    gpu.context.wait(None)?;
    let stamped = if gpu.has_clock { by_timestamps(gpu, plan)? } else { None };
    // Once without is always without: figures of one bench must not come from two clocks.
    gpu.has_clock = stamped.is_some();
    let mut profile = match stamped {
        Some(steps) => Profile { steps, clock: Clock::Timestamps },
        None => Profile { steps: by_wall(gpu, plan)?, clock: Clock::Wall },
    };
    gpu.in_flight.clear();
    profile.steps.iter_mut().for_each(|seconds| *seconds = seconds.max(0.0));
    Ok(profile)
}

/// The launches of each step.
fn by_step(gpu: &Gpu, plan: Prepared) -> Vec<&[Launch]> {
    let ready = &gpu.plans[plan.0];
    ready.starts.windows(2).map(|step| &ready.launches[step[0]..step[1]]).collect()
}

/// Timestamps before the first step that launches anything and after each such step; `None` where the driver wrote
/// none, as Metal's of macOS 26 does at times.
fn by_timestamps(gpu: &mut Gpu, plan: Prepared) -> Result<Option<Vec<f64>>, DeviceError> {
    let (device, steps) = (&gpu.context.device, by_step(gpu, plan));
    let mut seconds = vec![0.0; steps.len()];
    let busy: Vec<usize> = (0..steps.len()).filter(|&step| !steps[step].is_empty()).collect();
    if busy.is_empty() {
        return Ok(Some(seconds));
    }
    let count = busy.len() + 1;
    let most = wgpu::QUERY_SET_MAX_QUERIES as usize;
    let sets: Vec<_> = (0..count)
        .step_by(most)
        .map(|first| {
            device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("profile"),
                ty: wgpu::QueryType::Timestamp,
                count: most.min(count - first) as u32,
            })
        })
        .collect();
    let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
    let resolved = gpu.context.buffer("timestamps", 2 * count, usage);
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    for (end, &step) in (1..).zip(&busy) {
        let clock = wgpu::ComputePassTimestampWrites {
            query_set: &sets[end / most],
            beginning_of_pass_write_index: (end == 1).then_some(0),
            end_of_pass_write_index: Some((end % most) as u32),
        };
        record(&mut encoder, steps[step], Some(clock));
    }
    for (i, set) in sets.iter().enumerate() {
        let queries = most.min(count - i * most) as u32;
        encoder.resolve_query_set(set, 0..queries, &resolved, (8 * i * most) as u64);
    }
    gpu.enqueue(encoder);
    let nanoseconds = f64::from(gpu.context.queue.get_timestamp_period());
    let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&gpu.read(&resolved, 0, 8 * count as u64)?);
    for (&step, t) in busy.iter().zip(ticks.windows(2)) {
        seconds[step] = t[1].wrapping_sub(t[0]) as i64 as f64 * nanoseconds * 1e-9;
    }
    Ok((!ticks.contains(&0)).then_some(seconds))
}

/// Each step submitted by itself and waited for.
fn by_wall(gpu: &mut Gpu, plan: Prepared) -> Result<Vec<f64>, DeviceError> {
    let mut seconds = vec![];
    for step in 0..gpu.plans[plan.0].plan.steps.len() {
        let start = Instant::now();
        let mut encoder = gpu.context.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        record(&mut encoder, by_step(gpu, plan)[step], None);
        let submission = gpu.enqueue(encoder);
        gpu.context.wait(Some(submission))?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok(seconds)
}
