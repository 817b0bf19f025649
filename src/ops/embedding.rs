//! `y[n] = weight[ids[n]]`

use std::any::Any;
use std::sync::Arc;

use rayon::prelude::*;

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, expect, groups, reference, shader,
};

use super::Listing;
use super::add::Add;
use super::case::{Bench, Case, CaseSet};
use super::dropout::Dropout;
use super::elementwise::{self, WORKGROUP, blocks, lanes};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("embedding", &[SHADER, RUNS, SOFTWARE], cases, benches);

const SHADER: Shader = shader!("embedding");
const RUNS: Shader = shader!("embedding_runs");
const SOFTWARE: Shader = shader!("software/embedding");

/// Rows of weight [V, E] for ids [..]: [.., E]. An id outside the vocabulary reads the last row.
pub fn embedding(graph: &mut Graph, weight: Value, ids: Value) -> Result<Value, GraphError> {
    graph.push1(Embedding { dropout: None }, &[weight, ids])
}

/// Inputs: weight, ids, and with dropout the control words.
#[derive(Debug)]
struct Embedding {
    dropout: Option<Dropout>,
}

impl Op for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        expect(&inputs[0], "the weight", 2, DType::F32)?;
        if inputs[1].dtype != DType::U32 {
            return Err("the ids must be u32".into());
        }
        Ok(vec![TensorType::f32(&[&inputs[1].shape[..], &inputs[0].shape[1..]].concat())])
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (weight, ids, mut dy) = (at.input(0), at.input(1), at.upstream());
        // The planner takes dropout in after differentiation, so only a case can hold one here.
        if let Some(dropout) = &self.dropout {
            let control = at.input(2);
            dy = at.graph.push1(*dropout, &[dy, control])?;
        }
        let vocabulary = at.graph.shape(weight)[0];
        let dweight = at.graph.push1(EmbeddingBackward::new(vocabulary), &[ids, dy])?;
        at.set(0, dweight);
        Ok(())
    }

    fn absorb(&self, consumer: &dyn Op, _input: usize) -> Option<Arc<dyn Op>> {
        let dropout =
            (consumer as &dyn Any).downcast_ref::<Dropout>().filter(|d| self.dropout.is_none() && d.is_plain())?;
        Some(Arc::new(Embedding { dropout: Some(*dropout) }))
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        // The rows that are looked up, not the table.
        let (ids, len) = (types.inputs[1].len(), types.outputs[0].len());
        Work::elements(ids + 2 * len).flops(self.dropout.is_some().into(), len)
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let len = types.outputs[0].len();
        let [vocabulary, width] = *types.input(0) else { unreachable!("checked by the shape rule") };
        // Bound even without dropout: the ids again, which the kernel does not read there.
        let control = Operand::Input(if self.dropout.is_some() { 2 } else { 1 });
        let vector = elementwise::width(&[width]);
        let positions = len / width;
        let row = width / vector;
        let per_row = per_row(row, target);
        let dispatch = kernel(SHADER, "forward", self.dropout.is_some(), vector, [row, per_row], target);
        let dispatch = dispatch.read(Operand::Input(0)).read(Operand::Input(1)).read(control).write(Operand::Output(0));
        let dispatch = parameters(dispatch.uniform(&[positions, vocabulary, row]), self.dropout.as_ref());
        let rows = lanes(target) as usize / per_row;
        vec![dispatch.workgroups(blocks(positions.div_ceil(rows), target))]
    }
}

/// Vectors of a row that an invocation has in hand at most.
const HELD: usize = 4;

/// Lanes of a workgroup that share a row of `vectors`, of what is looked up or of the gradient.
fn per_row(vectors: usize, target: &Target) -> usize {
    if target.software { 1 } else { vectors.next_power_of_two().clamp(8, lanes(target) as usize) }
}

