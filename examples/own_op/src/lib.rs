//! Root mean square normalization with a learned gain (Zhang and Sennrich 2019, equation 4): y = x·r·g with
//! r = 1/√(mean x² + ε) over the last axis.
//!
//! Everything that wgrad wants to know of an op stands here, and its kernels in `rms_norm.wgsl`. In return `check`
//! holds them to derived bounds, `bench` measures them beside the roofline, and mutants show what the cases miss.

use wgrad::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, expect, groups, reference,
};
use wgrad::ops::Listing;
use wgrad::ops::case::{Bench, Case, CaseSet};

/// The op, as wgrad's commands and tests take it.
pub const LISTING: Listing = Listing::new("rms_norm", &[SHADER], cases, benches);

const SHADER: Shader = Shader::new("rms_norm", include_str!("rms_norm.wgsl"));

/// Added to the mean square.
const EPSILON: f32 = 1e-6;

/// Invocations of a workgroup, which share a row, or 64 columns: a multiple of every subgroup size.
const LANES: usize = 64;

/// y [.., C] of x [.., C] and gain `[C]`.
pub fn rms_norm(graph: &mut Graph, x: Value, gain: Value) -> Result<Value, GraphError> {
    Ok(graph.push(RmsNorm, &[x, gain])?[0])
}

/// Shape rule of the two inputs that both ops begin with.
fn expect_rows(inputs: &[TensorType]) -> Result<(), String> {
    let columns = inputs[0].shape.last().copied().unwrap_or(0);
    if inputs[0].dtype != DType::F32 || columns == 0 {
        return Err("x must hold numbers in at least one column".into());
    }
    expect(&inputs[1], "the gain", 1, DType::F32)?;
    if inputs[1].len() == columns { Ok(()) } else { Err(format!("the gain must have {columns} numbers")) }
}

/// Inputs x [.., C] and gain `[C]`; outputs y [.., C] and r `[R]` of every row.
#[derive(Debug)]
struct RmsNorm;

impl Op for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        expect_rows(inputs)?;
        Ok(vec![inputs[0].clone(), TensorType::f32(&[inputs[0].rows()])])
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let inputs = [at.input(0), at.input(1), at.output(1), at.upstream()];
        let gradients = at.graph.push(RmsNormBackward, &inputs)?;
        at.set(0, gradients[0]);
        at.set(1, gradients[1]);
        Ok(())
    }

    reference!();

    /// r is kept for the backward pass alone.
    fn carries_gradient(&self, output: usize) -> bool {
        output == 0
    }

    fn work(&self, types: &Types) -> Work {
        // x², its sum, · r, · gain
        Work::moving(self, types).flops(4, types.inputs[0].len())
    }

    fn dispatches(&self, types: &Types, _target: &Target) -> Vec<Dispatch> {
        let x = &types.inputs[0];
        let forward = kernel("forward").read(Operand::Input(0)).read(Operand::Input(1));
        let forward = forward.write(Operand::Output(0)).write(Operand::Output(1));
        vec![forward.uniform(&[x.rows(), x.columns()]).number(EPSILON).workgroups(groups(x.rows()))]
    }
}

impl RmsNorm {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let columns = call.types.inputs[0].columns();
        let (x, gain) = (call.input(0), call.input(1));
        let (y, scales) = (call.output(0), call.output(1));
        for ((y, x), scale) in y.chunks_exact_mut(columns).zip(x.chunks_exact(columns)).zip(scales) {
            let squares = x.iter().fold(T::default(), |sum, &x| sum + x * x);
            *scale = T::of(1.0) / (squares / T::of(columns as f64) + T::of(f64::from(EPSILON))).sqrt();
            for c in 0..columns {
                y[c] = x[c] * *scale * gain[c];
            }
        }
    }
}

/// Inputs x, gain, r and dy; outputs dx [.., C] and dgain `[C]`. With n = x·r: dgain = Σ_r dy·n over the rows, and
/// dx = r·(gain·dy − n·mean(gain·dy·n)).
#[derive(Debug)]
struct RmsNormBackward;

