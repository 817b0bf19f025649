//! `y[c] = Σ_r x[r, c]`, the gradient of a bias.

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, groups, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{kernel, width};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("sum_rows", &[SHADER], cases, benches);

const SHADER: Shader = shader!("sum_rows");

/// Sums x [.., C] over all axes but the last: `[C]`.
pub fn sum_rows(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    graph.push1(SumRows { copies: 1 }, &[x])
}

/// [`sum_rows`] twice over: the two biases of a recurrent layer have the same gradient, each at its own place.
pub fn sum_rows_twice(graph: &mut Graph, x: Value) -> Result<[Value; 2], GraphError> {
    let sums = graph.push(SumRows { copies: 2 }, &[x])?;
    Ok([sums[0], sums[1]])
}

#[derive(Debug)]
struct SumRows {
    copies: usize,
}

impl Op for SumRows {
    fn name(&self) -> &'static str {
        "sum_rows"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs[0].dtype != DType::F32 || inputs[0].shape.is_empty() {
            return Err("x must hold numbers in at least one dimension".into());
        }
        Ok(vec![TensorType::f32(&[inputs[0].columns()]); self.copies])
    }

    fn gradient(&self, _at: &mut Backward) -> Result<(), GraphError> {
        Err(GraphError::NotDifferentiable { op: "sum_rows".into() })
    }

    reference!();

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(1, types.inputs[0].len())
    }

    fn scratch(&self, types: &Types, target: &Target) -> Vec<usize> {
        let x = &types.inputs[0];
        Kernels::of(x, target).blocks.map(|blocks| blocks * x.columns()).into_iter().collect()
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let (rows, columns) = (types.inputs[0].rows(), types.inputs[0].columns());
        let Kernels { entries: [once, twice], tile, width, blocks } = Kernels::of(&types.inputs[0], target);
        let launch = |entry, from, rows: usize, to| {
            let dispatch = kernel(SHADER, entry, width, target).read(from).write(to);
            dispatch.uniform(&[rows, columns / width])
        };
        let last = |from, rows| {
            let to = Operand::Output(0);
            let dispatch = match self.copies {
                2 => launch(twice, from, rows, to).write(Operand::Output(1)),
                _ => launch(once, from, rows, to),
            };
            dispatch.workgroups(groups(columns.div_ceil(tile)))
        };
        match blocks {
            Some(blocks) => {
                let sums = Operand::Scratch(0);
                let first = launch("blocks", Operand::Input(0), rows, sums).workgroups(groups(blocks));
                vec![first, last(sums, blocks)]
            }
            None => vec![last(Operand::Input(0), rows)],
        }
    }
}

/// The kernels that add up a matrix.
struct Kernels {
    /// The one that writes the sums once, and the one that writes them to two places.
    entries: [&'static str; 2],
    /// Columns of a workgroup.
    tile: usize,
    /// Numbers of a vector.
    width: usize,
    /// Blocks of rows that are added up by `blocks` first, if any.
    blocks: Option<usize>,
}

impl Kernels {
    fn of(x: &TensorType, target: &Target) -> Self {
        if target.software { Self::software(x) } else { Self::hardware() }
    }

    fn hardware() -> Self {
        Self { entries: ["once", "twice"], tile: 8, width: 1, blocks: None }
    }

    /// Blocks take a second launch, for their sums, which pays from eight on (llvmpipe, 2 cores: 128 × 2048 takes 0.26
    /// ms so, 0.30 in one launch).
    fn software(x: &TensorType) -> Self {
        let blocks = Some(x.rows().div_ceil(ROWS).min(32)).filter(|&blocks| blocks >= 8);
        Self { entries: ["once_walk", "twice_walk"], tile: WIDE, width: width(&[x.columns()]), blocks }
    }
}

/// Columns of a workgroup of a software adapter.
const WIDE: usize = 64;

/// Rows that a software adapter adds side by side; `ROWS` in the shader.
const ROWS: usize = 16;

impl SumRows {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let columns = call.types.inputs[0].columns();
        let sums = call.output(0);
        sums.fill(T::default());
        for row in call.input(0).chunks_exact(columns) {
            for c in 0..columns {
                sums[c] += row[c];
            }
        }
        if self.copies == 2 {
            call.output(1).copy_from_slice(sums);
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let shapes: [&[usize]; 7] = [&[1, 1], &[7, 17], &[3, 5, 65], &[257, 33], &[1000, 31], &[17, 132], &[130, 68]];
    let many = set.many(WIDE).map(|columns| vec![2, columns]);
    let shapes = set.shapes(&shapes).into_iter().chain(many);
    let cases = shapes.flat_map(|s| [1, 2].map(|copies| set.case(SumRows { copies }).constant(&s, 1.0)));
    cases.collect()
}

fn benches() -> Vec<Bench> {
    vec![
        Bench::new("2560 x 2048", Case::new(SumRows { copies: 1 }).constant(&[2560, 2048], 1.0)),
        Bench::new("gates, 10,240 x 512, twice", Case::new(SumRows { copies: 2 }).constant(&[10_240, 512], 1.0)),
    ]
}
