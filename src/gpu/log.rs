//! Losses come back without stopping the device: each run copies a few numbers into a buffer, and full buffers are
//! mapped while later runs go on.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use crate::plan::DeviceError;

use super::context::Context;

/// Records of a buffer: one mapping for 16 steps.
const RECORDS: u64 = 16;
/// Bytes of a record: up to eight numbers.
const BYTES: u64 = 32;

struct Sent {
    buffer: wgpu::Buffer,
    records: u64,
    numbers: usize,
    done: Receiver<Result<(), wgpu::BufferAsyncError>>,
}

pub struct Log {
    filling: wgpu::Buffer,
    records: u64,
    numbers: usize,
    sent: VecDeque<Sent>,
    /// Buffers that came back, to be filled again.
    free: Vec<wgpu::Buffer>,
}

fn buffer(context: &Context) -> wgpu::Buffer {
    context.buffer("log", (RECORDS * BYTES / 4) as usize, wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ)
}

impl Log {
    pub fn new(context: &Context) -> Self {
        Self { filling: buffer(context), records: 0, numbers: 0, sent: VecDeque::new(), free: vec![] }
    }

    /// Appends copies of (buffer, offset, bytes) to the run being recorded.
    pub fn record(&mut self, encoder: &mut wgpu::CommandEncoder, regions: &[(wgpu::Buffer, u64, u64)]) {
        let mut at = 0;
        for (source, offset, size) in regions {
            assert!(at + size <= BYTES, "a log record holds eight numbers");
            encoder.copy_buffer_to_buffer(source, *offset, &self.filling, self.records * BYTES + at, *size);
            at += size;
        }
        self.records += 1;
        self.numbers = (at / 4) as usize;
    }

    /// After the submit: sends a full buffer on its way.
    pub fn submitted(&mut self, context: &Context) {
        if self.records == RECORDS {
            self.send(context);
        }
    }

    fn send(&mut self, context: &Context) {
        let next = self.free.pop().unwrap_or_else(|| buffer(context));
        let buffer = std::mem::replace(&mut self.filling, next);
        let (sender, done) = channel();
        // The receiver outlives the callback unless the device is dropped, when nobody waits for the result.
        buffer.map_async(wgpu::MapMode::Read, .., move |result| drop(sender.send(result)));
        self.sent.push_back(Sent { buffer, records: self.records, numbers: self.numbers, done });
        self.records = 0;
    }

    /// What has arrived, oldest first; with `wait`, everything.
    pub fn arrived(&mut self, context: &Context, wait: bool) -> Result<Vec<Vec<f32>>, DeviceError> {
        if wait {
            if self.records > 0 {
                self.send(context);
            }
            context.wait(None)?;
        } else {
            // An error of a poll that does not wait shows at the next one that does.
            let _ = context.poll(wgpu::PollType::Poll);
        }
        let lost = |message: String| DeviceError::Lost { device: context.info.name.clone(), message };
        let mut results = vec![];
        while let Some(sent) = self.sent.front() {
            // Where several threads poll one device, the wait above may end before another thread, which was told of
            // the buffer, has passed that on.
            let told = if wait { sent.done.recv().map_err(TryRecvError::from) } else { sent.done.try_recv() };
            match told {
                Ok(Ok(())) => {}
                Err(TryRecvError::Empty) => break,
                Ok(Err(e)) => return Err(lost(e.to_string())),
                Err(e) => return Err(lost(e.to_string())),
            }
            let sent = self.sent.pop_front().expect("looked at above");
            {
                let view = sent.buffer.get_mapped_range(..).map_err(|e| lost(e.to_string()))?;
                let numbers: Vec<f32> = bytemuck::pod_collect_to_vec(&view[..(sent.records * BYTES) as usize]);
                results.extend(numbers.chunks_exact(BYTES as usize / 4).map(|r| r[..sent.numbers].to_vec()));
            }
            sent.buffer.unmap();
            self.free.push(sent.buffer);
        }
        Ok(results)
    }
}
