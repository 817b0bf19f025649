//! C = A·B in every transposition, batched, with bias and activation fused where the planner finds them behind it.

use std::any::Any;
use std::sync::Arc;

use multiversion::multiversion;
use rayon::prelude::*;

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Target, TensorType, Types, Value, Work,
    reference,
};

use super::Listing;
use super::activation::Forward;
use super::add::Add;
use super::bias_add::BiasAdd;
use super::case::{Bench, Case, CaseSet};
use super::fast;
use super::product::{Activation, Addend, Epilogue, FEW, Product, SHADERS};
use super::relu::Relu;
use super::sigmoid::Sigmoid;
use super::tanh::Tanh;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("matmul", &SHADERS, cases, benches);

/// How an operand of a product is stored.
///
/// In two dimensions it is the matrix [rows, columns], or its transpose. In three dimensions one more axis counts the
/// matrices of a batch: the first, or the second (time-major sequences [T, B, H] are B matrices of T × H).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stored {
    pub transposed: bool,
    pub batch_axis: usize,
}

impl Stored {
    pub const PLAIN: Self = Self { transposed: false, batch_axis: 0 };
    pub const TRANSPOSED: Self = Self { transposed: true, batch_axis: 0 };
    /// Matrices of a time-major batch, [T, B, H].
    pub const TIME_MAJOR: Self = Self { transposed: false, batch_axis: 1 };

