//! How good are an op's cases? Changes one thing at a time in its WGSL, and sees whether the quick cases notice.
//!
//! A mutant is judged in a process of its own ([`Judges`], [`work`]), since some hang and some take the driver down
//! with them. `wgrad check --mutants` does all of it, also for the ops of another crate (`commands::kernels`);
//! docs/verification.md has the results for wgrad's own.

mod judges;
mod mutants;
mod worker;

use std::collections::BTreeSet;

pub use judges::{Judges, WorkerError};
pub use mutants::Mutant;
pub use worker::work;

use crate::gpu::Shaders;
use crate::graph::Shader;
use crate::ops::threefry::threefry;
use crate::ops::{Listing, OPS};

use mutants::mutants;

/// What can become of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is no valid WGSL.
    Invalid,
    /// It compiles to the same code.
    SameCode,
    /// A case noticed it, or it hung or ended its process.
    Caught,
    /// No case noticed it.
    Survived,
}

impl Outcome {
    pub const ALL: [Self; 4] = [Self::Invalid, Self::SameCode, Self::Caught, Self::Survived];

    /// How the verdicts of [`Judges::judge`] begin.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::SameCode => "same code",
            Self::Caught => "caught",
            Self::Survived => "survived",
        }
    }

    /// Of a verdict; `None` if it is none.
    pub fn of(verdict: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| verdict.starts_with(outcome.name()))
    }
}

/// A file that mutants are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct File {
    name: &'static str,
    text: &'static str,
    /// Whether its kernels run without the driver's checks.
    unchecked: bool,
}

/// The files of these ops, and those of `shaders/shared` whose every user among wgrad's ops is one of them: what only
/// another op's cases can notice is no fault of these.
fn files(ops: &[Listing]) -> Vec<File> {
    let own: BTreeSet<Shader> = ops.iter().flat_map(|op| op.shaders()).copied().collect();
    let of_shader = |s: &Shader| File { name: s.name(), text: s.text(), unchecked: s.is_unchecked() };
    let all: BTreeSet<Shader> = OPS.iter().flat_map(|op| op.shaders()).copied().collect();
    let judged_by_these = |file: &&(&str, &str)| {
        let mut users = all.iter().filter(|shader| Shaders::imports(shader.text()).any(|import| import == **file));
        users.all(|shader| own.contains(shader))
    };
    let of_shared = |&(name, text): &_| File { name, text, unchecked: true };
    own.iter().map(of_shader).chain(Shaders::shared().iter().filter(judged_by_these).map(of_shared)).collect()
}

/// Every mutant of the WGSL of these ops, file by file.
pub fn all_mutants(ops: &[Listing]) -> Vec<Mutant> {
    files(ops).iter().flat_map(|file| mutants(file.name, file.text)).collect()
}

/// `count` of `of` mutants, drawn by `seed`, in order. More than there are draw all.
pub fn draw(count: usize, of: usize, seed: u64) -> Vec<usize> {
    let key = [seed as u32, (seed >> 32) as u32, 0, 0];
    let mut drawn: Vec<usize> = (0..of).collect();
    drawn.sort_by_key(|&number| threefry([number as u32, 0, 0, 0], key)[0]);
    drawn.truncate(count);
    drawn.sort_unstable();
    drawn
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{all_mutants, draw};
    use crate::graph::Shader;
    use crate::ops::{Listing, OPS};

    #[test]
    fn mutants_are_drawn_from_all() {
        assert_eq!(draw(3, 2, 1), [0, 1]);
        let [first, again, other] = [1, 1, 2].map(|seed| draw(20, 1000, seed));
        assert!(first == again && first != other && first.len() == 20 && first.is_sorted());
    }

    #[test]
    fn another_crates_mutants_are_those_of_its_own_files() {
        const TEXT: &str = "#import shared/grid\nfn twice(x: f32) -> f32 { return 2.0 * x; }";
        const FOREIGN: &[Shader] = &[Shader::new("twice", TEXT)];
        let listing = Listing::new("twice", FOREIGN, |_| vec![], Vec::new);
        let mutants = all_mutants(&[listing]);
        assert!(!mutants.is_empty() && mutants.iter().all(|mutant| mutant.file == "twice"));
    }

    #[test]
    fn a_shared_files_mutants_are_judged_by_all_who_import_it() {
        let files = |names: &[&str]| -> BTreeSet<String> {
            let ops: Vec<_> = OPS.iter().filter(|op| names.contains(&op.name)).copied().collect();
            all_mutants(&ops).into_iter().map(|mutant| mutant.file).collect()
        };
        assert_eq!(files(&["tanh"]), BTreeSet::from(["tanh".into()]));
        assert!(files(&["attention"]).contains("shared/attention"));
        let all: Vec<_> = OPS.iter().map(|op| op.name).collect();
        assert!(files(&all).contains("shared/grid"));
    }
}
