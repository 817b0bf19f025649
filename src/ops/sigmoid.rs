//! y = 1 / (1 + e⁻ˣ)

use multiversion::multiversion;

use crate::graph::{
    Backward, Call, Dispatch, Graph, GraphError, Op, Real, Shader, Target, TensorType, Types, Value, Work, reference,
    shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet, EXTREMES};
use super::elementwise::{WORKGROUP, dispatch, same_shape};
use super::fast;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("sigmoid", &[SHADER], cases, benches);

const SHADER: Shader = shader!("sigmoid");

/// y = 1 / (1 + e⁻ˣ)
pub fn sigmoid(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    graph.push1(Sigmoid, &[x])
}

/// Seen by `matmul`, which takes it in.
#[derive(Debug)]
pub(super) struct Sigmoid;

impl Op for Sigmoid {
    fn name(&self) -> &'static str {
        "sigmoid"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        same_shape(inputs)
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (y, dy) = (at.output(0), at.upstream());
        let dx = at.graph.push1(SigmoidBackward, &[y, dy])?;
        at.set(0, dx);
        Ok(())
    }

    reference!(fast);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(1, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        vec![dispatch(SHADER, "forward", 1, types.outputs[0].len(), target)]
    }
}

impl Sigmoid {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        for (y, &x) in call.output(0).iter_mut().zip(call.input(0)) {
            *y = x.sigmoid();
        }
    }

    fn fast(&self, mut call: Call<f32>) {
        fast::chunks(call.output(0), call.input(0), forward);
    }
}

#[multiversion(targets = "simd")]
fn forward(y: &mut [f32], x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = fast::sigmoid(x));
}

/// dx = dy · y·(1 − y). Where y is near 1 this errs by an ULP of 1, as PyTorch's does.
#[derive(Debug)]
struct SigmoidBackward;

impl Op for SigmoidBackward {
    fn name(&self) -> &'static str {
        "sigmoid"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        same_shape(inputs)
    }

    reference!();

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(3, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        vec![dispatch(SHADER, "backward", 2, types.outputs[0].len(), target)]
    }
}

impl SigmoidBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let pairs = call.input(0).iter().zip(call.input(1));
        for (dx, (&y, &dy)) in call.output(0).iter_mut().zip(pairs) {
            *dx = dy * (y * (T::of(1.0) - y));
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let shapes: [&[usize]; 5] = [&[1], &[7, 17], &[33, 65], &[257], &[1000, 3]];
    let shapes = set.shapes(&shapes);
    let forward = shapes.iter().map(|s| set.case(Sigmoid).scaled(s, 100.0));
    let backward = shapes.iter().map(|s| set.case(SigmoidBackward).constant(s, 1.0).constant(s, 2.0));
    let mut cases: Vec<_> = forward.chain(backward).collect();
    cases.push(set.case(Sigmoid).subnormals(&[9]));
    cases.push(set.case(Sigmoid).values(&[EXTREMES.len()], EXTREMES.to_vec()));
    if let Some(n) = set.many(WORKGROUP) {
        cases.push(set.case(Sigmoid).constant(&[n], 10.0));
        cases.push(set.case(SigmoidBackward).constant(&[n], 1.0).constant(&[n], 2.0));
    }
    cases
}

fn benches() -> Vec<Bench> {
    vec![
        Bench::new("feed-forward, 2560 x 2048", Case::new(Sigmoid).constant(&[2560, 2048], 3.0)),
        Bench::new(
            "backward, 2560 x 2048",
            Case::new(SigmoidBackward).constant(&[2560, 2048], 1.0).constant(&[2560, 2048], 1.0),
        ),
    ]
}
