//! The inputs on which an op's kernels are compared with its reference, and its derivative with finite differences.

use std::sync::Arc;

use crate::graph::{Op, TensorType};

use super::philox::{philox, uniform};

/// A tensor's type and contents.
#[derive(Clone, Debug)]
pub enum Tensor {
    F32(Vec<usize>, Vec<f32>),
    U32(Vec<usize>, Vec<u32>),
}

impl Tensor {
    pub fn tensor_type(&self) -> TensorType {
        match self {
            Tensor::F32(shape, _) => TensorType::f32(shape),
            Tensor::U32(shape, _) => TensorType::u32(shape),
        }
    }
}

/// Which cases an op makes.
#[derive(Clone, Copy, Debug, Default)]
pub struct CaseSet {
    /// Draws the random numbers.
    pub seed: u64,
}

impl CaseSet {
    /// A case without inputs yet.
    pub fn case(&self, op: impl Op) -> Case {
        Case { op: Arc::new(op), inputs: vec![], differentiable: vec![], seed: self.seed }
    }
}

/// One set of inputs for one op. Every op's file declares its own; `wgrad check` and the tests walk them all.
#[derive(Clone, Debug)]
pub struct Case {
    pub op: Arc<dyn Op>,
    pub inputs: Vec<Tensor>,
    /// Inputs by which the derivative is checked.
    pub differentiable: Vec<usize>,
    seed: u64,
}

impl Case {
    /// A case of a bench, whose random numbers are always the same.
    pub fn new(op: impl Op) -> Self {
        CaseSet::default().case(op)
    }

    /// A random word, the same for the same seed.
    fn word(&self, element: u32, stream: u32) -> u32 {
        philox([element, stream, 0, 0], [17 ^ self.seed as u32, 4 ^ (self.seed >> 32) as u32])[0]
    }

    /// Random numbers in [−1, 1), by which the derivative is checked as well.
    pub fn random(self, shape: &[usize]) -> Self {
        self.scaled(shape, 1.0)
    }

    /// Random numbers in [−scale, scale).
    pub fn scaled(mut self, shape: &[usize], scale: f32) -> Self {
        self.differentiable.push(self.inputs.len());
        self.constant(shape, scale)
    }

    /// Random numbers by which no derivative is taken.
    pub fn constant(mut self, shape: &[usize], scale: f32) -> Self {
        let stream = self.inputs.len() as u32;
        let values = (0..shape.iter().product::<usize>() as u32)
            .map(|i| scale * (2.0 * uniform(self.word(i, stream)) - 1.0))
            .collect();
        self.inputs.push(Tensor::F32(shape.to_vec(), values));
        self
    }

    /// Numbers that the case chooses itself.
    pub fn values(mut self, shape: &[usize], values: Vec<f32>) -> Self {
        self.inputs.push(Tensor::F32(shape.to_vec(), values));
        self
    }

    pub fn ids(mut self, shape: &[usize], ids: Vec<u32>) -> Self {
        self.inputs.push(Tensor::U32(shape.to_vec(), ids));
        self
    }

    /// Random ids below `end`.
    pub fn random_ids(self, shape: &[usize], end: u32) -> Self {
        let ids = (0..shape.iter().product::<usize>() as u32).map(|i| self.word(i, 99) % end).collect();
        self.ids(shape, ids)
    }

    pub fn label(&self) -> String {
        let inputs: Vec<_> = self.inputs.iter().map(|i| i.tensor_type().to_string()).collect();
        format!("{:?}({})", self.op, inputs.join(", "))
    }
}

/// What `wgrad bench` measures: an op at a size at which our models run it (batch 128, 20 tokens, width 128, feed-forward 2048, vocabularies of
/// 8,014 and 6,191), or, where that would fit into a cache, at a larger one.
#[derive(Clone, Debug)]
pub struct Bench {
    pub name: &'static str,
    pub case: Case,
    /// Optional outputs that nobody reads, so that they are not computed.
    pub unread: &'static [usize],
}

impl Bench {
    pub fn new(name: &'static str, case: Case) -> Self {
        Self { name, case, unread: &[] }
    }
}

/// Lengths for a batch of sequences of at most `time` steps: empty ones, full ones, and some between.
pub fn lengths(batch: usize, time: usize) -> Vec<u32> {
    (0..batch).map(|b| [time, 0, time.div_ceil(2), 1, time - 1][b % 5].min(time) as u32).collect()
}
