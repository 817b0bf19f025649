//! y[r, c] = e^(x[r, c] − max) / Σ_c' e^(x[r, c'] − max), over the first columns only where lengths are given.

use multiversion::multiversion;
use rayon::prelude::*;

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, expect, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet, lengths};
use super::elementwise::WORKGROUP;
use super::fast;
use super::rowwise::{SHORT, per_row, rows};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("softmax", &[SHADER], cases, benches);

const SHADER: Shader = shader!("softmax");

/// Softmax over the last axis.
pub fn softmax(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    graph.push1(Softmax { masked: false }, &[x])
}

/// Softmax over the last axis of x [B, T, S], of which sequence b has `lengths[b]` valid columns. The others get 0; a
/// sequence of length 0 gets zeros throughout.
pub fn masked_softmax(graph: &mut Graph, x: Value, lengths: Value) -> Result<Value, GraphError> {
    graph.push1(Softmax { masked: true }, &[x, lengths])
}

#[derive(Debug)]
struct Softmax {
    masked: bool,
}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        if self.masked {
            expect(&inputs[0], "x", 3, DType::F32)?;
            expect(&inputs[1], "the lengths", 1, DType::U32)?;
            if inputs[1].len() != inputs[0].shape[0] {
                return Err("there must be one length for each sequence, the first axis of x".into());
            }
        }
        rows(&inputs[..1])
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (y, dy) = (at.output(0), at.upstream());
        let dx = at.graph.push1(SoftmaxBackward, &[y, dy])?;
        at.set(0, dx);
        Ok(())
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(5, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let dispatch = per_row(SHADER, ["forward_short", "forward_wide"], &types.inputs[0], target);
        let dispatch = dispatch.constant("MASKED", self.masked.into()).read(Operand::Input(0));
        let dispatch = dispatch.read(Operand::Input(usize::from(self.masked))).write(Operand::Output(0));
        let batch = if self.masked { types.inputs[1].len() } else { 1 };
        vec![dispatch.uniform(&[types.inputs[0].rows() / batch.max(1)])]
    }
}

impl Softmax {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let columns = call.types.inputs[0].columns();
        let x = call.input(0).chunks_exact(columns);
        let rows_per_sequence = if self.masked { call.types.input(0)[1] } else { 1 };
        for (r, (y, x)) in call.output(0).chunks_exact_mut(columns).zip(x).enumerate() {
            let valid = if self.masked { (call.ids(1)[r / rows_per_sequence] as usize).min(columns) } else { columns };
            y.fill(T::default());
            let Some(max) = x[..valid].iter().copied().reduce(T::max) else {
                continue;
            };
            let mut sum = T::default();
            for c in 0..valid {
                y[c] = (x[c] - max).exp();
                sum += y[c];
            }
            for y in &mut y[..valid] {
                *y = *y / sum;
            }
        }
    }

    /// Rows on all threads.
    fn parallel(&self, mut call: Call<f32>) {
        let columns = call.types.inputs[0].columns();
        let lengths = self.masked.then(|| call.ids(1));
        let rows_per_sequence = if self.masked { call.types.input(0)[1] } else { 1 };
        let rows = call.output(0).par_chunks_exact_mut(columns).zip(call.input(0).par_chunks_exact(columns));
        rows.with_min_len(fast::MIN_ELEMENTS.div_ceil(columns)).enumerate().for_each(|(r, (y, x))| {
            let valid = lengths.map_or(columns, |l| (l[r / rows_per_sequence] as usize).min(columns));
            y[valid..].fill(0.0);
            forward(&mut y[..valid], &x[..valid]);
        });
    }
}

#[multiversion(targets = "simd")]
fn forward(y: &mut [f32], x: &[f32]) {
    let max = fast::max(x);
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = fast::exp(x - max));
    let sum = fast::sum(y, y, |y, _| y);
    y.iter_mut().for_each(|y| *y /= sum);
}

/// dx = y · (dy − Σ_c y·dy)
#[derive(Debug)]
struct SoftmaxBackward;

impl Op for SoftmaxBackward {
    fn name(&self) -> &'static str {
        "softmax"
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
        let dispatch = dispatch.constant("MASKED", 0).read(Operand::Input(0)).read(Operand::Input(1));
        vec![dispatch.write(Operand::Output(0)).uniform(&[1])]
    }
}

impl SoftmaxBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let columns = call.types.inputs[0].columns();
        let (y, dy) = (call.input(0).chunks_exact(columns), call.input(1).chunks_exact(columns));
        for (dx, (y, dy)) in call.output(0).chunks_exact_mut(columns).zip(y.zip(dy)) {
            let dot = (0..columns).fold(T::default(), |sum, c| sum + y[c] * dy[c]);
            for c in 0..columns {
                dx[c] = y[c] * (dy[c] - dot);
            }
        }
    }

    fn parallel(&self, mut call: Call<f32>) {
        let columns = call.types.inputs[0].columns();
        let rows = call.output(0).par_chunks_exact_mut(columns).zip(call.input(0).par_chunks_exact(columns));
        let rows = rows.zip(call.input(1).par_chunks_exact(columns));
        rows.with_min_len(fast::MIN_ELEMENTS.div_ceil(columns)).for_each(|((dx, y), dy)| backward(dx, y, dy));
    }
}

