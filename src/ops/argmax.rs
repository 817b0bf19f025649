//! `y[r]` = the first column with the largest x[r, c].

use rayon::prelude::*;

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, groups, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{kernel, width};
use super::fast;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("argmax", &[SHADER], cases, benches);

const SHADER: Shader = shader!("argmax");

/// Index of the largest number in each row of x [.., C]: ids [..]. The first of equals wins; NaN and −∞ count as the
/// lowest number. No gradient passes.
pub fn argmax(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    graph.push1(Argmax, &[x])
}

#[derive(Debug)]
struct Argmax;

impl Op for Argmax {
    fn name(&self) -> &'static str {
        "argmax"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let [rows @ .., columns] = inputs[0].shape.as_slice() else {
            return Err("x must have at least one dimension".into());
        };
        if inputs[0].dtype != DType::F32 || *columns == 0 {
            return Err("x must hold numbers in at least one column".into());
        }
        Ok(vec![TensorType::u32(rows)])
    }

    fn gradient(&self, _at: &mut Backward) -> Result<(), GraphError> {
        Ok(())
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(1, types.inputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let (rows, columns) = (types.inputs[0].rows(), types.inputs[0].columns());
        let dispatch = kernel(SHADER, "forward", width(&[rows * columns]), target);
        let dispatch = dispatch.read(Operand::Input(0)).write(Operand::Output(0));
        vec![dispatch.uniform(&[rows, columns]).workgroups(groups(rows))]
    }
}

impl Argmax {
    /// Rows on all threads; in a row the largest number first, then its place, both of which vectorize.
    fn parallel(&self, mut call: Call<f32>) {
        let columns = call.types.inputs[0].columns();
        let rows = call.output_ids(0).par_iter_mut().zip(call.input(0).par_chunks_exact(columns));
        rows.for_each(|(y, x)| {
            let max = fast::max(x);
            // Of nothing but the lowest the first, which may be NaN.
            *y = if max > f32::MIN { x.iter().position(|&x| x >= max).unwrap_or(0) as u32 } else { 0 };
        });
    }

    fn reference<T: Real>(&self, mut call: Call<T>) {
        let rows = call.input(0).chunks_exact(call.types.inputs[0].columns());
        for (y, x) in call.output_ids(0).iter_mut().zip(rows) {
            *y = (1..x.len()).fold(0, |best, c| if key(x[c]) > key(x[best]) { c } else { best }) as u32;
        }
    }
}

/// What a number counts as: NaN is less than no number.
fn key<T: Real>(x: T) -> T {
    let lowest = T::of(f64::from(f32::MIN));
    if x > lowest { x } else { lowest }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let shapes: [&[usize]; 11] = [
        &[1, 1],
        &[7, 17],
        &[4, 1],
        &[4, 2],
        &[8, 3],
        &[4, 7],
        &[3, 65],
        &[32, 257],
        &[5, 1000],
        &[3, 2103],
        &[2, 1024],
    ];
    let ties = [[2, 2103], [4, 2103]].map(|[rows, columns]| {
        set.case(Argmax).values(&[rows, columns], (0..rows * columns).map(|i| f32::from(i % 3 == 1)).collect())
    });
    let lowest = set.case(Argmax).values(&[3, 2], vec![f32::MIN, f32::MIN, f32::MIN, -3e38, 0.0, -1e-40]);
    let mut cases: Vec<_> = set.shapes(&shapes).iter().map(|s| set.case(Argmax).constant(s, 1.0)).collect();
    cases.extend(ties);
    cases.push(lowest);
    cases.extend(set.many(1).map(|rows| set.case(Argmax).constant(&[rows, 3], 1.0)));
    cases
}

fn benches() -> Vec<Bench> {
    vec![Bench::new("logits, 1280 x 6191", Case::new(Argmax).constant(&[1280, 6191], 1.0))]
}
