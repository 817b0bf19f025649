//! An Elman layer over a whole sequence (names as torch.nn.RNN): h ← tanh(x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh).

use multiversion::multiversion;

use crate::graph::{
    Alias, Backward, Call, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet, lengths};
use super::fast::{self, Layout};
use super::matmul::matmul_tn;
use super::recurrence::{
    self, ROWS, RecurrentResult, Sequence, Steps, check, pack, start, step_by_step, upstream_inputs, whole,
};
use super::slice::slice;
use super::sum_rows::sum_rows_twice;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("rnn", &[SHADER, GATES, recurrence::SHADER], cases, benches);

const SHADER: Shader = shader!("rnn");
const GATES: Shader = shader!("rnn_gates");

/// Runs the layer over xw = x·W_ihᵀ [T, B, H]; `weights` are w_hh [H, H], b_ih `[H]` and b_hh `[H]`. `initial` is [B,
/// H], zeros if absent; `reverse` walks each sequence from its own end, `lengths[b]`, to its start.
pub fn rnn(
    graph: &mut Graph,
    xw: Value,
    weights: [Value; 3],
    lengths: Value,
    initial: Option<Value>,
    reverse: bool,
) -> Result<RecurrentResult, GraphError> {
    let inputs: Vec<_> = [xw].into_iter().chain(weights).chain([lengths]).chain(initial).collect();
    let out = graph.push(Rnn { initial: initial.is_some(), reverse }, &inputs)?;
    Ok(RecurrentResult { outputs: out[0], hidden: out[1] })
}

/// Inputs: xw, w_hh, b_ih, b_hh, lengths, (h). Outputs: 0 outputs and 1 hidden, both parts of 2 states [T + 1, B, H].
#[derive(Debug)]
struct Rnn {
    initial: bool,
    reverse: bool,
}

impl Rnn {
    fn sequence(&self, types: &Types) -> Sequence {
        check(&types.inputs, 1, usize::from(self.initial), self.reverse).expect("checked by the shape rule")
    }
}

impl Op for Rnn {
    fn name(&self) -> &'static str {
        "rnn"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let Sequence { time, batch, hidden, .. } = check(inputs, 1, usize::from(self.initial), self.reverse)?;
        let states = |t| TensorType::f32(&[t, batch, hidden]);
        Ok(vec![states(time), TensorType::f32(&[batch, hidden]), states(time + 1)])
    }

    fn alias(&self, output: usize, types: &Types) -> Option<Alias> {
        match output {
            0 => Some(self.sequence(types).outputs(2)),
            1 => Some(self.sequence(types).last(2)),
            _ => None,
        }
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (w_hh, lengths, states) = (at.input(1), at.input(4), at.output(2));
        let upstream = [0, 1].map(|o| at.upstream_of(o));
        let op = RnnBackward { upstream: upstream.map(|u| u.is_some()), reverse: self.reverse };
        let inputs: Vec<_> = [states, w_hh, lengths].into_iter().chain(upstream.into_iter().flatten()).collect();
        let results = at.graph.push(op, &inputs)?;
        let [time, batch, hidden] = *at.graph.shape(results[0]) else { unreachable!("checked by the shape rule") };
        let dz = at.graph.reshape(results[0], &[time * batch, hidden])?;
        let before = slice(at.graph, states, 0, usize::from(self.reverse), time)?;
        let before = at.graph.reshape(before, &[time * batch, hidden])?;
        let dw_hh = matmul_tn(at.graph, dz, before)?;
        let [db_ih, db_hh] = sum_rows_twice(at.graph, dz)?;
        at.set(0, results[0]);
        at.set(1, dw_hh);
        at.set(2, db_ih);
        at.set(3, db_hh);
        if self.initial {
            at.set(5, results[1]);
        }
        Ok(())
    }

    reference!(blocked);

    fn carries_gradient(&self, output: usize) -> bool {
        output < 2
    }

    fn work(&self, types: &Types) -> Work {
        let Sequence { time, batch, hidden, .. } = self.sequence(types);
        // h·W_hhᵀ, three additions, tanh
        Work::moving(self, types).flops(2 * hidden + 4, time * batch * hidden)
    }

    fn scratch(&self, types: &Types, target: &Target) -> Vec<usize> {
        let sequence = self.sequence(types);
        let hidden = sequence.hidden;
        vec![if step_by_step(hidden, target) { Steps::scratch(sequence, 1) } else { (hidden + 1) * hidden }]
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let sequence = self.sequence(types);
        if step_by_step(sequence.hidden, target) {
            return steps(sequence, target).forward(self.initial, &[Operand::Output(2)]);
        }
        let Sequence { time, batch, hidden, reverse } = sequence;
        let forward = whole(SHADER, "forward", sequence)
            .read(Operand::Input(0))
            .read(Operand::Scratch(0))
            .read(Operand::Input(4))
            .read(Operand::Input(if self.initial { 5 } else { 0 }))
            .write(Operand::Output(2))
            .uniform(&[time, batch, hidden, reverse.into(), self.initial.into()]);
        vec![pack(SHADER, sequence, (hidden + 1) * hidden), forward]
    }
}

