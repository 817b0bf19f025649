//! The gradients of queries, keys and values. The probabilities are computed again from the scores and their logsumexp,
//! which the forward pass saved.

use multiversion::multiversion;
use rayon::prelude::*;

use super::super::fast::{self, Layout};
use super::{Fused, Geometry, Heads, at, put, scores, scores_of_head};
use crate::graph::{Call, Dispatch, Op, Operand, Real, Target, TensorType, Types, Work, reference};

/// With dropout's factors m, dp = m·(dy·v) and delta = dy·y = Σ_s p·dp (FlashAttention's D): ds = p·(dp − delta)/√key;
/// dq = Σ_s ds·k, dk = Σ_t ds·q, dv = Σ_t m·p·dy.
///
/// Inputs: qkv, or q and kv; logsumexp, y, dy; lengths if masked; control words if there is dropout. Outputs: the
/// gradients of the first.
#[derive(Debug)]
pub(super) struct FusedBackward(pub Fused);

impl Op for FusedBackward {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(inputs[..self.0.next()].to_vec())
    }

    reference!(blocked);

    fn work(&self, types: &Types) -> Work {
        let (g, Heads { count, key, value }) = (self.0.geometry(&types.inputs), self.0.which.heads);
        // q·k, p (4), dy·v, ds (3), dq and dk, dv
        let moved = Work::moving(self, types).flops(6 * key + 4 * value + 7, g.batch * count * g.pairs());
        moved.flops(2 * value, g.batch * count * g.queries)
    }

    fn scratch(&self, types: &Types, _target: &Target) -> Vec<usize> {
        vec![types.inputs[self.0.next()].len()]
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let (g, next) = (self.0.geometry(&types.inputs), self.0.next());
        let [logsumexp, y, dy] = [next, next + 1, next + 2].map(Operand::Input);
        let delta = Operand::Scratch(0);
        // Apart, so that no kernel binds more than the 8 buffers that WebGPU guarantees.
        // Dropout, a constant of the file, is none of this kernel's business: the same one serves both.
        let first =
            Fused { dropout: None, ..self.0 }.kernel(super::SHADER, "backward_delta").read(dy).read(y).write(delta);
        let first = self.0.uniform(first, &g, g.batch * g.heads.count * g.queries, target);
        let bind = |kernel| self.0.bind(kernel, next + 3).read(logsumexp).read(dy).read(delta);
        let queries = self.0.looking("backward_queries", &g, [g.queries, g.keys], target, |kernel| {
            bind(kernel).write(Operand::Output(0))
        });
        let keys = self.0.looking("backward_keys", &g, [g.keys, g.queries], target, |kernel| {
            bind(kernel).write(Operand::Output(usize::from(self.0.cross)))
        });
        vec![first, queries, keys]
    }
}

