//! What `rnn`, `lstm` and `gru` share: directions, lengths, where the states of a sequence lie, and the form that takes
//! the steps one by one.
//!
//! States are [T + 1, B, H]. Forwards, the initial state comes first and step t leaves states[t + 1]; backwards in time
//! (`reverse`) it comes last and step t leaves states[t]. Past the end of a sequence the state is carried along
//! unchanged, so that the last state of every sequence lies at one place, and padding changes nothing.

use crate::graph::{Alias, DType, Dispatch, Operand, Real, Shader, Target, TensorType, Value, expect, groups, shader};

use super::elementwise::{grid, kernel, width};
use super::product::{Epilogue, Product, Strided};

pub const SHADER: Shader = shader!("recurrence");

/// Widest layer that one workgroup runs through a whole sequence: one invocation a unit, and 256 is what WebGPU
/// guarantees.
const WIDEST: usize = 256;

/// Whether a layer takes a product and a launch for its gates a step: where it is too wide for one workgroup, and on
/// software adapters, to which a launch costs little beside a gather of weights for each unit. On llvmpipe 20 steps of
/// 128 rows and units took, in ms (`lstm` in one launch at another time):
///
/// |      | forward, one launch | step by step | backward, one launch | step by step |
/// |------|---------------------|--------------|----------------------|--------------|
/// | lstm | 94                  | 15.7         | 159                  | 11.4         |
/// | gru  | 39.4                | 11.4         | 70.3                 | 9.4          |
/// | rnn  | 20.2                | 4.8          | 21.0                 | 4.4          |
pub fn step_by_step(hidden: usize, target: &Target) -> bool {
    hidden > WIDEST || target.software
}

/// Sequences that a workgroup runs side by side. Each weight read serves them all, and fewer rows fill more of a large
/// GPU: 4 make 32 workgroups of a batch of 128. By arithmetic, not measured on hardware. The backward passes keep up to
/// four numbers a unit and row in workgroup memory, of which 16 KiB are guaranteed: 1,024 units and rows together. The
/// same as in `shaders/shared/recurrence_sequence.wgsl`: the kernels hold a vec4f of rows.
pub const ROWS: usize = 4;

/// Weights that an invocation has under way. Little's law: W_hh of 128 units, 256 KiB, comes at some 64 bytes a cycle
/// where enough is under way, after some 500 cycles; 128 invocations with 16 vectors of four each have 32 KiB under
/// way, as much as that takes, in 64 registers. Not measured on hardware.
const AHEAD: u32 = 16;

/// A kernel that runs whole sequences: ROWS rows a workgroup, one invocation a unit, in whole subgroups of up to 64.
/// Multiples of 32 would make twice as many kernels, and differ only for widths that models do not have.
pub fn whole(shader: Shader, entry: &'static str, sequence: Sequence) -> Dispatch {
    let dispatch = Dispatch::new(shader, entry).constant("AHEAD", AHEAD);
    let dispatch = dispatch.constant("THREADS", sequence.hidden.next_multiple_of(64) as u32);
    dispatch.workgroups(groups(sequence.batch.div_ceil(ROWS)))
}

/// What a layer without a cell leaves: the state after every step [T, B, H], and the last one [B, H].
#[derive(Clone, Copy)]
pub struct RecurrentResult {
    pub outputs: Value,
    pub hidden: Value,
}

/// Sizes of a recurrence and its direction.
#[derive(Debug, Clone, Copy)]
pub struct Sequence {
    pub time: usize,
    pub batch: usize,
    pub hidden: usize,
    pub reverse: bool,
}

impl Sequence {
    /// Time steps in the order of computation.
    pub fn steps(self) -> impl DoubleEndedIterator<Item = usize> {
        (0..self.time).map(move |s| if self.reverse { self.time - 1 - s } else { s })
    }

    /// First element of the state that step t reads, for the whole batch.
    pub fn before(self, t: usize) -> usize {
        (if self.reverse { t + 1 } else { t }) * self.batch * self.hidden
    }

    /// First element of the state that step t leaves.
    pub fn after(self, t: usize) -> usize {
        (if self.reverse { t } else { t + 1 }) * self.batch * self.hidden
    }

