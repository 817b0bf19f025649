//! What WGSL's standard asks for and naga does not. Other compilers refuse such a kernel, or make something else of it,
//! as Tint (Chrome, Edge, Node) does.

mod text;
mod uniformity;

use std::collections::BTreeSet;
use std::path::PathBuf;

use wgpu::naga::front::wgsl::parse_str;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

use super::shaders::Shaders;
use crate::graph::Dispatch;

/// What compilers take differently, each with file and line: in the files that stand in for built-in ones, and in those
/// of these kernels that have such a file.
pub fn warnings<'a>(shaders: &Shaders, kernels: impl IntoIterator<Item = &'a Dispatch>) -> Vec<String> {
    let mut found: BTreeSet<(PathBuf, usize, String)> = BTreeSet::new();
    for (path, text) in shaders.replaced() {
        found.extend(text::departures(text).into_iter().map(|(line, what)| (path.clone(), line, what)));
    }
    let replaced: BTreeSet<PathBuf> = shaders.replaced().map(|(path, _)| path).collect();
    let mut seen = BTreeSet::new();
    for kernel in kernels {
        let source = shaders.assemble(kernel);
        if !source.files().any(|path| replaced.contains(path)) || !seen.insert(source.text.clone()) {
            continue;
        }
        let text = source.for_naga();
        // What naga refuses, the check tells.
        let Ok(module) = parse_str(&text) else { continue };
        if Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).is_err() {
            continue;
        }
        for (span, what) in uniformity::divergent(&module) {
            let place = source.locate(span.location(&text).line_number as usize);
            found.extend(place.map(|(path, line)| (path.to_path_buf(), line, what)));
        }
    }
    found.into_iter().map(|(path, line, what)| format!("{}, line {line}: {what}", path.display())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::OPS;

    /// It parses, and the check tells what is wrong with it.
    #[test]
    fn a_call_without_its_arguments_has_no_warnings() {
        let folder = tempfile::tempdir().unwrap();
        let text = "fn low(local: u32) -> bool { return local < 4u; }
            @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) local: u32) {
                if low() { workgroupBarrier(); }
            }";
        std::fs::write(folder.path().join("tanh.wgsl"), text).unwrap();
        let shaders = Shaders::read(folder.path(), OPS).unwrap();
        let tanh = OPS.iter().find(|op| op.name == "tanh").unwrap().shaders()[0];
        let kernel = Dispatch::new(tanh, "main");
        assert_eq!(warnings(&shaders, [&kernel]), Vec::<String>::new());
    }
}
