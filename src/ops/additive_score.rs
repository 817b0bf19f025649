//! `s[b, t, τ] = Σ_a v[a]·tanh(q[t, b, a] + k[τ, b, a])`, the score of additive attention (Bahdanau et al. 2015,
//! appendix A.1.2).

use multiversion::multiversion;
use rayon::prelude::*;

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, expect, groups, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::width as vector;
use super::fast;
use super::reshape_rows;
use super::sum_rows::sum_rows;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("additive_score", &[SHADER], cases, benches);

const SHADER: Shader = shader!("additive_score");

/// Scores [B, T, S] of queries q [T, B, A] against keys k [S, B, A], both already projected, with v `[A]`.
pub fn additive_score(graph: &mut Graph, q: Value, k: Value, v: Value) -> Result<Value, GraphError> {
    graph.push1(AdditiveScore, &[q, k, v])
}

#[derive(Debug)]
struct AdditiveScore;

/// (T, S, B, A)
fn sizes(inputs: &[TensorType]) -> [usize; 4] {
    let (q, k) = (&inputs[0].shape, &inputs[1].shape);
    [q[0], k[0], q[1], q[2]]
}

impl Op for AdditiveScore {
    fn name(&self) -> &'static str {
        "additive_score"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        expect(&inputs[0], "the queries", 3, DType::F32)?;
        expect(&inputs[1], "the keys", 3, DType::F32)?;
        expect(&inputs[2], "v", 1, DType::F32)?;
        if inputs[0].shape[1..] != inputs[1].shape[1..] || inputs[0].shape[2] != inputs[2].len() {
            return Err("queries [T, B, A] and keys [S, B, A] must agree in B and A, and v must be [A]".into());
        }
        let [time, source, batch, _] = sizes(inputs);
        Ok(vec![TensorType::f32(&[batch, time, source])])
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (q, k, v, ds) = (at.input(0), at.input(1), at.input(2), at.upstream());
        let parts = at.graph.push(AdditiveScoreBackward, &[q, k, v, ds])?;
        let rows = reshape_rows(at.graph, parts[2])?;
        let dv = sum_rows(at.graph, rows)?;
        at.set(0, parts[0]);
        at.set(1, parts[1]);
        at.set(2, dv);
        Ok(())
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        let [time, source, batch, width] = sizes(&types.inputs);
        // (q + k), tanh, · v, Σ
        Work::moving(self, types).flops(4, time * source * batch * width)
    }

    fn dispatches(&self, types: &Types, _target: &Target) -> Vec<Dispatch> {
        let [time, source, batch, width] = sizes(&types.inputs);
        let dispatch = (0..3).fold(kernel("forward", width), |d, i| d.read(Operand::Input(i)));
        let dispatch = dispatch.write(Operand::Output(0)).uniform(&[time, source, batch, width / vector(&[width])]);
        vec![dispatch.workgroups(groups((time * source * batch).div_ceil(64)))]
    }
}

/// A kernel for q and k of `width` columns.
fn kernel(entry: &'static str, width: usize) -> Dispatch {
    Dispatch::new(SHADER, entry).constant("VECTOR", vector(&[width]) as u32)
}

impl AdditiveScore {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let [time, source, batch, width] = sizes(&call.types.inputs);
        let (q, k, v, s) = (call.input(0), call.input(1), call.input(2), call.output(0));
        for b in 0..batch {
            for t in 0..time {
                for key_step in 0..source {
                    let (q, k) = (&q[(t * batch + b) * width..], &k[(key_step * batch + b) * width..]);
                    s[(b * time + t) * source + key_step] =
                        (0..width).fold(T::default(), |sum, a| sum + v[a] * (q[a] + k[a]).tanh());
                }
            }
        }
    }

    /// One thread a sequence at a time.
    fn parallel(&self, mut call: Call<f32>) {
        let [time, source, batch, width] = sizes(&call.types.inputs);
        let (q, k, v) = (call.input(0), call.input(1), call.input(2));
        call.output(0).par_chunks_mut(time * source).enumerate().for_each(|(b, s)| {
            for (i, s) in s.iter_mut().enumerate() {
                let (t, key_step) = (i / source, i % source);
                let (q, k) = (&q[(t * batch + b) * width..][..width], &k[(key_step * batch + b) * width..][..width]);
                *s = score(q, k, v);
            }
        });
    }
}