/// An entry point for vectors of `vector` elements; `per_row` lanes share a row of `row` vectors.
fn kernel(
    shader: Shader,
    entry: &'static str,
    dropout: bool,
    vector: usize,
    [row, per_row]: [usize; 2],
    target: &Target,
) -> Dispatch {
    let held = row.div_ceil(per_row).min(HELD);
    elementwise::kernel(shader, entry, vector, target)
        .constant("DROPOUT", dropout.into())
        .constant("PER_ROW", per_row as u32)
        .constant("HELD", held as u32)
        .constant("WHOLE", row.is_multiple_of(held * per_row).into())
        .constant("LONGER", (row > held * per_row).into())
}

/// What dropout adds to a kernel's uniform.
fn parameters(dispatch: Dispatch, dropout: Option<&Dropout>) -> Dispatch {
    match dropout {
        Some(dropout) => dropout.uniform(dispatch),
        None => dispatch.uniform(&[0, 0, 0]),
    }
}

impl Embedding {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let [vocabulary, width] = *call.types.input(0) else { unreachable!("checked by the shape rule") };
        for (n, y) in call.output(0).chunks_exact_mut(width).enumerate() {
            let id = (call.ids(1)[n] as usize).min(vocabulary - 1);
            y.copy_from_slice(&call.input(0)[id * width..][..width]);
            if let Some(dropout) = &self.dropout {
                dropout.apply(y, n * width, call.ids(2));
            }
        }
    }

    /// Rows on all threads, for the sake of dropout.
    fn parallel(&self, mut call: Call<f32>) {
        let [vocabulary, width] = *call.types.input(0) else { unreachable!("checked by the shape rule") };
        let (weight, ids) = (call.input(0), call.ids(1));
        call.output(0).par_chunks_mut(width * ROWS).zip(ids.par_chunks(ROWS)).enumerate().for_each(|(i, (y, ids))| {
            for (y, &id) in y.chunks_exact_mut(width).zip(ids) {
                y.copy_from_slice(&weight[(id as usize).min(vocabulary - 1) * width..][..width]);
            }
            if let Some(dropout) = &self.dropout {
                dropout.apply_fast(y, i * ROWS * width, call.ids(2));
            }
        });
    }
}

/// Rows that the CPU drops at once: dropout's fast path takes 256 elements, so that it left out rows of 128 (20 × 1280
/// of them took 11.7 ms, now 1.5).
const ROWS: usize = 64;

/// `dweight[v]` = Σ `dy[n]` over the n with `ids[n]` = v, added in the order of n: the same bits every run, without
/// float atomics.
///
/// Inputs: ids, dy; with dropout, which is applied to dy first, they are dy, control words, ids. With `accumulate` one
/// more, a gradient like the result, to which the rows are added in place: a decoder that runs step by step has a
/// gradient of the whole table from every step.
#[derive(Debug, Clone)]
pub struct EmbeddingBackward {
    vocabulary: usize,
    dropout: Option<Dropout>,
    accumulate: bool,
}

impl EmbeddingBackward {
    fn new(vocabulary: usize) -> Self {
        Self { vocabulary, dropout: None, accumulate: false }
    }

    /// This op behind `dropout`, if there is none yet.
    pub fn with_dropout(&self, dropout: &Dropout) -> Option<Self> {
        (self.dropout.is_none() && !self.accumulate).then_some(Self { dropout: Some(*dropout), ..*self })
    }

    /// The old gradient's place among the inputs.
    fn old(&self) -> usize {
        if self.dropout.is_some() { 3 } else { 2 }
    }

    /// Which inputs hold ids, dy and control words (without dropout the ids again, unread).
    fn inputs(&self) -> [usize; 3] {
        if self.dropout.is_some() { [2, 0, 1] } else { [0, 1, 0] }
    }
}

