//! Multi-head scaled dot-product attention (Vaswani et al. 2017, 3.2): `y_h[t] = Σ_s p_h[t, s]·v_h[s]`,
//! `p_h[t] = softmax_s(q_h[t]·k_h[s] / √key)`.
//!
//! The T × S probabilities are never stored: forward and backward compute them again from each row's logsumexp, as
//! FlashAttention does (Dao et al. 2022). Dropout acts on the probabilities, as in torch.nn.MultiheadAttention: what
//! is left of a row is not normalized again. Its masks are recomputed too.

mod backward;
mod cases;

use multiversion::multiversion;
use rayon::prelude::*;

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, expect, groups, reference, shader,
};

use super::Listing;
use super::dropout::Dropout;
use super::elementwise::width;
use super::fast::{self, Layout};
use backward::FusedBackward;
use cases::{benches, cases};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("attention", &[SHADER, SOFTWARE], cases, benches);

const SHADER: Shader = shader!("attention");
const SOFTWARE: Shader = shader!("software/attention");

/// Heads of an attention: their number, and the widths of their keys (and queries) and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    pub count: usize,
    pub key: usize,
    pub value: usize,
}

impl Heads {
    /// Numbers that a kernel takes at a time.
    fn width(&self) -> usize {
        width(&[self.key, self.value])
    }
}

/// Which attention: `causal` lets query t see keys 0..=t only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    pub heads: Heads,
    pub causal: bool,
}

/// What attention gives.
#[derive(Clone, Copy, Debug)]
pub struct Attended {
    /// [T, B, heads·value]
    pub output: Value,
    /// Probabilities [B, heads, T, S] after dropout, computed only where somebody reads them; no gradient passes
    /// through them.
    pub weights: Value,
}

/// A sequence that looks at itself: qkv [T, B, heads·(2·key + value)] has all heads' queries, then all keys, then all
/// values. Keys past `lengths` `[B]` are masked; a query without any key gets zeros. `dropout` comes with the control
/// words.
pub fn self_attention(
    graph: &mut Graph,
    which: Attention,
    qkv: Value,
    lengths: Option<Value>,
    dropout: Option<(Value, Dropout)>,
) -> Result<Attended, GraphError> {
    push(graph, (which, false), vec![qkv], lengths, dropout)
}

/// Queries [T, B, heads·key] that look at kv [S, B, heads·(key + value)]: all heads' keys, then all values. `lengths`
/// and `dropout` as for [`self_attention`].
pub fn cross_attention(
    graph: &mut Graph,
    which: Attention,
    [q, kv]: [Value; 2],
    lengths: Option<Value>,
    dropout: Option<(Value, Dropout)>,
) -> Result<Attended, GraphError> {
    push(graph, (which, true), vec![q, kv], lengths, dropout)
}

fn push(
    graph: &mut Graph,
    (which, cross): (Attention, bool),
    mut inputs: Vec<Value>,
    lengths: Option<Value>,
    dropout: Option<(Value, Dropout)>,
) -> Result<Attended, GraphError> {
    let op = Fused { which, cross, masked: lengths.is_some(), dropout: dropout.map(|(_, dropout)| dropout) };
    inputs.extend(lengths);
    inputs.extend(dropout.map(|(control, _)| control));
    let outputs = graph.push(op, &inputs)?;
    Ok(Attended { output: outputs[0], weights: outputs[1] })
}

/// Inputs: qkv, or q and kv; lengths if masked; control words if there is dropout. Outputs: y, weights, and the rows'
/// logsumexp [B, heads, T].
#[derive(Debug, Clone, Copy)]
struct Fused {
    which: Attention,
    cross: bool,
    masked: bool,
    dropout: Option<Dropout>,
}

/// Invocations that share a query or a key in `attention.wgsl` on hardware.
const TEAM: usize = 8;

/// Where queries, keys and values lie.
#[derive(Clone, Copy)]
struct Geometry {
    batch: usize,
    queries: usize,
    keys: usize,
    /// Numbers of a position: of the tensor with the queries, and of that with keys and values.
    widths: [usize; 2],
    /// First columns of keys and values in their tensor. Queries start at column 0.
    starts: [usize; 2],
    heads: Heads,
    causal: bool,
}

impl Geometry {
    /// Query t of head h and sentence b, the first of its numbers; the row distance is `batch·widths[0]`.
    fn query(&self, b: usize, h: usize) -> Layout {
        let offset = b * self.widths[0] + h * self.heads.key;
        Layout { offset, rows: self.batch * self.widths[0], columns: 1 }
    }