fn steps(sequence: Sequence, target: &Target) -> Steps<'_> {
    Steps { shader: GATES, sequence, gates: 1, target }
}

impl Rnn {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let sequence = self.sequence(call.types);
        let Sequence { batch, hidden, .. } = sequence;
        let (xw, w_hh, b_ih, b_hh, lengths) = (call.input(0), call.input(1), call.input(2), call.input(3), call.ids(4));
        let states = call.output(2);
        start(sequence.first(states), self.initial.then(|| call.input(5)));
        for t in sequence.steps() {
            for b in 0..batch {
                let (before, after) = (sequence.before(t) + b * hidden, sequence.after(t) + b * hidden);
                if t >= lengths[b] as usize {
                    states.copy_within(before..before + hidden, after);
                    continue;
                }
                for u in 0..hidden {
                    let mut sum = xw[(t * batch + b) * hidden + u];
                    for j in 0..hidden {
                        sum += w_hh[u * hidden + j] * states[before + j];
                    }
                    states[after + u] = (sum + b_ih[u] + b_hh[u]).tanh();
                }
            }
        }
    }

    fn blocked(&self, mut call: Call<f32>) {
        let sequence = self.sequence(call.types);
        let Sequence { batch, hidden, .. } = sequence;
        let (xw, w_hh, b_ih, b_hh, lengths) = (call.input(0), call.input(1), call.input(2), call.input(3), call.ids(4));
        let states = call.output(2);
        start(sequence.first(states), self.initial.then(|| call.input(5)));
        let mut product = vec![0.0; batch * hidden];
        let plain = |offset| Layout::row_major(offset, hidden);
        for t in sequence.steps() {
            let (before, after) = (sequence.before(t), sequence.after(t));
            let c = (&mut product[..], plain(0));
            fast::product(
                [batch, hidden, hidden],
                (states, plain(before)),
                (w_hh, plain(0).transposed()),
                c,
                false,
                true,
            );
            for b in 0..batch {
                if t >= lengths[b] as usize {
                    states.copy_within(before + b * hidden..before + (b + 1) * hidden, after + b * hidden);
                    continue;
                }
                let (hw, x) = (&product[b * hidden..][..hidden], &xw[(t * batch + b) * hidden..][..hidden]);
                let state = &mut states[after + b * hidden..][..hidden];
                step(hw, x, [b_ih, b_hh], state);
            }
        }
    }
}

/// The new state of one row.
#[multiversion(targets = "simd")]
fn step(hw: &[f32], x: &[f32], [b_ih, b_hh]: [&[f32]; 2], state: &mut [f32]) {
    for (u, state) in state.iter_mut().enumerate() {
        *state = fast::tanh(hw[u] + x[u] + b_ih[u] + b_hh[u]);
    }
}

/// dz = dh·(1 − h²), dh ← dz·W_hh, walked back. Inputs: states, w_hh, lengths, then the upstream gradients present of
/// (outputs, hidden). Outputs: 0 dz [T, B, H], the gradient of xw; 1 dh of the initial state [B, H].
#[derive(Debug)]
struct RnnBackward {
    upstream: [bool; 2],
    reverse: bool,
}

