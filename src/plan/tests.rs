//! The planner without any device.

use crate::graph::{Graph, GraphError, Target, TensorType, Value};
use crate::ops::add::add;
use crate::ops::bias_add::bias_add;
use crate::ops::embedding::embedding;
use crate::ops::matmul::matmul;
use crate::ops::mul::mul;
use crate::ops::slice::slice;
use crate::ops::tanh::tanh;

use super::{Buffer, Plan};

fn input(graph: &mut Graph, name: &str, shape: &[usize]) -> Value {
    graph.input(name, TensorType::f32(shape)).expect("a new input")
}

fn names(plan: &Plan) -> Vec<&'static str> {
    plan.steps.iter().map(|s| s.op.name()).collect()
}

#[test]
fn dead_nodes_are_dropped() -> Result<(), GraphError> {
    let mut g = Graph::new();
    let (a, b) = (input(&mut g, "a", &[4]), input(&mut g, "b", &[4]));
    let kept = add(&mut g, a, b)?;
    tanh(&mut g, kept)?;
    let plan = Plan::new(&g, &[kept], &[], &Target::webgpu());
    assert_eq!(names(&plan), ["add"]);
    Ok(())
}

#[test]
fn bias_and_activation_go_into_the_product() -> Result<(), GraphError> {
    let mut g = Graph::new();
    let (a, b, bias) = (input(&mut g, "a", &[4, 8]), input(&mut g, "b", &[8, 6]), input(&mut g, "bias", &[6]));
    let product = matmul(&mut g, a, b)?;
    let biased = bias_add(&mut g, product, bias)?;
    let y = tanh(&mut g, biased)?;
    let plan = Plan::new(&g, &[y], &[], &Target::webgpu());
    assert_eq!((names(&plan), plan.dispatch_count()), (vec!["matmul"], 1));
    // A value that somebody else reads too must exist, so that nothing is fused into its reader.
    let plan = Plan::new(&g, &[y, product], &[], &Target::webgpu());
    assert_eq!(names(&plan), ["matmul", "bias_add", "tanh"]);
    Ok(())
}

#[test]
fn a_slot_is_reused_after_its_last_reader() -> Result<(), GraphError> {
    let mut g = Graph::new();
    let mut x = input(&mut g, "x", &[100]);
    for _ in 0..10 {
        x = tanh(&mut g, x)?;
    }
    let plan = Plan::new(&g, &[x], &[], &Target::webgpu());
    assert_eq!((plan.steps.len(), plan.slots.len()), (10, 2));
    for step in &plan.steps {
        assert_ne!(Some(step.inputs[0]), step.outputs[0], "an op must not overwrite what it reads");
    }
    Ok(())
}

#[test]
fn contiguous_slices_cost_nothing_where_they_are_aligned() -> Result<(), GraphError> {
    let mut g = Graph::new();
    let x = input(&mut g, "x", &[4, 64]);
    let (aligned, odd) = (slice(&mut g, x, 0, 1, 2)?, slice(&mut g, x, 1, 1, 2)?);
    let plan = Plan::new(&g, &[aligned], &[], &Target::webgpu());
    assert_eq!((plan.steps.len(), plan.fetches[0].0.offset, plan.fetches[0].0.len), (0, 64, 128));
    let plan = Plan::new(&g, &[odd], &[], &Target::webgpu());
    assert_eq!(names(&plan), ["slice"]);
    let y = input(&mut g, "y", &[4, 7]);
    let misaligned = slice(&mut g, y, 0, 1, 2)?;
    assert_eq!(Plan::new(&g, &[misaligned], &[], &Target::webgpu()).dispatch_count(), 1);
    assert_eq!(Plan::new(&g, &[misaligned], &[], &Target::cpu()).steps.len(), 0);
    Ok(())
}

#[test]
fn packed_values_are_computed_in_place_or_copied() -> Result<(), GraphError> {
    let mut g = Graph::new();
    let (a, flat) = (input(&mut g, "a", &[10]), input(&mut g, "flat", &[256]));
    let (once, shared) = (tanh(&mut g, a)?, mul(&mut g, a, a)?);
    let reader = tanh(&mut g, shared)?;
    let packed = g.pack(flat, &[(once, 0), (shared, 64), (reader, 128)])?;
    let plan = Plan::new(&g, &[], &[packed], &Target::webgpu());
    // `shared` has another reader: it is computed in a slot and copied.
    assert_eq!(names(&plan), ["tanh", "mul", "tanh", "slice"]);
    let written: Vec<_> = plan.steps.iter().filter_map(|s| s.outputs[0]).map(|r| (r.buffer, r.offset)).collect();
    let flat = Buffer::Input(1);
    assert_eq!(written, [(flat, 0), (Buffer::Slot(0), 0), (flat, 128), (flat, 64)]);
    assert!(g.pack(a, &[(once, 3)]).is_err(), "offsets must be aligned");
    Ok(())
}

#[test]
fn shape_errors_name_the_op_the_shapes_and_the_rule() {
    let mut g = Graph::new();
    let (a, b) = (input(&mut g, "a", &[4, 8]), input(&mut g, "b", &[7, 6]));
    let error = matmul(&mut g, a, b).expect_err("8 columns against 7 rows").to_string();
    assert!(error.starts_with("matmul(f32[4, 8], f32[7, 6]): the columns of A"), "{error}");
    let error = embedding(&mut g, a, b).expect_err("ids are not numbers").to_string();
    assert_eq!(error, "embedding(f32[4, 8], f32[7, 6]): the ids must be u32");
}
