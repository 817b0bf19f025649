//! Holds the kernels to their bounds, the derivatives to finite differences, and a planted error to be found.

use std::sync::Arc;

use own_op::{LISTING, rms_norm};
use wgrad::check::{DeviceUnderTest, Open, check_gradients, check_op};
use wgrad::cpu::Cpu;
use wgrad::gpu::{Gpu, Limits, Shaders};
use wgrad::graph::{Graph, TensorType};
use wgrad::ops::case::{Case, CaseSet};
use wgrad::ops::{gradients, sum::sum, tanh::tanh};
use wgrad::plan::{Device, Plan};

fn cases() -> Vec<(usize, Case)> {
    LISTING.cases(&CaseSet::default()).into_iter().enumerate().collect()
}

/// The best adapter, a software one too. Without any the test fails and says what installs one.
fn gpu(shaders: Arc<Shaders>) -> DeviceUnderTest {
    let open: Open = Box::new(move |number| {
        let mut gpu = Gpu::open_apart("", Limits::Adapter, number)?;
        gpu.watch_ends();
        gpu.take_shaders(shaders.clone());
        Ok(Box::new(gpu))
    });
    DeviceUnderTest { open, mode: "with bounds checks" }
}

#[test]
fn kernels_keep_to_their_bounds() {
    let rows = check_op(LISTING.name, &cases(), &[gpu(Arc::default())], |_| ()).unwrap_or_else(|e| panic!("{e}"));
    for row in rows {
        assert!(row.failures.is_empty(), "{:#?}", row.failures);
    }
}

#[test]
fn derivatives_are_those_of_finite_differences() {
    let row = check_gradients(LISTING.name, &cases()).expect("differentiable inputs");
    assert!(row.failures.is_empty() && row.cases > 5, "{:#?}", row.failures);
}

#[test]
fn a_planted_error_is_found() {
    let folder = std::env::temp_dir().join(format!("own_op-{}", std::process::id()));
    let (name, text) = LISTING.files().next().expect("one file");
    let wrong = text.replace("* scale * mean", "* mean");
    assert_ne!(wrong, text);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(format!("{name}.wgsl")), wrong).expect("a file");
    let shaders = Shaders::read(&folder, [&LISTING]).expect("its shader");
    std::fs::remove_dir_all(&folder).expect("the folder");
    let rows = check_op(LISTING.name, &cases(), &[gpu(Arc::new(shaders))], |_| ()).expect("an adapter");
    assert!(rows.iter().any(|row| !row.failures.is_empty()), "nothing noticed the wrong gradient");
}

/// In a graph with wgrad's own ops: L = Σ tanh(rms_norm(x)), on the CPU and on the GPU.
#[test]
fn it_lives_among_wgrads_ops() -> Result<(), Box<dyn std::error::Error>> {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32(&[2, 3]))?;
    let gain = graph.input("gain", TensorType::f32(&[3]))?;
    let normed = rms_norm(&mut graph, x, gain)?;
    let squashed = tanh(&mut graph, normed)?;
    let loss = sum(&mut graph, squashed)?;
    let wanted: Vec<_> = gradients(&mut graph, loss, &[x, gain])?.into_iter().flatten().collect();
    let mut results = vec![];
    let devices: [Box<dyn Device>; 2] = [Box::new(Cpu::<f32>::new()), Box::new(Gpu::open("")?)];
    for mut device in devices {
        device.allocate("x", &TensorType::f32(&[2, 3]))?;
        device.allocate("gain", &TensorType::f32(&[3]))?;
        device.write_f32("x", &[1.0, -2.0, 3.0, 0.5, 0.25, -4.0])?;
        device.write_f32("gain", &[1.0, 0.5, 2.0])?;
        let plan = Plan::new(&graph, &[loss, wanted[0], wanted[1]], &[], &device.target());
        let plan = device.prepare(plan)?;
        device.run(plan, false)?;
        results.push([device.fetch_f32(plan, 0)?, device.fetch_f32(plan, 1)?, device.fetch_f32(plan, 2)?].concat());
    }
    for (cpu, gpu) in results[0].iter().zip(&results[1]) {
        assert!((cpu - gpu).abs() < 1e-5, "{results:?}");
    }
    assert!(results[0].iter().skip(1).any(|gradient| gradient.abs() > 0.01), "{results:?}");
    Ok(())
}