impl RnnBackward {
    fn sequence(&self, types: &Types) -> Sequence {
        let states = types.input(0);
        Sequence { time: states[0] - 1, batch: states[1], hidden: states[2], reverse: self.reverse }
    }

    fn upstream_inputs(&self) -> [Option<usize>; 2] {
        upstream_inputs(3, self.upstream)
    }
}

impl Op for RnnBackward {
    fn name(&self) -> &'static str {
        "rnn"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let [time, batch, hidden] = inputs[0].shape[..] else {
            return Err("states must be [T + 1, B, H]".into());
        };
        Ok(vec![TensorType::f32(&[time - 1, batch, hidden]), TensorType::f32(&[batch, hidden])])
    }

    reference!(blocked);

    fn work(&self, types: &Types) -> Work {
        let Sequence { time, batch, hidden, .. } = self.sequence(types);
        Work::moving(self, types).flops(2 * hidden + 4, time * batch * hidden)
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let sequence = self.sequence(types);
        let Sequence { time, batch, hidden, reverse } = sequence;
        let present = self.upstream_inputs();
        let upstream = present.map(|i| Operand::Input(i.unwrap_or(0)));
        let [states, w_hh, lengths] = [0, 1, 2].map(Operand::Input);
        let (dz, dh) = (Operand::Output(0), Operand::Output(1));
        if step_by_step(hidden, target) {
            let steps = steps(sequence, target);
            let mut dispatches = vec![steps.start(present[1], dh, 0)];
            dispatches.extend(steps.backward(w_hh, 0, self.upstream[0], &[states, lengths, upstream[0]], &[dh, dz]));
            return dispatches;
        }
        let bits = self.upstream.iter().enumerate().map(|(i, &u)| usize::from(u) << i).sum();
        let reads = [states, w_hh, lengths].into_iter().chain(upstream);
        let dispatch = reads.fold(whole(SHADER, "backward", sequence), Dispatch::read).write(dz).write(dh);
        vec![dispatch.uniform(&[time, batch, hidden, reverse.into(), bits])]
    }
}

impl RnnBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let sequence = self.sequence(call.types);
        let Sequence { batch, hidden, .. } = sequence;
        let (states, w_hh, lengths) = (call.input(0), call.input(1), call.ids(2));
        let upstream = self.upstream_inputs().map(|i| i.map(|i| call.input(i)));
        let (dz, dh) = (call.output(0), call.output(1));
        start(dh, upstream[1]);
        for t in sequence.steps().rev() {
            for b in 0..batch {
                let (dz, dh) = (&mut dz[(t * batch + b) * hidden..][..hidden], &mut dh[b * hidden..][..hidden]);
                if let Some(doutputs) = upstream[0] {
                    for u in 0..hidden {
                        dh[u] += doutputs[(t * batch + b) * hidden + u];
                    }
                }
                if t >= lengths[b] as usize {
                    dz.fill(T::default());
                    continue;
                }
                let h = &states[sequence.after(t) + b * hidden..][..hidden];
                for u in 0..hidden {
                    dz[u] = dh[u] * (T::of(1.0) - h[u] * h[u]);
                }
                dh.fill(T::default());
                for j in 0..hidden {
                    for u in 0..hidden {
                        dh[u] += dz[j] * w_hh[j * hidden + u];
                    }
                }
            }
        }
    }

    fn blocked(&self, mut call: Call<f32>) {
        let sequence = self.sequence(call.types);
        let Sequence { batch, hidden, .. } = sequence;
        let (states, w_hh, lengths) = (call.input(0), call.input(1), call.ids(2));
        let upstream = self.upstream_inputs().map(|i| i.map(|i| call.input(i)));
        let (dz, dh) = (call.output(0), call.output(1));
        start(dh, upstream[1]);
        let plain = Layout::row_major(0, hidden);
        for t in sequence.steps().rev() {
            let dz = &mut dz[t * batch * hidden..][..batch * hidden];
            for b in 0..batch {
                let (dz, dh) = (&mut dz[b * hidden..][..hidden], &mut dh[b * hidden..][..hidden]);
                if let Some(doutputs) = upstream[0] {
                    fast::add_to(dh, &doutputs[(t * batch + b) * hidden..][..hidden]);
                }
                if t >= lengths[b] as usize {
                    dz.fill(0.0);
                } else {
                    step_back(dz, dh, &states[sequence.after(t) + b * hidden..][..hidden]);
                }
            }
            // A sequence that has ended has no dz, so that its dh stays.
            fast::product([batch, hidden, hidden], (dz, plain), (w_hh, plain), (dh, plain), true, true);
        }
    }
}

