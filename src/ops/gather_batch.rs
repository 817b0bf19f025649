//! Collects the sentences of a batch from the corpus, which lies on the device.

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Target, TensorType, Types, Value, expect,
    groups, reference,
};

use super::case::Case;
use super::control::{NO_SENTENCE, SENTENCES};

/// Which tokens of a sentence a batch takes: all but the first `skip` and the last `trim`, at most `time`.
#[derive(Debug, Clone, Copy)]
pub struct GatherBatch {
    pub batch: usize,
    pub time: usize,
    pub skip: usize,
    pub trim: usize,
    /// Fills what a sentence leaves empty.
    pub padding: u32,
}

/// Ids [T, B] and lengths `[B]` of the sentences that `control` names. Sentence s is `tokens[offsets[s]..offsets[s + 1]]`.
/// A row of the batch without a sentence is all padding and has length 0.
pub fn gather_batch(
    graph: &mut Graph,
    which: GatherBatch,
    tokens: Value,
    offsets: Value,
    control: Value,
) -> Result<(Value, Value), GraphError> {
    let outputs = graph.push(which, &[tokens, offsets, control])?;
    Ok((outputs[0], outputs[1]))
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
            return Err(format!(
                "a batch of {} needs {} control words",
                self.batch,
                SENTENCES + self.batch
            ));
        }
        Ok(vec![
            TensorType::u32(&[self.time, self.batch]),
            TensorType::u32(&[self.batch]),
        ])
    }

    fn gradient(&self, _at: &mut Backward) -> Result<(), GraphError> {
        Ok(())
    }

    reference!();

    fn dispatches(&self, _types: &Types, _target: &Target) -> Vec<Dispatch> {
        let inputs = (0..3).fold(Dispatch::new("gather_batch", "forward"), |d, i| {
            d.read(Operand::Input(i))
        });
        let dispatch = inputs.write(Operand::Output(0)).write(Operand::Output(1));
        let dispatch = dispatch.uniform(&[self.batch, self.time, self.skip, self.trim, self.padding as usize]);
        vec![dispatch.workgroups(groups(self.batch.div_ceil(64)))]
    }
}

impl GatherBatch {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let (tokens, offsets, control) = (call.ids(0), call.ids(1), call.ids(2));
        let (ids, lengths) = (call.output_ids(0), call.output_ids(1));
        for b in 0..self.batch {
            let sentence = control[SENTENCES + b];
            let (start, end) = match sentence {
                NO_SENTENCE => (0, 0),
                s => (offsets[s as usize] as usize, offsets[s as usize + 1] as usize),
            };
            let length = (end - start).saturating_sub(self.skip + self.trim).min(self.time);
            lengths[b] = length as u32;
            for t in 0..self.time {
                ids[t * self.batch + b] = if t < length {
                    tokens[start + self.skip + t]
                } else {
                    self.padding
                };
            }
        }
    }
}

pub fn cases() -> Vec<Case> {
    let offsets = vec![0, 3, 3, 4, 12, 40];
    let mut cases = vec![];
    for (batch, time, skip, trim) in [(1, 1, 0, 0), (7, 17, 1, 0), (65, 9, 0, 1), (3, 33, 2, 2)] {
        let sentence = |b| if b % 4 == 3 { NO_SENTENCE } else { b % 5 };
        let control = (0..SENTENCES as u32).chain((0..batch as u32).map(sentence)).collect();
        let case = Case::new(GatherBatch {
            batch,
            time,
            skip,
            trim,
            padding: 77,
        })
        .random_ids(&[40], 1000);
        cases.push(case.ids(&[6], offsets.clone()).ids(&[SENTENCES + batch], control));
    }
    cases
}
