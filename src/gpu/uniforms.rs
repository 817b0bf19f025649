//! The uniforms of a plan's launches.

use std::collections::HashMap;

use crate::graph::Dispatch;
use crate::plan::Plan;

use super::context::Context;

/// The static parameters of all launches of a plan, in one buffer.
pub struct Uniforms {
    buffer: wgpu::Buffer,
    offsets: HashMap<*const Dispatch, u64>,
}

impl Uniforms {
    pub fn new(context: &Context, plan: &Plan) -> Self {
        let alignment = context.device.limits().min_uniform_buffer_offset_alignment.max(16) as usize / 4;
        let (mut words, mut offsets): (Vec<u32>, _) = (vec![], HashMap::new());
        for dispatch in plan.steps.iter().flat_map(|s| &s.dispatches) {
            offsets.insert(std::ptr::from_ref(dispatch), 4 * words.len() as u64);
            words.extend(&dispatch.uniform);
            // A uniform block is a multiple of 16 bytes.
            words.resize((words.len() + 3).next_multiple_of(alignment), 0);
        }
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let buffer = context.buffer("uniforms", words.len(), usage);
        context.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(&words));
        Self { buffer, offsets }
    }

    pub fn binding(&self, dispatch: &Dispatch) -> wgpu::BufferBinding<'_> {
        let size = 4 * dispatch.uniform.len().next_multiple_of(4) as u64;
        wgpu::BufferBinding {
            buffer: &self.buffer,
            offset: self.offsets[&std::ptr::from_ref(dispatch)],
            size: wgpu::BufferSize::new(size),
        }
    }
}
