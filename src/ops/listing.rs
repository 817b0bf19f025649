//! An op as `wgrad check`, `wgrad bench` and the mutants know it.

use crate::graph::Shader;

use super::case::{Bench, Case, CaseSet};

/// An op's name, its WGSL, what makes its cases, and what makes the sizes at which it is measured. Every op's file has
/// one, wgrad's own and those of other crates alike.
///
/// ```
/// use wgrad::graph::Shader;
/// use wgrad::ops::Listing;
///
/// const SHADER: Shader = Shader::new("rms_norm", "// WGSL");
/// /// Compares, measures and mutates nothing yet.
/// pub const LISTING: Listing = Listing::new("rms_norm", &[SHADER], |_| vec![], || vec![]);
/// assert!(LISTING.files().eq([("rms_norm", "// WGSL")]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    pub name: &'static str,
    shaders: &'static [Shader],
    cases: fn(&CaseSet) -> Vec<Case>,
    benches: fn() -> Vec<Bench>,
}

impl Listing {
    pub const fn new(
        name: &'static str,
        shaders: &'static [Shader],
        cases: fn(&CaseSet) -> Vec<Case>,
        benches: fn() -> Vec<Bench>,
    ) -> Self {
        Self { name, shaders, cases, benches }
    }

    /// The inputs on which its kernels are compared with the reference.
    pub fn cases(&self, set: &CaseSet) -> Vec<Case> {
        (self.cases)(set)
    }

    /// The sizes at which it is measured.
    pub fn benches(&self) -> Vec<Bench> {
        (self.benches)()
    }

    /// Name and text of every file of its WGSL.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        self.shaders.iter().map(|shader| (shader.name(), shader.text()))
    }

    /// Its files with the right to go unchecked that wgrad's own have.
    pub(crate) fn shaders(&self) -> &'static [Shader] {
        self.shaders
    }
}
