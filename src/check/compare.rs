//! One case: what a device computes, what the reference expects, and how far apart they may be.

use std::fmt;

use serde::Serialize;

use crate::cpu::Cpu;
use crate::graph::{DType, Graph, Real, Target, TensorType, Tracked, Value};
use crate::ops::case::{Case, Tensor};
use crate::plan::{Device, DeviceError, Plan, Prepared};

/// NaN bits: what stands where nobody wrote.
pub const GARBAGE: u32 = 0x7fc0_dead;

/// What stands there in a second run: a kernel that takes it for a place in a buffer finds something, and NaN bits lie
/// outside all of them.
const OTHER_GARBAGE: u32 = 1;

/// A bound wider than this and as much relatively says nothing. The widest that the cases have is 1.5: 7,000 numbers
/// summed in any order.
const LOOSE: f64 = 2.0;

/// What is wrong with a result.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    Number {
        at: String,
        got: f32,
        expected: f64,
        bound: f64,
    },
    Id {
        at: String,
        got: u32,
        expected: u32,
    },
    Unwritten {
        at: String,
    },
    Unsteady {
        at: String,
        first: u32,
        second: u32,
    },
    LooseBound {
        at: String,
        expected: f64,
        bound: f64,
    },
    Overrun {
        at: String,
    },
    Derivative {
        at: String,
        got: f64,
        expected: f64,
        bound: f64,
    },
    /// A kernel did not compile, or there was no memory: nothing was computed.
    Refused {
        message: String,
    },
    /// The device went away; it cannot be used any more.
    Lost {
        message: String,
    },
}

impl From<DeviceError> for Problem {
    /// Without the advice that the errors give to those who train.
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Lost { message, .. } => Self::Lost { message },
            DeviceError::OutOfMemory { message, .. } => Self::Refused { message: format!("out of memory: {message}") },
            DeviceError::Validation { message, .. } => {
                Self::Refused { message: format!("the driver refused a kernel: {message}") }
            }
            error => Self::Refused { message: error.to_string() },
        }
    }
}

impl Problem {
    /// Whether there were numbers to judge.
    pub fn ran(&self) -> bool {
        !matches!(self, Self::Refused { .. } | Self::Lost { .. })
    }

    /// Whether the device went away.
    pub fn lost(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Number { at, got, expected, bound } => {
                let error = (f64::from(*got) - expected).abs();
                write!(f, "{at}: got {got:e}, expected {expected:e}, off by {error:.3e}, bound {bound:.3e}")
            }
            Self::Id { at, got, expected } => write!(f, "{at}: got {got}, expected {expected}"),
            Self::Unwritten { at } => write!(f, "{at}: no kernel writes it"),
            Self::Unsteady { at, first, second } => {
                write!(f, "{at}: the same run gave the bits {first:#010x}, then {second:#010x} over other garbage")
            }
            Self::Overrun { at } => write!(f, "a kernel writes past the end: {at}"),
            Self::LooseBound { at, expected, bound } => {
                write!(
                    f,
                    "{at}: a bound of {bound:.1e} on {expected:e} says nothing; the case is at fault, not the device"
                )
            }
            Self::Derivative { at, got, expected, bound } => {
                write!(f, "{at}: derivative {got:e}, by finite differences {expected:e}, bound {bound:.1e}")
            }
            Self::Refused { message } => write!(f, "{message}"),
            Self::Lost { message } => write!(f, "the device was lost: {message}"),
        }
    }
}

/// The worst error of a case as a share of its bound, and where it was.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Worst {
    pub share: f64,
    pub at: String,
}

/// What a correct kernel gives.
pub enum Output {
    Numbers(Vec<Tracked>),
    Ids(Vec<u32>),
}

/// The outputs of a case by the tracked reference.
pub struct Expected {
    types: Vec<TensorType>,
    outputs: Vec<Output>,
}

/// A graph that computes the case's op alone, and its outputs.
fn graph_of(case: &Case) -> (Graph, Vec<Value>) {
    let mut graph = Graph::new();
    let inputs: Vec<Value> = (case.inputs.iter().enumerate())
        .map(|(i, input)| graph.input(&format!("input {i}"), input.tensor_type()).expect("a new input"))
        .collect();
    let outputs = graph.push_shared(case.op.clone(), &inputs).unwrap_or_else(|e| panic!("{}: {e}", case.label()));
    (graph, outputs)
}

/// The plan of a case for a target, and the types of its outputs, which are its fetches.
pub fn plan_of(case: &Case, target: &Target) -> (Plan, Vec<TensorType>) {
    let (graph, outputs) = graph_of(case);
    let types = outputs.iter().map(|&o| graph.type_of(o).clone()).collect();
    (Plan::new(&graph, &outputs, &[], target), types)
}

fn upload(device: &mut dyn Device, case: &Case) -> Result<(), DeviceError> {
    let mut inputs = case.inputs.iter().enumerate();
    inputs.try_for_each(|(i, input)| write(device, &format!("input {i}"), input))
}

/// Overwrites a resident buffer.
pub fn write(device: &mut dyn Device, name: &str, tensor: &Tensor) -> Result<(), DeviceError> {
    match tensor {
        Tensor::F32(_, values) => device.write_f32(name, values),
        Tensor::U32(_, ids) => device.write_u32(name, ids),
    }
}

fn prepare(device: &mut dyn Device, case: &Case, plan: Plan) -> Result<Prepared, DeviceError> {
    for (i, input) in case.inputs.iter().enumerate() {
        device.allocate(&format!("input {i}"), &input.tensor_type())?;
    }
    device.prepare(plan)
}

