//! What the ops that work element by element, or row by row, share.

use crate::graph::{DType, Dispatch, Operand, Shader, Target, TensorType, groups};

/// Invocations of a workgroup on hardware; `WORKGROUP` in `shaders/shared/grid.wgsl`.
pub const WORKGROUP: usize = 256;

/// Shape rule: all inputs are numbers of one shape, the output too.
pub fn same_shape(inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
    match inputs.iter().find(|t| **t != inputs[0] || t.dtype != DType::F32) {
        Some(_) => Err("all inputs must hold numbers and have the same shape".into()),
        None => Ok(vec![inputs[0].clone()]),
    }
}

/// Shape rule of an op whose first input, x, may have any shape: it holds numbers, and the output is like it.
pub fn like_x(inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
    match inputs[0].dtype {
        DType::F32 => Ok(vec![inputs[0].clone()]),
        DType::U32 => Err("x must hold numbers".into()),
    }
}

/// Workgroups of a software adapter among which elements are shared out: each costs it 2 µs whatever it does, and its
/// threads are few.
const SOFTWARE_WORKGROUPS: usize = 64;

/// The grid of a kernel that walks `len` elements, or vectors, by `elements` of `shaders/shared/elements.wgsl`: one an
/// invocation on hardware.
pub fn grid(len: usize, target: &Target) -> [u32; 3] {
    blocks(len.div_ceil(WORKGROUP), target)
}

/// The grid of a kernel whose workgroups share `count` things out by `block_of`: one a workgroup on hardware.
pub fn blocks(count: usize, target: &Target) -> [u32; 3] {
    groups(workgroups(count, target))
}

/// How many workgroups share `count` things out.
pub fn workgroups(count: usize, target: &Target) -> usize {
    if target.software { count.min(SOFTWARE_WORKGROUPS) } else { count }
}

/// `LANES`: invocations of a workgroup that walks elements (`shaders/shared/elements.wgsl`) or adds up
/// (`reduce_workgroup.wgsl`). On software adapters one vector (llvmpipe has 8 of 32 bits), which walks on by its own
/// length, and among whose lanes a barrier costs little.
pub fn lanes(target: &Target) -> u32 {
    if target.software { 8 } else { WORKGROUP as u32 }
}

/// The constant that chooses among `shaders/shared/reduce_workgroup.wgsl`, `reduce_subgroup.wgsl` and
/// `reduce_broadcast.wgsl`, for a kernel that adds up over its LANES.
pub fn reducing(dispatch: Dispatch, target: &Target) -> Dispatch {
    let file = match (target.subgroup, target.software) {
        (0, _) => 0,
        (_, false) => 1,
        (size, true) if size >= lanes(target) => 2,
        (_, true) => 0,
    };
    dispatch.constant(SUBGROUPS, file)
}

/// Which of `shaders/shared/reduce_*.wgsl` a kernel adds up by.
pub const SUBGROUPS: &str = "SUBGROUPS";

/// Elements that a kernel handles at a time: 4 where these sizes (a tensor's length, or its rows' and whatever else
/// tells their places) are multiples of 4, else 1. The sizes that the kernel gets count such vectors.
pub fn width(sizes: &[usize]) -> usize {
    if sizes.iter().all(|size| size.is_multiple_of(4)) { 4 } else { 1 }
}

/// The kernel for vectors of `width` elements: it chooses `shaders/shared/vector1.wgsl` or `vector4.wgsl`.
pub fn kernel(shader: Shader, entry: &'static str, width: usize, target: &Target) -> Dispatch {
    Dispatch::new(shader, entry).constant("VECTOR", width as u32).constant("LANES", lanes(target))
}

/// Binds `inputs` inputs, then output 0; the uniform is the number of vectors in `len` elements.
pub fn dispatch(shader: Shader, entry: &'static str, inputs: usize, len: usize, target: &Target) -> Dispatch {
    let width = width(&[len]);
    (0..inputs)
        .fold(kernel(shader, entry, width, target), |d, i| d.read(Operand::Input(i)))
        .write(Operand::Output(0))
        .uniform(&[len / width])
        .workgroups(grid(len / width, target))
}