impl Op for EmbeddingBackward {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let [_, dy, _] = self.inputs();
        let result = TensorType::f32(&[self.vocabulary, inputs[dy].columns()]);
        if self.accumulate && inputs[self.old()] != result {
            return Err(format!("the gradient to add to must be {result}"));
        }
        Ok(vec![result])
    }

    fn in_place(&self, _output: usize) -> Option<usize> {
        self.accumulate.then(|| self.old())
    }

    fn absorb(&self, consumer: &dyn Op, _input: usize) -> Option<Arc<dyn Op>> {
        let fits = !self.accumulate && (consumer as &dyn Any).is::<Add>();
        fits.then(|| Arc::new(Self { accumulate: true, ..self.clone() }) as Arc<dyn Op>)
    }

    reference!(fast);

    fn work(&self, types: &Types) -> Work {
        let [ids, dy, _] = self.inputs();
        let (ids, dy) = (types.inputs[ids].len(), types.inputs[dy].len());
        // Into an old gradient only the rows of the ids are read and written, else the whole table is.
        let table = if self.accumulate { 2 * dy } else { types.outputs[0].len() };
        Work::elements(ids + dy + table).flops(1 + usize::from(self.dropout.is_some()), dy)
    }

    fn scratch(&self, types: &Types, target: &Target) -> Vec<usize> {
        let [ids, ..] = self.inputs();
        let Blocks { count, block } = Blocks::of(types.inputs[ids].len(), target);
        vec![count * self.vocabulary, count * block]
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        if target.software { self.chains(types, target) } else { self.runs(types, target) }
    }
}

/// How positions are divided before they are gathered by ids. Each block takes a table of the vocabulary.
struct Blocks {
    count: usize,
    /// Positions of one.
    block: usize,
}

impl Blocks {
    fn of(positions: usize, target: &Target) -> Self {
        let block = if target.software { chained(positions) } else { each(positions) * lanes(target) as usize };
        Self { count: positions.div_ceil(block), block }
    }
}

/// Positions that an invocation of `sort` has. Four make it four times as long, some 8,000 cycles, and the tables a
/// quarter: 25 of a vocabulary for 20 × 1280 ids.
fn each(positions: usize) -> usize {
    if positions > 32 * WORKGROUP { 4 } else { 1 }
}

impl EmbeddingBackward {
    /// On hardware: positions sorted by their ids, block by block.
    fn runs(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let [ids, dy, control] = self.inputs();
        let positions = types.inputs[ids].len();
        let Blocks { count, block } = Blocks::of(positions, target);
        let width = types.inputs[dy].columns();
        let vector = elementwise::width(&[width]);
        let row = width / vector;
        let team = per_row(row, target);
        let teams = lanes(target) as usize / team;
        let side = count.next_power_of_two().min(teams);
        let [ids, dy, control] = [ids, dy, control].map(Operand::Input);
        let [runs, sorted] = [0, 1].map(Operand::Scratch);
        // Constants of the other kernel are the same in all of them.
        let kernel = |entry, vector, each: usize, dropout: bool| {
            let dispatch = elementwise::kernel(RUNS, entry, vector, target).constant("EACH", each as u32);
            dispatch.constant("DROPOUT", dropout.into()).constant("HELD", 1)
        };
        let sort = kernel("sort", 1, each(positions), false).read(ids).write(runs).write(sorted);
        let sort = sort.uniform(&[positions, self.vocabulary]);
        let add = kernel("add", vector, 1, self.dropout.is_some()).read(dy).read(runs).read(control).read(sorted);
        let add = add.write(Operand::Output(0)).uniform(&[count, block, self.vocabulary, row, team, side]);
        let add = parameters(add.uniform(&[self.accumulate.into()]), self.dropout.as_ref());
        vec![sort.workgroups(groups(count)), add.workgroups(groups(self.vocabulary))]
    }
}

/// Rows that a workgroup of software's gradient takes one after the other.
const RUN: usize = 16;

/// Positions of one of software's blocks: a thread walks one, and threads are few.
fn chained(positions: usize) -> usize {
    positions.div_ceil(2).max(4096).next_multiple_of(4)
}

