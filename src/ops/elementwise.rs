//! What the ops that work element by element share.

use crate::graph::{DType, Dispatch, Operand, TensorType, groups};

/// Invocations of a workgroup of an element-wise kernel; `WORKGROUP` in `shaders/shared/grid.wgsl`.
pub const WORKGROUP: usize = 256;

/// Shape rule: all inputs are numbers of one shape, the output too.
pub fn same_shape(inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
    match inputs.iter().find(|t| **t != inputs[0] || t.dtype != DType::F32) {
        Some(_) => Err("all inputs must hold numbers and have the same shape".into()),
        None => Ok(vec![inputs[0].clone()]),
    }
}

/// One invocation an element: binds `inputs` inputs, then output 0; the uniform is the number of elements.
pub fn dispatch(shader: &'static str, entry: &'static str, inputs: usize, len: usize) -> Dispatch {
    (0..inputs)
        .fold(Dispatch::new(shader, entry), |d, i| d.read(Operand::Input(i)))
        .write(Operand::Output(0))
        .uniform(&[len])
        .workgroups(groups(len.div_ceil(WORKGROUP)))
}
