//! `y[t, r] = x[t, rows[r]]`: the states of a beam search follow the hypotheses that live on (torch.index_select along
//! axis 1).

use rayon::prelude::*;

use crate::graph::{
    Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value, Work,
    expect, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{self, blocks, kernel};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("gather_rows", &[SHADER], cases, benches);

const SHADER: Shader = shader!("gather_rows");

/// Rows of x [T, B, ..] or [B, W] by number: rows `[R]` give [T, R, ..] or [R, W]. A number past the end reads the last
/// row. No derivative.
pub fn gather_rows(graph: &mut Graph, x: Value, rows: Value) -> Result<Value, GraphError> {
    graph.push1(GatherRows, &[x, rows])
}

#[derive(Debug)]
struct GatherRows;

/// (steps, rows, width): x [B, W] is one step.
fn sizes(x: &[usize]) -> [usize; 3] {
    match x {
        [batch, width] => [1, *batch, *width],
        [steps, batch, rest @ ..] => [*steps, *batch, rest.iter().product()],
        _ => unreachable!("checked by the shape rule"),
    }
}

impl Op for GatherRows {
    fn name(&self) -> &'static str {
        "gather_rows"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        expect(&inputs[1], "the rows' numbers", 1, DType::U32)?;
        if inputs[0].dtype != DType::F32 || inputs[0].shape.len() < 2 || inputs[0].is_empty() {
            return Err("x must hold numbers in at least two dimensions".into());
        }
        let mut result = inputs[0].clone();
        let axis = usize::from(result.shape.len() > 2);
        result.shape[axis] = inputs[1].len();
        Ok(vec![result])
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::elements(types.inputs[1].len() + 2 * types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let ([_, batch, width], len) = (sizes(types.input(0)), types.outputs[0].len());
        let vector = elementwise::width(&[width]);
        let dispatch = kernel(SHADER, "forward", vector, target).read(Operand::Input(0)).read(Operand::Input(1));
        let sizes = [len / width, batch, width / vector, types.inputs[1].len()];
        vec![dispatch.write(Operand::Output(0)).uniform(&sizes).workgroups(blocks(len / width, target))]
    }
}

impl GatherRows {
    fn step<T: Real>(x: &[T], rows: &[u32], width: usize, y: &mut [T]) {
        let last = x.len() / width - 1;
        for (y, &row) in y.chunks_exact_mut(width).zip(rows) {
            y.copy_from_slice(&x[(row as usize).min(last) * width..][..width]);
        }
    }

    fn reference<T: Real>(&self, mut call: Call<T>) {
        let ([_, batch, width], rows) = (sizes(call.types.input(0)), call.ids(1));
        let steps = call.output(0).chunks_exact_mut(rows.len() * width).zip(call.input(0).chunks_exact(batch * width));
        steps.for_each(|(y, x)| Self::step(x, rows, width, y));
    }

    fn parallel(&self, mut call: Call<f32>) {
        let ([_, batch, width], rows) = (sizes(call.types.input(0)), call.ids(1));
        let x = call.input(0).par_chunks_exact(batch * width);
        call.output(0).par_chunks_exact_mut(rows.len() * width).zip(x).for_each(|(y, x)| Self::step(x, rows, width, y));
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let case = |shape: &[usize]| set.case(GatherRows).constant(shape, 1.0);
    let mut cases = vec![
        case(&[1, 1]).ids(&[3], vec![0, 0, 7]),
        case(&[7, 17]).random_ids(&[5], 7),
        case(&[3, 5, 65]).random_ids(&[33], 5),
        case(&[2, 257, 3]).random_ids(&[257], 257),
        case(&[3, 7, 300]).random_ids(&[17], 9),
        case(&[5, 256]).random_ids(&[64], 5),
        case(&[2, 9, 4]).random_ids(&[67], 9),
    ];
    let odd = set.sizes(&[], [257, 257, 257]).into_iter();
    cases.extend(odd.map(|[rows, columns, picked]| case(&[rows, columns]).random_ids(&[picked], rows as u32)));
    cases.extend(set.many(1).map(|n| case(&[7, 1]).random_ids(&[n], 7)));
    cases
}

fn benches() -> Vec<Bench> {
    vec![Bench::new(
        "keys of 60 hypotheses, 80 x 60 x 1024",
        Case::new(GatherRows).constant(&[80, 60, 1024], 1.0).random_ids(&[60], 60),
    )]
}
