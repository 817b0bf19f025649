//! A gated recurrent layer over a whole sequence (Cho et al. 2014; gates and names as torch.nn.GRU): r, z = σ, σ of
//! x·W_ihᵀ + b_ih + h·W_hhᵀ + b_hh; q = W_hn·h + b_hn; n = tanh(W_in·x + b_in + r∘q); h ← (1 − z)∘n + z∘h.

use multiversion::multiversion;
use rayon::prelude::*;

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
use super::sum_rows::sum_rows;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("gru", &[SHADER, BACKWARD, GATES, recurrence::SHADER], cases, benches);

const SHADER: Shader = shader!("gru");
const BACKWARD: Shader = shader!("gru_backward");
const GATES: Shader = shader!("gru_gates");

/// Numbers saved for the backward pass at each position: r, z, n and q.
const SAVED: usize = 4;

/// Runs the layer over xw = x·W_ihᵀ [T, B, 3·H]; `weights` are w_hh [3·H, H], b_ih [3·H] and b_hh [3·H]. `initial` is
/// [B, H], zeros if absent; `reverse` walks each sequence from its own end, `lengths[b]`, to its start.
pub fn gru(
    graph: &mut Graph,
    xw: Value,
    weights: [Value; 3],
    lengths: Value,
    initial: Option<Value>,
    reverse: bool,
) -> Result<RecurrentResult, GraphError> {
    let inputs: Vec<_> = [xw].into_iter().chain(weights).chain([lengths]).chain(initial).collect();
    let out = graph.push(Gru { initial: initial.is_some(), reverse }, &inputs)?;
    Ok(RecurrentResult { outputs: out[0], hidden: out[1] })
}

/// Inputs: xw, w_hh, b_ih, b_hh, lengths, (h). Outputs: 0 outputs and 1 hidden, both parts of 2 states [T + 1, B, H]; 3
/// saved [T, B, 4, H].
#[derive(Debug)]
struct Gru {
    initial: bool,
    reverse: bool,
}

impl Gru {
    fn sequence(&self, types: &Types) -> Sequence {
        check(&types.inputs, 3, usize::from(self.initial), self.reverse).expect("checked by the shape rule")
    }
}

impl Op for Gru {
    fn name(&self) -> &'static str {
        "gru"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let Sequence { time, batch, hidden, .. } = check(inputs, 3, usize::from(self.initial), self.reverse)?;
        let states = |t| TensorType::f32(&[t, batch, hidden]);
        let saved = TensorType::f32(&[time, batch, SAVED, hidden]);
        Ok(vec![states(time), TensorType::f32(&[batch, hidden]), states(time + 1), saved])
    }

    fn alias(&self, output: usize, types: &Types) -> Option<Alias> {
        match output {
            0 => Some(self.sequence(types).outputs(2)),
            1 => Some(self.sequence(types).last(2)),
            _ => None,
        }
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (w_hh, lengths, states, saved) = (at.input(1), at.input(4), at.output(2), at.output(3));
        let upstream = [0, 1].map(|o| at.upstream_of(o));
        let op = GruBackward { upstream: upstream.map(|u| u.is_some()), reverse: self.reverse };
        let inputs: Vec<_> = [states, saved, w_hh, lengths].into_iter().chain(upstream.into_iter().flatten()).collect();
        let results = at.graph.push(op, &inputs)?;
        let [time, batch, width] = *at.graph.shape(results[0]) else { unreachable!("checked by the shape rule") };
        // Of the input's gates and of the state's, which differ in n: q is multiplied by r.
        let dx = at.graph.reshape(results[0], &[time * batch, width])?;
        let dh = at.graph.reshape(results[1], &[time * batch, width])?;
        let before = slice(at.graph, states, 0, usize::from(self.reverse), time)?;
        let before = at.graph.reshape(before, &[time * batch, width / 3])?;
        let (dw_hh, db_ih, db_hh) =
            (matmul_tn(at.graph, dh, before)?, sum_rows(at.graph, dx)?, sum_rows(at.graph, dh)?);
        at.set(0, results[0]);
        at.set(1, dw_hh);
        at.set(2, db_ih);
        at.set(3, db_hh);
        if self.initial {
            at.set(5, results[2]);
        }
        Ok(())
    }

    reference!(blocked);

    fn carries_gradient(&self, output: usize) -> bool {
        output < 2
    }

    fn work(&self, types: &Types) -> Work {
        let Sequence { time, batch, hidden, .. } = self.sequence(types);
        // h·W_hhᵀ for three gates; their biases and additions, two sigmoids, a tanh, and the mixing
        Work::moving(self, types).flops(6 * hidden + 17, time * batch * hidden)
    }

    fn scratch(&self, types: &Types, target: &Target) -> Vec<usize> {
        let sequence = self.sequence(types);
        let hidden = sequence.hidden;
        vec![if step_by_step(hidden, target) { Steps::scratch(sequence, 3) } else { (hidden + 2) * 3 * hidden }]
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let sequence = self.sequence(types);
        if step_by_step(sequence.hidden, target) {
            return steps(sequence, target).forward(self.initial, &[Operand::Output(2), Operand::Output(3)]);
        }
        let Sequence { time, batch, hidden, reverse } = sequence;
        let forward = whole(SHADER, "forward", sequence)
            .read(Operand::Input(0))
            .read(Operand::Scratch(0))
            .read(Operand::Input(4))
            .read(Operand::Input(if self.initial { 5 } else { 0 }))
            .write(Operand::Output(2))
            .write(Operand::Output(3))
            .uniform(&[time, batch, hidden, reverse.into(), self.initial.into()]);
        vec![pack(SHADER, sequence, (hidden + 2) * 3 * hidden), forward]
    }
}