    /// First element of the initial state.
    pub fn initial(self) -> usize {
        if self.reverse { self.time * self.batch * self.hidden } else { 0 }
    }

    /// The initial state among all.
    pub fn first<T>(self, states: &mut [T]) -> &mut [T] {
        &mut states[self.initial()..][..self.batch * self.hidden]
    }

    /// The states that the steps leave, [T, B, H], as part of output `states`.
    pub fn outputs(self, states: usize) -> Alias {
        Alias::Output { index: states, offset: if self.reverse { 0 } else { self.batch * self.hidden } }
    }

    /// The last state, [B, H], as part of output `states`.
    pub fn last(self, states: usize) -> Alias {
        let offset = if self.reverse { 0 } else { self.time * self.batch * self.hidden };
        Alias::Output { index: states, offset }
    }
}

/// Begins a sequence with a state, or its gradient: with zeros where there is none.
pub fn start<T: Real>(state: &mut [T], from: Option<&[T]>) {
    match from {
        Some(from) => state.copy_from_slice(from),
        None => state.fill(T::default()),
    }
}

/// The inputs that hold upstream gradients: those present lie side by side, from input `first` on.
pub fn upstream_inputs<const N: usize>(first: usize, present: [bool; N]) -> [Option<usize>; N] {
    std::array::from_fn(|i| present[i].then(|| first + present[..i].iter().filter(|&&p| p).count()))
}

/// Shape rule of a recurrence with `gates` gates: xw [T, B, gates·H], w_hh [gates·H, H], two biases [gates·H], lengths
/// [B], then `initial` states [B, H].
pub fn check(inputs: &[TensorType], gates: usize, initial: usize, reverse: bool) -> Result<Sequence, String> {
    expect(&inputs[0], "the input product", 3, DType::F32)?;
    expect(&inputs[1], "the hidden weight", 2, DType::F32)?;
    expect(&inputs[4], "the lengths", 1, DType::U32)?;
    let (time, batch, hidden) = (inputs[0].shape[0], inputs[0].shape[1], inputs[1].shape[1]);
    let width = gates * hidden;
    if inputs[0].shape[2] != width || inputs[1].shape[0] != width {
        return Err(format!("with a hidden weight [{gates}·H, H] the input product is [T, B, {gates}·H]"));
    }
    if inputs[2..4].iter().any(|b| *b != TensorType::f32(&[width])) || inputs[4].len() != batch {
        return Err(format!("both biases must be f32[{width}], and the lengths u32[{batch}]"));
    }
    if inputs[5..].len() != initial || inputs[5..].iter().any(|s| *s != TensorType::f32(&[batch, hidden])) {
        return Err(format!("the {initial} initial states must be f32[{batch}, {hidden}]"));
    }
    Ok(Sequence { time, batch, hidden, reverse })
}

/// The launch before that of a whole sequence: entry `pack` lays W_hh and the biases, inputs 1 to 3, out anew as `len`
/// elements of scratch 0.
pub fn pack(shader: Shader, sequence: Sequence, len: usize) -> Dispatch {
    // The kernel needs neither constant: one pipeline for all widths.
    let dispatch = Dispatch::new(shader, "pack").constant("AHEAD", 1).constant("THREADS", 64);
    let dispatch = (1..4).fold(dispatch, |d, i| d.read(Operand::Input(i))).write(Operand::Scratch(0));
    dispatch.uniform(&[sequence.time, sequence.batch, sequence.hidden, 0, 0]).workgroups(groups(len.div_ceil(64)))
}

/// A recurrence step by step. Each step is a product for the whole batch and an element-wise launch of `shader`, whose
/// kernels see `shaders/shared/recurrence_step.wgsl`.
pub struct Steps<'a> {
    /// `lstm_gates`, `gru_gates` or `rnn_gates`.
    pub shader: Shader,
    pub sequence: Sequence,
    /// Rows of W_hh over units.
    pub gates: usize,
    pub target: &'a Target,
}