    pub fn flipped(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    /// (batch, rows, columns) of the matrices in a tensor of this shape.
    fn sizes(self, shape: &[usize]) -> Option<[usize; 3]> {
        let [batch, r, c] = match (shape, self.batch_axis) {
            (&[r, c], 0) => [1, r, c],
            (&[b, r, c], 0) | (&[r, b, c], 1) => [b, r, c],
            _ => return None,
        };
        Some(if self.transposed { [batch, c, r] } else { [batch, r, c] })
    }

    /// Distances between neighbours: (batch, row, column).
    fn strides(self, shape: &[usize]) -> [usize; 3] {
        let columns = shape[shape.len() - 1];
        let [batch, row] = match (shape, self.batch_axis) {
            ([_, r, _], 0) => [r * columns, columns],
            ([_, b, _], _) => [columns, b * columns],
            _ => [0, columns],
        };
        if self.transposed { [batch, 1, row] } else { [batch, row, 1] }
    }
}

/// A [M, K] · B [K, N]
pub fn matmul(graph: &mut Graph, a: Value, b: Value) -> Result<Value, GraphError> {
    matmul_stored(graph, (a, Stored::PLAIN), (b, Stored::PLAIN), Stored::PLAIN)
}

/// A [M, K] · Bᵀ, B stored as [N, K]: a linear layer with PyTorch's weight.
pub fn matmul_nt(graph: &mut Graph, a: Value, b: Value) -> Result<Value, GraphError> {
    matmul_stored(graph, (a, Stored::PLAIN), (b, Stored::TRANSPOSED), Stored::PLAIN)
}

/// Aᵀ · B, A stored as [K, M]: the gradient of a weight.
pub fn matmul_tn(graph: &mut Graph, a: Value, b: Value) -> Result<Value, GraphError> {
    matmul_stored(graph, (a, Stored::TRANSPOSED), (b, Stored::PLAIN), Stored::PLAIN)
}

/// The product of matrices stored in any way; `output` says how the result is stored (never transposed).
pub fn matmul_stored(
    graph: &mut Graph,
    (a, stored_a): (Value, Stored),
    (b, stored_b): (Value, Stored),
    output: Stored,
) -> Result<Value, GraphError> {
    let op = MatMul { a: stored_a, b: stored_b, output, epilogue: Epilogue::NONE };
    graph.push1(op, &[a, b])
}

/// Inputs: A and B, and the bias or residual where the epilogue has one.
#[derive(Debug, Clone)]
struct MatMul {
    a: Stored,
    b: Stored,
    output: Stored,
    epilogue: Epilogue,
}

impl MatMul {
    /// (batch, m, n, k)
    fn sizes(&self, types: &[TensorType]) -> Option<[usize; 4]> {
        let [batch_a, m, k] = self.a.sizes(&types[0].shape)?;
        let [batch_b, k_b, n] = self.b.sizes(&types[1].shape)?;
        (batch_a == batch_b && k == k_b && types[0].shape.len() == types[1].shape.len()).then_some([batch_a, m, n, k])
    }
}

impl Op for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs.iter().any(|t| t.dtype != DType::F32) {
            return Err("all inputs must hold numbers".into());
        }
        let Some([batch, m, n, _]) = self.sizes(inputs) else {
            let (a, b) = (self.a, self.b);
            return Err(format!(
                "the columns of A (stored as {a:?}) must be the rows of B (stored as {b:?}), batches equal"
            ));
        };
        if self.epilogue.addend == Addend::Bias && inputs[2].shape != [n] {
            return Err(format!("the bias must be f32[{n}]"));
        }
        let shape = match (inputs[0].shape.len(), self.output.batch_axis) {
            (2, _) => vec![m, n],
            (_, 0) => vec![batch, m, n],
            _ => vec![m, batch, n],
        };
        if self.epilogue.addend == Addend::Residual && inputs[2].shape != shape {
            return Err(format!("what is added must be f32{shape:?}, as the product"));
        }
        Ok(vec![TensorType::f32(&shape)])
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (a, b, dc) = ((at.input(0), self.a), (at.input(1), self.b), (at.upstream(), self.output));
        let flipped = |(value, stored): (Value, Stored)| (value, stored.flipped());
        let plain = |stored: Stored| Stored { transposed: false, ..stored };
        // dA = dC·Bᵀ and dB = Aᵀ·dC, each transposed as a whole where the operand is stored transposed.
        let da = if self.a.transposed { (b, flipped(dc)) } else { (dc, flipped(b)) };
        let db = if self.b.transposed { (flipped(dc), a) } else { (flipped(a), dc) };
        let da = matmul_stored(at.graph, da.0, da.1, plain(self.a))?;
        let db = matmul_stored(at.graph, db.0, db.1, plain(self.b))?;
        at.set(0, da);
        at.set(1, db);
        Ok(())
    }

    fn absorb(&self, consumer: &dyn Op, input: usize) -> Option<Arc<dyn Op>> {
        let Epilogue { addend, activation } = self.epilogue;
        if activation != Activation::None {
            return None;
        }
        let consumer = consumer as &dyn Any;
        let with = |activation| Epilogue { addend, activation };
        let epilogue = match (input, addend) {
            (0, Addend::None) if consumer.is::<BiasAdd>() => Epilogue::BIAS,
            (_, Addend::None) if consumer.is::<Add>() => Epilogue::RESIDUAL,
            _ if consumer.is::<Forward<Relu>>() => with(Activation::Relu),
            _ if consumer.is::<Forward<Sigmoid>>() => with(Activation::Sigmoid),
            _ if consumer.is::<Forward<Tanh>>() => with(Activation::Tanh),
            _ => return None,
        };
        Some(Arc::new(Self { epilogue, ..self.clone() }))
    }

    reference!(blocked);

    fn work(&self, types: &Types) -> Work {
        let [batch, m, n, k] = self.sizes(&types.inputs).expect("checked by the shape rule");
        let Epilogue { addend, activation } = self.epilogue;
        let after = usize::from(addend != Addend::None) + usize::from(activation != Activation::None);
        Work::moving(self, types).flops(2 * k + after, batch * m * n)
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let [batch, m, n, k] = self.sizes(&types.inputs).expect("checked by the shape rule");
        let product = Product {
            sizes: [batch, m, n, k],
            a: (Operand::Input(0), 0, self.a.strides(types.input(0))),
            b: (Operand::Input(1), 0, self.b.strides(types.input(1))),
            c: (Operand::Output(0), 0, self.output.strides(types.output(0))),
            epilogue: self.epilogue,
            addend: Operand::Input(if self.epilogue.addend == Addend::None { 0 } else { 2 }),
            accumulate: false,
        };
        vec![product.dispatch(target)]
    }
}

