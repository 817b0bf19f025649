//! How a kernel's source is put together: an op's file, the shared files that it imports, and constants.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::graph::{Dispatch, Shader};
use crate::ops::Listing;

/// Every file in `shaders/shared`, by name, for the files of ops to import.
const SHARED: &[(&str, &str)] = &[
    ("shared/activation", include_str!("../../shaders/shared/activation.wgsl")),
    ("shared/aligned", include_str!("../../shaders/shared/aligned.wgsl")),
    ("shared/attention", include_str!("../../shaders/shared/attention.wgsl")),
    ("shared/best", include_str!("../../shaders/shared/best.wgsl")),
    ("shared/best_broadcast", include_str!("../../shaders/shared/best_broadcast.wgsl")),
    ("shared/best_subgroup", include_str!("../../shaders/shared/best_subgroup.wgsl")),
    ("shared/best_workgroup", include_str!("../../shaders/shared/best_workgroup.wgsl")),
    ("shared/dropout_mask", include_str!("../../shaders/shared/dropout_mask.wgsl")),
    ("shared/elements", include_str!("../../shaders/shared/elements.wgsl")),
    ("shared/grid", include_str!("../../shaders/shared/grid.wgsl")),
    ("shared/log_sum_exp", include_str!("../../shaders/shared/log_sum_exp.wgsl")),
    ("shared/operand_a_k_major", include_str!("../../shaders/shared/operand_a_k_major.wgsl")),
    ("shared/operand_a_m_major", include_str!("../../shaders/shared/operand_a_m_major.wgsl")),
    ("shared/operand_a_scalar", include_str!("../../shaders/shared/operand_a_scalar.wgsl")),
    ("shared/operand_b_k_major", include_str!("../../shaders/shared/operand_b_k_major.wgsl")),
    ("shared/operand_b_n_major", include_str!("../../shaders/shared/operand_b_n_major.wgsl")),
    ("shared/operand_b_scalar", include_str!("../../shaders/shared/operand_b_scalar.wgsl")),
    ("shared/product", include_str!("../../shaders/shared/product.wgsl")),
    ("shared/product_memory_scalar", include_str!("../../shaders/shared/product_memory_scalar.wgsl")),
    ("shared/product_memory_vec4", include_str!("../../shaders/shared/product_memory_vec4.wgsl")),
    ("shared/rank_4_update_k_fragments", include_str!("../../shaders/shared/rank_4_update_k_fragments.wgsl")),
    ("shared/rank_4_update_m_fragments", include_str!("../../shaders/shared/rank_4_update_m_fragments.wgsl")),
    ("shared/recurrence_sequence", include_str!("../../shaders/shared/recurrence_sequence.wgsl")),
    ("shared/recurrence_step", include_str!("../../shaders/shared/recurrence_step.wgsl")),
    ("shared/reduce_broadcast", include_str!("../../shaders/shared/reduce_broadcast.wgsl")),
    ("shared/reduce_subgroup", include_str!("../../shaders/shared/reduce_subgroup.wgsl")),
    ("shared/reduce_workgroup", include_str!("../../shaders/shared/reduce_workgroup.wgsl")),
    ("shared/row", include_str!("../../shaders/shared/row.wgsl")),
    ("shared/store_edge_component", include_str!("../../shaders/shared/store_edge_component.wgsl")),
    ("shared/store_edge_none", include_str!("../../shaders/shared/store_edge_none.wgsl")),
    ("shared/store_edge_scalar", include_str!("../../shaders/shared/store_edge_scalar.wgsl")),
    ("shared/team_of_eight", include_str!("../../shaders/shared/team_of_eight.wgsl")),
    ("shared/team_of_one", include_str!("../../shaders/shared/team_of_one.wgsl")),
    ("shared/threefry", include_str!("../../shaders/shared/threefry.wgsl")),
    ("shared/vec4_reduce", include_str!("../../shaders/shared/vec4_reduce.wgsl")),
    ("shared/vector1", include_str!("../../shaders/shared/vector1.wgsl")),
    ("shared/vector4", include_str!("../../shaders/shared/vector4.wgsl")),
];

