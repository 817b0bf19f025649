//! y[r, c] = x[r, c] − max − ln Σ_c' e^(x[r, c'] − max) over the last axis (torch.nn.functional.log_softmax).

use multiversion::multiversion;
use rayon::prelude::*;

use crate::graph::{
    Backward, Call, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value, Work,
    reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::fast;
use super::rowwise::{per_row, rows};
use super::softmax::{UNALIGNED, many};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("log_softmax", &[SHADER], cases, benches);

const SHADER: Shader = shader!("log_softmax");

/// The logarithm of softmax over the last axis. That of a probability within 6e-8 of 1 is 0, as in PyTorch: the sum
/// is rounded to 1, and no gradient depends on more.
///
/// # Errors
/// When x holds no numbers or has no columns.
pub fn log_softmax(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    graph.push1(LogSoftmax, &[x])
}

#[derive(Debug)]
struct LogSoftmax;

impl Op for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        rows(inputs)
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (y, dy) = (at.output(0), at.upstream());
        let dx = at.graph.push1(LogSoftmaxBackward, &[y, dy])?;
        at.set(0, dx);
        Ok(())
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(5, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let dispatch = per_row(SHADER, ["forward_short", "forward_wide"], &types.inputs[0], target);
        vec![dispatch.read(Operand::Input(0)).write(Operand::Output(0))]
    }
}

impl LogSoftmax {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let columns = call.types.inputs[0].columns();
        for (y, x) in call.output(0).chunks_exact_mut(columns).zip(call.input(0).chunks_exact(columns)) {
            let max = x.iter().copied().reduce(T::max).expect("the shape rule asks for a column");
            let sum = x.iter().fold(T::default(), |sum, &x| sum + (x - max).exp());
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = x - max - sum.ln());
        }
    }

    /// Rows on all threads: rows may be as wide as a vocabulary.
    fn parallel(&self, mut call: Call<f32>) {
        let columns = call.types.inputs[0].columns();
        let rows = call.output(0).par_chunks_exact_mut(columns).zip(call.input(0).par_chunks_exact(columns));
        rows.with_min_len(fast::MIN_ELEMENTS.div_ceil(columns)).for_each(|(y, x)| forward(x, y));
    }
}

#[multiversion(targets = "simd")]
fn forward(x: &[f32], y: &mut [f32]) {
    let [max, log] = fast::log_sum_exp(x);
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = x - max - log);
}

/// dx = dy − e^y · Σ_c dy
#[derive(Debug)]
struct LogSoftmaxBackward;

impl Op for LogSoftmaxBackward {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        rows(inputs)
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(4, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let dispatch = per_row(SHADER, ["backward_short", "backward_wide"], &types.inputs[0], target);
        vec![dispatch.read(Operand::Input(0)).write(Operand::Output(0)).read(Operand::Input(1))]
    }
}

impl LogSoftmaxBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let columns = call.types.inputs[0].columns();
        let (y, dy) = (call.input(0).chunks_exact(columns), call.input(1).chunks_exact(columns));
        for (dx, (y, dy)) in call.output(0).chunks_exact_mut(columns).zip(y.zip(dy)) {
            let sum = dy.iter().fold(T::default(), |sum, &dy| sum + dy);
            for c in 0..columns {
                dx[c] = dy[c] - y[c].exp() * sum;
            }
        }
    }

    fn parallel(&self, mut call: Call<f32>) {
        let columns = call.types.inputs[0].columns();
        let rows = (call.input(0).par_chunks_exact(columns), call.input(1).par_chunks_exact(columns)).into_par_iter();
        let rows = call.output(0).par_chunks_exact_mut(columns).zip(rows);
        rows.with_min_len(fast::MIN_ELEMENTS.div_ceil(columns)).for_each(|(dx, (y, dy))| {
            backward(y, dy, dx);
        });
    }
}

#[multiversion(targets = "simd")]
fn backward(y: &[f32], dy: &[f32], dx: &mut [f32]) {
    let sum = fast::sum(dy, dy, |dy, _| dy);
    dx.iter_mut().zip(y.iter().zip(dy)).for_each(|(dx, (&y, &dy))| *dx = dy - fast::exp(y) * sum);
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let shapes: [&[usize]; 10] = [
        &[1, 1],
        &[7, 17],
        &[65, 33],
        &[3, 1, 65],
        &[3, 257],
        &[2, 1000],
        &[33, 12],
        &[3, 2100],
        &[2, 1024],
        &[64, 64],
    ];
    let unaligned = UNALIGNED.each_ref().map(|shape| shape.as_slice());
    let shapes = set.shapes(&[shapes.as_slice(), &unaligned].concat());
    let mut cases: Vec<_> = shapes.iter().map(|s| set.case(LogSoftmax).scaled(s, 5.0)).collect();
    cases.extend(shapes.iter().map(|s| set.case(LogSoftmaxBackward).constant(s, 1.0).constant(s, 1.0)));
    // Logits that differ by 1e4: the logarithm stays finite where softmax gives 0.
    let far = |columns: usize| (0..2 * columns).map(|i| if i % 5 == 0 { -1e4 } else { i as f32 * 0.01 }).collect();
    cases.extend([17, 129].map(|columns| set.case(LogSoftmax).values(&[2, columns], far(columns))));
    // Logits whose e^x overflows unless the largest of the whole row was found.
    cases.extend([20, 600].map(|columns| set.case(LogSoftmax).constant(&[2, columns], 300.0)));
    for shape in many(set) {
        cases.push(set.case(LogSoftmax).constant(&shape, 5.0));
        cases.push(set.case(LogSoftmaxBackward).constant(&shape, 1.0).constant(&shape, 1.0));
    }
    cases
}

fn benches() -> Vec<Bench> {
    vec![
        Bench::new("1280 x 6191", Case::new(LogSoftmax).constant(&[1280, 6191], 5.0)),
        Bench::new(
            "backward, 1280 x 6191",
            Case::new(LogSoftmaxBackward).constant(&[1280, 6191], 1.0).constant(&[1280, 6191], 1.0),
        ),
    ]
}
