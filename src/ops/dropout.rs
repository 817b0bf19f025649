//! y = x / (1 − p) with probability 1 − p, else 0.

use rayon::prelude::*;

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Target, TensorType, Types, Value, groups,
    reference,
};

use super::case::Case;
use super::control;
use super::elementwise::WORKGROUP;
use super::philox::philox;

/// Inverted dropout (Srivastava et al. 2014). The mask is a function of (seed, step, `stream`, element) by Philox, so the backward pass
/// recomputes it. Every dropout of a model takes its own `stream`.
pub fn dropout(graph: &mut Graph, x: Value, control: Value, p: f32, stream: u32) -> Result<Value, GraphError> {
    if p == 0.0 {
        Ok(x)
    } else {
        graph.push1(Dropout { p, stream }, &[x, control])
    }
}

#[derive(Debug, Clone)]
struct Dropout {
    p: f32,
    stream: u32,
}

impl Dropout {
    /// An element stays if its random word is below this.
    fn threshold(&self) -> u32 {
        ((1.0 - f64::from(self.p)) * f64::from(u32::MAX)).round() as u32
    }

    fn scale(&self) -> f32 {
        1.0 / (1.0 - self.p)
    }

    /// The random words of elements 4·`block` to 4·`block` + 3.
    fn words(&self, block: usize, control: &[u32]) -> [u32; 4] {
        philox(
            [block as u32, self.stream, control[control::STEP], 0],
            [control[control::SEED], control[control::SEED + 1]],
        )
    }
}

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        if !(0.0..1.0).contains(&self.p) {
            return Err(format!("the probability must lie in [0, 1), got {}", self.p));
        }
        if inputs[1].dtype != DType::U32 || inputs[1].len() < control::SENTENCES {
            return Err("the control words must be u32".into());
        }
        Ok(vec![inputs[0].clone()])
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (control, dy) = (at.input(1), at.upstream());
        let dx = at.graph.push1(self.clone(), &[dy, control])?;
        at.set(0, dx);
        Ok(())
    }

    reference!(parallel);

    fn dispatches(&self, types: &Types, _target: &Target) -> Vec<Dispatch> {
        let len = types.outputs[0].len();
        let dispatch = Dispatch::new("dropout", "forward")
            .read(Operand::Input(0))
            .read(Operand::Input(1));
        let dispatch =
            dispatch
                .write(Operand::Output(0))
                .uniform(&[len, self.threshold() as usize, self.stream as usize]);
        vec![
            dispatch
                .number(self.scale())
                .workgroups(groups(len.div_ceil(4 * WORKGROUP))),
        ]
    }
}

impl Dropout {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let scale = T::of(f64::from(self.scale()));
        for (block, (y, x)) in call.output(0).chunks_mut(4).zip(call.input(0).chunks(4)).enumerate() {
            let words = self.words(block, call.ids(1));
            for i in 0..y.len() {
                y[i] = if words[i] < self.threshold() {
                    x[i] * scale
                } else {
                    T::default()
                };
            }
        }
    }

    /// Ten rounds of Philox for four elements are worth a second thread.
    fn parallel(&self, mut call: Call<f32>) {
        const CHUNK: usize = 1 << 13;
        let (x, control) = (call.input(0), call.ids(1));
        call.output(0).par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, y)| {
            let x = &x[chunk * CHUNK..];
            for block in 0..y.len().div_ceil(4) {
                let words = self.words(chunk * CHUNK / 4 + block, control);
                for i in 4 * block..y.len().min(4 * block + 4) {
                    y[i] = if words[i % 4] < self.threshold() {
                        x[i] * self.scale()
                    } else {
                        0.0
                    };
                }
            }
        });
    }
}

pub fn cases() -> Vec<Case> {
    let shapes: [&[usize]; 5] = [&[1], &[7, 17], &[257], &[33, 65], &[9, 1000]];
    let control = vec![7, 1, 42, 0, 0, 0, 0, 0];
    shapes
        .iter()
        .map(|s| {
            Case::new(Dropout { p: 0.3, stream: 5 })
                .random(s)
                .ids(&[8], control.clone())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_about_the_share_asked_for() {
        let dropout = Dropout { p: 0.3, stream: 1 };
        let kept = (0..10_000)
            .flat_map(|block| dropout.words(block, &[1, 2, 3]))
            .filter(|&w| w < dropout.threshold())
            .count();
        // Binomial(40,000, 0.7): the standard deviation is 92.
        assert!((27_600..28_400).contains(&kept), "{kept}");
    }
}
