//! c = [a; b] along the last axis.

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{WORKGROUP, grid, kernel, width};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("concat", &[SHADER], cases, benches);

const SHADER: Shader = shader!("concat");

/// Joins a [.., A] and b [.., B] to [.., A + B].
pub fn concat(graph: &mut Graph, a: Value, b: Value) -> Result<Value, GraphError> {
    graph.push1(Concat, &[a, b])
}

#[derive(Debug)]
struct Concat;

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let (a, b) = (&inputs[0], &inputs[1]);
        let same_rows = a.shape.split_last().map(|s| s.1) == b.shape.split_last().map(|s| s.1);
        if !same_rows || a.dtype != DType::F32 || b.dtype != DType::F32 {
            return Err("both must hold numbers and agree in all axes but the last".into());
        }
        let mut result = a.clone();
        *result.shape.last_mut().expect("checked above") += b.columns();
        Ok(vec![result])
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (a, b, dc) = (at.input(0), at.input(1), at.upstream());
        let columns = [at.graph.type_of(a).columns(), at.graph.type_of(b).columns()];
        let parts = at.graph.push(ConcatBackward { columns }, &[dc])?;
        at.set(0, parts[0]);
        at.set(1, parts[1]);
        Ok(())
    }

    reference!();

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let columns = [types.inputs[0].columns(), types.inputs[1].columns()];
        let dispatch = launch("forward", types.outputs[0].len(), columns, target).read(Operand::Input(0));
        vec![dispatch.read(Operand::Input(1)).write(Operand::Output(0))]
    }
}

fn launch(entry: &'static str, len: usize, columns: [usize; 2], target: &Target) -> Dispatch {
    let width = width(&columns);
    let sizes = [len, columns[0], columns[1]].map(|size| size / width);
    kernel(SHADER, entry, width, target).uniform(&sizes).workgroups(grid(len / width, target))
}

impl Concat {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let (a, b) = (call.types.inputs[0].columns(), call.types.inputs[1].columns());
        for (r, c) in call.output(0).chunks_exact_mut(a + b).enumerate() {
            c[..a].copy_from_slice(&call.input(0)[r * a..][..a]);
            c[a..].copy_from_slice(&call.input(1)[r * b..][..b]);
        }
    }
}

/// Cuts dc [.., A + B] into da and db, in one pass.
#[derive(Debug)]
struct ConcatBackward {
    columns: [usize; 2],
}

impl Op for ConcatBackward {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let part = |columns| {
            let mut part = inputs[0].clone();
            *part.shape.last_mut().expect("a concat has an axis") = columns;
            part
        };
        Ok(self.columns.map(part).to_vec())
    }

    reference!();

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let dispatch = launch("backward", types.inputs[0].len(), self.columns, target).read(Operand::Input(0));
        vec![dispatch.write(Operand::Output(0)).write(Operand::Output(1))]
    }
}

impl ConcatBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let [a, b] = self.columns;
        let (da, db) = (call.output(0), call.output(1));
        for (r, dc) in call.input(0).chunks_exact(a + b).enumerate() {
            da[r * a..][..a].copy_from_slice(&dc[..a]);
            db[r * b..][..b].copy_from_slice(&dc[a..]);
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let mut shapes = vec![
        (vec![1], 1, 1),
        (vec![7], 17, 3),
        (vec![3, 5], 33, 65),
        (vec![257], 2, 7),
        (vec![65], 12, 68),
        (vec![8], 64, 64),
    ];
    shapes.extend(set.sizes(&[], [257, 257, 257]).into_iter().map(|[rows, a, b]| (vec![rows], a, b)));
    let with = |rows: &[usize], columns: usize| [rows, &[columns]].concat();
    let forward = shapes.iter().map(|&(ref rows, a, b)| set.case(Concat).random(&with(rows, a)).random(&with(rows, b)));
    let backward = shapes
        .iter()
        .map(|&(ref rows, a, b)| set.case(ConcatBackward { columns: [a, b] }).constant(&with(rows, a + b), 1.0));
    let mut cases: Vec<_> = forward.chain(backward).collect();
    if let Some(n) = set.many(WORKGROUP) {
        let rows = n.div_ceil(3);
        cases.push(set.case(Concat).constant(&[rows, 1], 1.0).constant(&[rows, 2], 1.0));
        cases.push(set.case(ConcatBackward { columns: [1, 2] }).constant(&[rows, 3], 1.0));
    }
    cases
}

fn benches() -> Vec<Bench> {
    vec![
        Bench::new(
            "20 x 512 x (512 + 512)",
            Case::new(Concat).constant(&[20, 512, 512], 1.0).constant(&[20, 512, 512], 1.0),
        ),
        Bench::new(
            "backward, 20 x 512 x (512 + 512)",
            Case::new(ConcatBackward { columns: [512, 512] }).constant(&[20, 512, 1024], 1.0),
        ),
    ]
}
