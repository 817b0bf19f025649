//! One step of beam search with length normalization (Wu et al. 2016, 7, with the penalty |Y|^α).

use rayon::prelude::*;

use crate::graph::{
    Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value, Work,
    expect, groups, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{SUBGROUPS, grid, kernel, reducing, width};
use super::fast;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("beam_step", &[SHADER], cases, benches);

const SHADER: Shader = shader!("beam_step");

/// What a step knows of its place in the search.
#[derive(Clone, Copy, Debug)]
pub struct BeamStep {
    /// Hypotheses of a sentence, K.
    pub beam: usize,
    /// Exponent of the length that a sum of log-probabilities is divided by.
    pub length_penalty: f32,
    /// Tokens that a hypothesis has after this step.
    pub length: usize,
    /// The token behind which nothing follows.
    pub end: u32,
}

/// What a step gives: the hypotheses of each sentence, best first.
#[derive(Clone, Copy, Debug)]
pub struct Beams {
    /// Sums of log-probabilities [B·K].
    pub scores: Value,
    /// Tokens that count, `end` included [B·K].
    pub lengths: Value,
    /// Rows of the step's inputs that they continue [B·K].
    pub parents: Value,
    /// Their newest tokens [B·K]; `end` again for those that have ended.
    pub ids: Value,
}

/// Continues each of B·K hypotheses with `ids` [B·K] as newest tokens by every token of logits [B·K, V], and keeps the
/// K best of each sentence by score / length^α. One that has ended stays as it is. Equals go to the earlier hypothesis,
/// then the smaller token.
/// A score of NaN comes before all others, so that whoever reads the scores sees it; its ids are in range.
pub fn beam_step(
    graph: &mut Graph,
    op: BeamStep,
    logits: Value,
    scores: Value,
    lengths: Value,
    ids: Value,
) -> Result<Beams, GraphError> {
    let out = graph.push(op, &[logits, scores, lengths, ids])?;
    Ok(Beams { scores: out[0], lengths: out[1], parents: out[2], ids: out[3] })
}

impl Op for BeamStep {
    fn name(&self) -> &'static str {
        "beam_step"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        expect(&inputs[0], "the logits", 2, DType::F32)?;
        let [rows, vocabulary] = inputs[0].shape[..] else { unreachable!("rank checked") };
        if self.beam == 0 || !rows.is_multiple_of(self.beam) {
            return Err("a beam holds at least one hypothesis and must divide the rows".into());
        }
        if self.end as usize >= vocabulary {
            let last = vocabulary - 1;
            return Err(format!(
                "the end token is {}, and the vocabulary has only {vocabulary} tokens: 0 to {last}",
                self.end
            ));
        }
        let (numbers, ids) = (TensorType::f32(&[rows]), TensorType::u32(&[rows]));
        if inputs[1] != numbers || inputs[2] != ids || inputs[3] != ids {
            return Err(format!("scores must be {numbers}, lengths and newest tokens {ids}"));
        }
        Ok(vec![numbers, ids.clone(), ids.clone(), ids])
    }

    reference!(fast);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(5, types.inputs[0].len())
    }

    /// Scores and tokens of each row's candidates.
    fn scratch(&self, types: &Types, _target: &Target) -> Vec<usize> {
        vec![self.candidates(types); 2]
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let [rows, vocabulary] = *types.input(0) else { unreachable!("checked by the shape rule") };
        // Shared out by vectors, a row must be longer than one.
        let width = if vocabulary > 4 { width(&[rows * vocabulary]) } else { 1 };
        let uniform = |dispatch: Dispatch| {
            let sizes = [rows, vocabulary, self.beam, self.length, self.end as usize];
            dispatch.uniform(&sizes).number(self.length_penalty)
        };
        let [logits, scores, lengths, ids] = [0, 1, 2, 3].map(Operand::Input);
        let [found_scores, found_ids] = [0, 1].map(Operand::Scratch);
        let find = uniform(reducing(kernel(SHADER, "find", width, target), target));
        let find = find.read(logits).read(logits).read(scores).read(ids).write(found_scores).write(found_ids);
        // It takes neither vectors nor sums.
        let choose = uniform(kernel(SHADER, "choose", 1, target).constant(SUBGROUPS, 0));
        let choose = choose.read(found_scores).read(found_ids).read(lengths).read(ids);
        let choose = (0..4).fold(choose, |d, o| d.write(Operand::Output(o)));
        vec![find.workgroups(groups(rows)), choose.workgroups(grid(self.candidates(types), target))]
    }
}

/// A hypothesis: its rank, score, length, parent and token.
type Candidate<T> = (f64, T, u32, usize, u32);

/// What a number is ranked by: NaN and −∞ as the lowest number but one (the kernel keeps the lowest for nobody).
fn key<T: Real>(x: T) -> T {
    let least = T::of(f64::from(f32::MIN.next_up()));
    if x > least { x } else { least }
}

/// The rank of a score / length^α.
fn rank<T: Real>(quotient: T) -> f64 {
    if quotient.value().is_nan() { f64::from(f32::MAX) } else { key(quotient).value() }
}