    fn key(&self, b: usize, h: usize) -> Layout {
        let offset = b * self.widths[1] + self.starts[0] + h * self.heads.key;
        Layout { offset, rows: self.batch * self.widths[1], columns: 1 }
    }

    fn value(&self, b: usize, h: usize) -> Layout {
        let offset = b * self.widths[1] + self.starts[1] + h * self.heads.value;
        Layout { offset, rows: self.batch * self.widths[1], columns: 1 }
    }

    fn output(&self, b: usize, h: usize) -> Layout {
        let width = self.heads.count * self.heads.value;
        Layout { offset: b * width + h * self.heads.value, rows: self.batch * width, columns: 1 }
    }

    /// First row of head h of sentence b, of [B, heads, T].
    fn first_row(&self, b: usize, h: usize) -> usize {
        (b * self.heads.count + h) * self.queries
    }

    /// Keys that query t sees where a sentence has `length`.
    fn visible(&self, t: usize, length: usize) -> usize {
        if self.causal { length.min(t + 1) } else { length }
    }

    /// Pairs of a query and a key that it sees, of one head, where no sentence is shorter than the batch.
    fn pairs(&self) -> usize {
        (0..self.queries).map(|t| self.visible(t, self.keys)).sum()
    }

    fn scale(&self) -> f64 {
        1.0 / (self.heads.key as f64).sqrt()
    }

    /// First random word of a row of the [B, heads, T, S] probabilities. Each starts a block of four words of its own.
    fn first_word(&self, [b, h, t]: [usize; 3]) -> usize {
        4 * self.keys.div_ceil(4) * (self.first_row(b, h) + t)
    }
}

impl Fused {
    fn geometry(&self, inputs: &[TensorType]) -> Geometry {
        let Heads { count, key, .. } = self.which.heads;
        let (q, kv) = (&inputs[0], &inputs[usize::from(self.cross)]);
        let first = if self.cross { 0 } else { count * key };
        Geometry {
            batch: q.shape[1],
            queries: q.shape[0],
            keys: kv.shape[0],
            widths: [q.shape[2], kv.shape[2]],
            starts: [first, first + count * key],
            heads: self.which.heads,
            causal: self.which.causal,
        }
    }

    /// Index of the input behind queries, keys and values.
    fn next(&self) -> usize {
        1 + usize::from(self.cross)
    }

    fn length<T: Real>(&self, call: &Call<T>, lengths: usize, b: usize, keys: usize) -> usize {
        if self.masked { (call.ids(lengths)[b] as usize).min(keys) } else { keys }
    }

    /// Index of the control words, which follow lengths or stand in their place.
    fn control(&self, lengths: usize) -> usize {
        lengths + usize::from(self.masked)
    }

    /// What dropout multiplies the `visible` probabilities of query t of head h and sentence b with: 0, or 1/(1 − p).
    fn factors<T: Real>(
        &self,
        g: &Geometry,
        place: [usize; 3],
        call: &Call<T>,
        lengths: usize,
        visible: usize,
    ) -> Vec<T> {
        let mut factors = vec![T::of(1.0); visible];
        if let Some(dropout) = &self.dropout {
            dropout.apply(&mut factors, g.first_word(place), call.ids(self.control(lengths)));
        }
        factors
    }

    /// Multiplies a head's probabilities, or their gradients, [queries, length] by dropout's factors, if there is
    /// dropout.
    fn drop(&self, g: &Geometry, (b, h): (usize, usize), control: &[u32], p: &mut [f32], length: usize) {
        let Some(dropout) = self.dropout.filter(|_| length > 0) else { return };
        for (t, row) in p.chunks_exact_mut(length).enumerate() {
            dropout.apply_fast(row, g.first_word([b, h, t]), control);
        }
    }

    /// The uniform of a kernel of `attention.wgsl` with `count` teams, 64 invocations a workgroup.
    fn uniform(&self, dispatch: Dispatch, g: &Geometry, count: usize, target: &Target) -> Dispatch {
        let team = team(target);
        let dispatch = self.numbers(dispatch, g, count).constant("TEAM", team as u32);
        dispatch.workgroups(groups((count * team).div_ceil(64)))
    }

