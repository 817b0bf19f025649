//! The step form of [`lstm`](super::lstm) on a GPU, for layers too wide for one workgroup: a product and one `lstm_gates` launch a time step.

use crate::graph::{Dispatch, Operand, Target, groups};

use super::lstm::SAVED;
use super::matmul::{Activation, Added};
use super::product::Product;
use super::recurrence::Walk;

/// Marks the first step of the way back, before which no product was made.
const NONE: usize = u32::MAX as usize;

/// Operands as in `Lstm`; scratch 0 is h·W_hhᵀ [B, 4·H].
pub fn forward(walk: Walk, initial: bool, target: &Target) -> Vec<Dispatch> {
    let Walk { batch, hidden, .. } = walk;
    let (states, hw) = (Operand::Output(3), Operand::Scratch(0));
    let [h, c] = if initial { [5, 6] } else { [0, 0] }.map(Operand::Input);
    let start = kernel("start", u32::from(initial) * 3).read(h).read(c).write(states).write(Operand::Output(2));
    let mut dispatches = vec![grid(start.uniform(&[0, 0, batch, hidden, walk.initial(), 0]), walk)];
    for t in walk.steps() {
        let product = Product {
            sizes: [1, batch, 4 * hidden, hidden],
            a: (states, walk.before(t), [0, hidden, 1]),
            b: (Operand::Input(1), 0, [0, 1, hidden]),
            c: (hw, 0, [0, 4 * hidden, 1]),
            added: (Added::None, Operand::Input(0)),
            activation: Activation::None,
            accumulate: false,
        };
        dispatches.push(product.dispatch(target));
        let gates = [Operand::Input(0), hw, Operand::Input(2), Operand::Input(3), Operand::Input(4)];
        let gates = gates.into_iter().fold(kernel("forward", 0), Dispatch::read);
        let gates = gates.write(states).write(Operand::Output(2)).write(Operand::Output(4));
        dispatches.push(grid(gates.uniform(&[t, 0, batch, hidden, walk.before(t), walk.after(t)]), walk));
    }
    dispatches
}

/// Operands as in `LstmBackward`; scratch 0 is dgates·W_hh [B, H] of the step before, which the next launch takes over as dh.
pub fn backward(walk: Walk, upstream: [Option<usize>; 3], target: &Target) -> Vec<Dispatch> {
    let Walk { batch, hidden, .. } = walk;
    let (dgates, state, through) = (Operand::Output(0), Operand::Output(3), Operand::Scratch(0));
    let bits = upstream.iter().enumerate().map(|(i, u)| u32::from(u.is_some()) << i).sum();
    let [doutputs, dhidden, dcell] = upstream.map(|i| Operand::Input(i.unwrap_or(0)));
    // `start` takes the upstream gradients where `forward` takes the initial states: dh and dc follow each other in `state`.
    let start = kernel("start_backward", bits).read(dhidden).read(dcell).write(state);
    let mut dispatches = vec![grid(start.uniform(&[0, 0, batch, hidden, 0, 0]), walk)];
    let mut previous = NONE;
    for t in walk.steps().rev() {
        let gates = [Operand::Input(0), Operand::Input(2), doutputs, through];
        let gates = gates.into_iter().fold(kernel("backward", bits), Dispatch::read).write(state).write(dgates);
        dispatches.push(grid(gates.uniform(&[t, previous, batch, hidden, 0, 0]), walk));
        let product = Product {
            sizes: [1, batch, hidden, 4 * hidden],
            a: (dgates, t * batch * 4 * hidden, [0, 4 * hidden, 1]),
            b: (Operand::Input(1), 0, [0, hidden, 1]),
            c: (through, 0, [0, hidden, 1]),
            added: (Added::None, Operand::Input(0)),
            activation: Activation::None,
            accumulate: false,
        };
        dispatches.push(product.dispatch(target));
        previous = t;
    }
    let finish = kernel("finish", bits).read(Operand::Input(2)).read(through).write(state);
    dispatches.push(grid(finish.uniform(&[0, previous, batch, hidden, 0, 0]), walk));
    dispatches
}

fn kernel(entry: &'static str, present: u32) -> Dispatch {
    Dispatch::new("lstm_gates", entry).constant("PRESENT", present).constant("SAVED", SAVED as u32)
}

/// One invocation a unit and row.
fn grid(dispatch: Dispatch, walk: Walk) -> Dispatch {
    dispatch.workgroups(groups((walk.batch * walk.hidden).div_ceil(super::elementwise::WORKGROUP)))
}
