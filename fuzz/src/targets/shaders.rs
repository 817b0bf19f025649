//! WGSL from a folder: reading and imports, naga's front end, the checks before a driver sees it, and messages with
//! lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use naga::front::wgsl::parse_str;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use wgrad::check::plan_of;
use wgrad::gpu::{Shaders, straighten, warnings};
use wgrad::graph::{Dispatch, Target};
use wgrad::ops::case::CaseSet;
use wgrad::ops::{Listing, OPS};

use super::{Fuzzed, names, names_file};
use crate::mutate::Edits;
use crate::parts;

/// By file, launches of the kernels that it is part of: at most a few, whose constants differ.
static KERNELS: LazyLock<BTreeMap<&'static str, Vec<Dispatch>>> = LazyLock::new(|| {
    let software = Target { software: true, subgroup: 8, ..Target::webgpu() };
    let mut kernels: Vec<Dispatch> = vec![];
    for case in OPS.iter().flat_map(|op| op.cases(&CaseSet::default())) {
        for target in [&software, &Target::webgpu()] {
            for dispatch in plan_of(&case, target).0.steps.into_iter().flat_map(|step| step.dispatches) {
                let known =
                    |kernel: &Dispatch| (kernel.shader, &kernel.constants) == (dispatch.shader, &dispatch.constants);
                if !kernels.iter().any(known) {
                    kernels.push(dispatch);
                }
            }
        }
    }
    let built_in = Shaders::default();
    let parts =
        |kernel: &Dispatch| -> Vec<PathBuf> { built_in.assemble(kernel).files().map(Path::to_path_buf).collect() };
    let parts: Vec<_> = kernels.iter().map(parts).collect();
    let of_file = |&(name, _): &(&'static str, &'static str)| {
        let path = Path::new("shaders").join(format!("{name}.wgsl"));
        let own = kernels.iter().zip(&parts).filter(|(_, parts)| parts.contains(&path));
        (name, own.map(|(kernel, _)| kernel.clone()).take(2).collect())
    };
    files().iter().map(of_file).collect()
});

/// Name and text of every file of WGSL.
pub fn files() -> Vec<(&'static str, &'static str)> {
    let mut files: Vec<_> = OPS.iter().flat_map(Listing::files).chain(Shaders::shared().iter().copied()).collect();
    files.sort_unstable();
    files.dedup();
    files
}

#[derive(Arbitrary, Debug)]
pub struct Change {
    file: u8,
    edits: Edits,
    /// Now and then under another name.
    name: u8,
}

impl Fuzzed for Change {
    fn case(&self) -> Vec<u8> {
        let all = files();
        let (name, text) = all[usize::from(self.file) % all.len()];
        let name = if self.name == 255 { all[all.len() / 2].0 } else { name };
        parts::join(&[(name, &self.edits.apply(text.as_bytes().to_vec()))])
    }

    fn judge(case: &[u8]) -> bool {
        let parts = parts::split(case);
        let (name, text) = &parts[0];
        let folder = super::scratch().join("shaders");
        let path = folder.join(name).with_extension("wgsl");
        fs::create_dir_all(path.parent().expect("a folder")).expect("a temporary folder");
        fs::write(&path, text).expect("a temporary file");
        let shaders = Shaders::read(&folder, OPS);
        fs::remove_dir_all(&folder).expect("a temporary folder");
        let shaders = match shaders {
            Ok(shaders) => shaders,
            Err(error) => {
                names_file(error, &path);
                return false;
            }
        };
        let kernels = &KERNELS[name.as_str()];
        for warning in warnings(&shaders, kernels) {
            names(warning, ".wgsl, line ");
        }
        let mut taken = true;
        for kernel in kernels {
            let source = shaders.assemble(kernel);
            let text = source.for_naga();
            // The empty line behind the last line feed counts: a text that ends too early ends there.
            let lines = source.text.split('\n').count();
            let told = |line: Option<u32>, message: String| {
                assert!(line.is_none_or(|line| line as usize <= lines), "line {line:?} of {lines}");
                assert!(source.place(line.map(|line| line as usize)).contains(".wgsl"));
                assert!(!source.renumber(&message).is_empty());
            };
            match parse_str(&text) {
                Ok(mut module) => {
                    straighten(&mut module);
                    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP);
                    if let Err(error) = validator.validate(&module) {
                        let line = error.location(&text).map(|location| location.line_number);
                        told(line, error.emit_to_string(&text));
                        taken = false;
                    }
                }
                Err(error) => {
                    let line = error.location(&text).map(|location| location.line_number);
                    told(line, error.emit_to_string(&text));
                    taken = false;
                }
            }
        }
        taken
    }
}