impl FusedBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let (g, next) = (self.0.geometry(&call.types.inputs), self.0.next());
        let (q, kv) = (call.input(0), call.input(usize::from(self.0.cross)));
        let (logsumexp, y, dy) = (call.input(next), call.input(next + 1), call.input(next + 2));
        let (first, second) = (call.output(0), if self.0.cross { call.output(1) } else { &mut [] });
        first.fill(T::default());
        second.fill(T::default());
        let scale = T::of(g.scale());
        for (b, h) in (0..g.batch).flat_map(|b| (0..g.heads.count).map(move |h| (b, h))) {
            let length = self.0.length(&call, next + 3, b, g.keys);
            let (query, key, value, output) = (g.query(b, h), g.key(b, h), g.value(b, h), g.output(b, h));
            for t in 0..g.queries {
                let scores = scores(&g, [b, h, t], q, kv, g.visible(t, length));
                let row = |c: usize| at(output, t, c);
                let delta = (0..g.heads.value).fold(T::default(), |sum, c| sum + dy[row(c)] * y[row(c)]);
                let factors = self.0.factors(&g, [b, h, t], &call, next + 3, scores.len());
                for (s, &score) in scores.iter().enumerate() {
                    let p = (score - logsumexp[g.first_row(b, h) + t]).exp();
                    let dp = (0..g.heads.value).fold(T::default(), |sum, c| sum + dy[row(c)] * kv[at(value, s, c)]);
                    let ds = p * (factors[s] * dp - delta) * scale;
                    let second = if self.0.cross { &mut *second } else { &mut *first };
                    for c in 0..g.heads.key {
                        second[at(key, s, c)] += ds * q[at(query, t, c)];
                    }
                    for c in 0..g.heads.value {
                        second[at(value, s, c)] += p * factors[s] * dy[row(c)];
                    }
                    for c in 0..g.heads.key {
                        first[at(query, t, c)] += ds * kv[at(key, s, c)];
                    }
                }
            }
        }
    }

    /// Five products a head, sentences and heads on all threads.
    fn blocked(&self, mut call: Call<f32>) {
        let (g, next) = (self.0.geometry(&call.types.inputs), self.0.next());
        let (q, kv) = (call.input(0), call.input(usize::from(self.0.cross)));
        let (logsumexp, y, dy) = (call.input(next), call.input(next + 1), call.input(next + 2));
        let (first, second) = (call.output(0), if self.0.cross { call.output(1) } else { &mut [] });
        let control = self.0.dropout.map_or(&[][..], |_| call.ids(self.0.control(next + 3)));
        let results: Vec<[Vec<f32>; 3]> = (0..g.batch * g.heads.count)
            .into_par_iter()
            .map(|task| {
                let (b, h) = (task / g.heads.count, task % g.heads.count);
                let length = self.0.length(&call, next + 3, b, g.keys);
                let mut p = scores_of_head(&g, (b, h), q, kv, length);
                let mut ds = vec![0.0; p.len()];
                let (wide, scores) = (g.output(b, h), Layout::row_major(0, length));
                let product = (&mut ds[..], scores);
                let values = (kv, g.value(b, h).transposed());
                fast::product([g.queries, length, g.heads.value], (dy, wide), values, product, false, false);
                self.0.drop(&g, (b, h), control, &mut ds, length);
                differentiate(&g, (&mut p, &mut ds), &logsumexp[g.first_row(b, h)..], (y, dy, wide), length);
                self.0.drop(&g, (b, h), control, &mut p, length);
                let [mut dq, mut dk, mut dv] =
                    [(g.queries, g.heads.key), (g.keys, g.heads.key), (g.keys, g.heads.value)]
                        .map(|(rows, width)| vec![0.0; rows * width]);
                let [key, value] = [g.heads.key, g.heads.value];
                let plain = |width| Layout::row_major(0, width);
                let sizes = [g.queries, key, length];
                fast::product(sizes, (&ds, scores), (kv, g.key(b, h)), (&mut dq, plain(key)), false, false);
                let sizes = [length, key, g.queries];
                let columns = scores.transposed();
                fast::product(sizes, (&ds, columns), (q, g.query(b, h)), (&mut dk, plain(key)), false, false);
                let sizes = [length, value, g.queries];
                fast::product(sizes, (&p, columns), (dy, wide), (&mut dv, plain(value)), false, false);
                [dq, dk, dv]
            })
            .collect();
        for (task, [dq, dk, dv]) in results.iter().enumerate() {
            let (b, h) = (task / g.heads.count, task % g.heads.count);
            put(dq, first, g.query(b, h), g.heads.key);
            let second = if self.0.cross { &mut *second } else { &mut *first };
            put(dk, second, g.key(b, h), g.heads.key);
            put(dv, second, g.value(b, h), g.heads.value);
        }
    }
}

/// From scores in `p` and m·(dy·v) in `ds` to the probabilities and the gradients of the scores before their scaling.
#[multiversion(targets = "simd")]
fn differentiate(
    g: &Geometry,
    (p, ds): (&mut [f32], &mut [f32]),
    logsumexp: &[f32],
    (y, dy, head): (&[f32], &[f32], Layout),
    length: usize,
) {
    if length == 0 {
        return;
    }
    let scale = g.scale() as f32;
    for (t, (p, ds)) in p.chunks_exact_mut(length).zip(ds.chunks_exact_mut(length)).enumerate() {
        let row = at(head, t, 0)..at(head, t, g.heads.value);
        let delta = fast::sum(&y[row.clone()], &dy[row], |y, dy| y * dy);
        let visible = g.visible(t, length);
        for (p, ds) in p[..visible].iter_mut().zip(&mut ds[..visible]) {
            *p = fast::exp(*p - logsumexp[t]);
            *ds = *p * (*ds - delta) * scale;
        }
        p[visible..].fill(0.0);
        ds[visible..].fill(0.0);
    }
}
