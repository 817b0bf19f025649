//! Projection to the vocabulary, softmax and cross-entropy in one op that holds the logits of one chunk of rows at a
//! time.
//!
//! The idea of computing the gradients chunk by chunk while the logits are at hand is that of Liger Kernel's fused
//! linear cross-entropy (Hsu et al. 2024): three products instead of the four that recomputing the logits would take,
//! and memory for one chunk only.

use multiversion::multiversion;
use rayon::prelude::*;

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, expect, groups, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{lanes, reducing};
use super::fast::{self, Layout};
use super::fill::is_one;
use super::product::{Epilogue, Product};
use super::scale::scale;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("linear_cross_entropy", &[SHADER], cases, benches);

const SHADER: Shader = shader!("linear_cross_entropy");

/// Logits that a chunk holds on a GPU: 16 Mi numbers, 64 MiB, half of the binding that WebGPU guarantees. 2,560 rows of
/// 6,191 are one chunk so; two of 1,354 rows leave dx, [1354, 128], too few tiles for a large GPU.
const CHUNK_LOGITS: usize = 16 << 20;
/// Rows of a chunk on the CPU: at 6,191 words 256 rows are 6 MB, which stay in the cache between the products.
const CPU_ROWS: usize = 256;
/// Columns of the bias's gradient that a thread sums at a time: 4 KB.
const COLUMNS: usize = 1024;

/// Which positions count, and how sharp the target distribution is.
#[derive(Debug, Clone, Copy)]
pub struct LinearCrossEntropy {
    /// Label that marks a position as padding: no loss, no gradient.
    pub ignore: u32,
    /// ε of label smoothing (Szegedy et al. 2016), as torch.nn.functional.cross_entropy: the target is (1 − ε)·onehot +
    /// ε/V.
    pub smoothing: f32,
    /// Logits that are at hand at a time on a GPU.
    chunk: usize,
}

impl LinearCrossEntropy {
    pub fn new(ignore: u32, smoothing: f32) -> Self {
        Self { ignore, smoothing, chunk: CHUNK_LOGITS }
    }

    /// Positions of a chunk.
    fn chunk_rows(&self, n: usize, vocabulary: usize) -> usize {
        (self.chunk / vocabulary.max(1)).clamp(1, n.max(1))
    }
}

/// Numbers from one row of logits to the next: rows of whole vectors of four.
fn stride(vocabulary: usize) -> usize {
    vocabulary.next_multiple_of(4)
}

/// Columns of a workgroup that sums the errors for the bias.
const BIASES: usize = 32;

/// The kernel that does so.
fn bias_entry(target: &Target) -> &'static str {
    if target.software { "bias_walk" } else { "bias" }
}

/// What the op gives besides the loss.
#[derive(Clone, Copy)]
pub struct Loss {
    /// Mean over the positions that count, `[1]`; 0 where none does.
    pub mean: Value,
    /// (Σ loss; Σ −log p(label), without smoothing; number of positions that count), `[3]`.
    pub statistics: Value,
}

/// Cross-entropy of softmax(x·weightᵀ + bias) against labels: x [N, H], weight [V, H], bias `[V]`, labels `[N]`.
pub fn linear_cross_entropy(
    graph: &mut Graph,
    x: Value,
    weight: Value,
    bias: Value,
    labels: Value,
    op: LinearCrossEntropy,
) -> Result<Loss, GraphError> {
    let outputs = graph.push(op, &[x, weight, bias, labels])?;
    Ok(Loss { mean: outputs[0], statistics: outputs[1] })
}

/// (N, H, V)
fn sizes(types: &Types) -> [usize; 3] {
    [types.input(0)[0], types.input(0)[1], types.input(1)[0]]
}