/// Why a folder of shaders cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ShadersError {
    #[error("cannot read {}: {error}; expected a folder with files of wgrad's `shaders/`", path.display())]
    Folder { path: PathBuf, error: io::Error },
    #[error(
        "{} has no file that ends in .wgsl; copy those to edit from wgrad's `shaders/`, the others are built in",
        path.display()
    )]
    Empty { path: PathBuf },
    #[error("cannot read {}: {error}; expected WGSL in UTF-8", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{} is no shader of these ops; expected some of {known}", path.display())]
    Unknown { path: PathBuf, known: String },
    #[error("{}, line {line}: `{text}` names no shared file; expected one of {known}", path.display())]
    Import { path: PathBuf, line: usize, text: String, known: String },
}

/// The shared files, and files of a folder that stand in for built-in ones.
#[derive(Debug, Default)]
pub struct Shaders {
    /// The folder that `read` gives the place of.
    folder: PathBuf,
    /// What stands in that folder instead of the built-in file of this name.
    replaced: HashMap<&'static str, String>,
    /// Whether the folder's files run without the driver's checks.
    unchecked: bool,
}

impl Shaders {
    /// Name and text of every file that an `#import` may name: "shared/grid".
    pub fn shared() -> &'static [(&'static str, &'static str)] {
        SHARED
    }

    /// The shared files that a text imports, whatever its constants choose.
    pub(crate) fn imports(text: &str) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        let imports: Vec<String> =
            text.lines().filter_map(|line| Some(line.strip_prefix(IMPORT)?.trim().into())).collect();
        SHARED.iter().copied().filter(move |(name, _)| imports.iter().any(|import| may_name(import, name)))
    }

    /// One file's text in place of the built-in one.
    ///
    /// # Safety
    /// With `unchecked` as for [`Shader::unchecked`].
    pub(crate) unsafe fn with_text(name: &'static str, text: String, unchecked: bool) -> Self {
        Self { folder: PathBuf::new(), replaced: HashMap::from([(name, text)]), unchecked }
    }

    /// The files in a folder, those in its `shared/`, `software/` and `bench/` included, in place of the built-in ones
    /// of these ops; those missing there are the built-in ones. Their kernels run under the driver's checks.
    ///
    /// # Errors
    /// When there is nothing to read, or a file that none of the ops has.
    pub fn read<'a>(folder: &Path, ops: impl IntoIterator<Item = &'a Listing>) -> Result<Self, ShadersError> {
        let of_ops = ops.into_iter().flat_map(|op| op.shaders()).map(Shader::name);
        let known: BTreeSet<&'static str> = of_ops.chain(SHARED.iter().map(|(name, _)| *name)).collect();
        let mut shaders = Self { folder: folder.into(), ..Self::default() };
        shaders.read_files("", &known)?;
        let folders: BTreeSet<&str> =
            known.iter().filter_map(|name| name.split_once('/')).map(|(sub, _)| sub).collect();
        for sub in folders {
            if folder.join(sub).is_dir() {
                shaders.read_files(&format!("{sub}/"), &known)?;
            }
        }
        if shaders.replaced.is_empty() {
            return Err(ShadersError::Empty { path: folder.into() });
        }
        Ok(shaders)
    }

    /// The folder's files run without the driver's checks, as wgrad's own do.
    ///
    /// # Safety
    /// As for [`Shader::unchecked`], of every file in the folder.
    #[must_use]
    pub unsafe fn without_checks(mut self) -> Self {
        self.unchecked = true;
        self
    }

    fn read_files(&mut self, sub: &str, known: &BTreeSet<&'static str>) -> Result<(), ShadersError> {
        let folder = if sub.is_empty() { self.folder.clone() } else { self.folder.join(sub) };
        let unreadable = |error| ShadersError::Folder { path: folder.clone(), error };
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_none_or(|e| e != "wgsl") {
                continue;
            }
            let name = path.file_stem().map(|stem| format!("{sub}{}", stem.to_string_lossy()));
            let Some(name) = known.iter().find(|known| Some(**known) == name.as_deref()) else {
                let here = known.iter().filter(|known| known.strip_prefix(sub).is_some_and(|rest| !rest.contains('/')));
                return Err(ShadersError::Unknown { path, known: here.copied().collect::<Vec<_>>().join(", ") });
            };
            let text =
                std::fs::read_to_string(&path).map_err(|error| ShadersError::File { path: path.clone(), error })?;
            for (line, text) in text.lines().enumerate() {
                if text
                    .strip_prefix(IMPORT)
                    .is_some_and(|import| !SHARED.iter().any(|(name, _)| may_name(import.trim(), name)))
                {
                    let known = SHARED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                    return Err(ShadersError::Import { path, line: line + 1, text: text.into(), known });
                }
            }
            self.replaced.insert(name, text);
        }
        Ok(())
    }

    /// The files that stand in for built-in ones: where they are, and their text.
    pub fn replaced(&self) -> impl Iterator<Item = (PathBuf, &str)> {
        self.replaced.iter().map(|(name, text)| (self.folder.join(format!("{name}.wgsl")), text.as_str()))
    }

    /// The text of a file, where it stands, for messages, and whether it runs unchecked.
    fn text<'a>(&'a self, name: &str, built_in: &'a str, unchecked: bool) -> (&'a str, PathBuf, bool) {
        let file = format!("{name}.wgsl");
        match self.replaced.get(name) {
            Some(text) => (text, self.folder.join(file), self.unchecked),
            // Of another crate's files nobody knows the folder.
            None => (built_in, if unchecked { Path::new("shaders").join(file) } else { file.into() }, unchecked),
        }
    }

    /// The source of a kernel: its file's text, then that of every shared file that an `#import NAME` line names, then
    /// the constants. WGSL takes declarations in any order, and so the lines of the file keep their numbers. In
    /// `#import shared/vector{VECTOR}` a constant's value stands in the name, in
    /// `#import shared/reduce_{SUBGROUPS 0:workgroup 1:subgroup}` the word behind its value. `enable` must stand before
    /// all declarations, those of imports too: all of them come to the first line.
    pub fn assemble(&self, dispatch: &Dispatch) -> Source {
        let Dispatch { shader, constants, .. } = dispatch;
        let mut source = Source { text: String::new(), files: vec![], unchecked: true };
        let mut enabled = BTreeSet::new();
        let imported = |line: &str| {
            let named = import_name(line.strip_prefix(IMPORT)?.trim(), constants)?;
            SHARED.iter().find(|(known, _)| *known == named)
        };
        let (text, path, unchecked) = self.text(shader.name(), shader.text(), shader.is_unchecked());
        // A line that names nothing, for want of its constant, stays for the compiler to complain of.
        let own = text.lines().map(|line| if imported(line).is_some() { "" } else { line });
        source.append(path, own, &mut enabled);
        source.unchecked &= unchecked;
        for (import, built_in) in text.lines().filter_map(imported) {
            let (text, path, unchecked) = self.text(import, built_in, true);
            source.append(path, text.lines(), &mut enabled);
            source.unchecked &= unchecked;
        }
        for (constant, value) in constants {
            source.text += &format!("const {constant}: u32 = {value}u;\n");
        }
        let enabled: String = enabled.into_iter().map(|extension| format!("enable {extension}; ")).collect();
        source.text.insert_str(0, &enabled);
        source
    }
}