impl MatMul {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let [batch, m, n, k] = self.sizes(&call.types.inputs).expect("checked by the shape rule");
        let (sa, sb) = (self.a.strides(call.types.input(0)), self.b.strides(call.types.input(1)));
        let sc = self.output.strides(call.types.output(0));
        let (a, b, c) = (call.input(0), call.input(1), call.output(0));
        for s in 0..batch {
            for i in 0..m {
                for j in 0..n {
                    let mut sum = T::default();
                    for l in 0..k {
                        sum += a[s * sa[0] + i * sa[1] + l * sa[2]] * b[s * sb[0] + l * sb[1] + j * sb[2]];
                    }
                    let at = s * sc[0] + i * sc[1] + j * sc[2];
                    match self.epilogue.addend {
                        Addend::None => {}
                        Addend::Bias => sum += call.input(2)[j],
                        Addend::Residual => sum += call.input(2)[at],
                    }
                    c[at] = match self.epilogue.activation {
                        Activation::None => sum,
                        Activation::Relu => sum.max(T::default()),
                        Activation::Sigmoid => sum.sigmoid(),
                        Activation::Tanh => sum.tanh(),
                    };
                }
            }
        }
    }

    /// Products by the `gemm` crate, then the epilogue row by row.
    fn blocked(&self, mut call: Call<f32>) {
        let [batch, m, n, k] = self.sizes(&call.types.inputs).expect("checked by the shape rule");
        let layout = |strides: [usize; 3], s: usize| fast::Layout {
            offset: s * strides[0],
            rows: strides[1],
            columns: strides[2],
        };
        let (sa, sb) = (self.a.strides(call.types.input(0)), self.b.strides(call.types.input(1)));
        let sc = self.output.strides(call.types.output(0));
        let (a, b, c) = (call.input(0), call.input(1), call.output(0));
        if k == 0 {
            c.fill(0.0);
        }
        for s in 0..batch {
            fast::product([m, n, k], (a, layout(sa, s)), (b, layout(sb, s)), (c, layout(sc, s)), false, batch == 1);
        }
        let Epilogue { addend, activation } = self.epilogue;
        if addend == Addend::Residual {
            let chunks = c.par_chunks_mut(n * 64).zip(call.input(2).par_chunks(n * 64));
            chunks.for_each(|(c, residual)| c.iter_mut().zip(residual).for_each(|(c, residual)| *c += residual));
        }
        let bias = if addend == Addend::Bias { call.input(2) } else { &[] };
        if addend == Addend::Bias || activation != Activation::None {
            c.par_chunks_mut(n * 64).for_each(|rows| epilogue(activation, rows, bias, n));
        }
    }
}

/// Adds the bias to rows of a product, and applies the activation.
#[multiversion(targets = "simd")]
fn epilogue(activation: Activation, rows: &mut [f32], bias: &[f32], n: usize) {
    for row in rows.chunks_exact_mut(n) {
        row.iter_mut().zip(bias).for_each(|(c, b)| *c += b);
        match activation {
            Activation::None => {}
            Activation::Relu => row.iter_mut().for_each(|c| *c = fast::relu(*c)),
            Activation::Sigmoid => row.iter_mut().for_each(|c| *c = fast::sigmoid(*c)),
            Activation::Tanh => row.iter_mut().for_each(|c| *c = fast::tanh(*c)),
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let quick = [
        [1, 1, 1],
        [7, 17, 5],
        [33, 65, 17],
        [65, 7, 257],
        [130, 70, 33],
        [1, 257, 65],
        [3, 1000, 4],
        [64, 64, 16],
        [9, 33, 9],
        [128, 128, 8],
        [2, 31, 36],
        [4, 130, 7],
    ];
    let sizes = set.sizes(&quick, [1000, 1000, 1000]);
    let stored = |transposed| Stored { transposed, batch_axis: 0 };
    let mut cases = vec![];
    for (i, &[m, n, k]) in sizes.iter().enumerate() {
        for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
            let op = MatMul { a: stored(ta), b: stored(tb), output: Stored::PLAIN, epilogue: Epilogue::NONE };
            let (a, b) = (if ta { [k, m] } else { [m, k] }, if tb { [n, k] } else { [k, n] });
            cases.push(set.case(op).random(&a).random(&b));
        }
        let activation = [Activation::None, Activation::Relu, Activation::Sigmoid, Activation::Tanh][i % 4];
        let epilogue = Epilogue { activation, ..Epilogue::BIAS };
        let op = MatMul { a: stored(false), b: stored(true), output: Stored::PLAIN, epilogue };
        cases.push(set.case(op).constant(&[m, k], 1.0).constant(&[n, k], 1.0).constant(&[n], 1.0));
    }
    let plain = MatMul { a: stored(false), b: stored(false), output: Stored::PLAIN, epilogue: Epilogue::NONE };
    cases.extend(set.many(64).map(|m| {
        let op = plain.clone();
        set.case(op).constant(&[m, 1], 1.0).constant(&[1, 2], 1.0)
    }));
    // Numbers one by one, and whole vectors.
    for [m, n, k] in [[33, 65, 17], [33, 68, 16]] {
        let op = MatMul { epilogue: Epilogue::RESIDUAL, ..plain };
        cases.push(set.case(op).constant(&[m, k], 1.0).constant(&[k, n], 1.0).constant(&[m, n], 1.0));
    }
    // Few rows, and one more than `software/matmul_few_rows` takes, over columns whose k eight lanes share, four
    // vectors each at a time: whole vectors of k, with and without a rest, and scalars.
    for m in [1, 3, FEW, FEW + 1] {
        for k in [4, 7, 36, 128, 132] {
            let epilogue = Epilogue { activation: Activation::Tanh, ..Epilogue::RESIDUAL };
            let op = MatMul { b: Stored::TRANSPOSED, epilogue, ..plain };
            cases.push(set.case(op).constant(&[m, k], 1.0).constant(&[37, k], 1.0).constant(&[m, 37], 1.0));
            let op = MatMul { a: Stored::TIME_MAJOR, b: Stored::TIME_MAJOR.flipped(), ..plain };
            cases.push(set.case(op).constant(&[m, 3, k], 1.0).constant(&[9, 3, k], 1.0));
        }
    }
    // As many tiles as hardware's larger ones need, with edges: scalars and whole vectors. 64 in every layout, 128 in
    // two that show either side both ways.
    let large = [(16, [65, 67, 18]), (16, [68, 72, 20]), (256, [65, 101, 9]), (256, [100, 68, 12])];
    for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
        for (batch, [m, n, k]) in large.into_iter().filter(|(batch, _)| *batch == 16 || ta == tb) {
            let op = MatMul { a: stored(ta), b: stored(tb), ..plain };
            let (a, b) =
                (if ta { [batch, k, m] } else { [batch, m, k] }, if tb { [batch, n, k] } else { [batch, k, n] });
            cases.push(set.case(op).constant(&a, 1.0).constant(&b, 1.0));
        }
    }
    // The three products of attention over time-major states: scores, context, and their gradients' layouts.
    let (time, source, batch, width) = (5, 7, 3, 17);
    let op = |a, b, output| MatMul { a, b, output, epilogue: Epilogue::NONE };
    let time_major = Stored::TIME_MAJOR;
    cases.push(
        set.case(op(time_major, time_major.flipped(), Stored::PLAIN))
            .random(&[time, batch, width])
            .random(&[source, batch, width]),
    );
    cases.push(
        set.case(op(Stored::PLAIN, time_major, time_major))
            .random(&[batch, time, source])
            .random(&[source, batch, width]),
    );
    cases.push(
        set.case(op(Stored::TRANSPOSED, time_major, time_major))
            .random(&[batch, time, source])
            .random(&[time, batch, width]),
    );
    cases
}