/// One score, in 16 partial sums
#[multiversion(targets = "simd")]
fn score(q: &[f32], k: &[f32], v: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (q, k, v) = (q.chunks_exact(LANES), k.chunks_exact(LANES), v.chunks_exact(LANES));
    let rest = q.remainder().iter().zip(k.remainder()).zip(v.remainder());
    let rest = rest.map(|((q, k), v)| v * fast::tanh(q + k)).sum::<f32>();
    let mut lanes = [0.0; LANES];
    for ((q, k), v) in q.zip(k).zip(v) {
        for a in 0..LANES {
            lanes[a] += v[a] * fast::tanh(q[a] + k[a]);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// With h = tanh(q + k) and z = ds·v·(1 − h²): dq = Σ_τ z, dk = Σ_t z, and dv = Σ_{b, t} of its third output, Σ_τ ds·h
/// [T, B, A].
#[derive(Debug)]
struct AdditiveScoreBackward;

impl Op for AdditiveScoreBackward {
    fn name(&self) -> &'static str {
        "additive_score"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![inputs[0].clone(), inputs[1].clone(), inputs[0].clone()])
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        let [time, source, batch, width] = sizes(&types.inputs);
        // (q + k), tanh, then ds·v·(1 − tanh²) and its two sums, ds·tanh and its sum
        Work::moving(self, types).flops(10, time * source * batch * width)
    }

    fn dispatches(&self, types: &Types, _target: &Target) -> Vec<Dispatch> {
        let [time, source, batch, width] = sizes(&types.inputs);
        let start = |entry| (0..4).fold(kernel(entry, width), |d, i| d.read(Operand::Input(i)));
        let width = width / vector(&[width]);
        let sizes = [time, source, batch, width];
        vec![
            start("backward_query")
                .write(Operand::Output(0))
                .write(Operand::Output(2))
                .uniform(&sizes)
                .workgroups(groups((time * batch * width).div_ceil(64))),
            start("backward_key")
                .write(Operand::Output(1))
                .uniform(&sizes)
                .workgroups(groups((source * batch * width).div_ceil(64))),
        ]
    }
}

impl AdditiveScoreBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let [time, source, batch, width] = sizes(&call.types.inputs);
        let (q, k, v, ds) = (call.input(0), call.input(1), call.input(2), call.input(3));
        let (dq, dk, dv) = (call.output(0), call.output(1), call.output(2));
        dq.fill(T::default());
        dk.fill(T::default());
        dv.fill(T::default());
        for b in 0..batch {
            for t in 0..time {
                for key_step in 0..source {
                    let ds = ds[(b * time + t) * source + key_step];
                    let (query, key) = ((t * batch + b) * width, (key_step * batch + b) * width);
                    for a in 0..width {
                        let h = (q[query + a] + k[key + a]).tanh();
                        let z = ds * v[a] * (T::of(1.0) - h * h);
                        dq[query + a] += z;
                        dk[key + a] += z;
                        dv[query + a] += ds * h;
                    }
                }
            }
        }
    }

    /// Rows of queries on all threads, then rows of keys: each thread adds to rows of its own, and tanh is computed
    /// twice.
    fn parallel(&self, mut call: Call<f32>) {
        let [time, source, batch, width] = sizes(&call.types.inputs);
        let (q, k, v, ds) = (call.input(0), call.input(1), call.input(2), call.input(3));
        let (dq, dk, dv) = (call.output(0), call.output(1), call.output(2));
        dq.par_chunks_mut(width).zip(dv.par_chunks_mut(width)).enumerate().for_each(|(query, (dq, dv))| {
            let (t, b) = (query / batch, query % batch);
            dq.fill(0.0);
            dv.fill(0.0);
            for key_step in 0..source {
                let k = &k[(key_step * batch + b) * width..][..width];
                add_query(&q[query * width..][..width], k, ds[(b * time + t) * source + key_step], dq, dv);
            }
            dq.iter_mut().zip(v).for_each(|(dq, v)| *dq *= v);
        });
        dk.par_chunks_mut(width).enumerate().for_each(|(key, dk)| {
            let (key_step, b) = (key / batch, key % batch);
            dk.fill(0.0);
            for t in 0..time {
                let q = &q[(t * batch + b) * width..][..width];
                add_key(q, &k[key * width..][..width], ds[(b * time + t) * source + key_step], dk);
            }
            dk.iter_mut().zip(v).for_each(|(dk, v)| *dk *= v);
        });
    }
}

/// dq, without its factor v, and dv of one query and one key
#[multiversion(targets = "simd")]
fn add_query(q: &[f32], k: &[f32], ds: f32, dq: &mut [f32], dv: &mut [f32]) {
    for ((q, k), (dq, dv)) in q.iter().zip(k).zip(dq.iter_mut().zip(dv)) {
        let h = fast::tanh(q + k);
        *dq += ds * (1.0 - h * h);
        *dv += ds * h;
    }
}

/// dk, without its factor v
#[multiversion(targets = "simd")]
fn add_key(q: &[f32], k: &[f32], ds: f32, dk: &mut [f32]) {
    for ((q, k), dk) in q.iter().zip(k).zip(dk) {
        let h = fast::tanh(q + k);
        *dk += ds * (1.0 - h * h);
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let mut cases = vec![];
    let quick = [[1, 1, 1, 1], [3, 5, 7, 17], [7, 2, 3, 65], [2, 33, 2, 9], [5, 3, 2, 36], [8, 8, 4, 64]];
    for [time, source, batch, width] in set.sizes(&quick, [65, 65, 65, 257]) {
        let (q, k) = ([time, batch, width], [source, batch, width]);
        cases.push(set.case(AdditiveScore).random(&q).random(&k).random(&[width]));
        let backward = set.case(AdditiveScoreBackward).constant(&q, 1.0).constant(&k, 1.0).constant(&[width], 1.0);
        cases.push(backward.constant(&[batch, time, source], 1.0));
    }
    if let Some(n) = set.many(64) {
        let with = |case: Case| case.constant(&[1, n, 1], 1.0).constant(&[1, n, 1], 1.0).constant(&[1], 1.0);
        let backward = with(set.case(AdditiveScoreBackward)).constant(&[n, 1, 1], 1.0);
        cases.extend([with(set.case(AdditiveScore)), backward]);
    }
    cases
}

fn benches() -> Vec<Bench> {
    vec![
        Bench::new(
            "20 queries, 20 keys of 128, batch 128",
            Case::new(AdditiveScore)
                .constant(&[20, 128, 128], 1.0)
                .constant(&[20, 128, 128], 1.0)
                .constant(&[128], 1.0),
        ),
        Bench::new(
            "backward, 20 queries, 20 keys of 128, batch 128",
            Case::new(AdditiveScoreBackward)
                .constant(&[20, 128, 128], 1.0)
                .constant(&[20, 128, 128], 1.0)
                .constant(&[128], 1.0)
                .constant(&[128, 20, 20], 1.0),
        ),
    ]
}
