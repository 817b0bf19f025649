//! Canaries behind the ends of buffers: what a kernel writes there shows.

use crate::plan::DeviceError;

use super::Gpu;

/// What stands behind the end of a buffer that is watched: bits of a NaN that no computation gives, others for every
/// buffer. For arithmetic passes the bits of a NaN on: what a kernel read behind one buffer and wrote behind another
/// must not look as if nobody had written there.
fn behind(owner: &str) -> u32 {
    let hash = owner.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    0x7fc0_0001 | hash & 0x003f_ffff
}

/// The owner of slot `i`, for [`behind`] and messages.
pub fn slot(i: usize) -> String {
    format!("slot {i}")
}

impl Gpu {
    pub(super) fn fill_end(&self, owner: &str, buffer: &wgpu::Buffer, elements: usize) {
        if self.spare > 0 {
            let bits = vec![behind(owner); self.spare];
            self.context.queue.write_buffer(buffer, 4 * elements as u64, bytemuck::cast_slice(&bits));
        }
    }

    /// The first element behind an end that is no longer what stood there.
    pub(super) fn find_overrun(&mut self) -> Result<Option<String>, DeviceError> {
        if self.spare == 0 {
            return Ok(None);
        }
        let slots = self.pool.iter().enumerate().map(|(i, (buffer, elements))| (slot(i), buffer, *elements));
        let named = self.named.iter().map(|(name, (buffer, tensor))| (name.clone(), buffer, tensor.len()));
        let ends = named.chain(slots).map(|(name, buffer, len)| (name, buffer.clone(), 4 * len as u64));
        for (name, buffer, end) in ends.collect::<Vec<_>>() {
            let found = self.read(&buffer, end, 4 * self.spare as u64)?;
            let found: Vec<u32> = bytemuck::pod_collect_to_vec(&found);
            if let Some(at) = found.iter().position(|&bits| bits != behind(&name)) {
                let len = end as usize / 4;
                return Ok(Some(format!("element {} of {name}, which has {len}", len + at)));
            }
        }
        Ok(None)
    }
}