    fn numbers(&self, dispatch: Dispatch, g: &Geometry, count: usize) -> Dispatch {
        let (heads, width) = (g.heads.count, g.heads.width());
        let vectors = |sizes: [usize; 2]| sizes.map(|size| size / width);
        let sizes = [count, g.batch, heads, g.queries, g.keys];
        let dispatch = dispatch.uniform(&sizes).uniform(&vectors([g.heads.key, g.heads.value]));
        let dispatch = dispatch.uniform(&vectors(g.widths)).uniform(&vectors(g.starts));
        let dispatch = dispatch.uniform(&[self.masked.into(), g.causal.into()]).number(g.scale() as f32);
        self.dropout.unwrap_or(Dropout::new(0.0, 0)).uniform(dispatch)
    }

    /// A kernel in which each of `own` positions (queries, or keys) of a head of a sentence looks at `others`, with its
    /// grid and the uniform.
    fn looking(
        &self,
        entry: &'static str,
        g: &Geometry,
        [own, others]: [usize; 2],
        target: &Target,
        bind: impl Fn(Dispatch) -> Dispatch,
    ) -> Dispatch {
        let heads = g.batch * g.heads.count;
        match self.software(entry, heads, [own, others], target) {
            Some((kernel, count)) => self.numbers(bind(kernel), g, count).workgroups(groups(count)),
            None => self.uniform(bind(self.kernel(SHADER, entry)), g, heads * own, target),
        }
    }

    fn kernel(&self, shader: Shader, entry: &'static str) -> Dispatch {
        Dispatch::new(shader, entry)
            .constant("VECTOR", self.which.heads.width() as u32)
            .constant("DROPPED", self.dropout.is_some().into())
    }

    /// Binds queries, keys with values, lengths, and control words.
    fn bind(&self, dispatch: Dispatch, lengths: usize) -> Dispatch {
        let input = |present: bool, index: usize| Operand::Input(if present { index } else { 0 });
        let dispatch = dispatch.read(Operand::Input(0)).read(Operand::Input(usize::from(self.cross)));
        dispatch.read(input(self.masked, lengths)).read(input(self.dropout.is_some(), self.control(lengths)))
    }
}

impl Op for Fused {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let Heads { count, key, value } = self.which.heads;
        for input in &inputs[..self.next()] {
            expect(input, "queries, keys and values", 3, DType::F32)?;
        }
        let widths =
            if self.cross { vec![count * key, count * (key + value)] } else { vec![count * (2 * key + value)] };
        let batch = inputs[0].shape[1];
        if inputs.iter().zip(&widths).any(|(input, width)| input.columns() != *width || input.shape[1] != batch) {
            return Err(format!(
                "with {count} heads of {key} and {value} positions are {widths:?} wide, batches equal"
            ));
        }
        if self.masked && inputs[self.next()] != TensorType::u32(&[batch]) {
            return Err(format!("the lengths must be u32[{batch}]"));
        }
        if let Some(dropout) = &self.dropout {
            dropout.check(&inputs[self.control(self.next())])?;
        }
        let g = self.geometry(inputs);
        Ok(vec![
            TensorType::f32(&[g.queries, batch, count * value]),
            TensorType::f32(&[batch, count, g.queries, g.keys]),
            TensorType::f32(&[batch, count, g.queries]),
        ])
    }

    fn optional(&self, output: usize) -> bool {
        output == 1
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        if at.upstream_of(1).is_some() || at.upstream_of(2).is_some() {
            return Err(GraphError::NotDifferentiable { op: "the probabilities of attention".into() });
        }
        let mut inputs: Vec<Value> = (0..self.next()).map(|i| at.input(i)).collect();
        inputs.extend([at.output(2), at.output(0), at.upstream()]);
        if self.masked {
            inputs.push(at.input(self.next()));
        }
        if self.dropout.is_some() {
            inputs.push(at.input(self.control(self.next())));
        }
        for (input, gradient) in at.graph.push(FusedBackward(*self), &inputs)?.into_iter().enumerate() {
            at.set(input, gradient);
        }
        Ok(())
    }

    reference!(blocked);

    fn carries_gradient(&self, output: usize) -> bool {
        output == 0
    }

    fn work(&self, types: &Types) -> Work {
        let (g, Heads { count, key, value }) = (self.geometry(&types.inputs), self.which.heads);
        // q·k, · scale, − max, exp, Σ, / sum, p·v
        Work::moving(self, types).flops(2 * key + 2 * value + 5, g.batch * count * g.pairs())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let g = self.geometry(&types.inputs);
        let forward = self.looking("forward", &g, [g.queries, g.keys], target, |kernel| {
            self.bind(kernel, self.next()).write(Operand::Output(0)).write(Operand::Output(2))
        });
        let weights = types.wanted[1].then(|| {
            let weights = self.bind(self.kernel(SHADER, "weights"), self.next());
            let weights = weights.read(Operand::Output(2)).write(Operand::Output(1));
            self.uniform(weights, &g, g.batch * g.heads.count * g.queries, target)
        });
        [forward].into_iter().chain(weights).collect()
    }
}