/// Outputs: 0 mean, 1 statistics, and the gradients of the mean by 2 x, 3 weight, 4 bias, computed only where they are
/// read.
impl Op for LinearCrossEntropy {
    fn name(&self) -> &'static str {
        "linear_cross_entropy"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        expect(&inputs[0], "x", 2, DType::F32)?;
        expect(&inputs[1], "the weight", 2, DType::F32)?;
        expect(&inputs[3], "the labels", 1, DType::U32)?;
        let (n, width, vocabulary) = (inputs[0].shape[0], inputs[0].shape[1], inputs[1].shape[0]);
        if inputs[1].shape[1] != width || inputs[2] != TensorType::f32(&[vocabulary]) || inputs[3].len() != n {
            return Err("with x [N, H], the weight must be [V, H], the bias [V] and the labels [N]".into());
        }
        let gradients = inputs[..3].iter().cloned();
        Ok([TensorType::f32(&[1]), TensorType::f32(&[3])].into_iter().chain(gradients).collect())
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let Some(upstream) = at.upstream_of(0) else {
            return Ok(());
        };
        for i in 0..3 {
            let mut gradient = at.output(2 + i);
            if !is_one(at.graph, upstream) {
                gradient = scale(at.graph, gradient, upstream)?;
            }
            at.set(i, gradient);
        }
        Ok(())
    }

    /// The gradients come together or not at all.
    fn optional(&self, output: usize) -> bool {
        output >= 2
    }

    reference!(blocked);

    fn carries_gradient(&self, output: usize) -> bool {
        output == 0
    }

    fn work(&self, types: &Types) -> Work {
        let [n, width, vocabulary] = sizes(types);
        let gradients = types.wanted[2..].iter().any(|&wanted| wanted);
        // A product a wanted matrix; bias, maximum, − max, exp, Σ, and the error's two operations
        let products = 1 + usize::from(types.wanted[2]) + usize::from(types.wanted[3]);
        let each = 2 * width * products + 5 + 2 * usize::from(gradients) + usize::from(types.wanted[4]);
        Work::moving(self, types).flops(each, n * vocabulary)
    }

    fn scratch(&self, types: &Types, _target: &Target) -> Vec<usize> {
        let [n, _, vocabulary] = sizes(types);
        // Logits of a chunk; loss and −log p of every row; the number of rows that count.
        vec![self.chunk_rows(n, vocabulary) * stride(vocabulary), 2 * n, 1]
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let [n, width, vocabulary] = sizes(types);
        let (logits, rows, count) = (Operand::Scratch(0), Operand::Scratch(1), Operand::Scratch(2));
        let gradients = types.wanted[2] || types.wanted[3] || types.wanted[4];
        let kernel = |entry| {
            let kernel = Dispatch::new(SHADER, entry).constant("GRADIENT", gradients.into());
            reducing(kernel.constant("LANES", lanes(target)), target)
        };
        let parameters = |d: Dispatch, [first, end]: [usize; 2]| {
            d.uniform(&[n, vocabulary, self.ignore as usize, first, end]).number(self.smoothing)
        };
        let row_major = |operand, offset, columns| (operand, offset, [0, columns, 1]);
        let transposed = |operand, offset, columns| (operand, offset, [0, 1, columns]);
        let plain = |sizes, a, b, c, accumulate| {
            Product { sizes, a, b, c, epilogue: Epilogue::NONE, addend: Operand::Input(0), accumulate }.dispatch(target)
        };
        let mut dispatches = vec![parameters(kernel("count").read(Operand::Input(3)).write(count), [0, n])];
        let chunk = self.chunk_rows(n, vocabulary);
        for first in (0..n).step_by(chunk) {
            let m = chunk.min(n - first);
            let x = row_major(Operand::Input(0), first * width, width);
            let project = Product {
                sizes: [1, m, vocabulary, width],
                a: x,
                b: transposed(Operand::Input(1), 0, width),
                c: row_major(logits, 0, stride(vocabulary)),
                epilogue: Epilogue::BIAS,
                addend: Operand::Input(2),
                accumulate: false,
            };
            dispatches.push(project.dispatch(target));
            let softmax = kernel("softmax").read(Operand::Input(3)).read(count).write(logits).write(rows);
            dispatches.push(parameters(softmax, [first, first + m]).workgroups(groups(m)));
            let error = row_major(logits, 0, stride(vocabulary));
            if types.wanted[2] {
                let dx = row_major(Operand::Output(2), first * width, width);
                dispatches.push(plain(
                    [1, m, width, vocabulary],
                    error,
                    row_major(Operand::Input(1), 0, width),
                    dx,
                    false,
                ));
            }
            if types.wanted[3] {
                let dweight = row_major(Operand::Output(3), 0, width);
                let error = transposed(logits, 0, stride(vocabulary));
                dispatches.push(plain([1, vocabulary, width, m], error, x, dweight, first > 0));
            }
            if types.wanted[4] {
                let bias = kernel(bias_entry(target)).read(logits).write(Operand::Output(4));
                let bias = bias.uniform(&[m, vocabulary, usize::from(first > 0), 0, 0]).number(0.0);
                dispatches.push(bias.workgroups(groups(vocabulary.div_ceil(BIASES))));
            }
        }
        let total = kernel("total").read(rows).read(count).write(Operand::Output(0)).write(Operand::Output(1));
        dispatches.push(parameters(total, [0, n]));
        dispatches
    }
}

