//! Every shader against the tracked reference, on the software adapter: the quick list of `wgrad check`.
//!
//! Needs a Vulkan driver: `tests/install_vulkan.sh` installs one. Without an adapter these tests fail and say so.

mod gpu;

use wgrad::bench::ceilings::MultiplyAdd;
use wgrad::check::{DeviceUnderTest, Kernels, Open, check_op, plan_of, run_twice, targets};
use wgrad::cpu::Cpu;
use wgrad::gpu::Limits;
use wgrad::graph::{DType, Graph, TensorType};
use wgrad::ops::OPS;
use wgrad::ops::case::CaseSet;
use wgrad::plan::{Device, Plan};

#[test]
fn kernels_stay_within_the_bound() {
    check("bounds checks off", Limits::Adapter, false);
}

/// Two conditions at once, since compiling takes most of the time: the driver's bounds checks, and no more than
/// WebGPU's guaranteed limits.
#[test]
fn kernels_stay_within_the_bound_under_bounds_checks_and_webgpus_limits() {
    check("bounds checks on, WebGPU's limits", Limits::WebGpu, true);
}

/// The kernels for software adapters and, run by the same one, those for hardware, with and without subgroup
/// operations.
fn check(mode: &'static str, limits: Limits, checked: bool) {
    let open: Open = Box::new(move |number| {
        let mut gpu = gpu::open_apart(limits, number);
        gpu.watch_ends();
        if checked {
            gpu.check_bounds();
        }
        Ok(Box::new(gpu))
    });
    let has_subgroups = gpu::open_apart(limits, 0).target().subgroup > 0;
    let subject = [DeviceUnderTest { open, mode }];
    let mut subgroups = false;
    for op in OPS {
        let name = op.name;
        let cases: Vec<_> = op.cases(&CaseSet::default()).into_iter().enumerate().collect();
        for row in check_op(name, &cases, &subject, |_| ()).unwrap_or_else(|e| panic!("{e}")) {
            subgroups |= row.kernels == Kernels::Subgroups;
            println!("{name:22} {:9} worst error {:5.1} % of its bound", row.kernels, 100.0 * row.worst.share);
            if let Some(failure) = row.failures.first() {
                panic!("{}: {}", failure.label, failure.problem);
            }
        }
    }
    assert_eq!(subgroups, has_subgroups, "some kernels use subgroup operations where the device has them");
}

/// A choice among NaN is in range with every kind of kernels, and nothing is left unwritten, which would become a place
/// in a buffer. Which one is chosen is the driver's: WGSL lets a compiler take it that no number is NaN, and
/// SwiftShader's choice is another than llvmpipe's.
#[test]
fn a_choice_among_nan_is_in_range_on_every_device() {
    let mut gpu = gpu::open();
    let targets = targets(&gpu);
    for op in OPS.iter().filter(|op| ["argmax", "beam_step"].contains(&op.name)) {
        let name = op.name;
        for case in op.cases(&CaseSet::default()).iter().flat_map(|case| case.with_everywhere(f32::NAN)) {
            let logits = case.inputs[0].tensor_type();
            for (kernels, target) in &targets {
                let (plan, types) = plan_of(&case, target);
                let [first, second] = run_twice(&mut gpu, &case, plan, &types).unwrap_or_else(|e| panic!("{e}"));
                let outputs = first.iter().zip(&second).zip(&types).filter(|(_, tensor)| tensor.dtype == DType::U32);
                let mut ids = outputs.map(|((first, second), _)| {
                    assert_eq!(first, second, "{name}, {kernels} kernels, {}", case.label());
                    first
                });
                let below = |ids: Option<&Vec<u32>>, end: usize| {
                    let ids = ids.expect("an output");
                    let in_range = ids.iter().all(|&id| (id as usize) < end);
                    assert!(in_range, "{name}, {kernels} kernels, {}: {ids:?}", case.label());
                };
                if name == "beam_step" {
                    // After the lengths come the rows that are continued.
                    below(ids.nth(1), logits.rows());
                }
                below(ids.next(), logits.columns());
            }
        }
    }
}

/// What the multiply-add rate is computed from: with 1 as factor and addend each chain counts.
fn count_multiply_adds(device: &mut dyn Device, half: bool) {
    let tensor = TensorType::f32(&[512]);
    device.allocate("x", &tensor).expect("memory");
    device.write_f32("x", &(0..512).map(|i| (i % 5) as f32).collect::<Vec<_>>()).expect("it is there");
    let mut graph = Graph::new();
    let x = graph.input("x", tensor).expect("a new input");
    let y = graph.push1(MultiplyAdd { half, step: [1.0, 1.0] }, &[x]).expect("numbers");
    let plan = Plan::new(&graph, &[y], &[], &device.target());
    let step = &plan.steps[0];
    let counted = step.op.work(&step.types).flops / 2.0 / 512.0;
    let prepared = device.prepare(plan).expect("a kernel that compiles");
    device.run(prepared, false).expect("a device");
    let chains = if half { 16 } else { 8 };
    for (i, y) in device.fetch_f32(prepared, 0).expect("a device").into_iter().enumerate() {
        let begun = (0..chains).map(|chain| (i % 5 + chain) as f64).sum::<f64>();
        assert_eq!(f64::from(y) - begun, counted, "number {i}, half {half}, {}", device.describe());
    }
}

#[test]
fn the_bench_does_as_many_multiply_adds_as_it_counts() {
    count_multiply_adds(&mut Cpu::<f32>::new(), false);
    let mut gpu = gpu::open();
    count_multiply_adds(&mut gpu, false);
    if gpu.target().half {
        count_multiply_adds(&mut gpu, true);
    }
}