fn steps(sequence: Sequence, target: &Target) -> Steps<'_> {
    Steps { shader: GATES, sequence, gates: 3, target }
}

impl Gru {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let sequence = self.sequence(call.types);
        let Sequence { batch, hidden, .. } = sequence;
        let (xw, w_hh, b_ih, b_hh, lengths) = (call.input(0), call.input(1), call.input(2), call.input(3), call.ids(4));
        let (states, saved) = (call.output(2), call.output(3));
        start(sequence.first(states), self.initial.then(|| call.input(5)));
        for t in sequence.steps() {
            for b in 0..batch {
                let (before, after) = (sequence.before(t) + b * hidden, sequence.after(t) + b * hidden);
                let saved = &mut saved[(t * batch + b) * SAVED * hidden..][..SAVED * hidden];
                if t >= lengths[b] as usize {
                    states.copy_within(before..before + hidden, after);
                    saved.fill(T::default());
                    continue;
                }
                for u in 0..hidden {
                    let of_x =
                        |gate: usize| xw[(t * batch + b) * 3 * hidden + gate * hidden + u] + b_ih[gate * hidden + u];
                    let of_h = |gate: usize| {
                        let row = gate * hidden + u;
                        (0..hidden).fold(b_hh[row], |sum, j| sum + w_hh[row * hidden + j] * states[before + j])
                    };
                    let (r, z, q) = ((of_x(0) + of_h(0)).sigmoid(), (of_x(1) + of_h(1)).sigmoid(), of_h(2));
                    let n = (of_x(2) + r * q).tanh();
                    for (slot, value) in [r, z, n, q].into_iter().enumerate() {
                        saved[slot * hidden + u] = value;
                    }
                    states[after + u] = (T::of(1.0) - z) * n + z * states[before + u];
                }
            }
        }
    }

    /// A product a step for the whole batch, then the gates row by row on all threads.
    fn blocked(&self, mut call: Call<f32>) {
        let sequence = self.sequence(call.types);
        let Sequence { batch, hidden, .. } = sequence;
        let (xw, w_hh, b_ih, b_hh, lengths) = (call.input(0), call.input(1), call.input(2), call.input(3), call.ids(4));
        let (states, saved) = (call.output(2), call.output(3));
        start(sequence.first(states), self.initial.then(|| call.input(5)));
        let mut product = vec![0.0; batch * 3 * hidden];
        for t in sequence.steps() {
            let old = states[sequence.before(t)..][..batch * hidden].to_vec();
            let plain = Layout::row_major(0, hidden);
            let c = (&mut product[..], Layout::row_major(0, 3 * hidden));
            fast::product([batch, 3 * hidden, hidden], (&old, plain), (w_hh, plain.transposed()), c, false, true);
            let new = states[sequence.after(t)..][..batch * hidden].par_chunks_exact_mut(hidden);
            let saved =
                saved[t * batch * SAVED * hidden..][..batch * SAVED * hidden].par_chunks_exact_mut(SAVED * hidden);
            let rows = (new, saved, old.par_chunks_exact(hidden), product.par_chunks_exact(3 * hidden)).into_par_iter();
            rows.with_min_len(16).enumerate().for_each(|(b, (new, saved, old, hw))| {
                if t >= lengths[b] as usize {
                    new.copy_from_slice(old);
                    saved.fill(0.0);
                } else {
                    let x = &xw[(t * batch + b) * 3 * hidden..][..3 * hidden];
                    step((hw, x), [b_ih, b_hh], old, saved, new);
                }
            });
        }
    }
}

