//! The CPU executor without a GPU: every op's f32 path against the tracked reference, every derivative against finite
//! differences.

use rayon::prelude::*;
use wgrad::check::{DeviceUnderTest, check_gradients, check_op, plan_of, run_twice};
use wgrad::cpu::{Cpu, Element};
use wgrad::graph::{DType, TensorType, Tracked};
use wgrad::ops::OPS;
use wgrad::ops::case::{Case, CaseSet};
use wgrad::plan::Device;

#[test]
fn f32_twins_stay_within_the_bound() {
    for op in OPS {
        let name = op.name;
        let cases: Vec<_> = op.cases(&CaseSet::default()).into_iter().enumerate().collect();
        let subject = [DeviceUnderTest { open: Box::new(|_| Ok(Box::new(Cpu::<f32>::new()))), mode: "f32" }];
        for row in check_op(name, &cases, &subject, |_| ()).unwrap_or_else(|e| panic!("{e}")) {
            println!("{name:22} worst error {:5.1} % of its bound", 100.0 * row.worst.share);
            if let Some(failure) = row.failures.first() {
                panic!("{}: {}", failure.label, failure.problem);
            }
        }
    }
}

#[test]
fn derivatives_agree_with_finite_differences() {
    for op in OPS {
        let name = op.name;
        let cases: Vec<_> = op.cases(&CaseSet::default()).into_iter().enumerate().collect();
        let Some(row) = check_gradients(name, &cases) else { continue };
        println!("{name:22} {} cases, worst error {:5.1} % of the bound", row.cases, 100.0 * row.worst.share);
        if let Some(failure) = row.failures.first() {
            panic!("{}: {}", failure.label, failure.problem);
        }
    }
}

/// The ids that a case gives, or none of an op without such outputs.
fn ids<T: Element>(case: &Case) -> Vec<Vec<u32>> {
    let mut cpu = Cpu::<T>::new();
    let (plan, types) = plan_of(case, &cpu.target());
    let [first, second] = run_twice(&mut cpu, case, plan, &types).unwrap_or_else(|e| panic!("{}: {e}", case.label()));
    let of = |outputs: Vec<Vec<u32>>| -> Vec<Vec<u32>> {
        let ids = |(output, tensor): (Vec<u32>, &TensorType)| (tensor.dtype == DType::U32).then_some(output);
        outputs.into_iter().zip(&types).filter_map(ids).collect()
    };
    let (first, second) = (of(first), of(second));
    assert_eq!(first, second, "{}", case.label());
    first
}

/// Larger cases are left to the f32 twins: the reference is the same for all of them, and slow.
const FEW_OPERATIONS: f64 = 50_000.0;

#[test]
fn nan_and_infinity_give_ids_in_range_and_never_a_panic() {
    let odd = |case: &Case| [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(|x| case.with_everywhere(x)).concat();
    for op in OPS {
        let name = op.name;
        op.cases(&CaseSet::default()).iter().flat_map(odd).collect::<Vec<_>>().par_iter().for_each(|case| {
            // An op that only says where its output lies has no step.
            let steps = plan_of(case, &Cpu::<f32>::new().target()).0.steps;
            let mut found = vec![ids::<f32>(case)];
            if steps.iter().all(|step| step.op.work(&step.types).flops <= FEW_OPERATIONS) {
                found.extend([ids::<f64>(case), ids::<Tracked>(case)]);
            }
            let logits = case.inputs[0].tensor_type();
            let below = |ids: &[u32], end: usize| {
                assert!(ids.iter().all(|&id| (id as usize) < end), "{}: {ids:?}", case.label());
            };
            for ids in found {
                match name {
                    "argmax" => below(&ids[0], logits.columns()),
                    "beam_step" => {
                        below(&ids[1], logits.rows());
                        below(&ids[2], logits.columns());
                    }
                    _ => {}
                }
            }
        });
    }
}
