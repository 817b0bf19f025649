//! The CPU executor without a GPU: every op's f32 path against the tracked reference, every derivative against finite differences.

use wgrad::check::{Subject, check_gradients, check_op};
use wgrad::cpu::Cpu;
use wgrad::ops::OPS;
use wgrad::ops::case::CaseSet;

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