impl EmbeddingBackward {
    /// On software adapters: each id's positions linked to a chain, block by block.
    fn chains(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let [ids, dy, control] = self.inputs();
        let positions = types.inputs[ids].len();
        let Blocks { count, block } = Blocks::of(positions, target);
        let width = types.inputs[dy].columns();
        let vector = elementwise::width(&[width]);
        let [ids, dy, control] = [ids, dy, control].map(Operand::Input);
        let [latest, before] = [0, 1].map(Operand::Scratch);
        let of_ids = elementwise::width(&[positions]);
        let row = width / vector;
        let lanes = lanes(target) as usize;
        let kernel = |entry, dropout, vector_of_it| {
            let dispatch = kernel(SOFTWARE, entry, dropout, vector_of_it, [row, lanes], target);
            dispatch.constant("ACCUMULATE", self.accumulate.into()).constant("RUN", RUN as u32)
        };
        let link = kernel("link", false, of_ids).read(ids).write(latest).write(before);
        let link = link.uniform(&[positions / of_ids, self.vocabulary, block / of_ids]);
        let backward = kernel("backward", self.dropout.is_some(), vector).read(dy).read(latest).read(control);
        let backward = backward.read(before).write(Operand::Output(0));
        let backward = parameters(backward.uniform(&[count, self.vocabulary, row]), self.dropout.as_ref());
        vec![
            link.workgroups([count as u32, 1, 1]),
            backward.workgroups(elementwise::blocks(self.vocabulary.div_ceil(RUN), target)),
        ]
    }
}

impl EmbeddingBackward {
    fn reference<T: Real>(&self, call: Call<T>) {
        self.add_rows(call, Dropout::apply);
    }

    fn fast(&self, call: Call<f32>) {
        self.add_rows(call, Dropout::apply_fast);
    }

