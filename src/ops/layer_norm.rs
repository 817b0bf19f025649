//! Layer normalization (Ba et al. 2016; torch.nn.LayerNorm) with the residual addition before it:
//! y = (s − mean s)/√(var s + ε)·weight + bias over the last axis, s = x + residual.

use multiversion::multiversion;
use rayon::prelude::*;

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, groups, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet, Tensor};
use super::elementwise::{SUBGROUPS, WORKGROUP, blocks, workgroups};
use super::fast;
use super::rowwise::{held_rows, is_longer};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("layer_norm", &[SHADER, BACKWARD], cases, benches);

const SHADER: Shader = shader!("layer_norm");
const BACKWARD: Shader = shader!("layer_norm_backward");

/// PyTorch's default.
const EPSILON: f32 = 1e-5;

/// Rows that a task of the CPU takes: below some thousand numbers, waking a thread costs more than it brings.
const ROWS: usize = 32;

/// What a normalization gives.
#[derive(Clone, Copy, Debug)]
pub struct Normed {
    /// y [.., C]
    pub output: Value,
    /// s [.., C] = x + residual, which a norm-first layer passes on; without a residual x itself.
    pub sum: Value,
}

/// Normalizes the rows of x [.., C], or of x + residual, with weight and bias `[C]`. The variance is the biased one,
/// ε = 1e-5.
///
/// # Errors
/// When the residual is not of x's shape, or weight and bias are not `[C]`.
pub fn layer_norm(
    graph: &mut Graph,
    x: Value,
    residual: Option<Value>,
    weight: Value,
    bias: Value,
) -> Result<Normed, GraphError> {
    let inputs: Vec<Value> = [x, weight, bias].into_iter().chain(residual).collect();
    let outputs = graph.push(LayerNorm { residual: residual.is_some() }, &inputs)?;
    Ok(Normed { output: outputs[0], sum: outputs.get(2).copied().unwrap_or(x) })
}

/// Inputs: x, weight, bias, and the residual. Outputs: y, the moments [R, 2] (mean and 1/√(variance + ε)) for the
/// backward pass, and with a residual s.
#[derive(Debug)]
struct LayerNorm {
    residual: bool,
}

impl Op for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let x = &inputs[0];
        let vector = TensorType::f32(&[x.columns()]);
        if x.dtype != DType::F32 || inputs[1] != vector || inputs[2] != vector {
            return Err(format!("x must hold numbers, weight and bias must be {vector}"));
        }
        if self.residual && inputs[3] != *x {
            return Err(format!("the residual must be {x}"));
        }
        let outputs = [x.clone(), TensorType::f32(&[x.rows(), 2])];
        Ok(outputs.into_iter().chain(self.residual.then(|| x.clone())).collect())
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (sum, weight) = (if self.residual { at.output(2) } else { at.input(0) }, at.input(1));
        let dsum = if self.residual { at.upstream_of(2) } else { None };
        let Some(dy) = at.upstream_of(0) else {
            let dsum = dsum.expect("without a residual only y carries a gradient");
            at.set(0, dsum);
            at.set(3, dsum);
            return Ok(());
        };
        let inputs: Vec<Value> = [sum, weight, dy, at.output(1)].into_iter().chain(dsum).collect();
        let results = at.graph.push(LayerNormBackward { passed_on: dsum.is_some() }, &inputs)?;
        for (input, gradient) in results.iter().enumerate() {
            at.set(input, *gradient);
        }
        if self.residual {
            at.set(3, results[0]);
        }
        Ok(())
    }

    reference!(parallel);

    fn carries_gradient(&self, output: usize) -> bool {
        output != 1
    }

    fn work(&self, types: &Types) -> Work {
        // s, mean (1), variance (3), s − mean, · scale, · weight, + bias
        Work::moving(self, types).flops(8 + usize::from(self.residual), types.inputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let x = &types.inputs[0];
        let entries = if self.residual { ["add", "add_longer"] } else { ["forward", "forward_longer"] };
        let dispatch = rows(SHADER, entries, LONGER_ROWS, x, target).number(EPSILON);
        let dispatch = (0..3).fold(dispatch, |d, i| d.read(Operand::Input(i)));
        // Without a residual x is bound again, unread, and s is x.
        let dispatch = dispatch.read(Operand::Input(if self.residual { 3 } else { 0 })).write(Operand::Output(0));
        let dispatch = dispatch.write(Operand::Output(1));
        vec![if self.residual { dispatch.write(Operand::Output(2)) } else { dispatch }]
    }
}