/// Judges the case.
pub fn expected(case: &Case) -> Expected {
    let mut judge = Cpu::<Tracked>::new();
    let (plan, types) = plan_of(case, &judge.target());
    let infallible = "the CPU runs every plan";
    let prepared = prepare(&mut judge, case, plan).expect(infallible);
    upload(&mut judge, case).expect(infallible);
    judge.fill_slots(GARBAGE);
    judge.run(prepared, false).expect(infallible);
    let output = |(i, tensor): (usize, &TensorType)| match tensor.dtype {
        DType::U32 => Output::Ids(judge.fetch_u32(prepared, i).expect(infallible)),
        DType::F32 => Output::Numbers(judge.fetch(prepared, i)),
    };
    Expected { outputs: types.iter().enumerate().map(output).collect(), types }
}

/// The bits of every output, of two runs, each over its own garbage.
pub fn run_twice(
    device: &mut dyn Device,
    case: &Case,
    plan: Plan,
    types: &[TensorType],
) -> Result<[Vec<Vec<u32>>; 2], DeviceError> {
    let prepared = prepare(device, case, plan)?;
    let mut run = |garbage| {
        upload(device, case)?;
        device.fill_slots(garbage);
        device.run(prepared, false)?;
        let outputs = types.iter().enumerate().map(|(i, tensor)| match tensor.dtype {
            DType::U32 => device.fetch_u32(prepared, i),
            DType::F32 => Ok(device.fetch_f32(prepared, i)?.into_iter().map(f32::to_bits).collect()),
        });
        outputs.collect::<Result<_, DeviceError>>()
    };
    Ok([run(GARBAGE)?, run(OTHER_GARBAGE)?])
}

/// A write past the end of a buffer.
///
/// # Errors
/// When the device is lost.
pub fn overrun(device: &mut dyn Device) -> Result<Option<Problem>, DeviceError> {
    Ok(device.overrun()?.map(|at| Problem::Overrun { at }))
}

/// The first element in which two runs differ.
pub fn difference(expected: &Expected, [first, second]: &[Vec<Vec<u32>>; 2]) -> Option<Problem> {
    for (output, (first, second)) in first.iter().zip(second).enumerate() {
        if let Some(index) = (0..first.len()).find(|&i| first[i] != second[i]) {
            let at = place(output, index, &expected.types[output]);
            return Some(Problem::Unsteady { at, first: first[index], second: second[index] });
        }
    }
    None
}

/// How outputs compare with what was expected.
pub struct Compared {
    pub worst: Worst,
    /// The worst thing that is wrong.
    pub problem: Option<Problem>,
    /// Numbers whose bound says nothing, and the loosest of these bounds.
    pub loose: usize,
    pub loosest: Option<Problem>,
}

/// Holds the bits of every output to the bound. An output whose bits are missing is left out.
pub fn compare(expected: &Expected, got: &[Vec<u32>]) -> Compared {
    let mut worst = (0.0, None);
    let mut problem = (1.0, None);
    let (mut loose, mut loosest) = (0, (0.0, None));
    for (output, (got, tensor)) in got.iter().zip(&expected.types).enumerate() {
        let at = |index| place(output, index, tensor);
        match &expected.outputs[output] {
            Output::Ids(ids) => {
                let wrong = (0..got.len()).find(|&i| got[i] != ids[i]);
                if let (Some(i), true) = (wrong, problem.0 < f64::INFINITY) {
                    problem = (f64::INFINITY, Some(Problem::Id { at: at(i), got: got[i], expected: ids[i] }));
                }
            }
            Output::Numbers(numbers) => {
                for (i, (&bits, number)) in got.iter().zip(numbers).enumerate() {
                    let (number, got) = (judged(number), f32::from_bits(bits));
                    let share = number.share(got);
                    if share > worst.0 {
                        worst = (share, Some((output, i)));
                    }
                    if share > problem.0 {
                        problem = (share, Some(number.problem(at(i), bits)));
                    }
                    if number.is_loose() {
                        loose += 1;
                        if number.bound > loosest.0 {
                            let Judged { expected, bound } = number;
                            loosest = (bound, Some(Problem::LooseBound { at: at(i), expected, bound }));
                        }
                    }
                }
            }
        }
    }
    let at = worst.1.map_or(String::new(), |(output, index)| place(output, index, &expected.types[output]));
    Compared { worst: Worst { share: worst.0, at }, problem: problem.1, loose, loosest: loosest.1 }
}

/// A number and how far a correct kernel's may lie from it.
#[derive(Clone, Copy)]
struct Judged {
    expected: f64,
    bound: f64,
}

fn judged(number: &Tracked) -> Judged {
    Judged { expected: number.value(), bound: number.error() + f64::from(f32::MIN_POSITIVE) }
}

impl Judged {
    /// The error as a share of the bound; infinite where there is no number.
    fn share(self, got: f32) -> f64 {
        let error = (f64::from(got) - self.expected).abs();
        if error == 0.0 {
            0.0
        } else if error.is_nan() {
            f64::INFINITY
        } else {
            error / self.bound
        }
    }

    fn is_loose(self) -> bool {
        self.bound > LOOSE * (1.0 + self.expected.abs())
    }

    fn problem(self, at: String, bits: u32) -> Problem {
        let Self { expected, bound } = self;
        match bits {
            GARBAGE => Problem::Unwritten { at },
            _ => Problem::Number { at, got: f32::from_bits(bits), expected, bound },
        }
    }
}

/// "output 0[3, 17]"
fn place(output: usize, index: usize, tensor: &TensorType) -> String {
    let mut rest = index;
    let mut at: Vec<usize> = tensor.shape.iter().rev().map(|&n| (rest % n, rest /= n).0).collect();
    at.reverse();
    format!("output {output}{at:?}")
}