impl Steps<'_> {
    /// Elements of the forward pass's scratch 0, h·W_hhᵀ [B, gates·H].
    pub fn scratch(sequence: Sequence, gates: usize) -> usize {
        sequence.batch * gates * sequence.hidden
    }

    /// h of every step. The op's inputs are xw, w_hh, b_ih, b_hh and lengths; `initial` is input 5 where there is one.
    /// `writes` begins with the states.
    pub fn forward(&self, initial: bool, writes: &[Operand]) -> Vec<Dispatch> {
        let Self { sequence, gates, .. } = *self;
        let (states, hw) = (writes[0], Operand::Scratch(0));
        let reads = [Operand::Input(0), hw, Operand::Input(2), Operand::Input(3), Operand::Input(4)];
        let mut dispatches = vec![self.start(initial.then_some(5), states, sequence.initial())];
        for t in sequence.steps() {
            dispatches.push(self.product(
                gates * sequence.hidden,
                sequence.hidden,
                (states, sequence.before(t), [0, sequence.hidden, 1]),
                (Operand::Input(1), 0, [0, 1, sequence.hidden]),
                (hw, false),
            ));
            dispatches.push(self.gates("forward", t, false, &reads, writes));
        }
        dispatches
    }

    /// Walked back: a kernel makes of dh the gates' gradients of a step and leaves in dh what does not pass W_hh; the
    /// product adds what does. `reads` ends with the upstream gradient of the outputs, used where `upstream`; `writes`
    /// is dh and whatever else, last dgates. The product takes the gates' gradients from element `first` of dgates on.
    /// Past a row's end they are zeros, which add nothing.
    pub fn backward(
        &self,
        w_hh: Operand,
        first: usize,
        upstream: bool,
        reads: &[Operand],
        writes: &[Operand],
    ) -> Vec<Dispatch> {
        let Self { sequence, gates, .. } = *self;
        let Sequence { batch, hidden, .. } = sequence;
        let (dh, dgates) = (writes[0], writes[writes.len() - 1]);
        let mut dispatches = vec![];
        for t in sequence.steps().rev() {
            dispatches.push(self.gates("backward", t, upstream, reads, writes));
            dispatches.push(self.product(
                hidden,
                gates * hidden,
                (dgates, first + t * batch * gates * hidden, [0, gates * hidden, 1]),
                (w_hh, 0, [0, hidden, 1]),
                (dh, true),
            ));
        }
        dispatches
    }

    /// Copies input `from`, or zeros, a state [B, H], to element `offset` of `to`.
    pub fn start(&self, from: Option<usize>, to: Operand, offset: usize) -> Dispatch {
        let (width, len) = (width(&[self.sequence.hidden]), self.sequence.batch * self.sequence.hidden);
        let dispatch = kernel(SHADER, "start", width, self.target).read(Operand::Input(from.unwrap_or(0)));
        let dispatch = dispatch.write(to).uniform(&[len / width, offset / width, from.is_some().into()]);
        dispatch.workgroups(grid(len / width, self.target))
    }

    /// c [B, n] = a·b, or c += a·b.
    fn product(&self, n: usize, k: usize, a: Strided, b: Strided, (c, accumulate): (Operand, bool)) -> Dispatch {
        let product = Product {
            sizes: [1, self.sequence.batch, n, k],
            a,
            b,
            c: (c, 0, [0, n, 1]),
            epilogue: Epilogue::NONE,
            addend: b.0,
            accumulate,
        };
        product.dispatch(self.target)
    }

    fn gates(&self, entry: &'static str, t: usize, upstream: bool, reads: &[Operand], writes: &[Operand]) -> Dispatch {
        let Sequence { time, batch, hidden, .. } = self.sequence;
        let width = width(&[hidden]);
        let dispatch = kernel(self.shader, entry, width, self.target);
        let dispatch = reads.iter().fold(dispatch, |d, &operand| d.read(operand));
        let dispatch = writes.iter().fold(dispatch, |d, &operand| d.write(operand));
        let [hidden, before, after] =
            [hidden, self.sequence.before(t), self.sequence.after(t)].map(|size| size / width);
        let dispatch = dispatch.uniform(&[t, time, batch, hidden, before, after, upstream.into()]);
        dispatch.workgroups(grid(batch * hidden, self.target))
    }
}