impl LinearCrossEntropy {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let [_, width, vocabulary] = sizes(call.types);
        let (x, weight, bias, labels) = (call.input(0), call.input(1), call.input(2), call.ids(3));
        let (mean, statistics) = (call.output(0), call.output(1));
        let (dx, dweight, dbias) = (call.output(2), call.output(3), call.output(4));
        for gradient in [&mut *dx, &mut *dweight, &mut *dbias] {
            gradient.fill(T::default());
        }
        let counted = labels.iter().filter(|&&l| l != self.ignore).count();
        let count = T::of(counted.max(1) as f64);
        let [smoothing, sharpness] = [self.smoothing, 1.0 - self.smoothing].map(|x| T::of(f64::from(x)));
        let (mut loss, mut surprise) = (T::default(), T::default());
        let mut logits = vec![T::default(); vocabulary];
        for (n, &label) in labels.iter().enumerate().filter(|(_, label)| **label != self.ignore) {
            let x = &x[n * width..][..width];
            for v in 0..vocabulary {
                logits[v] = (0..width).fold(bias[v], |sum, h| sum + x[h] * weight[v * width + h]);
            }
            let max = logits.iter().copied().reduce(T::max).expect("a vocabulary is not empty");
            let total = logits.iter().fold(T::default(), |sum, &z| sum + (z - max).exp());
            let average = logits.iter().fold(T::default(), |sum, &z| sum + z) / T::of(vocabulary as f64);
            // The distance from the largest first: added to a large one, the logarithm would lose its last bits.
            let nll = max.minus(logits[label as usize]) + total.ln();
            surprise += nll;
            loss += sharpness * nll + smoothing * (max - average + total.ln());
            for v in 0..vocabulary {
                let target =
                    if v == label as usize { sharpness } else { T::default() } + smoothing / T::of(vocabulary as f64);
                let error = ((logits[v] - max).exp() / total - target) / count;
                if !dbias.is_empty() {
                    dbias[v] += error;
                }
                for h in 0..width {
                    if !dx.is_empty() {
                        dx[n * width + h] += error * weight[v * width + h];
                    }
                    if !dweight.is_empty() {
                        dweight[v * width + h] += error * x[h];
                    }
                }
            }
        }
        mean[0] = loss / count;
        statistics.copy_from_slice(&[loss, surprise, T::of(counted as f64)]);
    }

    /// Chunks of the rows that count, packed together: padding costs nothing.
    fn blocked(&self, mut call: Call<f32>) {
        let [_, width, vocabulary] = sizes(call.types);
        let (x, weight, bias, labels) = (call.input(0), call.input(1), call.input(2), call.ids(3));
        let (mean, statistics) = (call.output(0), call.output(1));
        let (dx, dweight, dbias) = (call.output(2), call.output(3), call.output(4));
        let rows: Vec<usize> = (0..labels.len()).filter(|&n| labels[n] != self.ignore).collect();
        let gradients = !(dx.is_empty() && dweight.is_empty() && dbias.is_empty());
        let plain = |columns| Layout::row_major(0, columns);
        dx.fill(0.0);
        dbias.fill(0.0);
        if rows.is_empty() {
            dweight.fill(0.0);
        }
        let (mut loss, mut surprise) = (0.0, 0.0);
        let size = CPU_ROWS.min(rows.len());
        let (mut logits, mut inputs, mut dinputs) =
            (vec![0.0; size * vocabulary], vec![0.0; size * width], vec![0.0; size * width]);
        for (number, chunk) in rows.chunks(CPU_ROWS).enumerate() {
            let m = chunk.len();
            for (packed, &n) in inputs.chunks_exact_mut(width).zip(chunk) {
                packed.copy_from_slice(&x[n * width..][..width]);
            }
            let c = (&mut logits[..], plain(vocabulary));
            fast::product(
                [m, vocabulary, width],
                (&inputs, plain(width)),
                (weight, plain(width).transposed()),
                c,
                false,
                true,
            );
            let losses: Vec<[f32; 2]> = logits[..m * vocabulary]
                .par_chunks_mut(vocabulary)
                .zip(chunk)
                .map(|(row, &n)| row_loss(self.smoothing, row, bias, labels[n] as usize, gradients, rows.len() as f32))
                .collect();
            // In f64 and in order: the epoch's mean is exact however many sentences it has.
            loss += losses.iter().map(|l| f64::from(l[0])).sum::<f64>();
            surprise += losses.iter().map(|l| f64::from(l[1])).sum::<f64>();
            if !dx.is_empty() {
                let c = (&mut dinputs[..], plain(width));
                fast::product(
                    [m, width, vocabulary],
                    (&logits, plain(vocabulary)),
                    (weight, plain(width)),
                    c,
                    false,
                    true,
                );
                for (packed, &n) in dinputs.chunks_exact(width).zip(chunk) {
                    dx[n * width..][..width].copy_from_slice(packed);
                }
            }
            if !dweight.is_empty() {
                let a = (&logits[..], plain(vocabulary).transposed());
                fast::product(
                    [vocabulary, width, m],
                    a,
                    (&inputs, plain(width)),
                    (dweight, plain(width)),
                    number > 0,
                    true,
                );
            }
            if !dbias.is_empty() {
                // Each thread some columns, so that the order of a sum does not depend on how many threads there are.
                dbias.par_chunks_mut(COLUMNS).enumerate().for_each(|(i, sums)| {
                    for row in logits[..m * vocabulary].chunks_exact(vocabulary) {
                        fast::add_to(sums, &row[i * COLUMNS..][..sums.len()]);
                    }
                });
            }
        }
        mean[0] = (loss / rows.len().max(1) as f64) as f32;
        statistics.copy_from_slice(&[loss as f32, surprise as f32, rows.len() as f32]);
    }
}

