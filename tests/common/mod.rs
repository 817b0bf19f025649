//! What the tests of ops share: running one case on a device, and comparing with the reference's bound.

use wgrad::cpu::Cpu;
use wgrad::graph::{DType, Graph, Real, Tracked, Value};
use wgrad::ops::case::{Case, Tensor};
use wgrad::plan::{Device, Plan, Prepared};

/// NaN bits: what stands where nobody wrote.
pub const GARBAGE: u32 = 0x7fc0_dead;

/// A graph that computes the case's op alone; gives its outputs.
pub fn graph_of(case: &Case) -> (Graph, Vec<Value>) {
    let mut graph = Graph::new();
    let inputs: Vec<Value> = (case.inputs.iter().enumerate())
        .map(|(i, input)| graph.input(&format!("input {i}"), input.tensor_type()).expect("a new input"))
        .collect();
    let outputs = graph.push_shared(case.op.clone(), &inputs).unwrap_or_else(|e| panic!("{}: {e}", case.label()));
    (graph, outputs)
}

/// Runs the case twice over garbage; panics unless both runs give the same bits.
pub fn run(device: &mut dyn Device, case: &Case) -> (Prepared, Vec<DType>) {
    let (graph, outputs) = graph_of(case);
    for (i, input) in case.inputs.iter().enumerate() {
        device.allocate(&format!("input {i}"), &input.tensor_type()).expect("memory for a small input");
    }
    let plan = Plan::new(&graph, &outputs, &[], &device.target());
    let prepared = device.prepare(plan).unwrap_or_else(|e| panic!("{}: {e}", case.label()));
    let types: Vec<DType> = outputs.iter().map(|&o| graph.type_of(o).dtype).collect();
    let mut bits: Vec<Vec<Vec<u32>>> = vec![];
    for _ in 0..2 {
        upload(device, case);
        device.fill_slots(GARBAGE);
        device.run(prepared, false).unwrap_or_else(|e| panic!("{}: {e}", case.label()));
        let read = |(i, dtype): (usize, &DType)| match dtype {
            DType::U32 => device.fetch_u32(prepared, i).expect("ids"),
            DType::F32 => device.fetch_f32(prepared, i).expect("numbers").into_iter().map(f32::to_bits).collect(),
        };
        bits.push(types.iter().enumerate().map(read).collect());
    }
    assert_eq!(bits[0], bits[1], "{}: two runs differ", case.label());
    (prepared, types)
}

fn upload(device: &mut dyn Device, case: &Case) {
    for (i, input) in case.inputs.iter().enumerate() {
        match input {
            Tensor::F32(_, values) => device.write_f32(&format!("input {i}"), values),
            Tensor::U32(_, ids) => device.write_u32(&format!("input {i}"), ids),
        }
    }
}

/// The worst error as a share of the bound that the tracked reference gives; panics above 1.
pub fn compare(device: &mut dyn Device, case: &Case) -> f64 {
    let mut judge = Cpu::<Tracked>::new();
    let (expected, types) = run(&mut judge, case);
    let (prepared, _) = run(device, case);
    let mut worst = 0.0f64;
    for (output, dtype) in types.iter().enumerate() {
        if *dtype == DType::U32 {
            let (got, want) = (device.fetch_u32(prepared, output), judge.fetch_u32(expected, output));
            assert_eq!(got.expect("ids"), want.expect("ids"), "{} output {output}", case.label());
            continue;
        }
        let got = device.fetch_f32(prepared, output).expect("numbers");
        for (index, (got, want)) in got.iter().zip(judge.fetch(expected, output)).enumerate() {
            let (error, bound) = ((f64::from(*got) - want.value()).abs(), want.error() + f64::from(f32::MIN_POSITIVE));
            // The loosest is the sum of 7,000 numbers in any order: 1.5. An exploding bound would pass anything.
            assert!(bound <= 2.0 * (1.0 + want.value().abs()), "{}: a bound of {bound:e} says nothing", case.label());
            let share = if error == 0.0 { 0.0 } else { error / bound };
            assert!(
                share <= 1.0,
                "{} output {output} element {index}: got {got:e}, expected {:e}, off by {error:e}, bound {bound:e}",
                case.label(),
                want.value()
            );
            worst = worst.max(share);
        }
    }
    worst
}