/// The gates of one row.
#[multiversion(targets = "simd")]
fn step((hw, x): (&[f32], &[f32]), [b_ih, b_hh]: [&[f32]; 2], old: &[f32], saved: &mut [f32], new: &mut [f32]) {
    let hidden = old.len();
    let (r, rest) = saved.split_at_mut(hidden);
    let (z, rest) = rest.split_at_mut(hidden);
    let (n, q) = rest.split_at_mut(hidden);
    let gate = |row: usize| hw[row] + x[row] + b_ih[row] + b_hh[row];
    for u in 0..hidden {
        r[u] = fast::sigmoid(gate(u));
        z[u] = fast::sigmoid(gate(hidden + u));
        q[u] = hw[2 * hidden + u] + b_hh[2 * hidden + u];
        n[u] = fast::tanh(x[2 * hidden + u] + b_ih[2 * hidden + u] + r[u] * q[u]);
        new[u] = (1.0 - z[u]) * n[u] + z[u] * old[u];
    }
}

/// Walked back, with dh of the state after the step: dn = dh·(1 − z)·(1 − n²), dz = dh·(h − n)·z·(1 − z), dr =
/// dn·q·r·(1 − r), dq = dn·r; dh ← dh·z + [dr, dz, dq]·W_hh.
///
/// Inputs: states, saved, w_hh, lengths, then the upstream gradients present of (outputs, hidden). Outputs: 0 [dr, dz,
/// dn] [T, B, 3·H], the gradient of xw, and 1 [dr, dz, dq] [T, B, 3·H], both parts of 3 (a kernel binds at most eight
/// buffers); 2 dh of the initial state [B, H].
#[derive(Debug)]
struct GruBackward {
    upstream: [bool; 2],
    reverse: bool,
}

impl GruBackward {
    fn sequence(&self, types: &Types) -> Sequence {
        let states = types.input(0);
        Sequence { time: states[0] - 1, batch: states[1], hidden: states[2], reverse: self.reverse }
    }

    fn upstream_inputs(&self) -> [Option<usize>; 2] {
        upstream_inputs(4, self.upstream)
    }
}

