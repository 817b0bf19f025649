//! What is fuzzed: one file per target.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};

mod batch;
mod bleu;
mod checkpoint;
mod command_line;
mod configuration;
mod corpus;
mod planted;
mod run_folder;
mod shaders;
mod tokenizer;

/// What can be made of random bytes and given to wgrad.
trait Fuzzed: for<'a> Arbitrary<'a> {
    /// The file, or the [parts](crate::parts), that wgrad is to read.
    fn case(&self) -> Vec<u8>;

    /// Gives a case to wgrad and tells whether it took it. Panics where it did what it must not do.
    fn judge(case: &[u8]) -> bool;
}

/// A target, by its functions.
pub struct Target {
    pub name: &'static str,
    /// Its part of all inputs, in proportion to the others': fast targets get more.
    pub share: u64,
    make: fn(&mut Unstructured) -> arbitrary::Result<Vec<u8>>,
    /// Whether wgrad took the case; panics on what must not be.
    pub judge: fn(&[u8]) -> bool,
}

impl Target {
    const fn new<T: Fuzzed>(name: &'static str, share: u64) -> Self {
        Self { name, share, make: |entropy| Ok(T::arbitrary(entropy)?.case()), judge: T::judge }
    }

    /// The case that these random bytes make; where they are too few, one of all that zeros make.
    pub fn case(&self, entropy: &[u8]) -> Vec<u8> {
        let made = (self.make)(&mut Unstructured::new(entropy));
        made.or_else(|_| (self.make)(&mut Unstructured::new(&[0; 64]))).expect("zeros make a case")
    }
}

/// All targets.
pub const TARGETS: [Target; 9] = [
    Target::new::<configuration::Change>("configuration", 20),
    Target::new::<checkpoint::Change>("checkpoint", 20),
    Target::new::<tokenizer::Change>("tokenizer", 20),
    Target::new::<batch::Change>("batch", 10),
    Target::new::<corpus::Change>("corpus", 10),
    Target::new::<bleu::Lines>("bleu", 20),
    Target::new::<shaders::Change>("shaders", 10),
    Target::new::<run_folder::Change>("run_folder", 3),
    Target::new::<command_line::Command>("command_line", 1),
];

/// Panics, aborts, hangs and takes memory on purpose, and no part of a campaign: with it the driver tries whether it
/// notices.
const PLANTED: Target = Target::new::<planted::Planted>("planted", 0);

/// The target of this name.
pub fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().chain([&PLANTED]).find(|target| target.name == name)
}

/// A folder for what a case is written to.
fn scratch() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = std::env::temp_dir().join(format!("wgrad-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        folder
    });
    &FOLDER
}

/// What an error says: it must name the file or the flag that is at fault.
fn names(error: impl std::fmt::Display, what: &str) {
    let error = error.to_string();
    assert!(error.contains(what), "an error that does not say `{what}`: {error}");
}

/// [`names`], of a file.
fn names_file(error: impl std::fmt::Display, path: &Path) {
    names(error, &path.display().to_string());
}