/// Invocations of a team: one on software adapters, to which barriers cost most.
fn team(target: &Target) -> usize {
    if target.software { 1 } else { TEAM }
}

/// Lanes of the workgroups of `software/attention.wgsl`, which takes as many positions together.
const LANES: usize = 8;

/// Blocks of [`LANES`] scores that it holds at most: with 32 registers of the CPU's, more would only be memory by
/// another name.
const MOST_BLOCKS: usize = 4;

impl Fused {
    /// The kernel of [`Fused::looking`] for software adapters with subgroups of at least [`LANES`], and its workgroups.
    fn software(
        &self,
        entry: &'static str,
        heads: usize,
        [own, others]: [usize; 2],
        target: &Target,
    ) -> Option<(Dispatch, usize)> {
        if !target.software || (target.subgroup as usize) < LANES {
            return None;
        }
        let blocks = others.div_ceil(LANES).clamp(1, MOST_BLOCKS);
        let kernel = self.kernel(SOFTWARE, entry).constant("EIGHTS", blocks as u32);
        let kernel = kernel.constant("MORE", (others > LANES * blocks).into());
        Some((kernel, heads * own.div_ceil(LANES)))
    }
}

/// Element (r, c) of a matrix.
fn at(layout: Layout, r: usize, c: usize) -> usize {
    layout.offset + r * layout.rows + c
}

/// Scores of query t for the first `visible` keys.
fn scores<T: Real>(g: &Geometry, [b, h, t]: [usize; 3], q: &[T], kv: &[T], visible: usize) -> Vec<T> {
    let (query, key, scale) = (g.query(b, h), g.key(b, h), T::of(g.scale()));
    let dot = |s: usize| (0..g.heads.key).fold(T::default(), |sum, c| sum + q[at(query, t, c)] * kv[at(key, s, c)]);
    (0..visible).map(|s| dot(s) * scale).collect()
}

impl Fused {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let g = self.geometry(&call.types.inputs);
        let (q, kv) = (call.input(0), call.input(usize::from(self.cross)));
        let (y, weights, logsumexp) = (call.output(0), call.output(1), call.output(2));
        for (b, h) in (0..g.batch).flat_map(|b| (0..g.heads.count).map(move |h| (b, h))) {
            let length = self.length(&call, self.next(), b, g.keys);
            for t in 0..g.queries {
                let scores = scores(&g, [b, h, t], q, kv, g.visible(t, length));
                let max = scores.iter().copied().reduce(T::max).unwrap_or_default();
                let sum = scores.iter().fold(T::default(), |sum, &score| sum + (score - max).exp());
                let row = g.first_row(b, h) + t;
                logsumexp[row] = if scores.is_empty() { T::default() } else { max + sum.ln() };
                let factors = self.factors(&g, [b, h, t], &call, self.next(), scores.len());
                let probability = |(&score, &factor): (&T, &T)| (score - logsumexp[row]).exp() * factor;
                let p: Vec<T> = scores.iter().zip(&factors).map(probability).collect();
                for c in 0..g.heads.value {
                    let value = g.value(b, h);
                    y[at(g.output(b, h), t, c)] =
                        (0..p.len()).fold(T::default(), |sum, s| sum + p[s] * kv[at(value, s, c)]);
                }
                if !weights.is_empty() {
                    let row = &mut weights[row * g.keys..][..g.keys];
                    row.fill(T::default());
                    row[..p.len()].copy_from_slice(&p);
                }
            }
        }
    }

    /// Two products a head, sentences and heads on all threads.
    fn blocked(&self, mut call: Call<f32>) {
        let g = self.geometry(&call.types.inputs);
        let (q, kv) = (call.input(0), call.input(usize::from(self.cross)));
        let (y, weights, logsumexp) = (call.output(0), call.output(1), call.output(2));
        let control = self.dropout.map_or(&[][..], |_| call.ids(self.control(self.next())));
        let tasks = g.batch * g.heads.count;
        let results: Vec<[Vec<f32>; 3]> = (0..tasks)
            .into_par_iter()
            .map(|task| {
                let (b, h) = (task / g.heads.count, task % g.heads.count);
                let length = self.length(&call, self.next(), b, g.keys);
                let mut p = scores_of_head(&g, (b, h), q, kv, length);
                let lse = softmax_rows(&g, &mut p, length);
                self.drop(&g, (b, h), control, &mut p, length);
                let mut y = vec![0.0; g.queries * g.heads.value];
                let product = (&mut y[..], Layout::row_major(0, g.heads.value));
                let sizes = [g.queries, g.heads.value, length];
                fast::product(sizes, (&p, Layout::row_major(0, length)), (kv, g.value(b, h)), product, false, false);
                [y, lse, p]
            })
            .collect();
        for (task, [head, lse, p]) in results.iter().enumerate() {
            let (b, h) = (task / g.heads.count, task % g.heads.count);
            put(head, y, g.output(b, h), g.heads.value);
            logsumexp[g.first_row(b, h)..][..g.queries].copy_from_slice(lse);
            if !weights.is_empty() {
                let rows = weights[task * g.queries * g.keys..].chunks_exact_mut(g.keys).take(g.queries);
                let length = p.len() / g.queries.max(1);
                for (t, row) in rows.enumerate() {
                    row.fill(0.0);
                    row[..length].copy_from_slice(&p[t * length..][..length]);
                }
            }
        }
    }
}

