//! Writes, reads and fetches that a device must refuse, the same on the CPU and on an adapter.

mod gpu;

use wgrad::cpu::Cpu;
use wgrad::graph::{Graph, TensorType};
use wgrad::ops::argmax::argmax;
use wgrad::plan::{Device, DeviceError, Plan};

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
        let mut graph = Graph::new();
        let numbers = graph.input("numbers", TensorType::f32(&[3])).expect("a new input");
        let largest = argmax(&mut graph, numbers).expect("one row");
        let plan = Plan::new(&graph, &[numbers, largest], &[], &device.target());
        let plan = device.prepare(plan)?;
        device.run(plan, false)?;
        assert_eq!((device.fetch_f32(plan, 0)?, device.fetch_u32(plan, 1)?), (vec![1.0, 2.0, 3.0], vec![2]));
        for (error, expected) in [
            (device.fetch_u32(plan, 0).err(), "`fetch 0` must be u32, and on the device it is f32[3]"),
            (device.fetch_f32(plan, 1).err(), "`fetch 1` must be f32, and on the device it is u32["),
            (device.fetch_f32(plan, 2).err(), "`fetch 2` must be f32, and on the device it is missing"),
        ] {
            let error = error.unwrap_or_else(|| panic!("{expected}: it was not refused")).to_string();
            assert!(error.contains(expected), "{}: {error}", device.describe());
        }
        // Nothing of the refused ones was written, and the front alone is.
        device.write_f32("numbers", &[7.0])?;
        assert_eq!(device.read_f32("numbers")?, [7.0, 2.0, 3.0], "{}", device.describe());
    }
    Ok(())
}