fn benches() -> Vec<Bench> {
    let op = |a, b, epilogue| MatMul { a, b, output: Stored::PLAIN, epilogue };
    let plain = |a, b| op(a, b, Epilogue::NONE);
    let (n, t) = (Stored::PLAIN, Stored::TRANSPOSED);
    let two = |op, a: &[usize], b: &[usize]| Case::new(op).constant(a, 1.0).constant(b, 1.0);
    let relu = Epilogue { activation: Activation::Relu, ..Epilogue::BIAS };
    let hidden = two(op(n, t, relu), &[2560, 128], &[2048, 128]).constant(&[2048], 1.0);
    let time_major = Stored::TIME_MAJOR;
    vec![
        Bench::new("768 x 768 x 768", two(plain(n, n), &[768, 768], &[768, 768])),
        Bench::new("768 x 768 x 768, B transposed", two(plain(n, t), &[768, 768], &[768, 768])),
        Bench::new("logits, 2560 x 6191 x 128, B transposed", two(plain(n, t), &[2560, 128], &[6191, 128])),
        Bench::new("gradient of x, 2560 x 128 x 6191", two(plain(n, n), &[2560, 6191], &[6191, 128])),
        Bench::new("gradient of W, 6191 x 128 x 2560, A transposed", two(plain(t, n), &[2560, 6191], &[2560, 128])),
        Bench::new("gates, 2560 x 512 x 128, B transposed", two(plain(n, t), &[2560, 128], &[512, 128])),
        Bench::new("feed-forward, 2560 x 2048 x 128, bias, relu", hidden),
        Bench::new("feed-forward, 2560 x 128 x 2048", two(plain(n, t), &[2560, 2048], &[128, 2048])),
        Bench::new("one step, 128 x 128 x 128", two(plain(n, t), &[128, 128], &[128, 128])),
        Bench::new("one row, 1 x 6191 x 128", two(plain(n, t), &[1, 128], &[6191, 128])),
        Bench::new("one row, 1 x 61,910 x 128", two(plain(n, t), &[1, 128], &[61_910, 128])),
        Bench::new("a beam, 5 x 6191 x 128", two(plain(n, t), &[5, 128], &[6191, 128])),
        Bench::new(
            "scores, 128 times 20 x 20 x 128",
            two(plain(time_major, time_major.flipped()), &[20, 128, 128], &[20, 128, 128]),
        ),
    ]
}