    fn add_rows<T: Real>(&self, mut call: Call<T>, drop: impl Fn(&Dropout, &mut [T], usize, &[u32])) {
        let [ids, dy, control] = self.inputs();
        let width = call.types.inputs[dy].columns();
        let dweight = call.output(0);
        if !self.accumulate {
            dweight.fill(T::default());
        }
        let mut rows = vec![T::default(); width * ROWS];
        for (i, (ids, dy)) in call.ids(ids).chunks(ROWS).zip(call.input(dy).chunks(width * ROWS)).enumerate() {
            let rows = &mut rows[..dy.len()];
            rows.copy_from_slice(dy);
            if let Some(dropout) = &self.dropout {
                drop(dropout, rows, i * ROWS * width, call.ids(control));
            }
            for (&id, row) in ids.iter().zip(rows.chunks_exact(width)) {
                let sums = &mut dweight[(id as usize).min(self.vocabulary - 1) * width..][..width];
                for e in 0..width {
                    sums[e] += row[e];
                }
            }
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let quick = [
        (1, 1, &[1][..]),
        (7, 17, &[5, 3]),
        (33, 65, &[257]),
        (1000, 2, &[4, 7]),
        (3, 257, &[1000]),
        (9, 12, &[33]),
        (5, 300, &[20]),
        (9, 128, &[64]),
        // Vectors of ids in a block of `link` and a rest, and one more than two blocks of software's.
        (99, 6, &[4, 65]),
        (65, 4, &[4097]),
        // Four positions an invocation of hardware's `sort`, in blocks of 1024 and a rest.
        (40, 4, &[8200]),
        // More runs of rows than workgroups, and rows longer than what a lane holds.
        (1050, 4, &[300]),
        (40, 132, &[12]),
    ];
    let mut shapes: Vec<_> =
        quick.into_iter().map(|(vocabulary, width, ids)| (vocabulary, width, ids.to_vec())).collect();
    let odd = set.sizes(&[], [1000, 1000, 257]);
    shapes.extend(odd.into_iter().map(|[vocabulary, width, ids]| (vocabulary, width, vec![ids])));
    shapes.extend(set.many(1).map(|positions| (500, 3, vec![positions])));
    let mut cases = vec![];
    for (vocabulary, width, ids) in &shapes {
        let (vocabulary, width) = (*vocabulary, *width);
        let forward = set.case(Embedding { dropout: None }).random(&[vocabulary, width]);
        cases.push(forward.random_ids(ids, vocabulary as u32));
        let backward = set.case(EmbeddingBackward::new(vocabulary));
        cases.push(backward.random_ids(ids, vocabulary as u32).constant(&[&ids[..], &[width]].concat(), 1.0));
    }
    for (width, dropout) in [(17, Dropout::new(0.3, 2)), (64, Dropout::new(0.5, 3))] {
        let forward = set.case(Embedding { dropout: Some(dropout) }).random(&[33, width]);
        cases.push(forward.random_ids(&[9, 7], 33).control());
        let backward = set.case(EmbeddingBackward::new(33).with_dropout(&dropout).expect("it has none"));
        cases.push(backward.constant(&[9, 7, width], 1.0).control().random_ids(&[9, 7], 33));
    }
    // Added to a gradient that is not zero.
    let backward = set.case(EmbeddingBackward { accumulate: true, ..EmbeddingBackward::new(33) });
    cases.push(backward.clone().random_ids(&[9], 33).constant(&[9, 17], 1.0).constant(&[33, 17], 1.0));
    cases.push(backward.clone().random_ids(&[9], 33).constant(&[9, 8], 1.0).constant(&[33, 8], 1.0));
    // Rows longer than what a lane holds: no part of them is added twice.
    cases.push(backward.clone().random_ids(&[9], 33).constant(&[9, 260], 1.0).constant(&[33, 260], 1.0));
    // Of two blocks of software's and many of hardware's; some ids are in the last one alone, and one row is nobody's.
    let ids = (0..4100).map(|n| if n < 4096 { n % 29 } else { 29 + n % 3 }).collect();
    cases.push(backward.ids(&[4100], ids).constant(&[4100, 4], 1.0).constant(&[33, 4], 1.0));
    // The same id everywhere, and the extreme ids.
    let backward = set.case(EmbeddingBackward::new(9));
    cases.push(backward.clone().ids(&[130], vec![4; 130]).constant(&[130, 5], 1.0));
    cases.push(backward.ids(&[5], vec![9, 0, u32::MAX, 8, 8]).constant(&[5, 5], 1.0));
    cases.push(set.case(Embedding { dropout: None }).random(&[9, 5]).ids(&[3], vec![0, 8, u32::MAX]));
    cases.extend(set.many(WORKGROUP).map(|n| {
        let case = set.case(Embedding { dropout: None }).constant(&[500, 3], 1.0);
        case.random_ids(&[n.div_ceil(3)], 500)
    }));
    cases
}

fn benches() -> Vec<Bench> {
    let ids = |case: Case, batch| case.random_ids(&[20, batch], 8014);
    let dropout = Dropout::new(0.2, 1);
    let weight = |op| Case::new(op).constant(&[8014, 128], 1.0);
    let dropping = Case::new(EmbeddingBackward::new(8014).with_dropout(&dropout).expect("it has none"));
    let dropping = ids(dropping.constant(&[20, 128, 128], 1.0).control(), 128);
    vec![
        Bench::new("8014 x 128, 20 x 1280 ids", ids(weight(Embedding { dropout: None }), 1280)),
        Bench::new("20 x 1280 ids, with dropout", ids(weight(Embedding { dropout: Some(dropout) }), 1280).control()),
        Bench::new(
            "backward, 20 x 128 ids",
            ids(Case::new(EmbeddingBackward::new(8014)), 128).constant(&[20, 128, 128], 1.0),
        ),
        Bench::new(
            "backward, 20 x 1280 ids",
            ids(Case::new(EmbeddingBackward::new(8014)), 1280).constant(&[20, 1280, 128], 1.0),
        ),
        Bench::new("backward with dropout, 20 x 128 ids", dropping),
    ]
}