/// Rows that a workgroup of `forward_longer` or `add_longer` takes at a time, and one of `backward_longer`.
const LONGER_ROWS: usize = 4;
const LONGER_ROWS_BACKWARD: usize = 3;

/// The kernel for rows that registers hold, or the one for longer rows, which takes some at a time. The uniform begins
/// as that of [`held_rows`].
fn rows(
    shader: Shader,
    [held, longer]: [&'static str; 2],
    at_a_time: usize,
    x: &TensorType,
    target: &Target,
) -> Dispatch {
    match is_longer(x, target) {
        false => held_rows(shader, held, x, target),
        true => held_rows(shader, longer, x, target).workgroups(blocks(x.rows().div_ceil(at_a_time), target)),
    }
}

/// Mean and 1/√(variance + ε). The mean square minus the squared mean would cancel where the mean is large. In a row
/// of equal numbers a mean that is off by its rounding would become up to 316 = 1/√ε times that; PyTorch gives zeros,
/// and so does a mean whose rounding is taken back.
fn moments<T: Real>(s: &[T]) -> [T; 2] {
    let (count, mean) = (T::of(s.len() as f64), T::mean(s));
    let variance = s.iter().fold(T::default(), |sum, &s| sum + s.minus(mean) * s.minus(mean)) / count;
    [mean, T::of(1.0) / (variance + T::of(f64::from(EPSILON))).sqrt()]
}

/// A row.
#[multiversion(targets = "simd")]
fn normalize(s: &[f32], [weight, bias]: [&[f32]; 2], y: &mut [f32], kept: &mut [f32]) {
    let [mean, scale] = fast_moments(s);
    kept.copy_from_slice(&[mean, scale]);
    for (c, y) in y.iter_mut().enumerate() {
        *y = (s[c] - mean) * scale * weight[c] + bias[c];
    }
}

/// [`moments`], for the CPU's vector units.
#[inline(always)]
fn fast_moments(s: &[f32]) -> [f32; 2] {
    let count = s.len() as f32;
    let first = fast::sum(s, s, |s, _| s) / count;
    let mean = first + fast::sum(s, s, |s, _| s - first) / count;
    [mean, 1.0 / (fast::sum(s, s, |s, _| (s - mean) * (s - mean)) / count + EPSILON).sqrt()]
}

impl LayerNorm {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let columns = call.types.inputs[0].columns();
        let (weight, bias) = (call.input(1), call.input(2));
        let (y, kept) = (call.output(0), call.output(1));
        let sums = if self.residual { call.output(2) } else { &mut [] };
        for (r, (y, x)) in y.chunks_exact_mut(columns).zip(call.input(0).chunks_exact(columns)).enumerate() {
            let mut s = x.to_vec();
            if self.residual {
                s.iter_mut().zip(&call.input(3)[r * columns..]).for_each(|(s, &residual)| *s += residual);
                sums[r * columns..][..columns].copy_from_slice(&s);
            }
            let [mean, scale] = moments(&s);
            kept[2 * r..][..2].copy_from_slice(&[mean, scale]);
            for c in 0..columns {
                y[c] = s[c].minus(mean) * scale * weight[c] + bias[c];
            }
        }
    }

    fn parallel(&self, mut call: Call<f32>) {
        let columns = call.types.inputs[0].columns();
        let (x, weight, bias) = (call.input(0), call.input(1), call.input(2));
        let y = call.output(0).par_chunks_exact_mut(columns).zip(call.output(1).par_chunks_exact_mut(2));
        let rows = y.zip(x.par_chunks_exact(columns)).with_min_len(ROWS);
        if !self.residual {
            rows.for_each(|((y, kept), x)| normalize(x, [weight, bias], y, kept));
            return;
        }
        let residual = call.input(3).par_chunks_exact(columns);
        let sums = call.output(2).par_chunks_exact_mut(columns).zip(residual);
        rows.zip(sums).for_each(|(((y, kept), x), (s, residual))| {
            fast::add(x, residual, s);
            normalize(s, [weight, bias], y, kept);
        });
    }
}

