//! What the ops that work row by row share.

use crate::graph::{DType, Dispatch, Shader, Target, TensorType, groups};

use super::elementwise::{SUBGROUPS, blocks, grid, kernel, lanes, reducing, same_shape, width};

/// Shape rule: all inputs are numbers of one shape, in rows of at least one column; the output too.
pub fn rows(inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
    match inputs[0].dtype != DType::F32 || inputs[0].shape.last().is_none_or(|&columns| columns == 0) {
        true => Err("x must hold numbers in at least one column".into()),
        false => same_shape(inputs),
    }
}

/// Vectors of a row that an invocation holds in registers at most (`shaders/shared/row.wgsl`).
const HELD: usize = 8;

/// Workgroups that take whole rows, held in registers. The uniform begins with the rows and their vectors. On hardware
/// a row gets a lane for each of its vectors, between 32 (a subgroup of most GPUs) and a whole workgroup.
pub fn held_rows(shader: Shader, entry: &'static str, x: &TensorType, target: &Target) -> Dispatch {
    let (vectors, width) = vectors(x);
    let lanes = row_lanes(vectors, target);
    let dispatch = Dispatch::new(shader, entry).constant("VECTOR", width as u32).constant("LANES", lanes as u32);
    let held = vectors.div_ceil(lanes).clamp(1, HELD);
    // Not on hardware, where a comparison of registers is little beside a load of 16 bytes, and two kernels would take
    // the time of two to compile.
    let whole = target.software && vectors == held * lanes;
    let dispatch = dispatch.constant("HELD", held as u32).constant("WHOLE", whole.into());
    let dispatch = dispatch.constant("LONGER", is_longer(x, target).into());
    reducing(dispatch, target).uniform(&[x.rows(), vectors]).workgroups(blocks(x.rows(), target))
}

/// Whether registers do not hold a row.
pub fn is_longer(x: &TensorType, target: &Target) -> bool {
    let (vectors, _) = vectors(x);
    vectors > HELD * row_lanes(vectors, target)
}

/// A row's vectors, and their numbers.
fn vectors(x: &TensorType) -> (usize, usize) {
    let width = width(&[x.columns()]);
    (x.columns() / width, width)
}

fn row_lanes(vectors: usize, target: &Target) -> usize {
    let most = lanes(target) as usize;
    if target.software { most } else { vectors.next_power_of_two().clamp(32, most) }
}

/// Rows up to this many columns take one invocation each: attention over a sentence has some twenty, and a workgroup of
/// 256 would idle.
pub const SHORT: usize = 32;

/// One invocation a row, which it holds in registers, where rows have at most [`SHORT`] columns; else one workgroup a
/// row. The uniform begins with the rows and their columns, or vectors.
pub fn per_row(
    shader: Shader,
    [short_entry, wide_entry]: [&'static str; 2],
    x: &TensorType,
    target: &Target,
) -> Dispatch {
    let (rows, columns) = (x.rows(), x.columns());
    if columns > SHORT {
        // Vectors wherever rows begin on software adapters alone: `shaders/shared/store_edge_component.wgsl`.
        let width = width(&[if target.software { rows * columns } else { columns }]);
        let edge = if target.software || width == 1 { width as u32 } else { 0 };
        let dispatch = kernel(shader, wide_entry, width, target).constant("EDGE", edge).constant("HELD", 1);
        let dispatch = dispatch.constant("WHOLE", 0).constant("LONGER", 0);
        return reducing(dispatch, target).uniform(&[rows, columns]).workgroups(groups(rows));
    }
    let width = width(&[columns]);
    let dispatch = kernel(shader, short_entry, width, target).constant("EDGE", 0).constant(SUBGROUPS, 0);
    // Vectors as many as there are. Of single numbers up to three more, since a kernel for each length of a sentence
    // would be many.
    let held = if width == 1 { columns.next_multiple_of(4) } else { columns / width };
    let dispatch = dispatch.constant("HELD", held as u32).constant("WHOLE", (columns == held * width).into());
    dispatch.constant("LONGER", 0).uniform(&[rows, columns / width]).workgroups(grid(rows, target))
}
