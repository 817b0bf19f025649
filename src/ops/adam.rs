//! Adam (Kingma and Ba 2015, algorithm 1), on the flat parameters of the whole model at once.

use multiversion::multiversion;
use rayon::prelude::*;

use crate::graph::{
    Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Slice, SliceMut, Target, TensorType, Types,
    Value, Work, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::control::{BIAS_CORRECTION, LEARNING_RATE, SENTENCES};
use super::elementwise::{WORKGROUP, grid, kernel, width};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("adam", &[SHADER], cases, benches);

const SHADER: Shader = shader!("adam");

/// β₁, β₂ and ε of Adam. The learning rate and the bias corrections come with each step's control words.
#[derive(Debug, Clone, Copy)]
pub struct Adam {
    pub beta1: f32,
    pub beta2: f32,
    pub epsilon: f32,
}

/// One update in place: g ← clip·g; m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²;
/// parameters ← parameters − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε). All are flat, `f32[P]`; `clip` is
/// `clip_grad_norm`'s result. Gives the updated (parameters, m, v).
pub fn adam(
    graph: &mut Graph,
    adam: Adam,
    [parameters, exp_avg, exp_avg_sq]: [Value; 3],
    gradients: Value,
    clip: Value,
    control: Value,
) -> Result<Vec<Value>, GraphError> {
    graph.push(adam, &[parameters, exp_avg, exp_avg_sq, gradients, clip, control])
}

impl Op for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs[..4].iter().any(|t| t != &inputs[0] || t.shape.len() != 1) {
            return Err("parameters, both moments and gradients must be flat and of one length".into());
        }
        if inputs[4] != TensorType::f32(&[2]) || inputs[5].dtype != DType::U32 || inputs[5].len() < SENTENCES {
            return Err("the clipping factor must be f32[2], and the control words u32".into());
        }
        Ok(vec![inputs[0].clone(); 3])
    }

    fn in_place(&self, output: usize) -> Option<usize> {
        Some(output)
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(15, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let len = types.outputs[0].len();
        let width = width(&[len]);
        let outputs = (0..3).fold(kernel(SHADER, "step", width, target), |d, o| d.write(Operand::Output(o)));
        let dispatch = (3..6).fold(outputs, |d, i| d.read(Operand::Input(i)));
        let dispatch = dispatch.uniform(&[len / width]).number(self.beta1).number(self.beta2).number(self.epsilon);
        vec![dispatch.workgroups(grid(len / width, target))]
    }
}

impl Adam {
    #[inline(always)]
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let (gradients, clip, control) = (call.input(3), call.input(4)[0], call.ids(5));
        let [rate, correction1, correction2] =
            [LEARNING_RATE, BIAS_CORRECTION, BIAS_CORRECTION + 1].map(|word| T::from_bits(control[word]));
        let [beta1, beta2, epsilon] = [self.beta1, self.beta2, self.epsilon].map(|x| T::of(f64::from(x)));
        let one = T::of(1.0);
        let (parameters, exp_avg, exp_avg_sq) = (call.output(0), call.output(1), call.output(2));
        for i in 0..parameters.len() {
            let g = gradients[i] * clip;
            exp_avg[i] = beta1 * exp_avg[i] + (one - beta1) * g;
            exp_avg_sq[i] = beta2 * exp_avg_sq[i] + (one - beta2) * (g * g);
            let root = (exp_avg_sq[i] / correction2).sqrt();
            parameters[i] = parameters[i] - rate * ((exp_avg[i] / correction1) / (root + epsilon));
        }
    }

    /// The same over chunks, each on a thread: four streams of memory, so two threads help.
    fn parallel(&self, mut call: Call<f32>) {
        const CHUNK: usize = 1 << 14;
        let (types, clip, control) = (call.types, call.input(4), call.ids(5));
        let state = (
            call.output(0).par_chunks_mut(CHUNK),
            call.output(1).par_chunks_mut(CHUNK),
            call.output(2).par_chunks_mut(CHUNK),
        );
        let chunks = state.into_par_iter().zip(call.input(3).par_chunks(CHUNK));
        chunks.for_each(|((parameters, exp_avg, exp_avg_sq), gradients)| {
            let nothing: &[f32] = &[];
            let inputs = [nothing, nothing, nothing, gradients, clip].map(Slice::Float);
            let outputs = [parameters, exp_avg, exp_avg_sq].map(|x| Some(SliceMut::Float(x)));
            let call = Call::new(types, inputs.into_iter().chain([Slice::Ids(control)]).collect(), outputs.into());
            update(self, call);
        });
    }
}

/// The reference, for the CPU's vector units.
#[multiversion(targets = "simd")]
fn update(adam: &Adam, call: Call<'_, f32>) {
    adam.reference(call);
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let words = |t: i32| {
        let correction = |beta: f64| (1.0 - beta.powi(t)) as f32;
        vec![0, 0, t as u32, 1e-3f32.to_bits(), correction(0.9).to_bits(), correction(0.999).to_bits(), 0, 0]
    };
    let case = |n: usize, t: i32| {
        let squares = (0..n).map(|i| (i % 13) as f32 * 0.01 + 1e-4).collect();
        let op = Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
        let state = set.case(op).constant(&[n], 1.0).constant(&[n], 0.1).values(&[n], squares);
        state.constant(&[n], 1.0).values(&[2], vec![0.7, 3.0]).ids(&[8], words(t))
    };
    let mut cases = vec![case(1, 1), case(17, 1), case(257, 10), case(1000, 1000), case(1024, 2)];
    // Gradients that are zeros, as those of a word that no batch has, or vanish when squared.
    let vanishing = vec![0.0, 1e-30, -1e-22, 1e-15, -1e-8, 0.0, 1e-3, 1.0];
    let still = set.case(Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }).constant(&[8], 1.0);
    let still = still.values(&[8], vec![0.0; 8]).values(&[8], vec![0.0; 8]).values(&[8], vanishing);
    cases.push(still.values(&[2], vec![1.0, 1.0]).ids(&[8], words(1)));
    cases.extend(set.sizes(&[], [1000]).into_iter().map(|[n]| case(n, 3)));
    cases.extend(set.many(WORKGROUP).map(|n| case(n, 2)));
    cases
}

fn benches() -> Vec<Bench> {
    const PARAMETERS: usize = 2_100_000;
    let mut control = vec![0; SENTENCES];
    control[LEARNING_RATE] = 1e-3f32.to_bits();
    control[BIAS_CORRECTION] = 0.5f32.to_bits();
    control[BIAS_CORRECTION + 1] = 0.5f32.to_bits();
    let op = Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    let case = (0..2).fold(Case::new(op), |case, _| case.constant(&[PARAMETERS], 0.1));
    // A mean of squares is positive.
    let case = case.values(&[PARAMETERS], vec![0.25; PARAMETERS]).constant(&[PARAMETERS], 0.1);
    vec![Bench::new("2,100,000 parameters of the LSTM", case.values(&[2], vec![1.0; 2]).ids(&[SENTENCES], control))]
}