/// Copies the rows of a head to their places among those of the other heads and sentences.
fn put(head: &[f32], whole: &mut [f32], layout: Layout, width: usize) {
    for (r, row) in head.chunks_exact(width).enumerate() {
        whole[at(layout, r, 0)..][..width].copy_from_slice(row);
    }
}

/// Scaled scores [queries, length] of a head.
fn scores_of_head(g: &Geometry, (b, h): (usize, usize), q: &[f32], kv: &[f32], length: usize) -> Vec<f32> {
    let mut scores = vec![0.0; g.queries * length];
    let product = (&mut scores[..], Layout::row_major(0, length));
    let keys = (kv, g.key(b, h).transposed());
    fast::product([g.queries, length, g.heads.key], (q, g.query(b, h)), keys, product, false, false);
    let scale = g.scale() as f32;
    scores.iter_mut().for_each(|score| *score *= scale);
    scores
}

/// Scores to probabilities in place; gives the rows' logsumexp.
#[multiversion(targets = "simd")]
fn softmax_rows(g: &Geometry, p: &mut [f32], length: usize) -> Vec<f32> {
    let mut logsumexp = vec![0.0; g.queries];
    if length == 0 {
        return logsumexp;
    }
    for (t, row) in p.chunks_exact_mut(length).enumerate() {
        let (seen, hidden) = row.split_at_mut(g.visible(t, length));
        let max = seen.iter().fold(f32::MIN, |max, &x| if x > max { x } else { max });
        seen.iter_mut().for_each(|x| *x = fast::exp(*x - max));
        let sum: f32 = seen.iter().sum();
        seen.iter_mut().for_each(|x| *x /= sum);
        hidden.fill(0.0);
        logsumexp[t] = max + sum.ln();
    }
    logsumexp
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropout_leaves_the_mean_as_it_is_and_has_a_mask_for_every_row() {
        let (heads, queries, keys, batch) = (Heads { count: 2, key: 1, value: 1 }, 101, 31, 3);
        let which = Attention { heads, causal: false };
        let op = Fused { which, cross: true, masked: false, dropout: Some(Dropout::new(0.3, 5)) };
        let g = op.geometry(&[TensorType::f32(&[queries, batch, 2]), TensorType::f32(&[keys, batch, 4])]);
        let mut rows = vec![];
        for b in 0..batch {
            for h in 0..heads.count {
                let mut factors = vec![1.0; queries * keys];
                op.drop(&g, (b, h), &[1, 2, 3, 0, 0, 0, 0, 0], &mut factors, keys);
                rows.extend(factors.chunks(keys).map(<[f32]>::to_vec));
            }
        }
        assert!(rows.iter().flatten().all(|&f| f == 0.0 || (f - 1.0 / 0.7).abs() < 1e-6));
        let mean = rows.iter().flatten().sum::<f32>() / (rows.len() * keys) as f32;
        // Of 18,786 factors with a variance of p/(1 − p): the standard deviation is 0.0048.
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        rows.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        rows.dedup();
        assert_eq!(rows.len(), batch * heads.count * queries, "a row has the mask of another");
    }
}
