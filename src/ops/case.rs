//! The inputs on which an op's kernels are compared with its reference, and its derivative with finite differences.

use std::sync::Arc;

use crate::graph::{Op, TensorType};

use super::control::SENTENCES;
use super::threefry::{threefry, uniform};

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

/// Which cases an op makes: quick ones, of which a wrong one shows right after an edit, or the full list, which has
/// them too.
#[derive(Clone, Copy, Debug, Default)]
pub struct CaseSet {
    pub full: bool,
    /// Draws the random numbers, and the random sizes of the full list.
    pub seed: u64,
}

/// Sizes about which an index, a tile, a subgroup or a workgroup may be wrong.
const ODD: [usize; 11] = [1, 2, 7, 17, 31, 33, 63, 65, 127, 257, 1000];

/// A matrix of which vectors, workgroups and their loops take all without a rest: one step too far shows here and
/// nowhere else.
pub const ROUND: [usize; 2] = [8, 128];

/// Random sizes in the full list of each op.
const RANDOM_SIZES: usize = 8;

/// Most elements of a tensor of random sizes, all axes of the op together.
const RANDOM_ELEMENTS: usize = 100_000;

/// Workgroups in one row of a grid.
const ROW_OF_GROUPS: usize = 65_535;

/// Numbers that a device may flush to zero, the smallest that it may not, and neighbours of both.
pub const SUBNORMALS: [f32; 8] = [1e-40, -1e-40, 1e-45, -1.175_494_2e-38, f32::MIN_POSITIVE, -3e-39, 0.0, 0.75];

/// Numbers at which e^x, or what tanh and sigmoid make of it, saturates, overflows or vanishes.
pub const EXTREMES: [f32; 17] =
    [0.0, -0.0, 9.01, -9.01, 17.0, 44.0, -44.5, 80.0, -80.5, 88.8, -88.8, 104.0, -104.0, 1e4, -1e4, 3e38, -3e38];

impl CaseSet {
    /// A case without inputs yet.
    pub fn case(&self, op: impl Op) -> Case {
        Case { op: Arc::new(op), inputs: vec![], differentiable: vec![], key: self.key() }
    }

    /// Sizes of an op's axes, at most `most` each: `quick` ones, and in the full list every odd size on every axis in
    /// turn, beside small ones, and random sizes.
    pub fn sizes<const N: usize>(&self, quick: &[[usize; N]], most: [usize; N]) -> Vec<[usize; N]> {
        let mut all = quick.to_vec();
        if !self.full {
            return all;
        }
        for (axis, &limit) in most.iter().enumerate() {
            for (i, &odd) in ODD.iter().enumerate().filter(|(_, odd)| **odd <= limit) {
                let mut sizes: [usize; N] = std::array::from_fn(|a| [3, 5, 2, 7][(i + a) % 4].min(most[a]));
                sizes[axis] = odd;
                all.push(sizes);
            }
        }
        let word = |n: usize, axis: usize| uniform(threefry([n as u32, axis as u32, 2, 0], self.key())[0]);
        for n in 0..RANDOM_SIZES {
            let mut room = RANDOM_ELEMENTS;
            // Powers of a uniform number, so that small sizes are as likely as large ones.
            let sizes = std::array::from_fn(|axis| {
                let size = (most[axis].min(room) as f32).powf(word(n, axis)).round().max(1.0) as usize;
                room = (room / size).max(1);
                size
            });
            all.push(sizes);
        }
        all
    }

    /// Shapes for an op that takes any: `quick` ones and [`ROUND`], in the full list matrices of odd and random sizes
    /// too.
    pub fn shapes(&self, quick: &[&[usize]]) -> Vec<Vec<usize>> {
        let matrices = self.sizes(&[], [1000, 1000]).into_iter().map(Vec::from);
        quick.iter().map(|shape| shape.to_vec()).chain([ROUND.to_vec()]).chain(matrices).collect()
    }

    /// In the full list, a number of items that takes more workgroups than one row of a grid has, at `each` items a
    /// workgroup.
    pub fn many(&self, each: usize) -> Option<usize> {
        self.full.then_some((ROW_OF_GROUPS + 1) * each + each / 2 + 1)
    }

    fn key(&self) -> [u32; 4] {
        [17 ^ self.seed as u32, 4 ^ (self.seed >> 32) as u32, 0, 0]
    }
}

/// One set of inputs for one op. Every op's file declares its own; `wgrad check` and the tests walk them all.
#[derive(Clone, Debug)]
pub struct Case {
    pub op: Arc<dyn Op>,
    pub inputs: Vec<Tensor>,
    /// Inputs by which the derivative is checked.
    pub differentiable: Vec<usize>,
    key: [u32; 4],
}

impl Case {
    /// An op with the inputs that a device really gave it.
    pub fn observed(op: Arc<dyn Op>, inputs: Vec<Tensor>) -> Self {
        Self { op, inputs, differentiable: vec![], key: [0; 4] }
    }

    /// A case of a bench, whose random numbers are always the same.
    pub fn new(op: impl Op) -> Self {
        CaseSet::default().case(op)
    }

    /// A random word, the same for the same seed.
    fn word(&self, element: u32, stream: u32) -> u32 {
        threefry([element, stream, 0, 0], self.key)[0]
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

    /// [`SUBNORMALS`] by which no derivative is taken, over and over.
    pub fn subnormals(self, shape: &[usize]) -> Self {
        let count = shape.iter().product();
        self.values(shape, SUBNORMALS.into_iter().cycle().take(count).collect())
    }

    /// The same with NaN where time-major input `input` [T, B, ..] lies past its sequence's end; no derivative is
    /// taken.
    pub fn padded_with_nan(&self, input: usize, lengths: &[u32]) -> Self {
        let mut case = Self { differentiable: vec![], ..self.clone() };
        let Tensor::F32(shape, values) = &mut case.inputs[input] else { panic!("only numbers can be NaN") };
        let batch = shape[1];
        let size = values.len() / (shape[0] * batch);
        for (position, step) in values.chunks_exact_mut(size).enumerate() {
            if position / batch >= lengths[position % batch] as usize {
                step.fill(f32::NAN);
            }
        }
        case
    }

    /// The cases in which `value` stands in all of an input, or in one element of it alone; no derivative is taken.
    pub fn with_everywhere(&self, value: f32) -> Vec<Self> {
        let mut cases = vec![];
        for (i, input) in self.inputs.iter().enumerate() {
            let Tensor::F32(shape, values) = input else { continue };
            let middle = values.len() / 2;
            let one = values.iter().enumerate().map(|(e, &x)| if e == middle { value } else { x }).collect();
            for values in [vec![value; values.len()], one] {
                let mut case = Self { differentiable: vec![], ..self.clone() };
                case.inputs[i] = Tensor::F32(shape.clone(), values);
                cases.push(case);
            }
        }
        cases
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

    /// Control words of some step, without its sentences: what a mask is drawn from.
    pub fn control(self) -> Self {
        self.ids(&[SENTENCES], vec![7, 1, 42, 0, 0, 0, 0, 0])
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

/// What `wgrad bench` measures: an op at a size at which our models run it (batch 128, 20 tokens, width 128,
/// feed-forward 2048, vocabularies of 8,014 and 6,191), or, where that would fit into a cache, at a larger one.
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