/// dz of one row, whose dh is used up.
#[multiversion(targets = "simd")]
fn step_back(dz: &mut [f32], dh: &mut [f32], h: &[f32]) {
    for (dz, (dh, h)) in dz.iter_mut().zip(dh.iter_mut().zip(h)) {
        *dz = *dh * (1.0 - h * h);
        *dh = 0.0;
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let mut cases = vec![];
    let quick = [[1, 1, 1], [3, 7, 5], [6, 5, 33], [2, 17, 65], [4, 3, 64], [2, 2, 257], [2, 2, 300]];
    // Enough sequences for more workgroups than a row of the grid has.
    let many = set.many(ROWS).map(|batch| [1, batch, 1]);
    let sizes = set.sizes(&quick, [6, 65, 127]).into_iter().chain(many);
    for (n, [time, batch, hidden]) in sizes.enumerate() {
        let (reverse, initial) = (n % 2 == 1, n % 3 != 0);
        let weight = 1.0 / (hidden as f32).sqrt();
        let mut case =
            set.case(Rnn { initial, reverse }).random(&[time, batch, hidden]).scaled(&[hidden, hidden], weight);
        case = case.scaled(&[hidden], weight).scaled(&[hidden], weight).ids(&[batch], lengths(batch, time));
        if initial {
            case = case.random(&[batch, hidden]);
        }
        if n == 2 {
            cases.push(case.padded_with_nan(0, &lengths(batch, time)));
        }
        if hidden > 64 {
            case.differentiable.clear();
        }
        cases.push(case);
        for upstream in [[true, true], [true, false], [false, true]] {
            let op = RnnBackward { upstream, reverse };
            let mut case = set.case(op).constant(&[time + 1, batch, hidden], 1.0).constant(&[hidden, hidden], weight);
            case = case.ids(&[batch], lengths(batch, time));
            if upstream[0] {
                case = case.constant(&[time, batch, hidden], 1.0);
            }
            if upstream[1] {
                case = case.constant(&[batch, hidden], 1.0);
            }
            cases.push(case);
        }
    }
    // Weights so small that nearly all is tanh near zero, which loses nothing there.
    for hidden in [33, 64] {
        let (gates, small) = (hidden, 5e-4);
        let case = set.case(Rnn { initial: false, reverse: false }).constant(&[3, 2, gates], small);
        let case = case.constant(&[gates, hidden], small).constant(&[gates], small).constant(&[gates], small);
        cases.push(case.ids(&[2], vec![3, 2]));
    }
    cases
}

fn benches() -> Vec<Bench> {
    let (w, lengths) = (0.09, vec![20; 128]);
    let forward =
        Case::new(Rnn { initial: true, reverse: false }).constant(&[20, 128, 128], 1.0).constant(&[128, 128], w);
    let forward =
        forward.constant(&[128], w).constant(&[128], w).ids(&[128], lengths.clone()).constant(&[128, 128], 1.0);
    let backward = Case::new(RnnBackward { upstream: [true, true], reverse: false }).constant(&[21, 128, 128], 1.0);
    let backward = backward.constant(&[128, 128], w).ids(&[128], lengths);
    let backward = backward.constant(&[20, 128, 128], 1.0).constant(&[128, 128], 1.0);
    vec![
        Bench::new("20 tokens, batch 128, H 128", forward),
        Bench::new("backward, 20 tokens, batch 128, H 128", backward),
    ]
}
