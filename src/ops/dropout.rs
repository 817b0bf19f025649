//! y = x / (1 − p) with probability 1 − p, else 0.

use std::any::Any;
use std::sync::Arc;

use multiversion::multiversion;
use rayon::prelude::*;

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::control;
use super::elementwise::{WORKGROUP, grid, kernel, like_x, width};
use super::embedding::EmbeddingBackward;
use super::threefry::{threefry, threefry_lanes};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("dropout", &[SHADER], cases, benches);

const SHADER: Shader = shader!("dropout");

/// Inverted dropout (Srivastava et al. 2014). The mask is a function of (seed, step, `stream`, element) by Threefry, so
/// the backward pass recomputes it. Every dropout of a model takes its own `stream`.
pub fn dropout(graph: &mut Graph, x: Value, control: Value, p: f32, stream: u32) -> Result<Value, GraphError> {
    if p == 0.0 { Ok(x) } else { graph.push1(Dropout::new(p, stream), &[x, control]) }
}

/// [`dropout`] of x [T, B, C] with one mask [B, C] for all time steps (Gal and Ghahramani 2016).
pub fn variational_dropout(
    graph: &mut Graph,
    x: Value,
    control: Value,
    p: f32,
    stream: u32,
) -> Result<Value, GraphError> {
    let period = graph.shape(x)[1..].iter().product();
    if p == 0.0 { Ok(x) } else { graph.push1(Dropout { period, ..Dropout::new(p, stream) }, &[x, control]) }
}

/// Public to `embedding`, which takes it in, and to `attention`, which drops probabilities.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    p: f32,
    stream: u32,
    /// Elements after which the mask repeats; 0 = never.
    period: usize,
}

impl Dropout {
    pub fn new(p: f32, stream: u32) -> Self {
        Self { p, stream, period: 0 }
    }

    /// Whether the probability is one, and `control` has the type of control words.
    pub fn check(&self, control: &TensorType) -> Result<(), String> {
        if !(0.0..1.0).contains(&self.p) {
            return Err(format!("the probability must lie in [0, 1), got {}", self.p));
        }
        if control.dtype != DType::U32 || control.len() < control::SENTENCES {
            return Err("the control words must be u32".into());
        }
        Ok(())
    }

    /// An element stays if its random word is below this.
    fn threshold(&self) -> u32 {
        ((1.0 - f64::from(self.p)) * f64::from(u32::MAX)).round() as u32
    }

    fn scale(&self) -> f32 {
        1.0 / (1.0 - self.p)
    }

    /// Appends the kernels' parameters: threshold, stream, scale.
    pub fn uniform(&self, dispatch: Dispatch) -> Dispatch {
        dispatch.uniform(&[self.threshold() as usize, self.stream as usize]).number(self.scale())
    }

    /// The generator's key for this dropout in this step.
    fn key(&self, control: &[u32]) -> [u32; 4] {
        [control[control::SEED], control[control::SEED + 1], control[control::STEP], self.stream]
    }

    /// The random words of elements 4·`block` to 4·`block` + 3.
    fn words(&self, block: usize, control: &[u32]) -> [u32; 4] {
        threefry([block as u32, 0, 0, 0], self.key(control))
    }

    /// Whether every element has a mask of its own, as the ops that take dropout in assume.
    pub fn is_plain(&self) -> bool {
        self.period == 0
    }

    /// Whether element `i` stays.
    pub fn keeps(&self, i: usize, control: &[u32]) -> bool {
        self.words(i / 4, control)[i % 4] < self.threshold()
    }

    /// Drops in place: `x` are the elements from `first` on.
    pub fn apply<T: Real>(&self, x: &mut [T], first: usize, control: &[u32]) {
        let (scale, threshold) = (T::of(f64::from(self.scale())), self.threshold());
        let (mut block, mut words) = (usize::MAX, [0; 4]);
        for (i, x) in x.iter_mut().enumerate() {
            let element = (first + i) % if self.period == 0 { usize::MAX } else { self.period };
            if element / 4 != block {
                block = element / 4;
                words = self.words(block, control);
            }
            *x = if words[element % 4] < threshold { *x * scale } else { T::default() };
        }
    }

    /// [`Self::apply`] for the CPU's vector units: the masks of `GROUP` elements at a time.
    pub fn apply_fast(&self, mut x: &mut [f32], first: usize, control: &[u32]) {
        if self.period == 0 {
            return self.apply_unrepeated(x, first, control);
        }
        let mut first = first % self.period;
        while !x.is_empty() {
            let (period, rest) = x.split_at_mut((self.period - first).min(x.len()));
            self.apply_unrepeated(period, first, control);
            (x, first) = (rest, 0);
        }
    }

    fn apply_unrepeated(&self, x: &mut [f32], first: usize, control: &[u32]) {
        // Up to the next block of four words, and behind the last whole group of blocks, one block at a time.
        let (head, x) = x.split_at_mut((first.next_multiple_of(4) - first).min(x.len()));
        self.apply(head, first, control);
        let first = first.next_multiple_of(4);
        let (x, tail) = x.split_at_mut(x.len() / GROUP * GROUP);
        self.apply(tail, first + x.len(), control);
        let (scale, threshold) = (self.scale(), self.threshold());
        drop_groups(x, (first / 4) as u32, self.key(control), (threshold, scale));
    }
}

