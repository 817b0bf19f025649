//! The CPU executor without a GPU: every op's f32 path against the tracked reference, every derivative against finite differences.

mod common;

use wgrad::cpu::Cpu;
use wgrad::graph::{DType, Graph, Value};
use wgrad::ops::case::{Case, Tensor};
use wgrad::ops::philox::{philox, uniform};
use wgrad::ops::{OPS, gradients, mul, sum};
use wgrad::plan::{Device, Plan};

#[test]
fn f32_twins_stay_within_the_bound() {
    for (name, cases) in OPS {
        let worst = cases().iter().map(|case| common::compare(&mut Cpu::<f32>::new(), case)).fold(0.0, f64::max);
        println!("{name:22} worst error {:5.1} % of its bound", 100.0 * worst);
    }
}

/// Central differences of the f64 reference with step 1e-5 err by h²·f''' ≈ 1e-10 and by 1e-16·f/h ≈ 1e-11·f.
const STEP: f64 = 1e-5;

#[test]
fn derivatives_agree_with_finite_differences() {
    for (name, cases) in OPS {
        let mut checked = 0;
        for case in cases().iter().filter(|c| !c.differentiable.is_empty()) {
            check_gradient(case);
            checked += 1;
        }
        println!("{name:22} {checked} cases");
    }
}

/// Puts the op in the middle of a graph: every input is first multiplied by constants, every output then weighted unevenly.
fn check_gradient(case: &Case) {
    let mut graph = Graph::new();
    let mut cpu = Cpu::<f64>::new();
    let mut inputs = vec![];
    for (i, tensor) in case.inputs.iter().enumerate() {
        let value = input(&mut graph, &mut cpu, &format!("input {i}"), tensor);
        inputs.push(match tensor {
            Tensor::F32(shape, _) if case.differentiable.contains(&i) => {
                let factors = random(shape, 7 + i as u32, 0.5, 1.5);
                let factors = input(&mut graph, &mut cpu, &format!("factors {i}"), &factors);
                mul::mul(&mut graph, value, factors).expect("same shape")
            }
            _ => value,
        });
    }
    let outputs = graph.push_shared(case.op.clone(), &inputs).expect("the case's shapes");
    let mut loss: Option<Value> = None;
    let mut differentiable_outputs = 0;
    for (o, &output) in outputs.iter().enumerate().filter(|(o, _)| differentiable(case, *o)) {
        if graph.type_of(output).dtype == DType::U32 {
            continue;
        }
        let weights = random(graph.shape(output), 90 + o as u32, -1.0, 1.0);
        let weights = input(&mut graph, &mut cpu, &format!("weights {o}"), &weights);
        let weighted = mul::mul(&mut graph, output, weights).expect("same shape");
        let part = sum::sum(&mut graph, weighted).expect("a sum");
        loss = Some(match loss {
            Some(loss) => wgrad::ops::add::add(&mut graph, loss, part).expect("two scalars"),
            None => part,
        });
        differentiable_outputs += 1;
    }
    let Some(loss) = loss else { panic!("{}: no output to differentiate", case.label()) };
    assert!(differentiable_outputs > 0);
    let wanted: Vec<Value> = case
        .differentiable
        .iter()
        .map(|&i| graph.input(&format!("input {i}"), case.inputs[i].tensor_type()).expect("known"))
        .collect();
    let gradients: Vec<Value> = gradients(&mut graph, loss, &wanted)
        .unwrap_or_else(|e| panic!("{}: {e}", case.label()))
        .into_iter()
        .map(|g| g.expect("a gradient"))
        .collect();
    let fetches: Vec<Value> = [loss].into_iter().chain(gradients).collect();
    let plan = cpu.prepare(Plan::new(&graph, &fetches, &[], &cpu.target())).expect("a plan");
    let forward = cpu.prepare(Plan::new(&graph, &[loss], &[], &cpu.target())).expect("a plan");
    cpu.run(plan, false).expect("a run");
    // Both plans share slots, so that the gradients are gone once the other has run.
    let analytic: Vec<Vec<f64>> = (1..=case.differentiable.len()).map(|fetch| cpu.fetch(plan, fetch)).collect();
    for (&i, analytic) in case.differentiable.iter().zip(analytic) {
        let Tensor::F32(_, values) = &case.inputs[i] else { panic!("ids have no derivative") };
        let scale = analytic.iter().fold(1.0f64, |m, g| m.max(g.abs()));
        let mut point: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
        // At most 40 elements of an input, spread over it.
        for e in (0..values.len()).step_by(values.len().div_ceil(40)) {
            let mut at = |x: f64| {
                let old = std::mem::replace(&mut point[e], x);
                cpu.write(&format!("input {i}"), &point);
                point[e] = old;
                cpu.run(forward, false).expect("a run");
                cpu.fetch(forward, 0)[0]
            };
            let x = f64::from(values[e]);
            let numeric = (at(x + STEP) - at(x - STEP)) / (2.0 * STEP);
            assert!(
                (numeric - analytic[e]).abs() <= 1e-6 * scale,
                "{} input {i} element {e}: derivative {} against finite differences {numeric}",
                case.label(),
                analytic[e]
            );
        }
        cpu.write(&format!("input {i}"), &point);
    }
}

/// Outputs that carry a gradient: all, but for what an op keeps for itself.
fn differentiable(case: &Case, output: usize) -> bool {
    match case.op.name() {
        "attention" | "linear_cross_entropy" => output == 0,
        "layer_norm" => output != 1,
        "lstm" => output < 3,
        "rnn" | "gru" => output < 2,
        _ => true,
    }
}

fn input(graph: &mut Graph, cpu: &mut Cpu<f64>, name: &str, tensor: &Tensor) -> Value {
    cpu.allocate(name, &tensor.tensor_type()).expect("memory");
    match tensor {
        Tensor::F32(_, values) => cpu.write_f32(name, values),
        Tensor::U32(_, ids) => cpu.write_u32(name, ids),
    }
    graph.input(name, tensor.tensor_type()).expect("a new input")
}

fn random(shape: &[usize], stream: u32, low: f32, high: f32) -> Tensor {
    let count = shape.iter().product::<usize>() as u32;
    let values = (0..count).map(|i| low + (high - low) * uniform(philox([i, stream, 1, 0], [3, 4])[0])).collect();
    Tensor::F32(shape.to_vec(), values)
}
