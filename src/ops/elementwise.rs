//! What the ops that work element by element share.

use crate::graph::{DType, Dispatch, Operand, Target, TensorType, groups};

/// Invocations of a workgroup of an element-wise kernel; `WORKGROUP` in `shaders/shared/grid.wgsl`.
pub const WORKGROUP: usize = 256;

/// Shape rule: all inputs are numbers of one shape, the output too.
pub fn same_shape(inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
    match inputs.iter().find(|t| **t != inputs[0] || t.dtype != DType::F32) {
        Some(_) => Err("all inputs must hold numbers and have the same shape".into()),
        None => Ok(vec![inputs[0].clone()]),
    }
}

/// Workgroups of a software adapter among which elements are shared out: each costs it 2 µs whatever it does, and its threads are few.
const SOFTWARE_WORKGROUPS: usize = 64;

/// The grid of a kernel that walks `len` elements by `elements` of `shaders/shared/grid.wgsl`: one an invocation on hardware.
pub fn grid(len: usize, target: &Target) -> [u32; 3] {
    blocks(len.div_ceil(WORKGROUP), target)
}

/// The grid of a kernel whose workgroups share `count` things out by `block_of`: one a workgroup on hardware.
pub fn blocks(count: usize, target: &Target) -> [u32; 3] {
    groups(if target.software { count.min(SOFTWARE_WORKGROUPS) } else { count })
}

/// `LANES` of `shaders/shared/reduce.wgsl`: invocations of a workgroup that adds up. On software adapters one vector, among whose lanes a barrier
/// costs little (llvmpipe has 8 of 32 bits).
pub fn lanes(target: &Target) -> u32 {
    if target.software { 8 } else { WORKGROUP as u32 }
}

/// Binds `inputs` inputs, then output 0; the uniform is the number of elements.
pub fn dispatch(shader: &'static str, entry: &'static str, inputs: usize, len: usize, target: &Target) -> Dispatch {
    (0..inputs)
        .fold(Dispatch::new(shader, entry), |d, i| d.read(Operand::Input(i)))
        .write(Operand::Output(0))
        .uniform(&[len])
        .workgroups(grid(len, target))
}
