//! The mutation run (`tests/mutation`, which takes hours) survives its workers: a mutant that hangs or ends its worker
//! costs that mutant alone.

#[path = "mutation/judges.rs"]
mod judges;

use std::process::Command;
use std::time::{Duration, Instant};

use judges::Judges;

/// Workers that a shell script stands for: `script` is what it does with mutant $n, after it has said that it is ready.
fn judges(script: &str) -> Judges {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("while read n; do echo ...; echo ready; echo ...; {script}; echo verdict $n of $$; done"),
    ]);
    Judges::new(command, Duration::from_secs(1))
}

/// The mutant and the worker's process of a verdict.
fn parts(verdict: &str) -> Option<(usize, &str)> {
    let (number, process) = verdict.strip_prefix("verdict ")?.split_once(" of ")?;
    Some((number.parse().ok()?, process))
}

#[test]
fn a_mutant_that_hangs_costs_that_mutant_alone() {
    let mut judges = judges("[ $n != 2 ] || exec sleep 1000");
    let begun = Instant::now();
    let verdicts: Vec<String> = (0..5).map(|number| judges.judge(number)).collect();
    assert!(begun.elapsed() < Duration::from_secs(10), "it was waited for");
    assert_eq!(verdicts[2], "caught: it hangs");
    let others: Vec<_> = [0, 1, 3, 4].map(|number| parts(&verdicts[number]).expect("a verdict")).into();
    assert_eq!(others.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 3, 4]);
    assert!(others[0].1 == others[1].1 && others[1].1 != others[2].1 && others[2].1 == others[3].1, "{others:?}");
}

#[test]
fn a_mutant_that_ends_its_worker_costs_that_mutant_alone() {
    // Before its verdict, and right after it.
    let mut judges = judges("[ $n != 2 ] || kill -9 $$; [ $n != 4 ] || { echo verdict 4 of the last; exit; }");
    let verdicts: Vec<String> = (0..7).map(|number| judges.judge(number)).collect();
    assert_eq!(verdicts[2], "caught: it ends the process");
    for number in [0, 1, 3, 4, 5, 6] {
        assert_eq!(parts(&verdicts[number]).expect("a verdict").0, number);
    }
}

#[test]
#[should_panic(expected = "mutant 7: a new worker failed before it ran the mutant")]
fn a_worker_that_cannot_begin_catches_nothing() {
    Judges::new(Command::new("true"), Duration::from_secs(1)).judge(7);
}
