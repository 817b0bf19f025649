//! A long short-term memory layer over a whole sequence (Hochreiter and Schmidhuber 1997; gates and names as
//! torch.nn.LSTM): i, f, g, o = σ, σ, tanh, σ of x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh; c ← f∘c + i∘g; h ← o∘tanh c.

use multiversion::multiversion;
use rayon::prelude::*;

use crate::graph::{
    Alias, Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types,
    Value, Work, expect, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet, lengths};
use super::fast::{self, Layout};
use super::matmul::matmul_tn;
use super::recurrence::{self, ROWS, Sequence, Steps, check, pack, start, step_by_step, upstream_inputs, whole};
use super::slice::slice;
use super::sum_rows::sum_rows_twice;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("lstm", &[SHADER, GATES, recurrence::SHADER], cases, benches);

const SHADER: Shader = shader!("lstm");
const GATES: Shader = shader!("lstm_gates");

/// Numbers saved for the backward pass at each position: i, f, g, o and the cell before the step.
const SAVED: usize = 5;

/// The weights of a layer: w_hh [4·H, H], b_ih [4·H], b_hh [4·H].
#[derive(Clone, Copy)]
pub struct LstmWeights {
    pub w_hh: Value,
    pub b_ih: Value,
    pub b_hh: Value,
}

/// What a layer leaves.
#[derive(Clone, Copy)]
pub struct LstmResult {
    /// The hidden state after every step, [T, B, H]; past a sequence's end, its last state.
    pub outputs: Value,
    /// [B, H]
    pub hidden: Value,
    /// [B, H]
    pub cell: Value,
}

/// Runs the layer over xw = x·W_ihᵀ [T, B, 4·H], which is one large product outside the recurrence. `initial` is (h,
/// c), each [B, H], zeros if absent; `reverse` walks each sequence from its own end, `lengths[b]`, to its start.
pub fn lstm(
    graph: &mut Graph,
    xw: Value,
    weights: LstmWeights,
    lengths: Value,
    initial: Option<[Value; 2]>,
    reverse: bool,
) -> Result<LstmResult, GraphError> {
    let mut inputs = vec![xw, weights.w_hh, weights.b_ih, weights.b_hh, lengths];
    inputs.extend(initial.into_iter().flatten());
    let out = graph.push(Lstm { initial: initial.is_some(), reverse }, &inputs)?;
    Ok(LstmResult { outputs: out[0], hidden: out[1], cell: out[2] })
}

/// Inputs: xw, w_hh, b_ih, b_hh, lengths, (h, c). Outputs: 0 outputs and 1 hidden, both parts of 3; 2 cell; 3 states
/// [T + 1, B, H]; 4 saved [T, B, 5, H].
#[derive(Debug)]
struct Lstm {
    initial: bool,
    reverse: bool,
}

impl Lstm {
    fn sequence(&self, types: &Types) -> Sequence {
        check(&types.inputs, 4, 2 * usize::from(self.initial), self.reverse).expect("checked by the shape rule")
    }
}