impl Op for GruBackward {
    fn name(&self) -> &'static str {
        "gru"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let [time, batch, hidden] = inputs[0].shape[..] else {
            return Err("states must be [T + 1, B, H]".into());
        };
        let gates = TensorType::f32(&[time - 1, batch, 3 * hidden]);
        let both = TensorType::f32(&[2, time - 1, batch, 3 * hidden]);
        Ok(vec![gates.clone(), gates, TensorType::f32(&[batch, hidden]), both])
    }

    fn alias(&self, output: usize, types: &Types) -> Option<Alias> {
        (output < 2).then(|| Alias::Output { index: 3, offset: output * types.outputs[0].len() })
    }

    reference!(blocked);

    fn work(&self, types: &Types) -> Work {
        let Sequence { time, batch, hidden, .. } = self.sequence(types);
        Work::moving(self, types).flops(6 * hidden + 20, time * batch * hidden)
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let sequence = self.sequence(types);
        let Sequence { time, batch, hidden, reverse } = sequence;
        let present = self.upstream_inputs();
        let upstream = present.map(|i| Operand::Input(i.unwrap_or(0)));
        let [states, saved, w_hh, lengths] = [0, 1, 2, 3].map(Operand::Input);
        let (dh, dgates) = (Operand::Output(2), Operand::Output(3));
        if step_by_step(hidden, target) {
            let steps = steps(sequence, target);
            let (reads, of_h) = ([states, saved, lengths, upstream[0]], types.outputs[0].len());
            let mut dispatches = vec![steps.start(present[1], dh, 0)];
            dispatches.extend(steps.backward(w_hh, of_h, self.upstream[0], &reads, &[dh, dgates]));
            return dispatches;
        }
        let bits = self.upstream.iter().enumerate().map(|(i, &u)| usize::from(u) << i).sum();
        let reads = [states, saved, w_hh, lengths].into_iter().chain(upstream);
        let dispatch = reads.fold(whole(BACKWARD, "backward", sequence), Dispatch::read).write(dgates).write(dh);
        vec![dispatch.uniform(&[time, batch, hidden, reverse.into(), bits])]
    }
}

/// The gates' gradients of one unit, [dr, dz, dn, dq], from dh and what the forward pass saved.
#[inline(always)]
fn gate_gradients<T: Real>(dh: T, [r, z, n, q, h]: [T; 5]) -> [T; 4] {
    let one = T::of(1.0);
    let dn = dh * (one - z) * (one - n * n);
    [dn * q * r * (one - r), dh * (h - n) * z * (one - z), dn, dn * r]
}

