//! y = a constant everywhere.

use crate::graph::{
    Backward, Call, Dispatch, Graph, GraphError, Op, Real, Target, TensorType, Types, Value, reference,
};

use super::case::Case;
use super::elementwise::dispatch;

/// A tensor of `value`s. Differentiation starts from a fill with 1.
pub fn fill(graph: &mut Graph, shape: &[usize], value: f32) -> Result<Value, GraphError> {
    graph.push1(Fill { shape: shape.to_vec(), value }, &[])
}

/// Whether a value is a fill with 1, so that multiplying by it can be left out.
pub fn is_one(graph: &Graph, value: Value) -> bool {
    let one = format!("{:?}", Fill { shape: graph.shape(value).to_vec(), value: 1.0 });
    matches!(&graph.nodes()[value.node].kind, crate::graph::Kind::Op(op) if format!("{op:?}") == one)
}

#[derive(Debug)]
struct Fill {
    shape: Vec<usize>,
    value: f32,
}

impl Op for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn infer(&self, _inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![TensorType::f32(&self.shape)])
    }

    fn gradient(&self, _at: &mut Backward) -> Result<(), GraphError> {
        Ok(())
    }

    reference!();

    fn dispatches(&self, types: &Types, _target: &Target) -> Vec<Dispatch> {
        vec![dispatch("fill", "forward", 0, types.outputs[0].len()).number(self.value)]
    }
}

impl Fill {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        call.output(0).fill(T::of(f64::from(self.value)));
    }
}

pub fn cases() -> Vec<Case> {
    vec![Case::new(Fill { shape: vec![7, 17], value: 0.5 }), Case::new(Fill { shape: vec![65, 1000], value: -3.0 })]
}