impl Op for Lstm {
    fn name(&self) -> &'static str {
        "lstm"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let Sequence { time, batch, hidden, .. } = check(inputs, 4, 2 * usize::from(self.initial), self.reverse)?;
        Ok(vec![
            TensorType::f32(&[time, batch, hidden]),
            TensorType::f32(&[batch, hidden]),
            TensorType::f32(&[batch, hidden]),
            TensorType::f32(&[time + 1, batch, hidden]),
            TensorType::f32(&[time, batch, SAVED, hidden]),
        ])
    }

    fn alias(&self, output: usize, types: &Types) -> Option<Alias> {
        match output {
            0 => Some(self.sequence(types).outputs(3)),
            1 => Some(self.sequence(types).last(3)),
            _ => None,
        }
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (xw, w_hh, lengths) = (at.input(0), at.input(1), at.input(4));
        let (states, saved) = (at.output(3), at.output(4));
        let upstream = [0, 1, 2].map(|o| at.upstream_of(o));
        let op = LstmBackward { upstream: upstream.map(|u| u.is_some()), reverse: self.reverse };
        let inputs: Vec<_> = [saved, w_hh, lengths].into_iter().chain(upstream.into_iter().flatten()).collect();
        let results = at.graph.push(op, &inputs)?;
        let (time, batch, width) = match *at.graph.shape(xw) {
            [time, batch, width] => (time, batch, width),
            _ => unreachable!("checked by the shape rule"),
        };
        // dW_hh = Σ_t dgatesᵀ·h before the step: one large product.
        let dgates = at.graph.reshape(results[0], &[time * batch, width])?;
        let before = slice(at.graph, states, 0, usize::from(self.reverse), time)?;
        let before = at.graph.reshape(before, &[time * batch, width / 4])?;
        let dw_hh = matmul_tn(at.graph, dgates, before)?;
        let [db_ih, db_hh] = sum_rows_twice(at.graph, dgates)?;
        at.set(0, results[0]);
        at.set(1, dw_hh);
        at.set(2, db_ih);
        at.set(3, db_hh);
        if self.initial {
            at.set(5, results[1]);
            at.set(6, results[2]);
        }
        Ok(())
    }

    reference!(blocked);

    fn carries_gradient(&self, output: usize) -> bool {
        output < 3
    }

    fn work(&self, types: &Types) -> Work {
        let Sequence { time, batch, hidden, .. } = self.sequence(types);
        // h·W_hhᵀ for four gates; three additions, and a sigmoid or tanh, for each; f∘c + i∘g, o∘tanh c
        Work::moving(self, types).flops(8 * hidden + 21, time * batch * hidden)
    }

    fn scratch(&self, types: &Types, target: &Target) -> Vec<usize> {
        let sequence = self.sequence(types);
        let hidden = sequence.hidden;
        vec![if step_by_step(hidden, target) { Steps::scratch(sequence, 4) } else { (hidden + 1) * 4 * hidden }]
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let sequence = self.sequence(types);
        if step_by_step(sequence.hidden, target) {
            let (steps, cell) = (steps(sequence, target), Operand::Output(2));
            let mut dispatches = steps.forward(self.initial, &[Operand::Output(3), cell, Operand::Output(4)]);
            dispatches.insert(0, steps.start(self.initial.then_some(6), cell, 0));
            return dispatches;
        }
        let Sequence { time, batch, hidden, reverse } = sequence;
        let initial = if self.initial { [5, 6] } else { [0, 0] };
        let forward = whole(SHADER, "forward", sequence)
            .read(Operand::Input(0))
            .read(Operand::Scratch(0))
            .read(Operand::Input(4))
            .read(Operand::Input(initial[0]))
            .read(Operand::Input(initial[1]))
            .write(Operand::Output(3))
            .write(Operand::Output(2))
            .write(Operand::Output(4))
            .uniform(&[time, batch, hidden, reverse.into(), self.initial.into()]);
        vec![pack(SHADER, sequence, (hidden + 1) * hidden), forward]
    }
}

fn steps(sequence: Sequence, target: &Target) -> Steps<'_> {
    Steps { shader: GATES, sequence, gates: 4, target }
}

