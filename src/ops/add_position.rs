//! y[t, b] = scale·x[t, b] + table[first + t]: where a token stands (Vaswani et al. 2017, 3.5), added to what it is.

use rayon::prelude::*;

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    Work, expect, groups, reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::elementwise::{WORKGROUP, blocks, grid, kernel, width};
use super::fill::fill;
use super::scale::scale as multiply;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("add_position", &[SHADER], cases, benches);

const SHADER: Shader = shader!("add_position");

/// Adds rows `first..first + T` of table [P, C], learned or sinusoidal, to scale·x [T, B, C].
///
/// # Errors
/// When first + T > P, or x and table differ in C.
pub fn add_position(graph: &mut Graph, x: Value, table: Value, first: usize, scale: f32) -> Result<Value, GraphError> {
    graph.push1(AddPosition { first, scale }, &[x, table])
}

#[derive(Debug)]
struct AddPosition {
    first: usize,
    scale: f32,
}

impl Op for AddPosition {
    fn name(&self) -> &'static str {
        "add_position"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        expect(&inputs[0], "x", 3, DType::F32)?;
        expect(&inputs[1], "the table", 2, DType::F32)?;
        let (time, positions) = (inputs[0].shape[0], inputs[1].shape[0]);
        if self.first + time > positions {
            return Err(format!(
                "T = {time} positions from first = {} on do not fit into the table's P = {positions}",
                self.first
            ));
        }
        if inputs[0].columns() != inputs[1].columns() {
            return Err("x [T, B, C] and the table [P, C] must have the same number of columns".into());
        }
        Ok(vec![inputs[0].clone()])
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let dy = at.upstream();
        let positions = at.graph.shape(at.input(1))[0];
        let dx = if self.scale == 1.0 {
            dy
        } else {
            let factor = fill(at.graph, &[1], self.scale)?;
            multiply(at.graph, dy, factor)?
        };
        let dtable = at.graph.push1(AddPositionBackward { first: self.first, positions }, &[dy])?;
        at.set(0, dx);
        at.set(1, dtable);
        Ok(())
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(2, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let (len, row) = (types.outputs[0].len(), types.input(0)[1..].iter().product::<usize>());
        let columns = types.inputs[0].columns();
        let width = width(&[columns]);
        let dispatch = kernel(SHADER, "forward", width, target).read(Operand::Input(0)).read(Operand::Input(1));
        let sizes = [len / width, row / width, columns / width, self.first];
        let dispatch = dispatch.write(Operand::Output(0)).uniform(&sizes).number(self.scale);
        vec![dispatch.workgroups(grid(len / width, target))]
    }
}

impl AddPosition {
    fn step<T: Real>(&self, t: usize, x: &[T], table: &[T], columns: usize, y: &mut [T]) {
        let (position, scale) = (&table[(self.first + t) * columns..][..columns], T::of(f64::from(self.scale)));
        for (y, x) in y.chunks_exact_mut(columns).zip(x.chunks_exact(columns)) {
            for c in 0..columns {
                y[c] = x[c] * scale + position[c];
            }
        }
    }

    fn reference<T: Real>(&self, mut call: Call<T>) {
        let [_, batch, columns] = *call.types.input(0) else { unreachable!("checked by the shape rule") };
        let steps = call.output(0).chunks_exact_mut(batch * columns).zip(call.input(0).chunks_exact(batch * columns));
        for (t, (y, x)) in steps.enumerate() {
            self.step(t, x, call.input(1), columns, y);
        }
    }

    fn parallel(&self, mut call: Call<f32>) {
        let [_, batch, columns] = *call.types.input(0) else { unreachable!("checked by the shape rule") };
        let (x, table) = (call.input(0).par_chunks_exact(batch * columns), call.input(1));
        let steps = call.output(0).par_chunks_exact_mut(batch * columns).zip(x).enumerate();
        steps.for_each(|(t, (y, x))| self.step(t, x, table, columns, y));
    }
}

/// dtable[first + t] = Σ_b dy[t, b], 0 elsewhere.
#[derive(Debug)]
struct AddPositionBackward {
    first: usize,
    positions: usize,
}

