//! y = max(x, 0)

use crate::graph::{
    Backward, Call, Dispatch, Graph, GraphError, Op, Real, Shader, Target, TensorType, Types, Value, Work, reference,
    shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{WORKGROUP, dispatch, same_shape};
use super::fast;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("relu", &[SHADER], cases, benches);

const SHADER: Shader = shader!("relu");

/// y = max(x, 0)
pub fn relu(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    graph.push1(Relu, &[x])
}

/// Seen by `matmul`, which takes it in.
#[derive(Debug)]
pub(super) struct Relu;

impl Op for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        same_shape(inputs)
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (y, dy) = (at.output(0), at.upstream());
        let dx = at.graph.push1(ReluBackward, &[y, dy])?;
        at.set(0, dx);
        Ok(())
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(1, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        vec![dispatch(SHADER, "forward", 1, types.outputs[0].len(), target)]
    }
}

impl Relu {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        for (y, &x) in call.output(0).iter_mut().zip(call.input(0)) {
            *y = x.max(T::default());
        }
    }

    fn parallel(&self, mut call: Call<f32>) {
        fast::map(call.output(0), call.input(0), call.input(0), |x, _| fast::relu(x));
    }
}

/// dx = dy where y > 0, else 0.
#[derive(Debug)]
struct ReluBackward;

impl Op for ReluBackward {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        same_shape(inputs)
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(1, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        vec![dispatch(SHADER, "backward", 2, types.outputs[0].len(), target)]
    }
}

impl ReluBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let pairs = call.input(0).iter().zip(call.input(1));
        for (dx, (&y, &dy)) in call.output(0).iter_mut().zip(pairs) {
            *dx = if y > T::default() { dy } else { T::default() };
        }
    }

    fn parallel(&self, mut call: Call<f32>) {
        fast::map(call.output(0), call.input(0), call.input(1), |y, dy| if y > 0.0 { dy } else { 0.0 });
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let shapes: [&[usize]; 5] = [&[1], &[7, 17], &[33, 65], &[257], &[1000, 3]];
    let shapes = set.shapes(&shapes);
    let forward = shapes.iter().map(|s| set.case(Relu).scaled(s, 1.0));
    let backward = shapes.iter().map(|s| set.case(ReluBackward).constant(s, 1.0).constant(s, 2.0));
    let mut cases: Vec<_> = forward.chain(backward).collect();
    cases.push(set.case(Relu).subnormals(&[9]));
    // Exactly zero, where there is no gradient.
    let y = (0..24).map(|i| if i % 3 == 0 { 0.0 } else { i as f32 }).collect();
    cases.push(set.case(ReluBackward).values(&[24], y).constant(&[24], 2.0));
    if let Some(n) = set.many(WORKGROUP) {
        cases.push(set.case(Relu).constant(&[n], 10.0));
        cases.push(set.case(ReluBackward).constant(&[n], 1.0).constant(&[n], 2.0));
    }
    cases
}

fn benches() -> Vec<Bench> {
    vec![
        Bench::new("feed-forward, 2560 x 2048", Case::new(Relu).constant(&[2560, 2048], 3.0)),
        Bench::new(
            "backward, 2560 x 2048",
            Case::new(ReluBackward).constant(&[2560, 2048], 1.0).constant(&[2560, 2048], 1.0),
        ),
    ]
}
