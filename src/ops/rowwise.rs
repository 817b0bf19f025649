//! What the ops that work row by row share.

use crate::graph::{Dispatch, Target, TensorType, groups};

use super::elementwise::{SUBGROUPS, kernel, reducing, width};

/// Rows up to this many columns take one invocation each: attention over a sentence has some twenty, and a workgroup of 256 would idle.
pub const SHORT: usize = 64;

/// One invocation a row, 64 a workgroup, and vectors of columns where rows have at most `short` columns; else one workgroup a row. The uniform begins
/// with the rows and their columns, or vectors.
pub fn per_row(
    shader: &'static str,
    [short_entry, wide_entry]: [&'static str; 2],
    x: &TensorType,
    short: usize,
    target: &Target,
) -> Dispatch {
    let (rows, columns) = (x.rows(), x.columns());
    let (entry, width, workgroups) =
        if columns <= short { (short_entry, width(&[columns]), rows.div_ceil(64)) } else { (wide_entry, 1, rows) };
    let dispatch = kernel(shader, entry, width, target);
    let dispatch = if columns <= short { dispatch.constant(SUBGROUPS, 0) } else { reducing(dispatch, target) };
    dispatch.uniform(&[rows, columns / width]).workgroups(groups(workgroups))
}