/// With n = (s − mean)·scale and g = dy·weight: ds = scale·(g − mean g − n·mean(g·n)) + dsum, dweight = Σ_r dy·n,
/// dbias = Σ_r dy.
///
/// Inputs: s, weight, dy, the moments of the forward pass, and dsum if s was passed on. Outputs: ds, dweight, dbias.
#[derive(Debug)]
struct LayerNormBackward {
    passed_on: bool,
}

impl Op for LayerNormBackward {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![inputs[0].clone(), inputs[1].clone(), inputs[1].clone()])
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        // n (2), g, Σ g, Σ g·n (2), ds (4), dweight (2), dbias, + dsum
        Work::moving(self, types).flops(13 + usize::from(self.passed_on), types.inputs[0].len())
    }

    fn scratch(&self, types: &Types, target: &Target) -> Vec<usize> {
        let x = &types.inputs[0];
        match ParameterSums::of(x, target).blocks {
            1 => vec![],
            blocks => vec![blocks * x.columns(); 2],
        }
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let x = &types.inputs[0];
        let columns = x.columns();
        let ParameterSums { on_the_way, blocks } = ParameterSums::of(x, target);
        let totals = [Operand::Output(1), Operand::Output(2)];
        let sums = if blocks == 1 { totals } else { [Operand::Scratch(0), Operand::Scratch(1)] };

        let entries = ["backward", "backward_longer"];
        let gradient =
            rows(BACKWARD, entries, LONGER_ROWS_BACKWARD, x, target).constant("PASSED_ON", self.passed_on.into());
        let gradient = gradient.constant("SUMMED", on_the_way.into());
        let gradient = (0..4).fold(gradient, |d, i| d.read(Operand::Input(i)));
        let gradient = gradient.read(Operand::Input(if self.passed_on { 4 } else { 2 })).write(Operand::Output(0));
        let mut dispatches = vec![gradient.write(sums[0]).write(sums[1])];
        // The other kernels take columns one by one and add up for themselves: the same for all rows and adapters.
        let kernel = |entry| {
            let unused = ["HELD", "WHOLE", "LONGER", SUBGROUPS, "PASSED_ON", "SUMMED"];
            let kernel = Dispatch::new(BACKWARD, entry).constant("VECTOR", 1).constant("LANES", WORKGROUP as u32);
            unused.into_iter().fold(kernel, |d, name| d.constant(name, (name == "HELD").into()))
        };
        if !on_the_way {
            let parameters =
                kernel("parameters").read(Operand::Input(0)).read(Operand::Input(2)).read(Operand::Input(3));
            let parameters = parameters.write(sums[0]).write(sums[1]);
            let parameters = parameters.uniform(&[x.rows(), columns, x.rows().div_ceil(blocks), blocks]);
            dispatches.push(parameters.workgroups(groups(columns.div_ceil(32) * blocks)));
        }
        if blocks > 1 {
            let add = kernel("add_blocks").read(sums[0]).read(sums[1]).write(totals[0]).write(totals[1]);
            dispatches.push(add.uniform(&[blocks, columns]).workgroups(groups(columns.div_ceil(WORKGROUP))));
        }
        dispatches
    }
}

/// How dweight and dbias, sums over the rows, are added up.
struct ParameterSums {
    /// `backward` (or `backward_longer`) adds up the rows that it takes; else `parameters` does, in a launch of its
    /// own.
    on_the_way: bool,
    /// Blocks of rows, whose sums are added in a second stage if there is more than one.
    blocks: usize,
}

impl ParameterSums {
    fn of(x: &TensorType, target: &Target) -> Self {
        if target.software { Self::software(x, target) } else { Self::hardware(x) }
    }

    fn hardware(x: &TensorType) -> Self {
        Self { on_the_way: false, blocks: x.rows().div_ceil(BLOCK).max(1) }
    }