impl BeamStep {
    /// Candidates that the kernels compare: the best of each row.
    fn candidates(&self, types: &Types) -> usize {
        types.outputs[0].len() * self.beam
    }

    fn reference<T: Real>(&self, call: Call<T>) {
        self.search(call, |logits| {
            let max = logits.iter().copied().reduce(T::max).expect("a vocabulary is not empty");
            [max, logits.iter().fold(T::default(), |sum, &z| sum + (z - max).exp()).ln()]
        });
    }

    fn fast(&self, call: Call<f32>) {
        self.search(call, fast::log_sum_exp);
    }

    /// Sentences on all threads. `log_sum_exp` gives the largest logit m, and ln Σ e^(z − m).
    fn search<T: Real>(&self, mut call: Call<T>, log_sum_exp: impl Fn(&[T]) -> [T; 2] + Sync) {
        let (logits, scores, lengths, ids) = (call.input(0), call.input(1), call.ids(2), call.ids(3));
        let vocabulary = call.types.inputs[0].columns();
        let best_of = |sentence: usize| {
            let rows = sentence * self.beam..(sentence + 1) * self.beam;
            let of_row = |row: usize| {
                let logits = &logits[row * vocabulary..][..vocabulary];
                self.continued(row, logits, scores[row], (lengths[row], ids[row]), &log_sum_exp)
            };
            let mut all: Vec<_> = rows.flat_map(of_row).collect();
            // Stable, so that equals stay in order.
            all.sort_by(|a, b| b.0.partial_cmp(&a.0).expect("no rank is NaN"));
            all.truncate(self.beam);
            all
        };
        let best: Vec<_> = (0..scores.len() / self.beam).into_par_iter().map(best_of).collect();
        let (scores, lengths) = (call.output(0), call.output_ids(1));
        let (parents, ids) = (call.output_ids(2), call.output_ids(3));
        for (row, &(_, score, length, parent, id)) in best.iter().flatten().enumerate() {
            (scores[row], lengths[row], parents[row], ids[row]) = (score, length, parent as u32, id);
        }
    }

    /// The continuations of one hypothesis that can be among the best.
    fn continued<T: Real>(
        &self,
        row: usize,
        logits: &[T],
        score: T,
        (length, id): (u32, u32),
        log_sum_exp: impl Fn(&[T]) -> [T; 2],
    ) -> Vec<Candidate<T>> {
        let penalty = |length: u32| T::of(f64::from(length).powf(f64::from(self.length_penalty)));
        if id == self.end {
            return vec![(rank(score / penalty(length)), score, length, row, self.end)];
        }
        let [max, log_sum] = log_sum_exp(logits);
        let token = |id: usize| {
            // The largest first: beside it the logarithm would lose its last bits.
            let score = score + (logits[id] - max - log_sum);
            (rank(score / penalty(self.length as u32)), score, self.length as u32, row, id as u32)
        };
        largest(logits, self.beam).into_iter().map(token).collect()
    }
}