#[multiversion(targets = "simd")]
fn backward(dx: &mut [f32], y: &[f32], dy: &[f32]) {
    let dot = fast::sum(y, dy, |y, dy| y * dy);
    dx.iter_mut().zip(y.iter().zip(dy)).for_each(|(dx, (&y, &dy))| *dx = y * (dy - dot));
}

/// Shapes of whole vectors whose rows are not: they begin at each place in one.
pub const UNALIGNED: [[usize; 2]; 4] = [[4, 33], [4, 35], [2, 1002], [4, 2103]];

fn cases(set: &CaseSet) -> Vec<Case> {
    let plain = [[1, 1], [7, 17], [65, 33], [3, 257], [2, 1000], [33, 12], [3, 2100], [2, 1024], [64, 64]];
    let plain = [plain.as_slice(), &UNALIGNED].concat();
    let masked = [[1, 1, 1], [5, 3, 17], [7, 2, 65], [6, 1, 257], [7, 3, 20], [5, 1, 2100], [4, 2, 35], [2, 2, 1001]];
    let plain = set.sizes(&plain, [1000, 1000]);
    let masked = set.sizes(&masked, [65, 65, 257]);
    let mut cases: Vec<_> = plain.iter().map(|s| set.case(Softmax { masked: false }).scaled(s, 5.0)).collect();
    for [batch, time, columns] in masked {
        let case = set.case(Softmax { masked: true }).scaled(&[batch, time, columns], 5.0);
        cases.push(case.ids(&[batch], lengths(batch, columns)));
    }
    cases.extend(plain.iter().map(|s| set.case(SoftmaxBackward).constant(s, 1.0).constant(s, 2.0)));
    // Logits that differ by 1e4, and NaN in the masked columns.
    let far = (0..34).map(|i| if i % 5 == 0 { -1e4 } else { i as f32 }).collect();
    cases.push(set.case(Softmax { masked: false }).values(&[2, 17], far));
    // Logits whose e^x overflows unless the largest of the whole row was found; zeros, which are empty sequences to a
    // kernel that takes them for lengths.
    cases.extend([20, 600].map(|columns| set.case(Softmax { masked: false }).constant(&[2, columns], 300.0)));
    // The same where only the columns of one of eight lanes are large, each lane in its turn.
    let one_lane = (0..8 * 600).map(|i| if i % 600 % 8 == i / 600 { 300.0 } else { (i % 7) as f32 }).collect();
    cases.push(set.case(Softmax { masked: false }).values(&[8, 600], one_lane));
    let zeros = |columns: usize| set.case(Softmax { masked: false }).values(&[3, columns], vec![0.0; 3 * columns]);
    cases.extend([17, 257].map(zeros));
    let padded = |columns: usize, valid: usize| {
        (0..4 * columns).map(|i| if i % columns < valid { (i % 50) as f32 * 0.1 } else { f32::NAN }).collect()
    };
    for columns in [17, 37] {
        let case = set.case(Softmax { masked: true }).values(&[4, 1, columns], padded(columns, columns - 8));
        cases.push(case.ids(&[4], vec![9, 4, 0, columns as u32 - 8]));
        // A length beyond the row is the row's.
        let case = set.case(Softmax { masked: true }).values(&[4, 1, columns], padded(columns, columns));
        cases.push(case.ids(&[4], vec![columns as u32 + 3, u32::MAX, 0, columns as u32]));
    }
    cases.push(set.case(Softmax { masked: false }).subnormals(&[3, 7]));
    for shape in many(set) {
        cases.push(set.case(Softmax { masked: false }).constant(&shape, 5.0));
        cases.push(set.case(SoftmaxBackward).constant(&shape, 1.0).constant(&shape, 1.0));
    }
    cases
}

/// Shapes with more workgroups than one row of the grid has: of short rows, 256 a workgroup on hardware, and of wide
/// ones, in single numbers and in vectors.
pub fn many(set: &CaseSet) -> Vec<[usize; 2]> {
    let short = set.many(WORKGROUP).map(|rows| [rows, 1]);
    let wide = set.many(1).map(|rows| [[rows, SHORT + 1], [rows, SHORT + 4]]);
    short.into_iter().chain(wide.into_iter().flatten()).collect()
}

fn benches() -> Vec<Bench> {
    vec![
        Bench::new(
            "scores, 12,800 x 20 x 20, masked",
            Case::new(Softmax { masked: true }).constant(&[12_800, 20, 20], 5.0).ids(&[12_800], vec![20; 12_800]),
        ),
        Bench::new(
            "backward, 256,000 x 20",
            Case::new(SoftmaxBackward).constant(&[256_000, 20], 1.0).constant(&[256_000, 20], 1.0),
        ),
        Bench::new("logits, 1280 x 6191", Case::new(Softmax { masked: false }).constant(&[1280, 6191], 5.0)),
        Bench::new(
            "backward, 1280 x 6191",
            Case::new(SoftmaxBackward).constant(&[1280, 6191], 1.0).constant(&[1280, 6191], 1.0),
        ),
    ]
}