/// Turns a row of logits into (softmax − target) / count; gives its loss and −log p(label).
#[multiversion(targets = "simd")]
fn row_loss(smoothing: f32, row: &mut [f32], bias: &[f32], label: usize, gradient: bool, count: f32) -> [f32; 2] {
    const LANES: usize = 16;
    // Blocks of exactly LANES numbers, and what remains: LLVM leaves a loop over a last, shorter block scalar for all
    // of them (that pass took 15 of 94 ms).
    let whole = row.len() / LANES * LANES;
    let (mut max, mut sums) = ([f32::MIN; LANES], [0.0; LANES]);
    let (blocks, rest) = row.split_at_mut(whole);
    let biases = bias.chunks_exact(LANES);
    for (z, b) in blocks.chunks_exact_mut(LANES).zip(biases.clone()) {
        for i in 0..LANES {
            biased(&mut z[i], b[i], &mut max[i], &mut sums[i]);
        }
    }
    for (i, (z, b)) in rest.iter_mut().zip(biases.remainder()).enumerate() {
        biased(z, *b, &mut max[i], &mut sums[i]);
    }
    let max = max.into_iter().fold(f32::MIN, f32::max);
    let average = sums.iter().sum::<f32>() / row.len() as f32;
    let at_label = row[label];
    let mut sums = [0.0; LANES];
    let (blocks, rest) = row.split_at_mut(whole);
    for z in blocks.chunks_exact_mut(LANES) {
        for i in 0..LANES {
            z[i] = fast::exp(z[i] - max);
            sums[i] += z[i];
        }
    }
    for (i, z) in rest.iter_mut().enumerate() {
        *z = fast::exp(*z - max);
        sums[i] += *z;
    }
    let total: f32 = sums.iter().sum();
    // The distance from the largest first: added to a large one, the logarithm would lose its last bits.
    let nll = (max - at_label) + total.ln();
    if gradient {
        let (factor, share) = (1.0 / (total * count), smoothing / row.len() as f32 / count);
        row.iter_mut().for_each(|e| *e = *e * factor - share);
        row[label] -= (1.0 - smoothing) / count;
    }
    [(1.0 - smoothing) * nll + smoothing * ((max - average) + total.ln()), nll]
}