/// Places of the `count` largest numbers, the largest first, and of equals the first.
fn largest<T: Real>(x: &[T], count: usize) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::with_capacity(count + 1);
    for i in 0..x.len() {
        let own = key(x[i]);
        if best.len() == count && own <= key(x[best[count - 1]]) {
            continue;
        }
        best.insert(best.partition_point(|&b| key(x[b]) >= own), i);
        best.truncate(count);
    }
    best
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let mut cases = vec![];
    let quick = [[1, 1, 1], [1, 7, 17], [5, 3, 33], [4, 2, 257], [16, 2, 65]];
    // Small: among many candidates some would be equal within rounding, and their order open.
    for [beam, sentences, vocabulary] in set.sizes(&quick, [16, 7, 65]) {
        // At least the four special tokens: a hypothesis that has ended goes on with `end` alone.
        let (rows, vocabulary) = (beam * sentences, vocabulary.max(beam).max(4));
        let op = BeamStep { beam, length_penalty: 0.7, length: 4, end: 3 };
        let case = set.case(op).constant(&[rows, vocabulary], 3.0).constant(&[rows], 4.0);
        let lengths = (0..rows as u32).map(|row| 2 + row % 2).collect();
        let ids = (0..rows as u32).map(|row| if row % 5 == 2 { 3 } else { 4 + row }).collect();
        cases.push(case.ids(&[rows], lengths).ids(&[rows], ids));
    }
    let chosen = |beam: usize, vocabulary: usize, scores: Vec<f32>, logit: &dyn Fn(usize, usize) -> f32| {
        let rows = scores.len();
        let logits = (0..rows * vocabulary).map(|i| logit(i / vocabulary, i % vocabulary)).collect();
        let case = set.case(BeamStep { beam, length_penalty: 0.7, length: 4, end: 3 });
        let case = case.values(&[rows, vocabulary], logits).values(&[rows], scores);
        case.ids(&[rows], vec![3; rows]).ids(&[rows], vec![7; rows])
    };
    // Rows wider than a workgroup takes at once, and candidates of equal rank: of those the first row and token win.
    let mixed = |row: usize, token: usize| ((row * 2103 + token) * 7919 % 2111) as f32 / 64.0;
    cases.push(chosen(3, 2103, vec![-1.0; 6], &mixed));
    cases.push(chosen(3, 600, vec![-1.0; 6], &|_, token| if token % 7 == 5 { 1.0 } else { 0.0 }));
    cases.push(chosen(3, 20, vec![-1.0; 6], &|row, token| if token == 9 - row { 1.0 } else { 0.0 }));
    // In each sentence another row leads by so much that all the best are its own.
    let led = |beam: usize, sentences: usize| -> Vec<f32> {
        (0..beam * sentences).map(|row| if row % beam == row / beam % beam { 0.0 } else { -1e4 }).collect()
    };
    // The best lie in one part of the row, equals among them: 256 vectors apart, or nine of a lane of eight. Rows begin
    // anywhere in a vector, or have none.
    for stride in [1024, 288] {
        let apart = |row: usize, token: usize| match token % stride == row * stride / 16 {
            true => [3.0, 5.0, 5.0, 4.0, 2.0][token / stride],
            false => (token * 7919 % 101) as f32 / 101.0,
        };
        cases.extend(
            [(4, 4), (3, 3)].map(|(beam, sentences)| chosen(beam, 4 * stride + 3, led(beam, sentences), &apart)),
        );
    }
    // All tokens of a row are among the best, each a part of its own; here other rows fill up a beam wider than the
    // vocabulary.
    cases.push(chosen(16, 16, led(16, 1), &|_, token| (token * 7 % 16) as f32 / 4.0));
    cases.push(chosen(9, 5, led(9, 4), &|_, token| (token * 2 % 5) as f32 / 4.0));
    cases.push(chosen(33, 40, led(33, 1), &|_, token| (token * 7 % 40) as f32 / 8.0));
    // The best stand at both ends of a row, before its first whole vector and behind its last.
    cases.push(chosen(8, 35, led(8, 4), &|_, token| token.abs_diff(17) as f32 / 4.0));
    // The least numbers there are, in one row among the best, in the others so that their sums overflow.
    let least = |_, token| if token == 9 { 0.0 } else { -3e38 };
    cases.push(chosen(4, 20, vec![0.0, -3.2e38, -3.2e38, -3.2e38], &least));
    // A hypothesis that has ended competes with the others by its own length: here it comes first in one sentence,
    // second in the other.
    let ended = set.case(BeamStep { beam: 3, length_penalty: 0.7, length: 4, end: 3 });
    let ended = ended.values(&[6, 17], (0..6 * 17).map(|i| (i * 37 % 101) as f32 / 16.0).collect());
    let ended = ended.values(&[6], vec![-1.5, -1.0, -1.2, -1.1, -2.0, -0.9]).ids(&[6], vec![3, 2, 3, 3, 3, 2]);
    cases.push(ended.ids(&[6], vec![7, 3, 5, 8, 9, 3]));
    // A long hypothesis of low score beats one that ended early only because score is divided by length: by their sum
    // it would not.
    let long = set.case(BeamStep { beam: 3, length_penalty: 0.7, length: 30, end: 3 });
    let long = long.values(&[3, 17], (0..3 * 17).map(|i| if i % 17 == 5 { 20.0 } else { 0.0 }).collect());
    cases.push(long.values(&[3], vec![-6.0, -1.5, -7.0]).ids(&[3], vec![29, 3, 29]).ids(&[3], vec![7, 3, 8]));
    if let Some(rows) = set.many(1) {
        let steps = |count: usize, step: usize| (0..count).map(|i| (i * step % 193) as f32 / -32.0).collect();
        let case = set.case(BeamStep { beam: 1, length_penalty: 0.7, length: 4, end: 3 });
        let case = case.values(&[rows, 4], steps(4 * rows, 7919)).values(&[rows], steps(rows, 31));
        cases.push(case.ids(&[rows], vec![2; rows]).ids(&[rows], vec![5; rows]));
    }
    cases
}

fn benches() -> Vec<Bench> {
    let op = BeamStep { beam: 5, length_penalty: 1.0, length: 4, end: 3 };
    // Ten times a search's 12 sentences, whose logits would fit into a cache.
    let rows = 600;
    let case = Case::new(op).constant(&[rows, 6191], 3.0).constant(&[rows], 4.0);
    let case = case.ids(&[rows], vec![3; rows]).ids(&[rows], vec![4; rows]);
    vec![Bench::new("120 sentences, beam 5, vocabulary 6191", case)]
}

#[cfg(test)]
mod tests {
    use super::BeamStep;
    use crate::graph::{Op, TensorType};

    #[test]
    fn the_end_token_must_be_in_the_vocabulary() {
        let infer = |end| {
            let op = BeamStep { beam: 2, length_penalty: 1.0, length: 4, end };
            let ids = TensorType::u32(&[6]);
            op.infer(&[TensorType::f32(&[6, 5]), TensorType::f32(&[6]), ids.clone(), ids])
        };
        assert!(infer(4).is_ok());
        assert_eq!(infer(5).unwrap_err(), "the end token is 5, and the vocabulary has only 5 tokens: 0 to 4");
    }
}
