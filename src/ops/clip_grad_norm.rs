//! s = min(1, max_norm / (‖g‖ + 1e-6)), the factor that `adam` applies to the gradients.

use rayon::prelude::*;

use crate::graph::{
    Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value, Work,
    expect, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{blocks, kernel, reducing, width};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("clip_grad_norm", &[SHADER], cases, benches);

const SHADER: Shader = shader!("clip_grad_norm");

/// Workgroups of the first pass on hardware, each leaving one partial sum; a software adapter takes fewer.
const PARTIALS: usize = 256;

/// Global-norm clipping as torch.nn.utils.clip_grad_norm_: (factor, norm) as `[2]`, for the flat gradients of all
/// parameters. A norm over 1.8e19, whose square overflows, is infinite, and the factor 0, as there.
pub fn clip_grad_norm(graph: &mut Graph, gradients: Value, max_norm: f32) -> Result<Value, GraphError> {
    graph.push1(ClipGradNorm { max_norm }, &[gradients])
}

#[derive(Debug)]
struct ClipGradNorm {
    max_norm: f32,
}

impl Op for ClipGradNorm {
    fn name(&self) -> &'static str {
        "clip_grad_norm"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        expect(&inputs[0], "the gradients", 1, DType::F32)?;
        Ok(vec![TensorType::f32(&[2])])
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(2, types.inputs[0].len())
    }

    fn scratch(&self, _types: &Types, _target: &Target) -> Vec<usize> {
        vec![PARTIALS]
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let len = types.inputs[0].len();
        let pass = |entry, from, to, len| {
            let width = width(&[len]);
            let kernel = reducing(kernel(SHADER, entry, width, target), target).read(from).write(to);
            kernel.uniform(&[len / width]).number(self.max_norm)
        };
        let partial = pass("partial", Operand::Input(0), Operand::Scratch(0), len);
        let grid = blocks(PARTIALS, target);
        let total = pass("total", Operand::Scratch(0), Operand::Output(0), grid[0] as usize);
        vec![partial.workgroups(grid), total]
    }
}

impl ClipGradNorm {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let sum = call.input(0).iter().fold(T::default(), |sum, &g| sum + g * g);
        self.finish(sum, call.output(0));
    }

    fn finish<T: Real>(&self, sum: T, output: &mut [T]) {
        let norm = sum.sqrt();
        output[0] = T::of(1.0).min(T::of(f64::from(self.max_norm)) / (norm + T::of(1e-6)));
        output[1] = norm;
    }

    /// Partial sums of fixed chunks, so that the number of threads does not change the bits.
    fn parallel(&self, mut call: Call<f32>) {
        let square_sum = |chunk: &[f32]| {
            let mut lanes = [0.0f32; 16];
            for block in chunk.chunks(16) {
                lanes.iter_mut().zip(block).for_each(|(sum, g)| *sum += g * g);
            }
            lanes.iter().sum()
        };
        let partial: Vec<f32> = call.input(0).par_chunks(1 << 14).map(square_sum).collect();
        self.finish(partial.iter().sum(), call.output(0));
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let lengths = set.sizes(&[[1], [17], [257], [1000], [1024], [70_000], [1 << 16]], [200_000]);
    let op = || ClipGradNorm { max_norm: 0.5 };
    let cases = lengths.iter().map(|n| set.case(op()).constant(n, 1.0));
    // A norm below the limit, and no gradient at all.
    cases.chain([set.case(op()).constant(&[33], 0.01), set.case(op()).values(&[33], vec![0.0; 33])]).collect()
}

fn benches() -> Vec<Bench> {
    vec![Bench::new(
        "2,100,000 gradients of the LSTM",
        Case::new(ClipGradNorm { max_norm: 0.5 }).constant(&[2_100_000], 1.0),
    )]
}