/// Adds the bias to a logit, which the largest and the sum so far then take in.
#[inline(always)]
fn biased(z: &mut f32, bias: f32, max: &mut f32, sum: &mut f32) {
    *z += bias;
    *max = if *z > *max { *z } else { *max };
    *sum += *z;
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let mut cases = vec![];
    // Vocabularies that leave every rest when divided by 4: the last vector of a row has places that are nobody's.
    let quick =
        [[1, 1, 1], [7, 17, 5], [33, 9, 65], [65, 3, 257], [5, 2, 1000], [300, 1, 5], [3, 2, 2103], [4, 2, 1354]];
    for (i, [n, width, vocabulary]) in set.sizes(&quick, [257, 257, 1000]).into_iter().enumerate() {
        for smoothing in [0.0, 0.1] {
            let op = LinearCrossEntropy::new(0, smoothing);
            let case = set.case(op).random(&[n, width]).random(&[vocabulary, width]).random(&[vocabulary]);
            cases.push(case.random_ids(&[n], vocabulary.max(1) as u32));
            if i == 1 {
                let op = LinearCrossEntropy::new(3, smoothing);
                // Nothing but padding.
                let case = set.case(op).random(&[n, width]).random(&[vocabulary, width]).random(&[vocabulary]);
                cases.push(case.ids(&[n], vec![3; n]));
            }
        }
    }
    // Padding among rows longer than a workgroup takes at once.
    let case = set.case(LinearCrossEntropy::new(0, 0.1)).random(&[5, 3]).random(&[1101, 3]).random(&[1101]);
    cases.push(case.ids(&[5], vec![0, 3, 0, 1100, 0]));
    // Several chunks, the last one smaller.
    let op = LinearCrossEntropy { chunk: 3 * 17, ..LinearCrossEntropy::new(0, 0.1) };
    let case = set.case(op).random(&[7, 5]).random(&[17, 5]).random(&[17]);
    cases.push(case.random_ids(&[7], 17));
    // Logits that differ by 1e4.
    let op = LinearCrossEntropy::new(0, 0.1);
    let case = set.case(op).constant(&[7, 3], 70.0).constant(&[17, 3], 70.0).constant(&[17], 1.0);
    cases.push(case.random_ids(&[7], 17));
    if let Some(n) = set.many(1) {
        let op = LinearCrossEntropy::new(0, 0.0);
        let case = set.case(op).constant(&[n, 1], 1.0).constant(&[3, 1], 1.0).constant(&[3], 1.0);
        cases.push(case.random_ids(&[n], 3));
        // Two such chunks: the grid of the first has a workgroup too many, which must not take the first row of the
        // second, padding: its errors, zeros, would lie behind the chunk's.
        let op = LinearCrossEntropy { chunk: 3 * n, ..op };
        let case = set.case(op).constant(&[2 * n, 1], 1.0).constant(&[3, 1], 1.0).constant(&[3], 1.0);
        cases.push(case.ids(&[2 * n], (0..2 * n as u32).map(|i| if i == n as u32 { 0 } else { 1 + i % 2 }).collect()));
    }
    cases
}

fn benches() -> Vec<Bench> {
    let op = LinearCrossEntropy::new(0, 0.0);
    let case = || Case::new(op).constant(&[2560, 128], 1.0).constant(&[6191, 128], 0.1).constant(&[6191], 0.1);
    vec![
        Bench::new("2560 positions of 128, vocabulary 6191", case().random_ids(&[2560], 6191)),
        Bench { unread: &[2, 3, 4], ..Bench::new("the same without gradients", case().random_ids(&[2560], 6191)) },
    ]
}
