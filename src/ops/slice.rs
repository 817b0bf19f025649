//! y = part of x along one axis.

use crate::graph::{
    Alias, Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types,
    Value, Work, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{WORKGROUP, grid, kernel, width};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("slice", &[SHADER], cases, benches);

const SHADER: Shader = shader!("slice");

/// Elements `start..start + len` of axis `axis`. Costs nothing where they lie contiguously.
pub fn slice(graph: &mut Graph, x: Value, axis: usize, start: usize, len: usize) -> Result<Value, GraphError> {
    graph.push1(Slice { axis, start, len }, &[x])
}

/// Public to the planner, which copies by it where an alias would be misaligned.
#[derive(Debug)]
pub struct Slice {
    pub axis: usize,
    pub start: usize,
    pub len: usize,
}

/// Both tensors seen as [outer, inner]: inner covers the sliced axis and those after it.
struct Geometry {
    outer: usize,
    wide: usize,
    narrow: usize,
    offset: usize,
}

impl Slice {
    fn geometry(&self, whole: &[usize]) -> Geometry {
        let unit: usize = whole[self.axis + 1..].iter().product();
        let outer = whole[..self.axis].iter().product();
        Geometry { outer, wide: whole[self.axis] * unit, narrow: self.len * unit, offset: self.start * unit }
    }

    fn launch(&self, entry: &'static str, whole: &[usize], len: usize, target: &Target) -> Dispatch {
        let g = self.geometry(whole);
        let width = width(&[g.wide, g.narrow, g.offset]);
        let sizes = [len, g.wide, g.narrow, g.offset].map(|size| size / width);
        let dispatch = kernel(SHADER, entry, width, target).read(Operand::Input(0)).write(Operand::Output(0));
        dispatch.uniform(&sizes).workgroups(grid(len / width, target))
    }
}

impl Op for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        let Some(&size) = inputs[0].shape.get(self.axis) else {
            return Err(format!("axis {} does not exist", self.axis));
        };
        if self.start + self.len > size {
            return Err(format!("{}..{} reaches past axis {} of {size}", self.start, self.start + self.len, self.axis));
        }
        let mut result = inputs[0].clone();
        result.shape[self.axis] = self.len;
        Ok(vec![result])
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (x, dy) = (at.input(0), at.upstream());
        let shape = at.graph.shape(x).to_vec();
        let slice = Slice { ..*self };
        let dx = at.graph.push1(SliceBackward { slice, shape }, &[dy])?;
        at.set(0, dx);
        Ok(())
    }

    fn alias(&self, _output: usize, types: &Types) -> Option<Alias> {
        let g = self.geometry(types.input(0));
        (g.outer == 1).then_some(Alias::Input { index: 0, offset: g.offset })
    }

    reference!();

    fn work(&self, types: &Types) -> Work {
        Work::elements(2 * types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        vec![self.launch("forward", types.input(0), types.outputs[0].len(), target)]
    }
}

impl Slice {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let g = self.geometry(call.types.input(0));
        let range = |row: usize| row * g.wide + g.offset..row * g.wide + g.offset + g.narrow;
        if call.types.inputs[0].dtype == DType::U32 {
            for (row, y) in call.output_ids(0).chunks_exact_mut(g.narrow).enumerate() {
                y.copy_from_slice(&call.ids(0)[range(row)]);
            }
        } else {
            for (row, y) in call.output(0).chunks_exact_mut(g.narrow).enumerate() {
                y.copy_from_slice(&call.input(0)[range(row)]);
            }
        }
    }
}

/// dx = dy in the slice, 0 outside.
#[derive(Debug)]
struct SliceBackward {
    slice: Slice,
    shape: Vec<usize>,
}

impl Op for SliceBackward {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn infer(&self, _inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![TensorType::f32(&self.shape)])
    }

    reference!();

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        vec![self.slice.launch("backward", &self.shape, types.outputs[0].len(), target)]
    }
}

impl SliceBackward {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let g = self.slice.geometry(&self.shape);
        let dx = call.output(0);
        dx.fill(T::default());
        for (row, dy) in call.input(0).chunks_exact(g.narrow).enumerate() {
            dx[row * g.wide + g.offset..][..g.narrow].copy_from_slice(dy);
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    // The last ones in vectors.
    let quick = [
        (&[7, 17][..], 1, 3, 5),
        (&[7, 17], 0, 2, 4),
        (&[3, 65, 2], 1, 1, 33),
        (&[1000], 0, 1, 257),
        (&[33, 80], 1, 12, 20),
        (&[5, 9, 4], 1, 0, 7),
        (&[8, 256], 1, 64, 128),
    ];
    let mut slices: Vec<_> = quick.into_iter().map(|(s, axis, start, len)| (s.to_vec(), axis, start, len)).collect();
    let odd = set.sizes(&[], [65, 257, 65]).into_iter().enumerate();
    slices.extend(odd.map(|(i, s)| (s.to_vec(), i % 3, s[i % 3] / 3, s[i % 3].div_ceil(2))));
    let forward = slices.iter().map(|&(ref s, axis, start, len)| set.case(Slice { axis, start, len }).random(s));
    let backward = slices.iter().map(|&(ref s, axis, start, len)| {
        let mut narrow = s.to_vec();
        narrow[axis] = len;
        set.case(SliceBackward { slice: Slice { axis, start, len }, shape: s.to_vec() }).constant(&narrow, 1.0)
    });
    let mut cases: Vec<_> = forward.chain(backward).collect();
    if let Some(n) = set.many(WORKGROUP) {
        let slice = || Slice { axis: 1, start: 1, len: 2 };
        cases.push(set.case(slice()).constant(&[n.div_ceil(2), 3], 1.0));
        let shape = vec![n.div_ceil(3), 3];
        cases.push(set.case(SliceBackward { slice: slice(), shape }).constant(&[n.div_ceil(3), 2], 1.0));
    }
    cases
}

fn benches() -> Vec<Bench> {
    vec![
        Bench::new(
            "half of the columns of 2560 x 4096",
            Case::new(Slice { axis: 1, start: 2048, len: 2048 }).constant(&[2560, 4096], 1.0),
        ),
        Bench::new(
            "backward, half of the columns of 2560 x 4096",
            Case::new(SliceBackward { slice: Slice { axis: 1, start: 2048, len: 2048 }, shape: vec![2560, 4096] })
                .constant(&[2560, 2048], 1.0),
        ),
    ]
}