    /// A block is what a workgroup of `backward` or `backward_longer` takes.
    fn software(x: &TensorType, target: &Target) -> Self {
        let at_a_time = if is_longer(x, target) { LONGER_ROWS_BACKWARD } else { 1 };
        Self { on_the_way: true, blocks: workgroups(x.rows().div_ceil(at_a_time), target) }
    }
}

/// Rows whose share of dweight and dbias one workgroup adds on hardware, 32 for each of its 8 lanes: 2,560 rows of 512
/// columns make 160 workgroups, and one stage would make 16. Not measured.
const BLOCK: usize = 256;

impl LayerNormBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let columns = call.types.inputs[0].columns();
        let (s, weight, dy, kept) = (call.input(0), call.input(1), call.input(2), call.input(3));
        let (ds, dweight, dbias) = (call.output(0), call.output(1), call.output(2));
        dweight.fill(T::default());
        dbias.fill(T::default());
        for r in 0..call.types.inputs[0].rows() {
            let row = r * columns..(r + 1) * columns;
            let (s, dy, ds) = (&s[row.clone()], &dy[row.clone()], &mut ds[row.clone()]);
            let (mean, scale) = (kept[2 * r], kept[2 * r + 1]);
            let n = |c: usize| (s[c] - mean) * scale;
            let count = T::of(columns as f64);
            let mean_g = (0..columns).fold(T::default(), |sum, c| sum + dy[c] * weight[c]) / count;
            let mean_gn = (0..columns).fold(T::default(), |sum, c| sum + dy[c] * weight[c] * n(c)) / count;
            for c in 0..columns {
                ds[c] = scale * (dy[c] * weight[c] - mean_g - n(c) * mean_gn);
                if self.passed_on {
                    ds[c] += call.input(4)[row.start + c];
                }
                dweight[c] += dy[c] * n(c);
                dbias[c] += dy[c];
            }
        }
    }

    /// Blocks of rows on all threads, each with sums of its own for weight and bias, which are added in order.
    fn parallel(&self, mut call: Call<f32>) {
        let columns = call.types.inputs[0].columns();
        let (s, weight, dy, kept) = (call.input(0), call.input(1), call.input(2), call.input(3));
        let block = ROWS * columns;
        let passed_on: &[f32] = if self.passed_on { call.input(4) } else { &[] };
        let sums: Vec<Vec<f32>> = (call.output(0).par_chunks_mut(block).enumerate())
            .map(|(number, ds)| {
                let mut sums = vec![0.0; 2 * columns];
                let (dweight, dbias) = sums.split_at_mut(columns);
                for (r, ds) in ds.chunks_exact_mut(columns).enumerate() {
                    let r = number * ROWS + r;
                    let row = r * columns;
                    let (s, dy, moments) =
                        (&s[row..][..columns], &dy[row..][..columns], [kept[2 * r], kept[2 * r + 1]]);
                    fast_row(s, weight, dy, moments, ds, (&mut *dweight, &mut *dbias));
                    if self.passed_on {
                        ds.iter_mut().zip(&passed_on[row..]).for_each(|(ds, dsum)| *ds += dsum);
                    }
                }
                sums
            })
            .collect();
        let (dweight, dbias) = (call.output(1), call.output(2));
        dweight.fill(0.0);
        dbias.fill(0.0);
        for sum in &sums {
            dweight.iter_mut().chain(dbias.iter_mut()).zip(sum).for_each(|(total, sum)| *total += sum);
        }
    }
}

#[multiversion(targets = "simd")]
fn fast_row(
    s: &[f32],
    weight: &[f32],
    dy: &[f32],
    [mean, scale]: [f32; 2],
    ds: &mut [f32],
    (dweight, dbias): (&mut [f32], &mut [f32]),
) {
    let columns = s.len();
    for c in 0..columns {
        dweight[c] += dy[c] * ((s[c] - mean) * scale);
        dbias[c] += dy[c];
        ds[c] = dy[c] * weight[c];
    }
    let mean_g = fast::sum(ds, ds, |g, _| g) / columns as f32;
    let mean_gn = fast::sum(ds, s, |g, s| g * ((s - mean) * scale)) / columns as f32;
    for c in 0..columns {
        ds[c] = scale * (ds[c] - mean_g - (s[c] - mean) * scale * mean_gn);
    }
}

