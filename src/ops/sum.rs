//! y = Σ x, over all elements.

use crate::graph::{
    Backward, Call, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value, Work,
    reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet, Tensor};
use super::elementwise::{SUBGROUPS, dispatch, kernel, like_x, reducing, width};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("sum", &[SHADER], cases, benches);

const SHADER: Shader = shader!("sum");

/// Sum of all elements, as `[1]`.
pub fn sum(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    graph.push1(Sum, &[x])
}

/// Longer tensors are summed in two stages.
const SMALL: usize = 4096;
/// Workgroups of the first stage.
const PARTIALS: usize = 256;

#[derive(Debug)]
struct Sum;

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        like_x(inputs)?;
        Ok(vec![TensorType::f32(&[1])])
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (x, dy) = (at.input(0), at.upstream());
        let shape = at.graph.shape(x).to_vec();
        let dx = at.graph.push1(SumBackward { shape }, &[dy])?;
        at.set(0, dx);
        Ok(())
    }

    reference!();

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(1, types.inputs[0].len())
    }

    fn scratch(&self, types: &Types, _target: &Target) -> Vec<usize> {
        if types.inputs[0].len() > SMALL { vec![PARTIALS] } else { vec![] }
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let len = types.inputs[0].len();
        let launch = |from, to, len| {
            let width = width(&[len]);
            let dispatch = reducing(kernel(SHADER, "forward", width, target), target).read(from).write(to);
            dispatch.uniform(&[len / width])
        };
        let (x, y, partials) = (Operand::Input(0), Operand::Output(0), Operand::Scratch(0));
        if len <= SMALL {
            return vec![launch(x, y, len)];
        }
        let first = launch(x, partials, len).workgroups([PARTIALS as u32, 1, 1]);
        vec![first, launch(partials, y, PARTIALS)]
    }
}

impl Sum {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        call.output(0)[0] = call.input(0).iter().fold(T::default(), |sum, &x| sum + x);
    }
}

/// dx = dy everywhere.
#[derive(Debug)]
struct SumBackward {
    shape: Vec<usize>,
}

impl Op for SumBackward {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn infer(&self, _inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![TensorType::f32(&self.shape)])
    }

    reference!();

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let len = types.outputs[0].len();
        vec![dispatch(SHADER, "backward", 1, len, target).constant(SUBGROUPS, 0)]
    }
}

impl SumBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        call.output(0).fill(call.input(0)[0]);
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let shapes: [&[usize]; 5] = [&[1], &[7, 17], &[257], &[65, 33], &[1000, 7]];
    let shapes = set.shapes(&shapes);
    let forward = shapes.iter().map(|s| {
        let mut case = set.case(Sum).random(s);
        // The bound grows with the number of numbers, squared: of many, the sum must not vanish beside it.
        if let Tensor::F32(_, x) = &mut case.inputs[0]
            && x.len() > 10_000
        {
            x.iter_mut().for_each(|x| *x = x.abs());
        }
        case
    });
    let backward = shapes.iter().map(|s| set.case(SumBackward { shape: s.to_vec() }).constant(&[1], 1.0));
    let many = set.many(256).map(|n| set.case(SumBackward { shape: vec![n] }).constant(&[1], 1.0));
    forward.chain(backward).chain(many).collect()
}

fn benches() -> Vec<Bench> {
    vec![
        Bench::new("2560 x 2048", Case::new(Sum).constant(&[2560, 2048], 1.0)),
        Bench::new("backward, 2560 x 2048", Case::new(SumBackward { shape: vec![2560, 2048] }).constant(&[1], 1.0)),
    ]
}
