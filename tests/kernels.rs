//! Every shader against the tracked reference, on the software adapter.
//!
//! Needs a Vulkan driver: `tests/install_vulkan.sh` installs one. Without an adapter these tests fail and say so.

mod common;
mod gpu;

use wgrad::gpu::Gpu;
use wgrad::ops::OPS;

#[test]
fn kernels_for_software_adapters_stay_within_the_bound() {
    check(gpu::open);
}

/// The kernels that a hardware GPU gets, run by the software adapter.
#[test]
fn kernels_for_hardware_stay_within_the_bound() {
    check(|| {
        let mut gpu = gpu::open();
        gpu.take_hardware_kernels();
        gpu
    });
}

fn check(open: impl Fn() -> Gpu) {
    for (name, cases) in OPS {
        let mut gpu = open();
        let worst = cases().iter().map(|case| common::compare(&mut gpu, case)).fold(0.0, f64::max);
        println!("{name:22} worst error {:5.1} % of its bound", 100.0 * worst);
    }
}
