//! The CPU executor without a GPU: every op's f32 path against the tracked reference, every derivative against finite differences.

use rayon::prelude::*;
use wgrad::check::{Subject, check_gradients, check_op, plan_of, run_twice};
use wgrad::cpu::{Cpu, Element};
use wgrad::graph::{DType, TensorType, Tracked};
use wgrad::ops::OPS;
use wgrad::ops::case::{Case, CaseSet};
use wgrad::plan::Device;

#[test]
fn f32_twins_stay_within_the_bound() {
    for (name, cases) in OPS {
        let cases: Vec<_> = cases(&CaseSet::default()).into_iter().enumerate().collect();
        let subject = [Subject { open: Box::new(|_| Ok(Box::new(Cpu::<f32>::new()))), mode: "f32" }];
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
    for (name, cases) in OPS {
        let cases: Vec<_> = cases(&CaseSet::default()).into_iter().enumerate().collect();
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

#[test]
fn nan_and_infinity_give_ids_in_range_and_never_a_panic() {
    for (name, cases) in OPS {
        let cases: Vec<_> = cases(&CaseSet::default()).iter().flat_map(Case::with_no_numbers).collect();
        cases.par_iter().for_each(|case| {
            for ids in [ids::<f32>(case), ids::<f64>(case), ids::<Tracked>(case)] {
                let columns = case.inputs[0].tensor_type().columns() as u32;
                let rows = case.inputs[0].tensor_type().rows() as u32;
                match *name {
                    "argmax" => assert!(ids[0].iter().all(|&id| id < columns), "{}: {ids:?}", case.label()),
                    "beam_step" => {
                        assert!(ids[1].iter().all(|&parent| parent < rows), "{}: {ids:?}", case.label());
                        assert!(ids[2].iter().all(|&id| id < columns), "{}: {ids:?}", case.label());
                    }
                    _ => {}
                }
            }
        });
    }
}