impl GruBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        self.walk_back(&mut call, |dgates, w_hh, dh, hidden| {
            for (dgates, dh) in dgates.chunks_exact(3 * hidden).zip(dh.chunks_exact_mut(hidden)) {
                for (row, &d) in dgates.iter().enumerate() {
                    for u in 0..hidden {
                        dh[u] += d * w_hh[row * hidden + u];
                    }
                }
            }
        });
    }

    /// The product of a step for the whole batch at once. A sentence that is over has gate gradients of zero, which
    /// change nothing.
    fn blocked(&self, mut call: Call<f32>) {
        self.walk_back(&mut call, |dgates, w_hh, dh, hidden| {
            let plain = Layout::row_major(0, hidden);
            let sizes = [dh.len() / hidden, hidden, 3 * hidden];
            fast::product(sizes, (dgates, Layout::row_major(0, 3 * hidden)), (w_hh, plain), (dh, plain), true, true);
        });
    }

    /// `through` adds dgates [B, 3·H]·W_hh to dh [B, H].
    fn walk_back<T: Real>(&self, call: &mut Call<T>, through: impl Fn(&[T], &[T], &mut [T], usize)) {
        let sequence = self.sequence(call.types);
        let Sequence { time, batch, hidden, .. } = sequence;
        let (states, saved, w_hh, lengths) = (call.input(0), call.input(1), call.input(2), call.ids(3));
        let upstream = self.upstream_inputs().map(|i| i.map(|i| call.input(i)));
        let (dh, both) = (call.output(2), call.output(3));
        let (of_x, of_h) = both.split_at_mut(time * batch * 3 * hidden);
        start(dh, upstream[1]);
        for t in sequence.steps().rev() {
            for b in 0..batch {
                let position = t * batch + b;
                let (dh, row) = (&mut dh[b * hidden..][..hidden], position * 3 * hidden..(position + 1) * 3 * hidden);
                let (of_x, of_h) = (&mut of_x[row.clone()], &mut of_h[row]);
                if let Some(doutputs) = upstream[0] {
                    dh.iter_mut().zip(&doutputs[position * hidden..]).for_each(|(dh, &d)| *dh += d);
                }
                if t >= lengths[b] as usize {
                    of_x.fill(T::default());
                    of_h.fill(T::default());
                    continue;
                }
                let saved = &saved[position * SAVED * hidden..][..SAVED * hidden];
                let h = &states[sequence.before(t) + b * hidden..][..hidden];
                for u in 0..hidden {
                    let [r, z, n, q] = [0, 1, 2, 3].map(|slot| saved[slot * hidden + u]);
                    let [dr, dz, dn, dq] = gate_gradients(dh[u], [r, z, n, q, h[u]]);
                    for (gate, d) in [dr, dz, dn].into_iter().enumerate() {
                        of_x[gate * hidden + u] = d;
                        of_h[gate * hidden + u] = d;
                    }
                    of_h[2 * hidden + u] = dq;
                    dh[u] = dh[u] * z;
                }
            }
            through(&of_h[t * batch * 3 * hidden..][..batch * 3 * hidden], w_hh, dh, hidden);
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let mut cases = vec![];
    let quick = [[1, 1, 1], [3, 7, 5], [6, 5, 33], [2, 9, 65], [4, 3, 64], [2, 2, 257], [2, 2, 300]];
    // Enough sequences for more workgroups than a row of the grid has.
    let many = set.many(ROWS).map(|batch| [1, batch, 1]);
    let sizes = set.sizes(&quick, [6, 65, 33]).into_iter().chain(many);
    for (n, [time, batch, hidden]) in sizes.enumerate() {
        let (reverse, initial) = (n % 2 == 1, n % 3 != 0);
        let weight = 1.0 / (hidden as f32).sqrt();
        let case = set.case(Gru { initial, reverse }).random(&[time, batch, 3 * hidden]);
        let mut case = case.scaled(&[3 * hidden, hidden], weight).scaled(&[3 * hidden], weight);
        case = case.scaled(&[3 * hidden], weight).ids(&[batch], lengths(batch, time));
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
            let op = GruBackward { upstream, reverse };
            let case = set.case(op).constant(&[time + 1, batch, hidden], 1.0);
            let case = case.constant(&[time, batch, SAVED, hidden], 1.0).constant(&[3 * hidden, hidden], weight);
            let mut case = case.ids(&[batch], lengths(batch, time));
            if upstream[0] {
                case = case.constant(&[time, batch, hidden], 1.0);
            }
            if upstream[1] {
                case = case.constant(&[batch, hidden], 1.0);
            }
            if n == 2 {
                cases.push(case.padded_with_nan(1, &lengths(batch, time)));
            }
            cases.push(case);
        }
    }
    // Weights so small that nearly all is tanh near zero, which loses nothing there.
    for hidden in [33, 64] {
        let (gates, small) = (3 * hidden, 5e-4);
        let case = set.case(Gru { initial: false, reverse: false }).constant(&[3, 2, gates], small);
        let case = case.constant(&[gates, hidden], small).constant(&[gates], small).constant(&[gates], small);
        cases.push(case.ids(&[2], vec![3, 2]));
    }
    cases
}

fn benches() -> Vec<Bench> {
    let (w, lengths) = (0.09, vec![20; 128]);
    let forward =
        Case::new(Gru { initial: true, reverse: false }).constant(&[20, 128, 384], 1.0).constant(&[384, 128], w);
    let forward =
        forward.constant(&[384], w).constant(&[384], w).ids(&[128], lengths.clone()).constant(&[128, 128], 1.0);
    let backward = Case::new(GruBackward { upstream: [true, true], reverse: false }).constant(&[21, 128, 128], 1.0);
    let backward = backward.constant(&[20, 128, SAVED, 128], 1.0).constant(&[384, 128], w).ids(&[128], lengths);
    let backward = backward.constant(&[20, 128, 128], 1.0).constant(&[128, 128], 1.0);
    vec![
        Bench::new("20 tokens, batch 128, H 128", forward),
        Bench::new("backward, 20 tokens, batch 128, H 128", backward),
    ]
}
