//! What Chrome makes of the kernels: Tint takes all of them, and they compute through Dawn what they should.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use wgrad::check::{Kernels, Problem, compare, difference, expected, plan_of, run_twice, targets};
use wgrad::gpu::{Shaders, warnings};
use wgrad::graph::Dispatch;
use wgrad::ops::case::{Case, CaseSet};
use wgrad::ops::{Listing, OPS};

use super::dawn::Dawn;
use super::kernels::kernels_of_all;

#[test]
fn dawn_takes_every_kernel() {
    let mut dawn = Dawn::open(Arc::default());
    let kernels = kernels_of_all();
    // All entry points of a shader stand in one module.
    let modules: BTreeMap<_, _> =
        kernels.iter().map(|((shader, _, constants), (_, launches))| ((shader, constants), &launches[0])).collect();
    let refused: Vec<_> = (modules.iter())
        .filter_map(|((shader, constants), launch)| {
            dawn.compile(launch).err().map(|e| format!("{shader} with {constants:?}: {e}"))
        })
        .collect();
    println!("{} modules of {} kernels", modules.len(), kernels.len());
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n\n"));
}

#[test]
fn dawn_computes_the_quick_cases() {
    let (runs, failures) = check(&Arc::default(), OPS);
    println!("{runs} cases");
    assert!(failures.is_empty(), "{} of {runs} cases are wrong:\n{}", failures.len(), failures.join("\n\n"));
}

/// How many cases of the ops ran with hardware's kernels, without subgroup operations and, where that is something
/// else, with them; and what is wrong.
fn check(shaders: &Arc<Shaders>, ops: &[Listing]) -> (usize, Vec<String>) {
    let (ops, results) = (Mutex::new(ops.iter()), Mutex::new((0, vec![])));
    let work = || {
        let mut dawn = Dawn::open(shaders.clone());
        let next = || ops.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some(op) = next() {
            for (number, case) in op.cases(&CaseSet::default()).iter().enumerate() {
                let problems = problems(&mut dawn, case);
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                results.0 += problems.len();
                let wrong = problems.into_iter().filter_map(|(kernels, problem)| Some((kernels, problem?)));
                results.1.extend(wrong.map(|(kernels, p)| {
                    format!("{}, case {number}, {kernels} kernels, {}: {p}", op.name, case.label())
                }));
            }
        }
    };
    // llvmpipe compiles in a device's queue, which takes most of the time.
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Of each kind of hardware's kernels what is wrong with them.
fn problems(dawn: &mut Dawn, case: &Case) -> Vec<(Kernels, Option<Problem>)> {
    let expected = expected(case);
    let (mut known, mut problems) = (vec![], vec![]);
    for (kernels, target) in targets(dawn).into_iter().filter(|(kernels, _)| *kernels != Kernels::Software) {
        let (plan, types) = plan_of(case, &target);
        let launches: Vec<_> = plan.steps.iter().flat_map(|step| step.dispatches.clone()).collect();
        if known.contains(&launches) {
            continue;
        }
        known.push(launches);
        let problem = match run_twice(dawn, case, plan, &types) {
            Ok(runs) => compare(&expected, &runs[0]).problem.or_else(|| difference(&expected, &runs)),
            Err(error) => Some(error.into()),
        };
        problems.push((kernels, problem));
    }
    problems
}

/// The shaders with `from` replaced by `to` in one file, and the line in which it stood first.
fn edited(file: &str, from: &str, to: &str) -> (Arc<Shaders>, usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = fs::read_to_string(format!("{SHADERS}/{file}")).expect("a shader");
    let line = 1 + text.lines().position(|line| line.contains(from)).unwrap_or_else(|| panic!("no `{from}` in {file}"));
    let path = folder.path().join(file);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text.replace(from, to)).expect("a file");
    (Arc::new(Shaders::read(folder.path(), OPS).expect("a shader")), line)
}

const SHADERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders");

fn listed(op: &str) -> Vec<Listing> {
    OPS.iter().copied().filter(|listing| listing.name == op).collect()
}

/// By the standard it is zero at every turn; Tint sets it once.
#[test]
fn dawn_notices_a_variable_without_initial_value_in_a_loop() {
    let (shaders, line) = edited("rnn.wgsl", "var sums = array<f32, ROWS>();", "var sums: array<f32, ROWS>;");
    let (_, wrong) = check(&shaders, &listed("rnn"));
    assert!(!wrong.is_empty() && wrong.iter().all(|wrong| wrong.contains("off by")), "{wrong:?}");
    let warned = warnings(&shaders, &launches());
    assert!(warned[0].contains(&format!("rnn.wgsl, line {line}: ")), "{warned:?}");
}

#[test]
fn dawn_notices_a_barrier_that_not_all_invocations_reach() {
    let (shaders, line) =
        edited("shared/reduce_workgroup.wgsl", "workgroupBarrier();", "if local > 0u { workgroupBarrier(); }");
    let (_, wrong) = check(&shaders, &listed("sum"));
    // Tint names the first that it comes to.
    let told = |wrong: &String| {
        wrong.contains("shared/reduce_workgroup.wgsl, line ") && wrong.contains("uniform control flow")
    };
    assert!(wrong.iter().any(told), "{wrong:?}");
    let warned = warnings(&shaders, &launches());
    let place = format!("shared/reduce_workgroup.wgsl, line {line}: ");
    assert!(warned[0].contains(&place) && warned[0].contains("not all invocations"), "{warned:?}");
}

fn launches() -> Vec<Dispatch> {
    kernels_of_all().into_values().map(|(_, launches)| launches[0].clone()).collect()
}

/// What Tint takes.
#[test]
fn wgrad_warns_of_none_of_its_kernels() {
    let shaders = Shaders::read(Path::new(SHADERS), OPS.iter().chain([&wgrad::bench::LISTING])).expect("the shaders");
    let warned = warnings(&shaders, &launches());
    assert!(warned.is_empty(), "{}", warned.join("\n"));
}
