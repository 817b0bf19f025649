//! Derivatives against finite differences of the f64 reference. Needs no device.

use crate::cpu::Cpu;
use crate::graph::{DType, Graph, GraphError, Value};
use crate::ops::case::{Case, Tensor};
use crate::ops::threefry::{threefry, uniform};
use crate::ops::{add, gradients, mul, sum};
use crate::plan::{Device, Plan};

use super::compare::{Problem, Worst, write};

/// Central differences of the f64 reference with step 1e-5 err by h²·f''' ≈ 1e-10 and by 1e-16·f/h ≈ 1e-11·f.
const STEP: f64 = 1e-5;

/// How far a derivative may be off, as a share of the input's largest one (at least 1).
const BOUND: f64 = 1e-6;

/// Elements of an input, spread over it, by which the difference is taken.
const ELEMENTS: usize = 40;

/// Puts the op in the middle of a graph: every input is first multiplied by constants, every output then weighted
/// unevenly, and every input has a second reader, so that gradients are added to others.
pub fn check_gradient(case: &Case) -> (Worst, Option<Problem>) {
    differences(case).unwrap_or_else(|e| panic!("{}: {e}", case.label()))
}

fn differences(case: &Case) -> Result<(Worst, Option<Problem>), GraphError> {
    let mut graph = Graph::new();
    let mut cpu = Cpu::<f64>::new();
    let (mut inputs, mut wanted, mut parts) = (vec![], vec![], vec![]);
    for (i, tensor) in case.inputs.iter().enumerate() {
        let value = input(&mut graph, &mut cpu, &format!("input {i}"), tensor)?;
        inputs.push(match tensor {
            Tensor::F32(shape, _) if case.differentiable.contains(&i) => {
                let factors = random(shape, 7 + i as u32, 0.5, 1.5);
                let factors = input(&mut graph, &mut cpu, &format!("factors {i}"), &factors)?;
                wanted.push(value);
                parts.push(weighted(&mut graph, &mut cpu, value, 50 + i as u32)?);
                mul::mul(&mut graph, value, factors)?
            }
            _ => value,
        });
    }
    let outputs = graph.push_shared(case.op.clone(), &inputs)?;
    for (o, &output) in outputs.iter().enumerate().filter(|(o, _)| case.op.carries_gradient(*o)) {
        if graph.type_of(output).dtype == DType::F32 {
            parts.push(weighted(&mut graph, &mut cpu, output, 90 + o as u32)?);
        }
    }
    let mut loss = parts[0];
    for &part in &parts[1..] {
        loss = add::add(&mut graph, loss, part)?;
    }
    let found = gradients(&mut graph, loss, &wanted)?;
    let fetches: Vec<Value> = [loss].into_iter().chain(found.into_iter().flatten()).collect();
    let infallible = "the CPU runs every plan";
    let plan = cpu.prepare(Plan::new(&graph, &fetches, &[], &cpu.target())).expect(infallible);
    let forward = cpu.prepare(Plan::new(&graph, &[loss], &[], &cpu.target())).expect(infallible);
    cpu.run(plan, false).expect(infallible);
    // Both plans share slots, so that the gradients are gone once the other has run.
    let analytic: Vec<Vec<f64>> = (1..=wanted.len()).map(|fetch| cpu.fetch(plan, fetch)).collect();
    let (mut worst, mut problem) = (Worst::default(), None);
    for (&i, analytic) in case.differentiable.iter().zip(analytic) {
        let Tensor::F32(_, values) = &case.inputs[i] else { panic!("ids have no derivative") };
        let bound = BOUND * analytic.iter().fold(1.0f64, |m, g| m.max(g.abs()));
        let mut point: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
        for e in (0..values.len()).step_by(values.len().div_ceil(ELEMENTS)) {
            let mut at = |x: f64| {
                let old = std::mem::replace(&mut point[e], x);
                cpu.write(&format!("input {i}"), &point);
                point[e] = old;
                cpu.run(forward, false).expect(infallible);
                cpu.fetch(forward, 0)[0]
            };
            let x = f64::from(values[e]);
            let (got, expected) = (analytic[e], (at(x + STEP) - at(x - STEP)) / (2.0 * STEP));
            let share = (got - expected).abs() / bound;
            let at = || format!("input {i}, element {e}");
            if share > worst.share {
                worst = Worst { share, at: at() };
            }
            if problem.is_none() && (share > 1.0 || share.is_nan()) {
                problem = Some(Problem::Derivative { at: at(), got, expected, bound });
            }
        }
        cpu.write(&format!("input {i}"), &point);
    }
    Ok((worst, problem))
}

/// Σ weights·value, the weights drawn from `stream`.
fn weighted(graph: &mut Graph, cpu: &mut Cpu<f64>, value: Value, stream: u32) -> Result<Value, GraphError> {
    let weights = random(graph.shape(value), stream, -1.0, 1.0);
    let weights = input(graph, cpu, &format!("weights {stream}"), &weights)?;
    let product = mul::mul(graph, value, weights)?;
    sum::sum(graph, product)
}

fn input(graph: &mut Graph, cpu: &mut Cpu<f64>, name: &str, tensor: &Tensor) -> Result<Value, GraphError> {
    cpu.allocate(name, &tensor.tensor_type()).expect("memory for a case");
    write(cpu, name, tensor).expect("it was allocated");
    graph.input(name, tensor.tensor_type())
}

fn random(shape: &[usize], stream: u32, low: f32, high: f32) -> Tensor {
    let count = shape.iter().product::<usize>() as u32;
    let values =
        (0..count).map(|i| low + (high - low) * uniform(threefry([i, stream, 1, 0], [3, 4, 0, 0])[0])).collect();
    Tensor::F32(shape.to_vec(), values)
}
