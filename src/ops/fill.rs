//! y = a constant everywhere.

use std::any::Any;

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Kind, Op, Real, Shader, Target, TensorType, Types, Value,
    reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{WORKGROUP, dispatch};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("fill", &[SHADER], cases, benches);

const SHADER: Shader = shader!("fill");

/// A tensor of `value`s. Differentiation starts from a fill with 1.
pub fn fill(graph: &mut Graph, shape: &[usize], value: f32) -> Result<Value, GraphError> {
    graph.push1(Fill { tensor: TensorType::f32(shape), bits: value.to_bits() }, &[])
}

/// A tensor of ids that are all `id`: full lengths, first tokens.
pub fn fill_ids(graph: &mut Graph, shape: &[usize], id: u32) -> Result<Value, GraphError> {
    graph.push1(Fill { tensor: TensorType::u32(shape), bits: id }, &[])
}

/// Whether a value is a fill with 1, so that multiplying by it can be left out.
pub fn is_one(graph: &Graph, value: Value) -> bool {
    let Kind::Op(op) = &graph.nodes()[value.node].kind else { return false };
    let fill = (op.as_ref() as &dyn Any).downcast_ref::<Fill>();
    fill.is_some_and(|fill| fill.tensor.dtype == DType::F32 && fill.bits == 1.0f32.to_bits())
}

#[derive(Debug)]
struct Fill {
    tensor: TensorType,
    /// An id, or a number's bits.
    bits: u32,
}

impl Op for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn infer(&self, _inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![self.tensor.clone()])
    }

    fn gradient(&self, _at: &mut Backward) -> Result<(), GraphError> {
        Ok(())
    }

    reference!();

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        vec![dispatch(SHADER, "forward", 0, types.outputs[0].len(), target).uniform(&[self.bits as usize])]
    }
}

impl Fill {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        match self.tensor.dtype {
            DType::U32 => call.output_ids(0).fill(self.bits),
            DType::F32 => call.output(0).fill(T::from_bits(self.bits)),
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let case = |tensor, bits| set.case(Fill { tensor, bits });
    let quick: [&[usize]; 2] = [&[7, 17], &[65, 1000]];
    let shapes = set.shapes(&quick).into_iter().chain(set.many(WORKGROUP).map(|n| vec![n]));
    let numbers = shapes.map(|s| case(TensorType::f32(&s), (-3.5f32).to_bits()));
    numbers.chain([case(TensorType::u32(&[257]), 20)]).collect()
}

fn benches() -> Vec<Bench> {
    vec![Bench::new("2560 x 2048", Case::new(Fill { tensor: TensorType::f32(&[2560, 2048]), bits: 0 }))]
}
