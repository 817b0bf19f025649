//! A whole plan, step by step: each step's inputs are read from the device and handed to the reference, so that what one step gets wrong is not
//! blamed on the next.

use serde::Serialize;

use crate::graph::{DType, TensorType};
use crate::ops::case::{Case, Tensor};
use crate::plan::{Device, DeviceError, Plan, Prepared};

use super::compare::{Compared, Problem, Worst, compare, expected};
use super::op::launches;

/// What one step of a plan gave.
#[derive(Clone, Debug, Serialize)]
pub struct StepRow {
    pub step: usize,
    pub op: &'static str,
    /// The op, and the types of its inputs.
    pub label: String,
    pub launches: Vec<String>,
    pub worst: Worst,
    /// Numbers that were compared.
    pub numbers: usize,
    /// Those of them whose bound is so wide that it says nothing: errors of a long recurrence can grow with every time step.
    pub loose: usize,
    pub problem: Option<Problem>,
}

/// Runs the plan step by step and hands each result on.
///
/// # Errors
/// When the device fails.
pub fn check_steps(
    device: &mut dyn Device,
    prepared: Prepared,
    plan: &Plan,
    mut report: impl FnMut(StepRow),
) -> Result<(), DeviceError> {
    for (number, step) in plan.steps.iter().enumerate() {
        let mut inputs = vec![];
        for (region, tensor) in step.inputs.iter().zip(&step.types.inputs) {
            inputs.push(contents(tensor, device.read_bits(prepared, region)?));
        }
        device.run_part(prepared, number..number + 1)?;
        let mut got = vec![];
        for region in &step.outputs {
            got.push(match region {
                Some(region) => device.read_bits(prepared, region)?,
                None => vec![],
            });
        }
        let case = Case::observed(step.op.clone(), inputs);
        let Compared { worst, problem, loose, .. } = compare(&expected(&case), &got);
        report(StepRow {
            step: number,
            op: step.op.name(),
            label: case.label(),
            launches: launches(step.dispatches.iter()),
            worst,
            numbers: got.iter().map(Vec::len).sum(),
            loose,
            problem,
        });
    }
    Ok(())
}

fn contents(tensor: &TensorType, bits: Vec<u32>) -> Tensor {
    match tensor.dtype {
        DType::F32 => Tensor::F32(tensor.shape.clone(), bits.into_iter().map(f32::from_bits).collect()),
        DType::U32 => Tensor::U32(tensor.shape.clone(), bits),
    }
}
