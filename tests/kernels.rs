//! Every shader against the tracked reference, on the software adapter: the quick list of `wgrad check`.
//!
//! Needs a Vulkan driver: `tests/install_vulkan.sh` installs one. Without an adapter these tests fail and say so.

mod gpu;

use wgrad::check::{Subject, check_op};
use wgrad::gpu::{Gpu, Limits};
use wgrad::ops::OPS;
use wgrad::ops::case::CaseSet;

#[test]
fn kernels_stay_within_the_bound() {
    check("bounds checks off", gpu::open);
}

#[test]
fn kernels_stay_within_the_bound_under_bounds_checks() {
    check("bounds checks on", || {
        let mut gpu = gpu::open();
        gpu.check_bounds();
        gpu
    });
}

#[test]
fn kernels_need_no_more_than_webgpu_guarantees() {
    check("WebGPU's limits", || gpu::open_within(Limits::WebGpu));
}

/// The kernels for software adapters and, run by the same one, those for hardware.
fn check(mode: &'static str, open: impl Fn() -> Gpu) {
    for (name, cases) in OPS {
        let cases: Vec<_> = cases(&CaseSet::default()).into_iter().enumerate().collect();
        let mut gpu = open();
        gpu.watch_ends();
        let mut subject = [Subject { device: Box::new(gpu), mode }];
        for row in check_op(name, &cases, &mut subject).unwrap_or_else(|e| panic!("{e}")) {
            println!("{name:22} {:8} worst error {:5.1} % of its bound", row.kernels, 100.0 * row.worst.share);
            if let Some(failure) = row.failures.first() {
                panic!("{}: {}", failure.label, failure.problem);
            }
        }
    }
}
