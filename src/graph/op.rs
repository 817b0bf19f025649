//! What an op must state about itself.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use super::{Backward, DType, Dispatch, GraphError, Real, Target, TensorType, Tracked};

/// An operation: its shape rule, its derivative, its mathematics and its kernels.
///
/// One op is one file in `src/ops` and one shader of the same name. Its reference states the mathematics in plain
/// loops, generic over [`Real`]: in f32 it trains on the CPU, in f64 it judges, and in [`Tracked`] it yields the error
/// that a correct f32 kernel may make.
pub trait Op: Any + Debug + Send + Sync {
    /// Name of the op and of its shader file.
    fn name(&self) -> &'static str;

    /// Shape rule: the types of the outputs, or the rule that the inputs break.
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String>;

    /// Derivative: appends nodes that turn the gradients of the outputs into gradients of the inputs.
    fn gradient(&self, _at: &mut Backward) -> Result<(), GraphError> {
        Err(GraphError::NotDifferentiable { op: self.name().into() })
    }

    /// The reference in f32; a hot op has a faster twin here, held to the same bound as the shader.
    fn run_f32(&self, call: Call<f32>);
    /// The reference in f64.
    fn run_f64(&self, call: Call<f64>);
    /// The reference with its rounding errors tracked.
    fn run_tracked(&self, call: Call<Tracked>);

    /// The kernels that compute the outputs, in order.
    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch>;

    /// What computing the op once takes, whatever kernel does it. Every `+ − · /`, comparison, exp, ln, sqrt, tanh and
    /// sigmoid counts as one.
    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types)
    }

    /// Lengths of the buffers that the kernels need besides inputs and outputs.
    fn scratch(&self, _types: &Types, _target: &Target) -> Vec<usize> {
        vec![]
    }

    /// Whether an output that nobody reads need not exist. The others always get a buffer.
    fn optional(&self, _output: usize) -> bool {
        false
    }

    /// The input that an output overwrites: both share one buffer, and `Call::output` holds the old value.
    fn in_place(&self, _output: usize) -> Option<usize> {
        None
    }

    /// Outputs that need no work because their elements lie contiguously in another tensor of the same op.
    fn alias(&self, _output: usize, _types: &Types) -> Option<Alias> {
        None
    }

    /// Whether the loss may depend on an output. What an op keeps for its own backward pass carries no gradient.
    fn carries_gradient(&self, _output: usize) -> bool {
        true
    }

    /// The op that computes `consumer` at once with `self`, which is its input `input` and has no other reader. It
    /// reads the inputs of `self`, then the other inputs of `consumer`.
    fn absorb(&self, _consumer: &dyn Op, _input: usize) -> Option<Arc<dyn Op>> {
        None
    }
}

/// An output that is part of another tensor, from element `offset` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alias {
    Input { index: usize, offset: usize },
    Output { index: usize, offset: usize },
}

/// Arithmetic and memory traffic that an op cannot do without: what `wgrad bench` measures kernels by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    pub flops: f64,
    pub bytes: f64,
}

impl Work {
    /// Reads every input once and writes every wanted output once; no arithmetic.
    pub fn moving<O: Op + ?Sized>(op: &O, types: &Types) -> Self {
        let written = |&o: &usize| types.wanted[o] && op.alias(o, types).is_none();
        let outputs = (0..types.outputs.len()).filter(written).map(|o| types.outputs[o].len());
        Self::elements(types.inputs.iter().map(TensorType::len).chain(outputs).sum())
    }

    /// Moves so many elements of 4 bytes; no arithmetic.
    pub fn elements(count: usize) -> Self {
        Self { flops: 0.0, bytes: 4.0 * count as f64 }
    }

    /// Computes `each` operations for each of `count` things.
    pub fn flops(self, each: usize, count: usize) -> Self {
        Self { flops: self.flops + each as f64 * count as f64, ..self }
    }
}

/// The types of one op's inputs and outputs, and which outputs are wanted.
#[derive(Clone, Debug)]
pub struct Types {
    pub inputs: Vec<TensorType>,
    pub outputs: Vec<TensorType>,
    pub wanted: Vec<bool>,
}

impl Types {
    pub fn input(&self, i: usize) -> &[usize] {
        &self.inputs[i].shape
    }

    pub fn output(&self, i: usize) -> &[usize] {
        &self.outputs[i].shape
    }
}

/// The elements of one operand on the CPU.
pub enum Slice<'a, T> {
    Float(&'a [T]),
    Ids(&'a [u32]),
}

/// The elements of one result on the CPU.
pub enum SliceMut<'a, T> {
    Float(&'a mut [T]),
    Ids(&'a mut [u32]),
}

/// One execution of an op on the CPU.
pub struct Call<'a, T> {
    pub types: &'a Types,
    inputs: Vec<Slice<'a, T>>,
    outputs: Vec<Option<SliceMut<'a, T>>>,
}

impl<'a, T: Real> Call<'a, T> {
    /// `outputs[i]` is `None` where output `i` is not wanted.
    pub fn new(types: &'a Types, inputs: Vec<Slice<'a, T>>, outputs: Vec<Option<SliceMut<'a, T>>>) -> Self {
        Self { types, inputs, outputs }
    }

    /// Input `i`; empty when an output overwrites it.
    pub fn input(&self, i: usize) -> &'a [T] {
        match self.inputs[i] {
            Slice::Float(x) => x,
            Slice::Ids(_) => panic!("input {i} holds ids"),
        }
    }

    pub fn ids(&self, i: usize) -> &'a [u32] {
        match self.inputs[i] {
            Slice::Ids(x) => x,
            Slice::Float(_) => panic!("input {i} holds numbers"),
        }
    }

    /// Output `i`, which can be taken once; empty when nobody wants it.
    pub fn output(&mut self, i: usize) -> &'a mut [T] {
        match self.outputs[i].take() {
            Some(SliceMut::Float(y)) => y,
            Some(SliceMut::Ids(_)) => panic!("output {i} holds ids"),
            None => &mut [],
        }
    }

    pub fn output_ids(&mut self, i: usize) -> &'a mut [u32] {
        match self.outputs[i].take() {
            Some(SliceMut::Ids(y)) => y,
            Some(SliceMut::Float(_)) => panic!("output {i} holds numbers"),
            None => &mut [],
        }
    }
}

/// Implements the three `run_*` methods of an [`Op`] by its `fn reference<T: Real>(&self, call: Call<T>)`;
/// `reference!(fast)` takes f32 from `fn fast(&self, call: Call<f32>)`.
#[macro_export]
macro_rules! reference {
    () => {
        $crate::reference!(reference);
    };
    ($f32:ident) => {
        fn run_f32(&self, call: $crate::graph::Call<f32>) {
            self.$f32(call);
        }
        fn run_f64(&self, call: $crate::graph::Call<f64>) {
            self.reference(call);
        }
        fn run_tracked(&self, call: $crate::graph::Call<$crate::graph::Tracked>) {
            self.reference(call);
        }
    };
}

/// Checks an input's rank and type; the message says which input broke the rule.
pub fn expect(tensor: &TensorType, what: &str, rank: usize, dtype: DType) -> Result<(), String> {
    if tensor.shape.len() == rank && tensor.dtype == dtype {
        Ok(())
    } else {
        let dtype = if dtype == DType::F32 { "numbers" } else { "u32" };
        Err(format!("{what} must hold {dtype} in {rank} dimensions, got {tensor}"))
    }
}