impl Lstm {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let sequence = self.sequence(call.types);
        let Sequence { batch, hidden, .. } = sequence;
        let (xw, w_hh, b_ih, b_hh, lengths) = (call.input(0), call.input(1), call.input(2), call.input(3), call.ids(4));
        let (cell, states, saved) = (call.output(2), call.output(3), call.output(4));
        start(sequence.first(states), self.initial.then(|| call.input(5)));
        start(cell, self.initial.then(|| call.input(6)));
        for t in sequence.steps() {
            for b in 0..batch {
                let (before, after) = (sequence.before(t) + b * hidden, sequence.after(t) + b * hidden);
                if t >= lengths[b] as usize {
                    states.copy_within(before..before + hidden, after);
                    saved[(t * batch + b) * SAVED * hidden..][..SAVED * hidden].fill(T::default());
                    continue;
                }
                for u in 0..hidden {
                    let gate = |gate: usize| {
                        let row = gate * hidden + u;
                        let mut sum = xw[(t * batch + b) * 4 * hidden + row];
                        for j in 0..hidden {
                            sum += w_hh[row * hidden + j] * states[before + j];
                        }
                        sum + b_ih[row] + b_hh[row]
                    };
                    let [i, f, g, o] = [gate(0).sigmoid(), gate(1).sigmoid(), gate(2).tanh(), gate(3).sigmoid()];
                    let c = cell[b * hidden + u];
                    for (slot, value) in [i, f, g, o, c].into_iter().enumerate() {
                        saved[((t * batch + b) * SAVED + slot) * hidden + u] = value;
                    }
                    cell[b * hidden + u] = f * c + i * g;
                    states[after + u] = o * cell[b * hidden + u].tanh();
                }
            }
        }
    }

    /// A product a step for the whole batch, then the gates row by row on all threads.
    fn blocked(&self, mut call: Call<f32>) {
        let sequence = self.sequence(call.types);
        let Sequence { batch, hidden, .. } = sequence;
        let (xw, w_hh, b_ih, b_hh, lengths) = (call.input(0), call.input(1), call.input(2), call.input(3), call.ids(4));
        let (cell, states, saved) = (call.output(2), call.output(3), call.output(4));
        start(sequence.first(states), self.initial.then(|| call.input(5)));
        start(cell, self.initial.then(|| call.input(6)));
        let bias: Vec<f32> = b_ih.iter().zip(b_hh).map(|(a, b)| a + b).collect();
        let mut gates = vec![0.0; batch * 4 * hidden];
        for t in sequence.steps() {
            let (before, after) = (sequence.before(t), sequence.after(t));
            let weights = Layout::row_major(0, hidden).transposed();
            let product = (&mut gates[..], Layout::row_major(0, 4 * hidden));
            fast::product(
                [batch, 4 * hidden, hidden],
                (states, Layout::row_major(before, hidden)),
                (w_hh, weights),
                product,
                false,
                true,
            );
            let (old, new) = if before < after {
                let (low, high) = states.split_at_mut(after);
                (&low[before..], &mut high[..batch * hidden])
            } else {
                let (low, high) = states.split_at_mut(before);
                (&high[..batch * hidden], &mut low[after..][..batch * hidden])
            };
            let x = &xw[t * batch * 4 * hidden..][..batch * 4 * hidden];
            let saved = &mut saved[t * batch * SAVED * hidden..][..batch * SAVED * hidden];
            let rows = (new.par_chunks_mut(hidden), cell.par_chunks_mut(hidden), saved.par_chunks_mut(SAVED * hidden))
                .into_par_iter();
            let rows = rows
                .zip((old.par_chunks(hidden), gates.par_chunks(4 * hidden), x.par_chunks(4 * hidden)).into_par_iter());
            rows.with_min_len(16).enumerate().for_each(|(b, ((new, cell, saved), (old, hw, x)))| {
                if t >= lengths[b] as usize {
                    new.copy_from_slice(old);
                    saved.fill(0.0);
                } else {
                    step(hw, x, &bias, cell, saved, new);
                }
            });
        }
    }
}

/// The gates of one row.
#[multiversion(targets = "simd")]
fn step(hw: &[f32], x: &[f32], bias: &[f32], cell: &mut [f32], saved: &mut [f32], new: &mut [f32]) {
    let hidden = cell.len();
    saved[4 * hidden..].copy_from_slice(cell);
    for row in 0..4 * hidden {
        saved[row] = hw[row] + x[row] + bias[row];
    }
    let (i, rest) = saved.split_at_mut(hidden);
    let (f, rest) = rest.split_at_mut(hidden);
    let (g, rest) = rest.split_at_mut(hidden);
    let o = &mut rest[..hidden];
    i.iter_mut().chain(f.iter_mut()).for_each(|x| *x = fast::sigmoid(*x));
    g.iter_mut().for_each(|x| *x = fast::tanh(*x));
    o.iter_mut().for_each(|x| *x = fast::sigmoid(*x));
    for u in 0..hidden {
        cell[u] = f[u] * cell[u] + i[u] * g[u];
        new[u] = o[u] * fast::tanh(cell[u]);
    }
}