/// The backward pass of rows s, with the moments that the forward pass keeps of them.
fn backward_case(case: Case, passed_on: bool) -> Case {
    let Tensor::F32(shape, s) = &case.inputs[0] else { unreachable!("rows hold numbers") };
    let (shape, columns) = (shape.clone(), case.inputs[0].tensor_type().columns());
    let exact: Vec<f64> = s.iter().map(|&s| f64::from(s)).collect();
    let kept: Vec<f32> = exact.chunks_exact(columns).flat_map(moments).map(|m| m as f32).collect();
    // Small where many rows are added, so that the sums' bound, which grows with their number squared, still says
    // something.
    let upstream = if shape[0] > 10_000 { 0.005 } else { 2.0 };
    let case = case.constant(&[columns], 1.0).constant(&shape, upstream).values(&[kept.len() / 2, 2], kept);
    if passed_on { case.constant(&shape, 1.0) } else { case }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    // 260 rows of 65: longer than registers on software adapters, and more than its workgroups take at a time.
    let shapes: [&[usize]; 10] = [
        &[1, 1],
        &[7, 17],
        &[4, 65, 65],
        &[65, 33],
        &[257, 8],
        &[2, 1000],
        &[3, 2103],
        &[2, 1024],
        &[300, 64],
        &[9, 264],
    ];
    let mut cases = vec![];
    let many = set.many(1).map(|rows| vec![rows, 2]);
    for shape in &set.shapes(&shapes).into_iter().chain(many).collect::<Vec<_>>() {
        let columns = shape[shape.len() - 1];
        for residual in [false, true] {
            let case = set.case(LayerNorm { residual }).random(shape).random(&[columns]).random(&[columns]);
            cases.push(if residual { case.random(shape) } else { case });
            let case = set.case(LayerNormBackward { passed_on: residual }).constant(shape, 1.0);
            cases.push(backward_case(case, residual));
        }
    }
    // Large means, and a row without any variance.
    let far: Vec<f32> = (0..51).map(|i| if i < 34 { 1e3 + (i * i % 17) as f32 } else { 0.5 }).collect();
    let case = set.case(LayerNorm { residual: false }).values(&[3, 17], far.clone());
    cases.push(case.constant(&[17], 1.0).constant(&[17], 1.0));
    // The same where registers do not hold a row on software adapters, and a row whose end lies far from what they
    // hold. No longer, since the bound of a mean grows with the row.
    let rows = [|i: usize| 1e3 + (i * i % 17) as f32, |_| 0.5, |i| if i < 64 { 0.0 } else { 1e3 + i as f32 }];
    let long: Vec<f32> = rows.iter().flat_map(|row| (0..67).map(row)).collect();
    for residual in [false, true] {
        let case = set.case(LayerNorm { residual }).values(&[3, 67], long.clone());
        let case = case.constant(&[67], 1.0).constant(&[67], 1.0);
        cases.push(if residual { case.constant(&[3, 67], 1.0) } else { case });
    }
    cases.push(backward_case(set.case(LayerNormBackward { passed_on: true }).values(&[3, 17], far), true));
    cases
}

fn benches() -> Vec<Bench> {
    let forward = |residual| {
        let case = Case::new(LayerNorm { residual }).constant(&[25_600, 128], 1.0);
        let case = case.constant(&[128], 1.0).constant(&[128], 1.0);
        if residual { case.constant(&[25_600, 128], 1.0) } else { case }
    };
    let backward = Case::new(LayerNormBackward { passed_on: true }).constant(&[25_600, 128], 1.0);
    let longer = Case::new(LayerNormBackward { passed_on: false }).constant(&[5120, 512], 1.0);
    let wide = Case::new(LayerNorm { residual: false }).constant(&[2560, 2048], 1.0).constant(&[2048], 1.0);
    vec![
        Bench::new("25,600 x 128", forward(false)),
        Bench::new("25,600 x 128 and a residual", forward(true)),
        Bench::new("2560 x 2048", wide.constant(&[2048], 1.0)),
        Bench::new("backward, 25,600 x 128, passed on", backward_case(backward, true)),
        Bench::new("backward, 5120 x 512", backward_case(longer, false)),
    ]
}
