//! c = a · b

use crate::graph::{
    Backward, Call, Dispatch, Graph, GraphError, Op, Real, Shader, Target, TensorType, Types, Value, Work, reference,
    shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{WORKGROUP, dispatch, same_shape};
use super::fast;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("mul", &[SHADER], cases, benches);

const SHADER: Shader = shader!("mul");

/// c = a · b, element by element.
pub fn mul(graph: &mut Graph, a: Value, b: Value) -> Result<Value, GraphError> {
    graph.push1(Mul, &[a, b])
}

#[derive(Debug)]
struct Mul;

impl Op for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        same_shape(inputs)
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (a, b, dc) = (at.input(0), at.input(1), at.upstream());
        let da = mul(at.graph, dc, b)?;
        let db = mul(at.graph, dc, a)?;
        at.set(0, da);
        at.set(1, db);
        Ok(())
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(1, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        vec![dispatch(SHADER, "forward", 2, types.outputs[0].len(), target)]
    }
}

impl Mul {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let pairs = call.input(0).iter().zip(call.input(1));
        for (c, (&a, &b)) in call.output(0).iter_mut().zip(pairs) {
            *c = a * b;
        }
    }

    fn parallel(&self, mut call: Call<f32>) {
        fast::map(call.output(0), call.input(0), call.input(1), |a, b| a * b);
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let shapes: [&[usize]; 4] = [&[1], &[7, 17], &[65, 33], &[1000, 257]];
    let mut cases: Vec<_> = set.shapes(&shapes).iter().map(|s| set.case(Mul).random(s).random(s)).collect();
    cases.push(set.case(Mul).subnormals(&[8, 9]).constant(&[8, 9], 1.0));
    cases.extend(set.many(WORKGROUP).map(|n| set.case(Mul).constant(&[n], 1.0).constant(&[n], 1.0)));
    cases
}

fn benches() -> Vec<Bench> {
    vec![Bench::new(
        "feed-forward, 2560 x 2048",
        Case::new(Mul).constant(&[2560, 2048], 1.0).constant(&[2560, 2048], 1.0),
    )]
}