/// Walks the steps back: dh ← dh·W_hh through the gates, dc ← dc·f. The weights' gradients are products outside.
///
/// Inputs: saved, w_hh, lengths, then the upstream gradients present of (outputs, hidden, cell). Outputs: 0 dgates [T,
/// B, 4·H], the gradient of xw; 1 dh and 2 dc of the initial state, parts of 3 [2, B, H].
#[derive(Debug)]
struct LstmBackward {
    upstream: [bool; 3],
    reverse: bool,
}

impl LstmBackward {
    fn sequence(&self, types: &Types) -> Sequence {
        let saved = types.input(0);
        Sequence { time: saved[0], batch: saved[1], hidden: saved[3], reverse: self.reverse }
    }

    fn upstream_inputs(&self) -> [Option<usize>; 3] {
        upstream_inputs(3, self.upstream)
    }
}

impl Op for LstmBackward {
    fn name(&self) -> &'static str {
        "lstm"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        expect(&inputs[0], "what the forward saved", 4, DType::F32)?;
        let [time, batch, _, hidden] = inputs[0].shape[..] else { unreachable!("rank checked") };
        let state = TensorType::f32(&[batch, hidden]);
        Ok(vec![
            TensorType::f32(&[time, batch, 4 * hidden]),
            state.clone(),
            state,
            TensorType::f32(&[2, batch, hidden]),
        ])
    }

    fn alias(&self, output: usize, types: &Types) -> Option<Alias> {
        let Sequence { batch, hidden, .. } = self.sequence(types);
        [1, 2].contains(&output).then(|| Alias::Output { index: 3, offset: (output - 1) * batch * hidden })
    }

    reference!(blocked);

    fn work(&self, types: &Types) -> Work {
        let Sequence { time, batch, hidden, .. } = self.sequence(types);
        Work::moving(self, types).flops(8 * hidden + 25, time * batch * hidden)
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let sequence = self.sequence(types);
        let present = self.upstream_inputs();
        if step_by_step(sequence.hidden, target) {
            let (steps, state) = (steps(sequence, target), Operand::Output(3));
            let (reads, writes) = ([0, 2, present[0].unwrap_or(0)].map(Operand::Input), [state, Operand::Output(0)]);
            let mut dispatches = vec![
                steps.start(present[1], state, 0),
                steps.start(present[2], state, sequence.batch * sequence.hidden),
            ];
            dispatches.extend(steps.backward(Operand::Input(1), 0, self.upstream[0], &reads, &writes));
            return dispatches;
        }
        let Sequence { time, batch, hidden, reverse } = sequence;
        let bits: usize = self.upstream.iter().enumerate().map(|(i, &u)| usize::from(u) << i).sum();
        let dispatch = (0..3).fold(whole(SHADER, "backward", sequence), |d, i| d.read(Operand::Input(i)));
        let dispatch = present.into_iter().fold(dispatch, |d, i| d.read(Operand::Input(i.unwrap_or(0))));
        let dispatch = dispatch.write(Operand::Output(0)).write(Operand::Output(3));
        vec![dispatch.uniform(&[time, batch, hidden, reverse.into(), bits])]
    }
}

