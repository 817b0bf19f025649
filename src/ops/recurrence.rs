//! What `rnn` and `lstm` share: directions, lengths, and where the states of a sequence lie.
//!
//! States are [T + 1, B, H]. Forwards, the initial state comes first and step t leaves states[t + 1]; backwards in time (`reverse`) it comes last
//! and step t leaves states[t]. Past the end of a sequence the state is carried along unchanged, so that the last state of every sequence lies
//! at one place, and padding changes nothing.

use crate::graph::{Alias, DType, TensorType, expect};

/// Sizes of a recurrence and its direction.
#[derive(Debug, Clone, Copy)]
pub struct Walk {
    pub time: usize,
    pub batch: usize,
    pub hidden: usize,
    pub reverse: bool,
}

impl Walk {
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

/// Shape rule of a recurrence with `gates` gates: xw [T, B, gates·H], w_hh [gates·H, H], two biases [gates·H], lengths [B], then
/// `initial` states [B, H].
pub fn check(inputs: &[TensorType], gates: usize, initial: usize, reverse: bool) -> Result<Walk, String> {
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
    Ok(Walk { time, batch, hidden, reverse })
}