/// Elements of a group, which is 64 blocks: with 16, 2560 × 2048 take 2.7 ms instead of 1.4, which is the memory's own
/// time (2 cores, AVX-512).
const GROUP: usize = 256;

/// Drops whole groups; the first starts at `block`.
#[multiversion(targets = "simd")]
fn drop_groups(x: &mut [f32], block: u32, key: [u32; 4], (threshold, scale): (u32, f32)) {
    const BLOCKS: usize = GROUP / 4;
    let mut factors = [0.0; GROUP];
    for (i, x) in x.chunks_exact_mut(GROUP).enumerate() {
        let words = threefry_lanes::<BLOCKS>(block + (i * BLOCKS) as u32, key);
        for lane in 0..BLOCKS {
            for word in 0..4 {
                factors[4 * lane + word] = if words[word][lane] < threshold { scale } else { 0.0 };
            }
        }
        // Not a product with 0: an infinite or NaN element that is dropped leaves 0 too.
        for e in 0..GROUP {
            x[e] = if factors[e] == 0.0 { 0.0 } else { x[e] * factors[e] };
        }
    }
}

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        self.check(&inputs[1])?;
        like_x(inputs)
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (control, dy) = (at.input(1), at.upstream());
        let dx = at.graph.push1(*self, &[dy, control])?;
        at.set(0, dx);
        Ok(())
    }

    /// The gradient of an embedding drops what the forward pass dropped while it adds.
    fn absorb(&self, consumer: &dyn Op, input: usize) -> Option<Arc<dyn Op>> {
        let backward =
            (consumer as &dyn Any).downcast_ref::<EmbeddingBackward>().filter(|_| input == 1 && self.is_plain())?;
        backward.with_dropout(self).map(|op| Arc::new(op) as Arc<dyn Op>)
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(1, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let len = types.outputs[0].len();
        let period = if self.is_plain() { len } else { self.period };
        let width = width(&[period]);
        let dispatch = kernel(SHADER, "forward", width, target).read(Operand::Input(0)).read(Operand::Input(1));
        let dispatch = self.uniform(dispatch.write(Operand::Output(0)).uniform(&[len / width, period / width]));
        vec![dispatch.workgroups(grid(len / width, target))]
    }
}

impl Dropout {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let y = call.output(0);
        y.copy_from_slice(call.input(0));
        self.apply(y, 0, call.ids(1));
    }

    /// Chunks on all threads.
    fn parallel(&self, mut call: Call<f32>) {
        const CHUNK: usize = 1 << 13;
        let (x, control) = (call.input(0), call.ids(1));
        call.output(0).par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, y)| {
            y.copy_from_slice(&x[chunk * CHUNK..][..y.len()]);
            self.apply_fast(y, chunk * CHUNK, control);
        });
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let shapes: [&[usize]; 5] = [&[1], &[7, 17], &[257], &[33, 65], &[9, 1000]];
    // A large seed: words of the key that change places then change more than the last bits.
    let control = vec![0xDEAD_BEEF, 0x0BAD_CAFE, 42, 0, 0, 0, 0, 0];
    let shapes = set.shapes(&shapes);
    let plain = shapes.iter().map(|s| set.case(Dropout::new(0.3, 5)).random(s).ids(&[8], control.clone()));
    let variational = [(7, 17), (33, 65), (5, 260)].into_iter().map(|(time, period)| {
        let op = Dropout { period, ..Dropout::new(0.3, 5) };
        set.case(op).random(&[time, 1, period]).ids(&[8], control.clone())
    });
    let many =
        set.many(WORKGROUP).map(|n| set.case(Dropout::new(0.3, 5)).constant(&[n], 1.0).ids(&[8], control.clone()));
    plain.chain(variational).chain(many).chain(at_the_threshold(set, &control)).collect()
}

/// Where the last bit of each of the four words that the generator gives at once decides: an element whose word is the
/// threshold, which is dropped, and the same one where it is one below, which stays.
fn at_the_threshold(set: &CaseSet, control: &[u32]) -> Vec<Case> {
    let word = |element: usize| Dropout::new(0.0, 5).words(element / 4, control)[element % 4];
    let mut cases = vec![];
    for place in 0..4 {
        // So close to the end that the f32 nearest to its probability gives it back.
        let near = |&element: &usize| (u32::MAX - (1 << 23)..u32::MAX).contains(&word(element));
        let element = (place..).step_by(4).find(near).expect("one of 512 is");
        for threshold in [word(element), word(element) + 1] {
            let op = Dropout::new((1.0 - f64::from(threshold) / f64::from(u32::MAX)) as f32, 5);
            assert_eq!(op.threshold(), threshold);
            cases.push(set.case(op).constant(&[element + 1], 1.0).ids(&[8], control.to_vec()));
        }
    }
    cases
}

fn benches() -> Vec<Bench> {
    vec![Bench::new(
        "feed-forward, 2560 x 2048",
        Case::new(Dropout::new(0.2, 5)).constant(&[2560, 2048], 1.0).control(),
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_about_the_share_asked_for() {
        let dropout = Dropout::new(0.3, 1);
        let words = (0..10_000).flat_map(|block| dropout.words(block, &[1, 2, 3]));
        let kept = words.filter(|&w| w < dropout.threshold()).count();
        // Binomial(40,000, 0.7): the standard deviation is 92.
        assert!((27_600..28_400).contains(&kept), "{kept}");
    }
}