/// The file that an import names, with what these constants choose.
fn import_name(import: &str, constants: &[(&'static str, u32)]) -> Option<String> {
    let Some((before, rest)) = import.split_once('{') else {
        return Some(import.into());
    };
    let (choice, after) = rest.split_once('}')?;
    let mut words = choice.split_whitespace();
    let constant = words.next()?;
    let value = constants.iter().find(|(name, _)| *name == constant)?.1.to_string();
    let chosen = match words.next() {
        None => value,
        Some(first) => {
            let mut choices = [first].into_iter().chain(words).filter_map(|word| word.split_once(':'));
            choices.find(|(of, _)| *of == value)?.1.into()
        }
    };
    Some(format!("{before}{chosen}{after}"))
}

/// Whether an import names this shared file, or may do so where a constant in braces chooses.
fn may_name(import: &str, file: &str) -> bool {
    match import.split_once('{') {
        Some((before, _)) => file.starts_with(before),
        None => file == import,
    }
}

const IMPORT: &str = "#import ";

/// The extensions that a line `enable f16, subgroups;` asks for, and what else stands in it.
pub fn split_enable(line: &str) -> (Vec<&str>, &str) {
    match line.trim_start().strip_prefix("enable ").and_then(|names| names.split_once(';')) {
        Some((names, rest)) => (names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect(), rest),
        None => (vec![], line),
    }
}

/// What kernels say that have subgroup operations, by the standard. naga has the operations without, and refuses the
/// line.
const ENABLE_SUBGROUPS: &str = "enable subgroups; ";

/// A shader put together, and where its lines come from.
pub struct Source {
    /// WGSL by the standard.
    pub text: String,
    /// Whether every file of it may run without the driver's checks.
    pub unchecked: bool,
    /// Files in order, each with its number of lines.
    files: Vec<(PathBuf, usize)>,
}

impl Source {
    /// Takes lines up, without the extensions that they enable.
    fn append<'a>(&mut self, path: PathBuf, lines: impl Iterator<Item = &'a str>, enabled: &mut BTreeSet<&'a str>) {
        let mut count = 0;
        for line in lines {
            let (extensions, rest) = split_enable(line);
            enabled.extend(extensions);
            self.text += rest;
            self.text.push('\n');
            count += 1;
        }
        self.files.push((path, count));
    }

    /// Where its files stand, the shader's own first.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }

    /// The text as naga takes it.
    pub fn for_naga(&self) -> Cow<'_, str> {
        let head = self.text.lines().next().unwrap_or_default();
        match head.find(ENABLE_SUBGROUPS) {
            Some(at) => Cow::Owned(self.text[..at].to_string() + &self.text[at + ENABLE_SUBGROUPS.len()..]),
            None => Cow::Borrowed(&self.text),
        }
    }

    /// The file that a line of `text` is from, and its number there, both counted from 1; `None` for the constants at
    /// the end.
    pub fn locate(&self, mut line: usize) -> Option<(&Path, usize)> {
        for (path, lines) in &self.files {
            if line <= *lines {
                return Some((path, line));
            }
            line -= lines;
        }
        None
    }

    /// "shaders/softmax.wgsl, line 12": the place of a line of `text`. Without one the shader's file alone.
    pub fn place(&self, line: Option<usize>) -> String {
        match line.and_then(|line| self.locate(line)) {
            Some((path, line)) => format!("{}, line {line}", path.display()),
            None => self.files[0].0.display().to_string(),
        }
    }

    /// The compiler's message with lines of files where it counts lines of `text`: `12 │ code` and `┌─ wgsl:12:7`.
    pub fn renumber(&self, message: &str) -> String {
        let renumbered = message.lines().map(|text| {
            let number = |digits: &str| self.locate(digits.trim().parse().ok()?);
            if let Some((digits, code)) = text.split_once('│')
                && let Some((_, line)) = number(digits)
            {
                return format!("{line:<width$}│{code}", width = digits.chars().count());
            }
            if let Some((margin, at)) = text.split_once("wgsl:")
                && let Some((line, column)) = at.split_once(':')
                && let Some((path, line)) = number(line)
            {
                return format!("{margin}{}:{line}:{column}", path.display());
            }
            text.to_string()
        });
        renumbered.collect::<Vec<_>>().join("\n").trim().to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use wgpu::naga::front::wgsl::parse_str;

    use super::{SHARED, Shaders, import_name, split_enable};
    use crate::bench;
    use crate::graph::{Dispatch, Shader};
    use crate::ops::{Listing, OPS};

    #[test]
    fn every_file_is_listed() {
        let folder = |sub: &str| {
            let entries = std::fs::read_dir(format!("{}/shaders/{sub}", env!("CARGO_MANIFEST_DIR")))
                .expect("the shaders' folder");
            let names = entries.map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8"));
            names.filter_map(|n| Some(format!("{sub}{}", n.strip_suffix(".wgsl")?))).collect::<Vec<_>>()
        };
        let files: BTreeSet<_> = ["", "shared/", "software/", "bench/"].into_iter().flat_map(folder).collect();
        let of_ops = OPS.iter().chain([&bench::LISTING]).flat_map(Listing::files);
        let listed: BTreeSet<_> = of_ops.chain(SHARED.iter().copied()).map(|(name, _)| name.to_string()).collect();
        assert_eq!(files, listed);
    }

    fn kernel(name: &str, constants: &[(&'static str, u32)]) -> Dispatch {
        let mut shaders = OPS.iter().chain([&bench::LISTING]).flat_map(|op| op.shaders());
        let shader = shaders.find(|shader| shader.name() == name).expect("a shader of an op");
        Dispatch { constants: constants.to_vec(), ..Dispatch::new(*shader, "main") }
    }

    #[test]
    fn extensions_come_first_and_lines_keep_their_numbers() {
        assert_eq!(split_enable("enable f16, subgroups; // both"), (vec!["f16", "subgroups"], " // both"));
        assert_eq!(split_enable("// enable f16;"), (vec![], "// enable f16;"));
        let shaders = Shaders::default();
        for (name, constants, enabled) in [
            ("softmax", &[("SUBGROUPS", 1), ("VECTOR", 4)][..], "enable subgroups; "),
            ("softmax", &[("SUBGROUPS", 0), ("VECTOR", 4)], ""),
            ("software/attention", &[("VECTOR", 1)], "enable subgroups; "),
            ("bench/multiply_add_f16", &[("ROUNDS", 1)], "enable f16; "),
        ] {
            let kernel = kernel(name, constants);
            let (source, file) = (shaders.assemble(&kernel), kernel.shader.text());
            let first = file.lines().next().expect("a line");
            assert_eq!(source.text.lines().next(), Some(format!("{enabled}{first}").as_str()), "{name}");
            assert_eq!(source.text.matches("enable ").count(), usize::from(!enabled.is_empty()), "{name}");
            for (line, own) in source.text.lines().zip(file.lines()).skip(1) {
                assert!(line == own || line.is_empty() && (own.starts_with('#') || own.starts_with("enable")), "{own}");
            }
            assert!(!source.for_naga().contains("enable subgroups"), "{name}");
        }
    }

    #[test]
    fn a_constant_chooses_the_file() {
        let constants = [("WIDTH", 4), ("KIND", 1)];
        let named = |import| import_name(import, &constants);
        assert_eq!(named("shared/grid").as_deref(), Some("shared/grid"));
        assert_eq!(named("shared/vector{WIDTH}").as_deref(), Some("shared/vector4"));
        assert_eq!(named("shared/sum_{KIND 0:slow 1:fast}").as_deref(), Some("shared/sum_fast"));
        assert_eq!(named("shared/sum_{WIDTH 0:slow 1:fast}"), None);
        assert_eq!(named("shared/sum_{OTHER}"), None);
    }

    #[test]
    fn only_built_in_files_run_without_checks() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let softmax = kernel("softmax", &[("SUBGROUPS", 0), ("VECTOR", 4), ("EDGE", 4)]);
        let (own, grid) =
            (softmax.shader.text(), SHARED.iter().find(|(name, _)| *name == "shared/grid").expect("a file"));
        assert!(Shaders::default().assemble(&softmax).unchecked);
        let foreign = Dispatch { shader: Shader::new("softmax", own), ..softmax.clone() };
        assert!(!Shaders::default().assemble(&foreign).unchecked);
        // A file that another one imports counts as well.
        std::fs::create_dir(folder.path().join("shared")).expect("a folder");
        std::fs::write(folder.path().join("shared/grid.wgsl"), grid.1).expect("a file");
        let read = || Shaders::read(folder.path(), OPS).expect("a built-in file");
        assert!(!read().assemble(&softmax).unchecked);
        // SAFETY: it is the built-in file, and nothing runs.
        assert!(unsafe { read().without_checks() }.assemble(&softmax).unchecked);
    }

    /// Once this fails, `for_naga` has no purpose.
    #[test]
    fn naga_refuses_enable_subgroups() {
        let refused = parse_str("enable subgroups;").expect_err("as in naga 30");
        assert!(refused.to_string().contains("subgroups"), "{refused}");
    }
}
