//! y = x / max(‖x‖₂, ε) over the last axis (torch.nn.functional.normalize): with it a dot product is a cosine.

use multiversion::multiversion;
use rayon::prelude::*;

use crate::graph::{
    Backward, Call, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value, Work,
    reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::fast;
use super::rowwise::{held_rows, rows};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("normalize", &[SHADER], cases, benches);

const SHADER: Shader = shader!("normalize");

/// Shortest length that is divided by, as in torch.nn.functional.cosine_similarity.
const EPSILON: f32 = 1e-8;

/// Rows that a task of the CPU takes at least: below some ten thousand numbers, waking a thread costs more than it
/// brings.
const ROWS: usize = 64;

/// Rows of x [.., C] scaled to length 1; rows shorter than 1e-8 are divided by that, so that zeros stay zeros. Rows
/// longer than 1.8e19, whose squares overflow, become zeros, as in PyTorch.
///
/// # Errors
/// When x holds no numbers or has no columns.
pub fn normalize(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    graph.push1(Normalize, &[x])
}

#[derive(Debug)]
struct Normalize;

/// Binds `inputs` inputs, then output 0.
fn rowwise(entry: &'static str, inputs: usize, types: &Types, target: &Target) -> Dispatch {
    let dispatch = held_rows(SHADER, entry, &types.inputs[0], target).number(EPSILON);
    (0..inputs).fold(dispatch, |d, i| d.read(Operand::Input(i))).write(Operand::Output(0))
}

impl Op for Normalize {
    fn name(&self) -> &'static str {
        "normalize"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        rows(inputs)
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (x, dy) = (at.input(0), at.upstream());
        let dx = at.graph.push1(NormalizeBackward, &[x, dy])?;
        at.set(0, dx);
        Ok(())
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(3, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        vec![rowwise("forward", 1, types, target)]
    }
}

fn length<T: Real>(x: &[T]) -> T {
    x.iter().fold(T::default(), |sum, &x| sum + x * x).sqrt()
}

impl Normalize {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let columns = call.types.inputs[0].columns();
        for (y, x) in call.output(0).chunks_exact_mut(columns).zip(call.input(0).chunks_exact(columns)) {
            let norm = length(x).max(T::of(f64::from(EPSILON)));
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = x / norm);
        }
    }

    fn parallel(&self, mut call: Call<f32>) {
        let columns = call.types.inputs[0].columns();
        let rows = call.output(0).par_chunks_exact_mut(columns).zip(call.input(0).par_chunks_exact(columns));
        rows.with_min_len(ROWS).for_each(|(y, x)| forward(x, y));
    }
}

#[multiversion(targets = "simd")]
fn forward(x: &[f32], y: &mut [f32]) {
    let norm = fast::sum(x, x, |a, b| a * b).sqrt().max(EPSILON);
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = x / norm);
}

/// dx = (dy − y·(y·dy)) / ‖x‖; dy / ε for rows shorter than ε.
#[derive(Debug)]
struct NormalizeBackward;

impl Op for NormalizeBackward {
    fn name(&self) -> &'static str {
        "normalize"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        rows(inputs)
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(8, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        vec![rowwise("backward", 2, types, target)]
    }
}

impl NormalizeBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let (columns, epsilon) = (call.types.inputs[0].columns(), T::of(f64::from(EPSILON)));
        let rows = call.input(0).chunks_exact(columns).zip(call.input(1).chunks_exact(columns));
        for (dx, (x, dy)) in call.output(0).chunks_exact_mut(columns).zip(rows) {
            let norm = length(x);
            if norm < epsilon {
                dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx = dy / epsilon);
                continue;
            }
            let dot = x.iter().zip(dy).fold(T::default(), |sum, (&x, &dy)| sum + x / norm * dy);
            dx.iter_mut().zip(x.iter().zip(dy)).for_each(|(dx, (&x, &dy))| *dx = (dy - x / norm * dot) / norm);
        }
    }

    fn parallel(&self, mut call: Call<f32>) {
        let columns = call.types.inputs[0].columns();
        let rows = (call.input(0).par_chunks_exact(columns), call.input(1).par_chunks_exact(columns)).into_par_iter();
        let rows = call.output(0).par_chunks_exact_mut(columns).zip(rows);
        rows.with_min_len(ROWS).for_each(|(dx, (x, dy))| backward(x, dy, dx));
    }
}

#[multiversion(targets = "simd")]
fn backward(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    let norm = fast::sum(x, x, |a, b| a * b).sqrt();
    if norm < EPSILON {
        dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx = dy / EPSILON);
        return;
    }
    let dot = fast::sum(x, dy, |x, dy| x / norm * dy);
    dx.iter_mut().zip(x.iter().zip(dy)).for_each(|(dx, (&x, &dy))| *dx = (dy - x / norm * dot) / norm);
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let shapes: [&[usize]; 7] = [&[1, 1], &[7, 17], &[3, 5, 65], &[257, 2], &[2, 1000], &[65, 12], &[3, 2103]];
    let shapes = set.shapes(&shapes);
    let mut cases: Vec<_> = shapes.iter().map(|s| set.case(Normalize).random(s)).collect();
    cases.extend(shapes.iter().map(|s| set.case(NormalizeBackward).constant(s, 1.0).constant(s, 2.0)));
    // Zeros, a row shorter than ε, a long one.
    let edges = vec![0.0, 0.0, 0.0, 1e-9, -2e-9, 0.0, 3e3, -4e3, 0.0];
    cases.push(set.case(Normalize).values(&[3, 3], edges.clone()));
    cases.push(set.case(NormalizeBackward).values(&[3, 3], edges).constant(&[3, 3], 1.0));
    if let Some(rows) = set.many(1) {
        cases.push(set.case(Normalize).constant(&[rows, 2], 1.0));
        cases.push(set.case(NormalizeBackward).constant(&[rows, 2], 1.0).constant(&[rows, 2], 1.0));
    }
    cases
}

fn benches() -> Vec<Bench> {
    vec![
        Bench::new("25,600 x 128", Case::new(Normalize).constant(&[25_600, 128], 1.0)),
        Bench::new(
            "backward, 25,600 x 128",
            Case::new(NormalizeBackward).constant(&[25_600, 128], 1.0).constant(&[25_600, 128], 1.0),
        ),
    ]
}
