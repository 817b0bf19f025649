//! How the work of checking an op is divided: by kinds of kernels, by devices, and by what fits into memory.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::graph::{Dispatch, Target};
use crate::ops::case::{Case, Tensor};

use super::compare::plan_of;
use super::kernels::Kernels;

/// A kind of kernels that some of the cases take.
pub struct Kind {
    pub kernels: Kernels,
    pub target: Target,
    /// For each case the first kind with the very same launches: this one, or one before it.
    pub same_as: Vec<usize>,
}

fn dispatches(case: &Case, target: &Target) -> Vec<Dispatch> {
    plan_of(case, target).0.steps.into_iter().flat_map(|step| step.dispatches).collect()
}

/// The kinds in which the cases differ.
pub fn kinds(cases: &[(usize, Case)], targets: Vec<(Kernels, Target)>) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = vec![];
    for (kernels, target) in targets {
        let same = |(i, (_, case)): (usize, &(usize, Case))| {
            let own = dispatches(case, &target);
            let known = kinds.iter().position(|kind| dispatches(case, &kind.target) == own);
            known.map_or(kinds.len(), |known| kinds[known].same_as[i])
        };
        let same_as: Vec<usize> = cases.iter().enumerate().map(same).collect();
        if same_as.contains(&kinds.len()) {
            kinds.push(Kind { kernels, target, same_as });
        }
    }
    if let [Kind { kernels, .. }] = &mut kinds[..] {
        *kernels = if *kernels == Kernels::Cpu { Kernels::Cpu } else { Kernels::All };
    } else if kinds.iter().all(|kind| kind.kernels != Kernels::Hardware) {
        // None of them uses subgroup operations.
        let named = kinds.iter_mut().filter(|kind| kind.kernels == Kernels::Subgroups);
        named.for_each(|kind| kind.kernels = Kernels::Hardware);
    }
    kinds
}

/// Cases of one kind for one device, on one of the subjects.
pub struct Unit {
    pub kind: usize,
    pub subject: usize,
    /// In order.
    pub cases: Vec<usize>,
}

/// Shares of a kind's cases: more would bring small gains.
const MOST_SHARES: usize = 4;

/// The work of so many devices at a time: that of the first kind first, and of a kind that of the first subject.
pub fn units(cases: &[(usize, Case)], kinds: &[Kind], subjects: usize, devices: usize) -> Vec<Unit> {
    let mut units = vec![];
    for (k, kind) in kinds.iter().enumerate() {
        let own: Vec<usize> = (0..cases.len()).filter(|&i| kind.same_as[i] == k).collect();
        let shares = shares(cases, &own, &kind.target, devices.min(MOST_SHARES));
        for subject in 0..subjects {
            units.extend(shares.iter().map(|share| Unit { kind: k, subject, cases: share.clone() }));
        }
    }
    units
}

/// Shares cases out so that few kernels are compiled more than once: each goes where the fewest of its kernels are new,
/// and of such places to the one with the fewest kernels so far.
fn shares(cases: &[(usize, Case)], own: &[usize], target: &Target, count: usize) -> Vec<Vec<usize>> {
    let mut shares = vec![(BTreeSet::new(), vec![]); count];
    for &i in own {
        let dispatches = dispatches(&cases[i].1, target);
        let kernels: BTreeSet<_> = dispatches.into_iter().map(|d| (d.shader, d.entry, d.constants)).collect();
        let share = shares.iter_mut().min_by_key(|(known, _)| (kernels.difference(known).count(), known.len()));
        let (known, share) = share.expect("at least one");
        known.extend(kernels);
        share.push(i);
    }
    shares.into_iter().map(|(_, share)| share).filter(|share| !share.is_empty()).collect()
}

/// So many numbers of inputs are judged at once: enough for every core, few enough to hold their references in memory.
const JUDGED: usize = 1 << 22;

/// Cases that are judged at once, in order.
pub fn chunks(cases: &[(usize, Case)]) -> Vec<Range<usize>> {
    let mut chunks: Vec<Range<usize>> = vec![];
    let mut numbers = 0;
    for (i, (_, case)) in cases.iter().enumerate() {
        let own: usize = case.inputs.iter().map(Tensor::tensor_type).map(|tensor| tensor.len()).sum();
        numbers += own;
        match chunks.last_mut() {
            Some(chunk) if numbers <= JUDGED => chunk.end = i + 1,
            _ => {
                chunks.push(i..i + 1);
                numbers = own;
            }
        }
    }
    chunks
}
