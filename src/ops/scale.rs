//! y = s · x with a scalar s on the device.

use crate::graph::{
    Backward, Call, Dispatch, Graph, GraphError, Op, Real, Shader, Target, TensorType, Types, Value, Work, reference,
    shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{WORKGROUP, dispatch, like_x};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("scale", &[SHADER], cases, benches);

const SHADER: Shader = shader!("scale");

/// y = s · x for a scalar s of shape `[1]`. No gradient reaches s: it is an upstream gradient itself.
pub fn scale(graph: &mut Graph, x: Value, s: Value) -> Result<Value, GraphError> {
    graph.push1(Scale, &[x, s])
}

#[derive(Debug)]
struct Scale;

impl Op for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs[1] != TensorType::f32(&[1]) {
            return Err("the factor must be one number, f32[1]".into());
        }
        like_x(inputs)
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (s, dy) = (at.input(1), at.upstream());
        let dx = scale(at.graph, dy, s)?;
        at.set(0, dx);
        Ok(())
    }

    reference!();

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(1, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let len = types.outputs[0].len();
        vec![dispatch(SHADER, "forward", 2, len, target)]
    }
}

impl Scale {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let s = call.input(1)[0];
        for (y, &x) in call.output(0).iter_mut().zip(call.input(0)) {
            *y = s * x;
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let shapes: [&[usize]; 3] = [&[1], &[7, 17], &[1000, 65]];
    let cases = set.shapes(&shapes).into_iter().map(|s| set.case(Scale).random(&s).constant(&[1], 3.0));
    let many = set.many(WORKGROUP).map(|n| set.case(Scale).constant(&[n], 1.0).constant(&[1], 3.0));
    cases.chain(many).chain([set.case(Scale).subnormals(&[9]).constant(&[1], 3.0)]).collect()
}

fn benches() -> Vec<Bench> {
    vec![Bench::new("2560 x 2048", Case::new(Scale).constant(&[2560, 2048], 1.0).constant(&[1], 3.0))]
}
