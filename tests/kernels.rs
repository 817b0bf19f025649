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

/// Two conditions at once, since compiling takes most of the time: the driver's bounds checks, and no more than WebGPU's guaranteed limits.
#[test]
fn kernels_stay_within_the_bound_under_bounds_checks_and_webgpus_limits() {
    check("bounds checks on, WebGPU's limits", || {
        let mut gpu = gpu::open_within(Limits::WebGpu);
        gpu.check_bounds();
        gpu
    });
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