impl Op for AddPositionBackward {
    fn name(&self) -> &'static str {
        "add_position"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![TensorType::f32(&[self.positions, inputs[0].columns()])])
    }

    reference!(parallel);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(1, types.inputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let [time, batch, columns] = *types.input(0) else { unreachable!("checked by the shape rule") };
        let width = width(&[columns]);
        let (len, columns) = (self.positions * columns / width, columns / width);
        let (entry, grid) = self.entry(time, columns, target);
        let dispatch = kernel(SHADER, entry, width, target).read(Operand::Input(0)).write(Operand::Output(0));
        vec![dispatch.uniform(&[len, columns, batch, self.first, time]).workgroups(grid)]
    }
}

impl AddPositionBackward {
    /// The kernel and its grid, for positions of `columns` vectors.
    fn entry(&self, time: usize, columns: usize, target: &Target) -> (&'static str, [u32; 3]) {
        if target.software {
            // A workgroup has 32 of the vectors that have a dy at a time.
            ("backward_walk", blocks((time * columns).div_ceil(32), target))
        } else {
            // A workgroup has 8 vectors of a position.
            ("backward", groups(self.positions * columns.div_ceil(8)))
        }
    }

    /// dtable[position], a row of the table.
    fn position<T: Real>(&self, position: usize, dy: &[T], step: usize, sums: &mut [T]) {
        sums.fill(T::default());
        let Some(dy) = position.checked_sub(self.first).and_then(|t| dy.chunks_exact(step).nth(t)) else {
            return;
        };
        for dy in dy.chunks_exact(sums.len()) {
            sums.iter_mut().zip(dy).for_each(|(sum, &dy)| *sum += dy);
        }
    }

    fn reference<T: Real>(&self, mut call: Call<T>) {
        let [_, batch, columns] = *call.types.input(0) else { unreachable!("checked by the shape rule") };
        for (p, sums) in call.output(0).chunks_exact_mut(columns).enumerate() {
            self.position(p, call.input(0), batch * columns, sums);
        }
    }

    fn parallel(&self, mut call: Call<f32>) {
        let [_, batch, columns] = *call.types.input(0) else { unreachable!("checked by the shape rule") };
        let dy = call.input(0);
        let positions = call.output(0).par_chunks_exact_mut(columns).enumerate();
        positions.for_each(|(p, sums)| self.position(p, dy, batch * columns, sums));
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let sizes = [
        (1, 1, 1, 1, 0),
        (7, 5, 17, 9, 2),
        (33, 2, 65, 33, 0),
        (3, 257, 4, 7, 1),
        (5, 3, 260, 7, 1),
        (2, 4, 128, 8, 0),
    ];
    let mut cases = vec![];
    let odd = set.sizes(&[], [257, 65, 257]);
    let odd = odd.iter().enumerate().map(|(i, &[time, batch, columns])| (time, batch, columns, time + 3, i % 3));
    for (time, batch, columns, positions, first) in sizes.into_iter().chain(odd) {
        for scale in [1.0, 2.5] {
            let case = set.case(AddPosition { first, scale }).random(&[time, batch, columns]);
            cases.push(case.random(&[positions, columns]));
        }
        cases.push(set.case(AddPositionBackward { first, positions }).constant(&[time, batch, columns], 1.0));
    }
    if let Some(n) = set.many(WORKGROUP) {
        let case = set.case(AddPosition { first: 0, scale: 2.0 }).constant(&[n.div_ceil(8), 1, 8], 1.0);
        cases.push(case.constant(&[n.div_ceil(8), 8], 1.0));
    }
    if let Some(n) = set.many(1) {
        let case = set.case(AddPositionBackward { first: 0, positions: n });
        cases.push(case.constant(&[n, 1, 8], 1.0));
    }
    cases
}

fn benches() -> Vec<Bench> {
    vec![
        Bench::new(
            "20 x 1280 x 128",
            Case::new(AddPosition { first: 0, scale: 1.0 }).constant(&[20, 1280, 128], 1.0).constant(&[64, 128], 1.0),
        ),
        Bench::new(
            "backward, 20 x 1280 x 128",
            Case::new(AddPositionBackward { first: 0, positions: 64 }).constant(&[20, 1280, 128], 1.0),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_past_the_table_are_refused() {
        let mut graph = Graph::new();
        let mut input = |name, shape| graph.input(name, TensorType::f32(shape)).expect("a new input");
        let (x, table) = (input("x", &[5, 2, 4]), input("table", &[9, 4]));
        assert!(add_position(&mut graph, x, table, 4, 1.0).is_ok());
        let error = add_position(&mut graph, x, table, 5, 1.0).expect_err("one position too many").to_string();
        for part in ["T = 5", "first = 5", "P = 9"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
