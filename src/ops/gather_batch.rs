//! Collects the sentences of a batch from the corpus, which lies on the device.

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, expect, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::control::{NO_SENTENCE, SENTENCES};
use super::elementwise::{WORKGROUP, grid, kernel, width};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("gather_batch", &[SHADER], cases, benches);

const SHADER: Shader = shader!("gather_batch");

/// Sizes of a batch, and what it takes of a sentence: at most `time` tokens.
#[derive(Debug, Clone, Copy)]
pub struct GatherBatch {
    pub batch: usize,
    pub time: usize,
    /// Also gives labels, each position's next token; the last token is a label only.
    pub labels: bool,
    /// Fills what a sentence leaves empty.
    pub padding: u32,
}

/// What [`gather_batch`] gives.
#[derive(Debug, Clone, Copy)]
pub struct Gathered {
    pub ids: Value,
    pub lengths: Value,
    pub labels: Option<Value>,
}

/// Ids `[T, B]`, lengths `[B]` and, if asked for, labels `[T, B]` of the sentences that `control` names. Sentence s is
/// `tokens[offsets[s]..offsets[s + 1]]`. A row of the batch without a sentence is all padding and has length 0.
pub fn gather_batch(
    graph: &mut Graph,
    which: GatherBatch,
    tokens: Value,
    offsets: Value,
    control: Value,
) -> Result<Gathered, GraphError> {
    let outputs = graph.push(which, &[tokens, offsets, control])?;
    Ok(Gathered { ids: outputs[0], lengths: outputs[1], labels: outputs.get(2).copied() })
}

impl Op for GatherBatch {
    fn name(&self) -> &'static str {
        "gather_batch"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        for (input, what) in inputs.iter().zip(["the tokens", "the offsets", "the control words"]) {
            expect(input, what, 1, DType::U32)?;
        }
        if inputs[2].len() < SENTENCES + self.batch {
            return Err(format!("a batch of {} needs {} control words", self.batch, SENTENCES + self.batch));
        }
        let ids = TensorType::u32(&[self.time, self.batch]);
        let outputs = [ids.clone(), TensorType::u32(&[self.batch])].into_iter();
        Ok(outputs.chain(self.labels.then_some(ids)).collect())
    }

    fn gradient(&self, _at: &mut Backward) -> Result<(), GraphError> {
        Ok(())
    }

    reference!();

    fn work(&self, types: &Types) -> Work {
        // Two of the three outputs hold the ids of the batch, whatever the size of the corpus.
        Work::elements(2 * types.outputs.iter().map(TensorType::len).sum::<usize>())
    }

    fn dispatches(&self, _types: &Types, target: &Target) -> Vec<Dispatch> {
        let vector = width(&[self.batch]);
        let entry = if self.labels { "with_labels" } else { "forward" };
        let outputs = if self.labels { 3 } else { 2 };
        let dispatch = kernel(SHADER, entry, vector, target);
        let dispatch = (0..3).fold(dispatch, |d, i| d.read(Operand::Input(i)));
        let dispatch = (0..outputs).fold(dispatch, |d, o| d.write(Operand::Output(o)));
        let dispatch = dispatch.uniform(&[self.batch / vector, self.time, self.padding as usize]);
        vec![dispatch.workgroups(grid(self.batch / vector, target))]
    }
}

impl GatherBatch {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let (tokens, offsets, control) = (call.ids(0), call.ids(1), call.ids(2));
        let (ids, lengths) = (call.output_ids(0), call.output_ids(1));
        let labels: &mut [u32] = if self.labels { call.output_ids(2) } else { &mut [] };
        let ahead = usize::from(self.labels);
        for b in 0..self.batch {
            let (start, end) = match control[SENTENCES + b] {
                NO_SENTENCE => (0, 0),
                s => (offsets[s as usize] as usize, offsets[s as usize + 1] as usize),
            };
            let length = (end - start).saturating_sub(ahead).min(self.time);
            lengths[b] = length as u32;
            for t in 0..self.time {
                let at = t * self.batch + b;
                ids[at] = if t < length { tokens[start + t] } else { self.padding };
                if self.labels {
                    labels[at] = if t < length { tokens[start + t + 1] } else { self.padding };
                }
            }
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    // The first sentence starts behind the first token, so that offsets[0] is not nothing.
    let offsets = vec![2, 3, 3, 4, 12, 40];
    let mut cases = vec![];
    let quick = [
        (1, 1, false),
        (7, 17, true),
        (65, 9, true),
        (3, 33, false),
        (130, 2, false),
        (1, 1, true),
        (12, 9, false),
        (2100, 3, true),
    ];
    let odd = set.sizes(&[], [1000, 127]).into_iter().enumerate().map(|(i, [batch, time])| (batch, time, i % 2 == 0));
    let many = set.many(WORKGROUP).map(|batch| (batch, 1, true));
    for (batch, time, labels) in quick.into_iter().chain(odd).chain(many) {
        let sentence = |b| if b % 4 == 3 { NO_SENTENCE } else { b % 5 };
        let control = (0..SENTENCES as u32).chain((0..batch as u32).map(sentence)).collect();
        let case = set.case(GatherBatch { batch, time, labels, padding: 77 }).random_ids(&[40], 1000);
        cases.push(case.ids(&[6], offsets.clone()).ids(&[SENTENCES + batch], control));
    }
    cases
}

fn benches() -> Vec<Bench> {
    // More than our models take at once: their 128 would be a launch and little else.
    let (pairs, batch) = (116_000, 51_200);
    let offsets = (0..=pairs).map(|s| 20 * s).collect();
    let control = (0..SENTENCES as u32).chain((0..batch).map(|b| b * 211 % pairs)).collect();
    let batch = batch as usize;
    let op = GatherBatch { batch, time: 20, labels: true, padding: 0 };
    let case = Case::new(op).random_ids(&[20 * pairs as usize], 8014).ids(&[pairs as usize + 1], offsets);
    vec![Bench::new("51,200 of 116,000 sentences of 20 tokens", case.ids(&[SENTENCES + batch], control))]
}