impl Op for RmsNormBackward {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        expect_rows(inputs)?;
        if inputs[2] != TensorType::f32(&[inputs[0].rows()]) || inputs[3] != inputs[0] {
            return Err(format!("r must have {} numbers, and dy must be like x", inputs[0].rows()));
        }
        Ok(vec![inputs[0].clone(), inputs[1].clone()])
    }

    reference!();

    fn work(&self, types: &Types) -> Work {
        // n, gain·dy, its product with n, that one's sum, · mean, −, · r; dy·n and its sum
        Work::moving(self, types).flops(9, types.inputs[0].len())
    }

    fn dispatches(&self, types: &Types, _target: &Target) -> Vec<Dispatch> {
        let x = &types.inputs[0];
        let sizes = [x.rows(), x.columns()];
        let bound = |entry| (0..4).fold(kernel(entry), |d, i| d.read(Operand::Input(i)));
        let rows = bound("backward").write(Operand::Output(0)).uniform(&sizes).number(EPSILON);
        let columns = bound("backward_gain").write(Operand::Output(1)).uniform(&sizes).number(EPSILON);
        vec![rows.workgroups(groups(x.rows())), columns.workgroups(groups(x.columns().div_ceil(LANES)))]
    }
}

impl RmsNormBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let columns = call.types.inputs[0].columns();
        let (x, gain, scales, dy) = (call.input(0), call.input(1), call.input(2), call.input(3));
        let (dx, dgain) = (call.output(0), call.output(1));
        dgain.fill(T::default());
        for (row, &scale) in scales.iter().enumerate() {
            let at = row * columns..(row + 1) * columns;
            let (x, dy, dx) = (&x[at.clone()], &dy[at.clone()], &mut dx[at]);
            let product = |c: usize| gain[c] * dy[c] * (x[c] * scale);
            let mean = (0..columns).fold(T::default(), |sum, c| sum + product(c)) / T::of(columns as f64);
            for c in 0..columns {
                dx[c] = scale * (gain[c] * dy[c] - x[c] * scale * mean);
                dgain[c] += dy[c] * (x[c] * scale);
            }
        }
    }
}

fn kernel(entry: &'static str) -> Dispatch {
    Dispatch::new(SHADER, entry).constant("LANES", LANES as u32)
}

fn cases(set: &CaseSet) -> Vec<Case> {
    // (rows, columns): fewer columns than lanes, as many, more, and odd ones.
    let quick = [[1, 1], [3, 7], [5, 64], [33, 65], [2, 257], [7, 1000]];
    let mut cases = vec![];
    for [rows, columns] in set.sizes(&quick, [1000, 1000]) {
        cases.push(set.case(RmsNorm).random(&[rows, columns]).random(&[columns]));
        // x, gain, r and dy; any r will do.
        let backward = set.case(RmsNormBackward).constant(&[rows, columns], 1.0).constant(&[columns], 1.0);
        cases.push(backward.constant(&[rows], 2.0).constant(&[rows, columns], 1.0));
    }
    cases.push(set.case(RmsNorm).random(&[2, 3, 5]).random(&[5]));
    // A row of zeros has r = 1/√ε, and numbers that a device may flush to zero.
    cases.push(set.case(RmsNorm).values(&[2, 4], vec![0.0; 8]).random(&[4]));
    cases.push(set.case(RmsNorm).subnormals(&[3, 8]).random(&[8]));
    cases.push(set.case(RmsNorm).constant(&[4, 100], 1e6).random(&[100]));
    // More rows than one row of the grid has workgroups.
    if let Some(rows) = set.many(1) {
        cases.push(set.case(RmsNorm).constant(&[rows, 3], 1.0).constant(&[3], 1.0));
    }
    cases
}

fn benches() -> Vec<Bench> {
    let forward = Case::new(RmsNorm).constant(&[2560, 512], 1.0).constant(&[512], 1.0);
    let backward = Case::new(RmsNormBackward).constant(&[2560, 512], 1.0).constant(&[512], 1.0);
    let backward = backward.constant(&[2560], 1.0).constant(&[2560, 512], 1.0);
    vec![Bench::new("2560 x 512", forward), Bench::new("backward, 2560 x 512", backward)]
}
