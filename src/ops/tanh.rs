//! y = tanh x

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
pub const LISTING: Listing = Listing::new("tanh", &[SHADER], cases, benches);

const SHADER: Shader = shader!("tanh");

/// y = tanh x
pub fn tanh(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    graph.push1(Tanh, &[x])
}

/// Seen by `matmul`, which takes it in.
#[derive(Debug)]
pub(super) struct Tanh;

impl Op for Tanh {
    fn name(&self) -> &'static str {
        "tanh"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        same_shape(inputs)
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (y, dy) = (at.output(0), at.upstream());
        let dx = at.graph.push1(TanhBackward, &[y, dy])?;
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

impl Tanh {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        for (y, &x) in call.output(0).iter_mut().zip(call.input(0)) {
            *y = x.tanh();
        }
    }

    fn fast(&self, mut call: Call<f32>) {
        fast::chunks(call.output(0), call.input(0), forward);
    }
}

#[multiversion(targets = "simd")]
fn forward(y: &mut [f32], x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = fast::tanh(x));
}

/// dx = dy · (1 − y²). Where y is near ±1 this errs by an ULP of 1, as PyTorch's does: a gate that is saturated
/// passes next to nothing either way.
#[derive(Debug)]
struct TanhBackward;

impl Op for TanhBackward {
    fn name(&self) -> &'static str {
        "tanh"
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

impl TanhBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let pairs = call.input(0).iter().zip(call.input(1));
        for (dx, (&y, &dy)) in call.output(0).iter_mut().zip(pairs) {
            *dx = dy * (T::of(1.0) - y * y);
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let shapes: [&[usize]; 5] = [&[1], &[7, 17], &[33, 65], &[257], &[1000, 3]];
    let shapes = set.shapes(&shapes);
    let forward = shapes.iter().map(|s| set.case(Tanh).scaled(s, 100.0));
    let backward = shapes.iter().map(|s| set.case(TanhBackward).constant(s, 1.0).constant(s, 2.0));
    let mut cases: Vec<_> = forward.chain(backward).collect();
    cases.push(set.case(Tanh).subnormals(&[9]));
    cases.push(set.case(Tanh).values(&[EXTREMES.len()], EXTREMES.to_vec()));
    // From the polynomial to the quotient, and towards zero.
    let sizes = |n: usize| (0..n).map(|i| 0.9f32.powi(i as i32 - 12) * if i % 3 == 0 { -1.0 } else { 1.0 }).collect();
    cases.extend([[200], [199]].map(|shape| set.case(Tanh).values(&shape, sizes(shape[0]))));
    if let Some(n) = set.many(WORKGROUP) {
        cases.push(set.case(Tanh).constant(&[n], 10.0));
        cases.push(set.case(TanhBackward).constant(&[n], 1.0).constant(&[n], 2.0));
    }
    cases
}

fn benches() -> Vec<Bench> {
    vec![
        Bench::new("feed-forward, 2560 x 2048", Case::new(Tanh).constant(&[2560, 2048], 3.0)),
        Bench::new(
            "backward, 2560 x 2048",
            Case::new(TanhBackward).constant(&[2560, 2048], 1.0).constant(&[2560, 2048], 1.0),
        ),
    ]
}
