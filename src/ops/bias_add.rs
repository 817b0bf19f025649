//! `y[r, c] = x[r, c] + b[c]`

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, expect, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{WORKGROUP, grid, kernel, like_x, width};
use super::sum_rows::sum_rows;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("bias_add", &[SHADER], cases, benches);

const SHADER: Shader = shader!("bias_add");

/// Adds a bias `[C]` to every row of x [.., C].
pub fn bias_add(graph: &mut Graph, x: Value, bias: Value) -> Result<Value, GraphError> {
    graph.push1(BiasAdd, &[x, bias])
}

/// Seen by `matmul`, which takes it in.
#[derive(Debug)]
pub(super) struct BiasAdd;

impl Op for BiasAdd {
    fn name(&self) -> &'static str {
        "bias_add"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        expect(&inputs[1], "the bias", 1, DType::F32)?;
        if inputs[0].columns() != inputs[1].len() {
            return Err("the bias must have one number for each column of x".into());
        }
        like_x(inputs)
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let dy = at.upstream();
        let db = sum_rows(at.graph, dy)?;
        at.set(0, dy);
        at.set(1, db);
        Ok(())
    }

    reference!();

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(1, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let (len, columns) = (types.outputs[0].len(), types.inputs[1].len());
        let width = width(&[columns]);
        let dispatch = kernel(SHADER, "forward", width, target).read(Operand::Input(0)).read(Operand::Input(1));
        let dispatch = dispatch.write(Operand::Output(0)).uniform(&[len / width, columns / width]);
        vec![dispatch.workgroups(grid(len / width, target))]
    }
}

impl BiasAdd {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let bias = call.input(1);
        let rows = call.input(0).chunks_exact(bias.len());
        for (y, x) in call.output(0).chunks_exact_mut(bias.len()).zip(rows) {
            for c in 0..bias.len() {
                y[c] = x[c] + bias[c];
            }
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let shapes: [&[usize]; 6] = [&[1, 1], &[7, 17], &[3, 5, 65], &[257, 33], &[3, 4], &[17, 260]];
    let shapes = set.shapes(&shapes);
    let cases = shapes.iter().map(|s| set.case(BiasAdd).random(s).random(&s[s.len() - 1..]));
    let many = set.many(WORKGROUP).map(|n| set.case(BiasAdd).constant(&[n, 1], 1.0).constant(&[1], 1.0));
    cases.chain(many).collect()
}

fn benches() -> Vec<Bench> {
    vec![Bench::new(
        "feed-forward, 2560 x 2048",
        Case::new(BiasAdd).constant(&[2560, 2048], 1.0).constant(&[2048], 1.0),
    )]
}