impl LstmBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let sequence = self.sequence(call.types);
        let Sequence { batch, hidden, .. } = sequence;
        let (saved, w_hh, lengths) = (call.input(0), call.input(1), call.ids(2));
        let upstream = self.upstream_inputs().map(|i| i.map(|i| call.input(i)));
        let (dgates, state) = (call.output(0), call.output(3));
        let (dh, dc) = state.split_at_mut(batch * hidden);
        start(dh, upstream[1]);
        start(dc, upstream[2]);
        let one = T::of(1.0);
        for t in sequence.steps().rev() {
            for b in 0..batch {
                let dgate = &mut dgates[(t * batch + b) * 4 * hidden..][..4 * hidden];
                let (dh, dc) = (&mut dh[b * hidden..][..hidden], &mut dc[b * hidden..][..hidden]);
                if let Some(doutputs) = upstream[0] {
                    for u in 0..hidden {
                        dh[u] += doutputs[(t * batch + b) * hidden + u];
                    }
                }
                if t >= lengths[b] as usize {
                    dgate.fill(T::default());
                    continue;
                }
                for u in 0..hidden {
                    let [i, f, g, o, c] = [0, 1, 2, 3, 4].map(|s| saved[((t * batch + b) * SAVED + s) * hidden + u]);
                    let th = (f * c + i * g).tanh();
                    let d = dc[u] + dh[u] * o * (one - th * th);
                    dgate[u] = d * g * (i * (one - i));
                    dgate[hidden + u] = d * c * (f * (one - f));
                    dgate[2 * hidden + u] = d * i * (one - g * g);
                    dgate[3 * hidden + u] = dh[u] * th * (o * (one - o));
                    dc[u] = d * f;
                }
                for j in 0..hidden {
                    dh[j] = (0..4 * hidden).fold(T::default(), |sum, row| sum + dgate[row] * w_hh[row * hidden + j]);
                }
            }
        }
    }

    fn blocked(&self, mut call: Call<f32>) {
        let sequence = self.sequence(call.types);
        let Sequence { batch, hidden, .. } = sequence;
        let (saved, w_hh, lengths) = (call.input(0), call.input(1), call.ids(2));
        let upstream = self.upstream_inputs().map(|i| i.map(|i| call.input(i)));
        let (dgates, state) = (call.output(0), call.output(3));
        let (dh, dc) = state.split_at_mut(batch * hidden);
        start(dh, upstream[1]);
        start(dc, upstream[2]);
        let mut through = vec![0.0; batch * hidden];
        for t in sequence.steps().rev() {
            let dgates = &mut dgates[t * batch * 4 * hidden..][..batch * 4 * hidden];
            let saved = &saved[t * batch * SAVED * hidden..][..batch * SAVED * hidden];
            let doutputs = upstream[0].map_or(&[][..], |d| &d[t * batch * hidden..][..batch * hidden]);
            let rows = (dgates.par_chunks_mut(4 * hidden), dh.par_chunks_mut(hidden), dc.par_chunks_mut(hidden))
                .into_par_iter();
            rows.zip(saved.par_chunks(SAVED * hidden)).with_min_len(16).enumerate().for_each(
                |(b, ((dgate, dh, dc), saved))| {
                    if !doutputs.is_empty() {
                        dh.iter_mut().zip(&doutputs[b * hidden..]).for_each(|(d, x)| *d += x);
                    }
                    if t >= lengths[b] as usize {
                        dgate.fill(0.0);
                    } else {
                        step_backward(saved, dgate, dh, dc);
                    }
                },
            );
            let (a, b) = ((&*dgates, Layout::row_major(0, 4 * hidden)), (w_hh, Layout::row_major(0, hidden)));
            fast::product([batch, hidden, 4 * hidden], a, b, (&mut through, Layout::row_major(0, hidden)), false, true);
            for b in (0..batch).filter(|&b| t < lengths[b] as usize) {
                dh[b * hidden..][..hidden].copy_from_slice(&through[b * hidden..][..hidden]);
            }
        }
    }
}

