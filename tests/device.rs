//! Writes and reads that a device must refuse, the same on the CPU and on an adapter.

mod gpu;

use wgrad::cpu::Cpu;
use wgrad::graph::TensorType;
use wgrad::plan::{Device, DeviceError};

#[test]
fn unknown_short_and_other_buffers_are_refused() -> Result<(), DeviceError> {
    let devices: [Box<dyn Device>; 2] = [Box::new(Cpu::<f32>::new()), Box::new(gpu::open())];
    for mut device in devices {
        device.allocate("numbers", &TensorType::f32(&[3]))?;
        device.allocate("ids", &TensorType::u32(&[3]))?;
        device.write_f32("numbers", &[1.0, 2.0, 3.0])?;
        let before = device.counters();
        let refused = [
            (
                device.write_f32("nothing", &[1.0]).err(),
                "`nothing` must be f32 of at least 1, and on the device it is missing",
            ),
            (device.write_f32("ids", &[1.0]).err(), "`ids` must be f32 of at least 1, and on the device it is u32[3]"),
            (
                device.write_u32("numbers", &[1]).err(),
                "`numbers` must be u32 of at least 1, and on the device it is f32[3]",
            ),
            (
                device.write_f32("numbers", &[9.0; 4]).err(),
                "`numbers` must be f32 of at least 4, and on the device it is f32[3]",
            ),
            (device.write_u32("ids", &[9; 4]).err(), "`ids` must be u32 of at least 4"),
            (device.read_f32("ids").err(), "`ids` must be f32"),
            (device.read_f32("nothing").err(), "`nothing` must be f32"),
        ];
        for (error, expected) in refused {
            let error = error.unwrap_or_else(|| panic!("{expected}: it was not refused")).to_string();
            assert!(error.contains(expected), "{}: {error}", device.describe());
        }
        assert_eq!(device.counters().uploaded, before.uploaded, "{}", device.describe());
        // Nothing of the refused ones was written, and the front alone is.
        device.write_f32("numbers", &[7.0])?;
        assert_eq!(device.read_f32("numbers")?, [7.0, 2.0, 3.0], "{}", device.describe());
    }
    Ok(())
}
