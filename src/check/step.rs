//! A whole plan, step by step: each step's inputs are read from the device and handed to the reference, so that what
//! one step gets wrong is not blamed on the next.

use std::slice;

use serde::Serialize;

use crate::graph::{DType, TensorType};
use crate::ops::case::{Case, Tensor};
use crate::plan::{Device, DeviceError, Plan, Prepared, Region, Step};

use super::compare::{Compared, Problem, Worst, compare, expected};
use super::op::launches;
use super::watch::{PATIENCE, watched};

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
    /// Those of them whose bound is so wide that it says nothing: errors of a long recurrence can grow with every time
    /// step.
    pub loose: usize,
    pub problem: Option<Problem>,
}

/// Runs the plan twice, step by step, and judges each step of the second run. Before a run, `begin` writes what it
/// reads; before the first the plan's buffers too, of which none is there. A step that the device refuses or does not
/// survive is reported as wrong, and is the last one.
/// `slow` is told of one that takes long, and may never end.
pub fn check_steps(
    device: &mut dyn Device,
    plan: &Plan,
    begin: impl Fn(&mut dyn Device, u64) -> Result<(), DeviceError>,
    slow: impl Fn(&StepRow) + Sync,
    mut report: impl FnMut(StepRow),
) {
    if let Err((step, error)) = run_twice(device, plan, begin, slow, &mut report) {
        report(StepRow::failed(plan, step, error));
    }
}

/// An error, and the step that met it, unless it was none of them.
type Failed = (Option<usize>, DeviceError);

fn run_twice(
    device: &mut dyn Device,
    plan: &Plan,
    begin: impl Fn(&mut dyn Device, u64) -> Result<(), DeviceError>,
    slow: impl Fn(&StepRow) + Sync,
    report: &mut impl FnMut(StepRow),
) -> Result<(), Failed> {
    let before = |error| (None, error);
    begin(device, 1).map_err(before)?;
    let prepared = device.prepare(plan.clone()).map_err(|error| (refused(device, plan, &error), error))?;
    let slow = |number: usize| slow(&StepRow::new(number, &plan.steps[number]));
    for number in 0..plan.steps.len() {
        let ran = watched(PATIENCE, || slow(number), || run(device, prepared, plan, number));
        ran.map_err(|error| (Some(number), error))?;
    }
    begin(device, 2).map_err(before)?;
    for number in 0..plan.steps.len() {
        let observed = watched(PATIENCE, || slow(number), || observe(device, prepared, plan, number));
        report(judge(number, &plan.steps[number], observed.map_err(|error| (Some(number), error))?));
    }
    Ok(())
}

/// The step whose kernels are refused.
fn refused(device: &mut dyn Device, plan: &Plan, error: &DeviceError) -> Option<usize> {
    if !matches!(error, DeviceError::Shader { .. } | DeviceError::Validation { .. }) {
        return None;
    }
    let without_steps = Plan { steps: vec![], ..plan.clone() };
    let alone = |step: &Step| Plan { steps: vec![step.clone()], ..without_steps.clone() };
    plan.steps.iter().position(|step| device.prepare(alone(step)).is_err())
}

/// Runs one step and waits for it: what it does to the device is not blamed on the next.
fn run(device: &mut dyn Device, prepared: Prepared, plan: &Plan, number: usize) -> Result<(), DeviceError> {
    device.run_part(prepared, number..number + 1)?;
    let step = &plan.steps[number];
    if let Some(region) = step.outputs.iter().flatten().chain(&step.inputs).next() {
        device.read_bits(prepared, &Region { len: region.len.min(1), ..*region })?;
    }
    Ok(())
}

/// What a step reads and, after it has run, the bits that it wrote.
type Observed = (Vec<Tensor>, Vec<Vec<u32>>);

fn observe(device: &mut dyn Device, prepared: Prepared, plan: &Plan, number: usize) -> Result<Observed, DeviceError> {
    let step = &plan.steps[number];
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
    Ok((inputs, got))
}

fn judge(number: usize, step: &Step, (inputs, got): Observed) -> StepRow {
    let case = Case::observed(step.op.clone(), inputs);
    let Compared { worst, problem, loose, .. } = compare(&expected(&case), &got);
    StepRow { worst, numbers: got.iter().map(Vec::len).sum(), loose, problem, ..StepRow::new(number, step) }
}

impl StepRow {
    fn new(number: usize, step: &Step) -> Self {
        let inputs: Vec<_> = step.types.inputs.iter().map(ToString::to_string).collect();
        Self {
            step: number,
            op: step.op.name(),
            label: format!("{:?}({})", step.op, inputs.join(", ")),
            launches: launches(slice::from_ref(step)),
            worst: Worst::default(),
            numbers: 0,
            loose: 0,
            problem: None,
        }
    }

    /// A step that did not run; without a number the plan as a whole.
    fn failed(plan: &Plan, number: Option<usize>, error: DeviceError) -> Self {
        let of_plan = || Self {
            step: 0,
            op: "plan",
            label: "the plan as a whole".into(),
            launches: vec![],
            worst: Worst::default(),
            numbers: 0,
            loose: 0,
            problem: None,
        };
        let row = number.map_or_else(of_plan, |number| Self::new(number, &plan.steps[number]));
        Self { problem: Some(error.into()), ..row }
    }

    /// Whether there are numbers to judge.
    pub fn ran(&self) -> bool {
        self.problem.as_ref().is_none_or(Problem::ran)
    }

    /// Whether the device was lost.
    pub fn lost(&self) -> bool {
        self.problem.as_ref().is_some_and(Problem::lost)
    }
}

fn contents(tensor: &TensorType, bits: Vec<u32>) -> Tensor {
    match tensor.dtype {
        DType::F32 => Tensor::F32(tensor.shape.clone(), bits.into_iter().map(f32::from_bits).collect()),
        DType::U32 => Tensor::U32(tensor.shape.clone(), bits),
    }
}