/// The gates' gradients of one row.
#[multiversion(targets = "simd")]
fn step_backward(saved: &[f32], dgate: &mut [f32], dh: &[f32], dc: &mut [f32]) {
    let hidden = dh.len();
    let (i, rest) = saved.split_at(hidden);
    let (f, rest) = rest.split_at(hidden);
    let (g, rest) = rest.split_at(hidden);
    let (o, c) = rest.split_at(hidden);
    let (di, rest) = dgate.split_at_mut(hidden);
    let (df, rest) = rest.split_at_mut(hidden);
    let (dg, d_o) = rest.split_at_mut(hidden);
    let (c, dc, d_o) = (&c[..hidden], &mut dc[..hidden], &mut d_o[..hidden]);
    for u in 0..hidden {
        let th = fast::tanh(f[u] * c[u] + i[u] * g[u]);
        let d = dc[u] + dh[u] * o[u] * (1.0 - th * th);
        di[u] = d * g[u] * (i[u] * (1.0 - i[u]));
        df[u] = d * c[u] * (f[u] * (1.0 - f[u]));
        dg[u] = d * i[u] * (1.0 - g[u] * g[u]);
        d_o[u] = dh[u] * th * (o[u] * (1.0 - o[u]));
        dc[u] = d * f[u];
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let mut cases = vec![];
    let quick = [[1, 1, 1], [3, 7, 5], [6, 5, 33], [2, 17, 65], [4, 3, 64], [2, 2, 257]];
    // Enough sequences for more workgroups than a row of the grid has.
    let many = set.many(ROWS).map(|batch| [1, batch, 1]);
    let sizes = set.sizes(&quick, [6, 65, 127]).into_iter().chain(many);
    for (n, [time, batch, hidden]) in sizes.enumerate() {
        let (reverse, initial, gates) = (n % 2 == 1, n % 3 != 0, 4 * hidden);
        let weight = 1.0 / (hidden as f32).sqrt();
        let mut case =
            set.case(Lstm { initial, reverse }).random(&[time, batch, gates]).scaled(&[gates, hidden], weight);
        case = case.scaled(&[gates], weight).scaled(&[gates], weight).ids(&[batch], lengths(batch, time));
        if initial {
            case = case.random(&[batch, hidden]).random(&[batch, hidden]);
        }
        if n == 2 {
            cases.push(case.padded_with_nan(0, &lengths(batch, time)));
        }
        if hidden > 64 {
            // Finite differences of half a million weights would take minutes; the narrow cases check the same
            // derivative.
            case.differentiable.clear();
        }
        cases.push(case);
        for upstream in [[true, true, true], [true, false, false], [false, true, false]] {
            let op = LstmBackward { upstream, reverse };
            let mut case = set.case(op).values(&[time, batch, SAVED, hidden], plausible(time * batch, hidden));
            case = case.constant(&[gates, hidden], weight).ids(&[batch], lengths(batch, time));
            if upstream[0] {
                case = case.constant(&[time, batch, hidden], 1.0);
            }
            for _ in upstream[1..].iter().filter(|&&u| u) {
                case = case.constant(&[batch, hidden], 1.0);
            }
            if n == 2 {
                cases.push(case.padded_with_nan(0, &lengths(batch, time)));
            }
            cases.push(case);
        }
    }
    // Weights so small that nearly all is tanh near zero, which loses nothing there.
    for hidden in [33, 64] {
        let (gates, small) = (4 * hidden, 5e-4);
        let case = set.case(Lstm { initial: false, reverse: false }).constant(&[3, 2, gates], small);
        let case = case.constant(&[gates, hidden], small).constant(&[gates], small).constant(&[gates], small);
        cases.push(case.ids(&[2], vec![3, 2]));
    }
    cases
}

/// Gates in (0, 1) or (−1, 1) and cells, as a forward pass saves them.
fn plausible(positions: usize, hidden: usize) -> Vec<f32> {
    let wave = |k: usize| ((k * 7919) % 1009) as f32 / 1009.0;
    let value = |k: usize| {
        if (k / hidden) % SAVED < 4 && (k / hidden) % SAVED != 2 { wave(k) } else { 2.0 * wave(k) - 1.0 }
    };
    (0..positions * SAVED * hidden).map(value).collect()
}

fn benches() -> Vec<Bench> {
    let (w, lengths) = (0.09, vec![20; 128]);
    let forward = |hidden: usize| {
        let case = Case::new(Lstm { initial: true, reverse: false }).constant(&[20, 128, 4 * hidden], 1.0);
        let case = case.constant(&[4 * hidden, hidden], w).constant(&[4 * hidden], w).constant(&[4 * hidden], w);
        case.ids(&[128], lengths.clone()).constant(&[128, hidden], 1.0).constant(&[128, hidden], 1.0)
    };
    let op = LstmBackward { upstream: [true, true, true], reverse: false };
    let backward = Case::new(op).values(&[20, 128, SAVED, 128], plausible(20 * 128, 128)).constant(&[512, 128], w);
    let backward = backward.ids(&[128], lengths.clone()).constant(&[20, 128, 128], 1.0);
    let backward = backward.constant(&[128, 128], 1.0).constant(&[128, 128], 1.0);
    vec![
        Bench::new("20 tokens, batch 128, H 128", forward(128)),
        Bench::new("20 tokens, batch 128, H 512, a product a step", forward(512)),
        Bench::new("backward, 20 tokens, batch 128, H 128", backward),
    ]
}
