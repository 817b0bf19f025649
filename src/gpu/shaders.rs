//! The WGSL of every op, and how a kernel's source is put together.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Every file in `shaders/`, by name.
const SHADERS: &[(&str, &str)] = &[
    ("adam", include_str!("../../shaders/adam.wgsl")),
    ("add", include_str!("../../shaders/add.wgsl")),
    ("add_position", include_str!("../../shaders/add_position.wgsl")),
    ("additive_score", include_str!("../../shaders/additive_score.wgsl")),
    ("argmax", include_str!("../../shaders/argmax.wgsl")),
    ("attention", include_str!("../../shaders/attention.wgsl")),
    ("attention_broadcast", include_str!("../../shaders/attention_broadcast.wgsl")),
    ("beam_step", include_str!("../../shaders/beam_step.wgsl")),
    ("bias_add", include_str!("../../shaders/bias_add.wgsl")),
    ("choose_ids", include_str!("../../shaders/choose_ids.wgsl")),
    ("clip_grad_norm", include_str!("../../shaders/clip_grad_norm.wgsl")),
    ("concat", include_str!("../../shaders/concat.wgsl")),
    ("dropout", include_str!("../../shaders/dropout.wgsl")),
    ("embedding", include_str!("../../shaders/embedding.wgsl")),
    ("embedding_chains", include_str!("../../shaders/embedding_chains.wgsl")),
    ("embedding_runs", include_str!("../../shaders/embedding_runs.wgsl")),
    ("fill", include_str!("../../shaders/fill.wgsl")),
    ("gather_batch", include_str!("../../shaders/gather_batch.wgsl")),
    ("gather_rows", include_str!("../../shaders/gather_rows.wgsl")),
    ("gru", include_str!("../../shaders/gru.wgsl")),
    ("gru_backward", include_str!("../../shaders/gru_backward.wgsl")),
    ("gru_gates", include_str!("../../shaders/gru_gates.wgsl")),
    ("layer_norm", include_str!("../../shaders/layer_norm.wgsl")),
    ("layer_norm_backward", include_str!("../../shaders/layer_norm_backward.wgsl")),
    ("linear_cross_entropy", include_str!("../../shaders/linear_cross_entropy.wgsl")),
    ("log_softmax", include_str!("../../shaders/log_softmax.wgsl")),
    ("lstm", include_str!("../../shaders/lstm.wgsl")),
    ("lstm_gates", include_str!("../../shaders/lstm_gates.wgsl")),
    ("matmul", include_str!("../../shaders/matmul.wgsl")),
    ("matmul_broadcast", include_str!("../../shaders/matmul_broadcast.wgsl")),
    ("matmul_few_rows", include_str!("../../shaders/matmul_few_rows.wgsl")),
    ("matmul_registers", include_str!("../../shaders/matmul_registers.wgsl")),
    ("mul", include_str!("../../shaders/mul.wgsl")),
    ("normalize", include_str!("../../shaders/normalize.wgsl")),
    ("recurrence", include_str!("../../shaders/recurrence.wgsl")),
    ("relu", include_str!("../../shaders/relu.wgsl")),
    ("rnn", include_str!("../../shaders/rnn.wgsl")),
    ("rnn_gates", include_str!("../../shaders/rnn_gates.wgsl")),
    ("scale", include_str!("../../shaders/scale.wgsl")),
    ("sigmoid", include_str!("../../shaders/sigmoid.wgsl")),
    ("slice", include_str!("../../shaders/slice.wgsl")),
    ("softmax", include_str!("../../shaders/softmax.wgsl")),
    ("stack", include_str!("../../shaders/stack.wgsl")),
    ("sum", include_str!("../../shaders/sum.wgsl")),
    ("sum_rows", include_str!("../../shaders/sum_rows.wgsl")),
    ("tanh", include_str!("../../shaders/tanh.wgsl")),
    ("bench/copy", include_str!("../../shaders/bench/copy.wgsl")),
    ("bench/empty", include_str!("../../shaders/bench/empty.wgsl")),
    ("bench/multiply_add", include_str!("../../shaders/bench/multiply_add.wgsl")),
    ("bench/multiply_add_f16", include_str!("../../shaders/bench/multiply_add_f16.wgsl")),
    ("shared/activation", include_str!("../../shaders/shared/activation.wgsl")),
    ("shared/add_products0", include_str!("../../shaders/shared/add_products0.wgsl")),
    ("shared/add_products1", include_str!("../../shaders/shared/add_products1.wgsl")),
    ("shared/aligned", include_str!("../../shaders/shared/aligned.wgsl")),
    ("shared/attention", include_str!("../../shaders/shared/attention.wgsl")),
    ("shared/best", include_str!("../../shaders/shared/best.wgsl")),
    ("shared/best0", include_str!("../../shaders/shared/best0.wgsl")),
    ("shared/best1", include_str!("../../shaders/shared/best1.wgsl")),
    ("shared/best2", include_str!("../../shaders/shared/best2.wgsl")),
    ("shared/dropout_mask", include_str!("../../shaders/shared/dropout_mask.wgsl")),
    ("shared/elements", include_str!("../../shaders/shared/elements.wgsl")),
    ("shared/four", include_str!("../../shaders/shared/four.wgsl")),
    ("shared/grid", include_str!("../../shaders/shared/grid.wgsl")),
    ("shared/left_of_product0", include_str!("../../shaders/shared/left_of_product0.wgsl")),
    ("shared/left_of_product1", include_str!("../../shaders/shared/left_of_product1.wgsl")),
    ("shared/left_of_product2", include_str!("../../shaders/shared/left_of_product2.wgsl")),
    ("shared/log_sum_exp", include_str!("../../shaders/shared/log_sum_exp.wgsl")),
    ("shared/product", include_str!("../../shaders/shared/product.wgsl")),
    ("shared/product_memory1", include_str!("../../shaders/shared/product_memory1.wgsl")),
    ("shared/product_memory4", include_str!("../../shaders/shared/product_memory4.wgsl")),
    ("shared/put0", include_str!("../../shaders/shared/put0.wgsl")),
    ("shared/put1", include_str!("../../shaders/shared/put1.wgsl")),
    ("shared/put4", include_str!("../../shaders/shared/put4.wgsl")),
    ("shared/reduce0", include_str!("../../shaders/shared/reduce0.wgsl")),
    ("shared/reduce1", include_str!("../../shaders/shared/reduce1.wgsl")),
    ("shared/reduce2", include_str!("../../shaders/shared/reduce2.wgsl")),
    ("shared/right_of_product0", include_str!("../../shaders/shared/right_of_product0.wgsl")),
    ("shared/right_of_product1", include_str!("../../shaders/shared/right_of_product1.wgsl")),
    ("shared/right_of_product2", include_str!("../../shaders/shared/right_of_product2.wgsl")),
    ("shared/row", include_str!("../../shaders/shared/row.wgsl")),
    ("shared/step", include_str!("../../shaders/shared/step.wgsl")),
    ("shared/strided", include_str!("../../shaders/shared/strided.wgsl")),
    ("shared/team1", include_str!("../../shaders/shared/team1.wgsl")),
    ("shared/team8", include_str!("../../shaders/shared/team8.wgsl")),
    ("shared/threefry", include_str!("../../shaders/shared/threefry.wgsl")),
    ("shared/vector1", include_str!("../../shaders/shared/vector1.wgsl")),
    ("shared/vector4", include_str!("../../shaders/shared/vector4.wgsl")),
    ("shared/walk", include_str!("../../shaders/shared/walk.wgsl")),
];

/// Why a folder of shaders cannot be used.
#[derive(Debug, Error)]
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
    #[error("{} is no shader of wgrad; expected some of {known}", path.display())]
    Unknown { path: PathBuf, known: String },
    #[error("{}, line {line}: `{text}` names no shared file; expected one of {known}", path.display())]
    Import { path: PathBuf, line: usize, text: String, known: String },
}

/// The text of every shader.
#[derive(Debug, Default)]
pub struct Shaders {
    /// The folder that `read` gives the place of.
    folder: PathBuf,
    /// What stands in that folder instead of the built-in file of this name.
    replaced: HashMap<&'static str, String>,
}

impl Shaders {
    /// Name and text of every file in `shaders/`, as they were when this was compiled: "softmax", "shared/grid".
    pub fn built_in() -> &'static [(&'static str, &'static str)] {
        SHADERS
    }

    /// The files in a folder, `shared/` and `bench/` in it included; those missing there are the built-in ones.
    ///
    /// # Errors
    /// When there is nothing to read, or a file that wgrad has no shader for.
    pub fn read(folder: &Path) -> Result<Self, ShadersError> {
        let mut shaders = Self { folder: folder.into(), replaced: HashMap::new() };
        shaders.read_files("")?;
        for sub in ["shared/", "bench/"] {
            if folder.join(sub).is_dir() {
                shaders.read_files(sub)?;
            }
        }
        if shaders.replaced.is_empty() {
            return Err(ShadersError::Empty { path: folder.into() });
        }
        Ok(shaders)
    }

    fn read_files(&mut self, sub: &str) -> Result<(), ShadersError> {
        let folder = if sub.is_empty() { self.folder.clone() } else { self.folder.join(sub) };
        let unreadable = |error| ShadersError::Folder { path: folder.clone(), error };
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_none_or(|e| e != "wgsl") {
                continue;
            }
            let name = path.file_stem().map(|stem| format!("{sub}{}", stem.to_string_lossy()));
            let Some((name, _)) = SHADERS.iter().find(|(known, _)| Some(*known) == name.as_deref()) else {
                let known = names(|known| known.strip_prefix(sub).is_some_and(|rest| !rest.contains('/')));
                return Err(ShadersError::Unknown { path, known });
            };
            let text =
                std::fs::read_to_string(&path).map_err(|error| ShadersError::File { path: path.clone(), error })?;
            for (line, text) in text.lines().enumerate().filter(|(_, text)| text.starts_with(IMPORT)) {
                // A constant in braces can have any value here.
                let (name, open) = match text[IMPORT.len()..].trim().split_once('{') {
                    Some((name, _)) => (name, true),
                    None => (text[IMPORT.len()..].trim(), false),
                };
                if !SHADERS.iter().any(|(known, _)| *known == name || open && known.starts_with(name)) {
                    let known = names(|known| known.starts_with("shared/"));
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

    /// The text of a file, and where it stands, for messages.
    fn text(&self, name: &str) -> (&str, PathBuf) {
        let found = SHADERS.iter().find(|(known, _)| *known == name);
        let (name, built_in) = found.unwrap_or_else(|| panic!("no shader `{name}` in src/gpu/shaders.rs"));
        let file = format!("{name}.wgsl");
        match self.replaced.get(name) {
            Some(text) => (text, self.folder.join(file)),
            None => (built_in, Path::new("shaders").join(file)),
        }
    }

    /// The source of a shader: its text, then that of every file that an `#import NAME` line names, then the constants.
    /// WGSL takes declarations in any order, and so the lines of the file keep their numbers. In
    /// `#import shared/vector{VECTOR}` a constant's value chooses the file. `enable` must stand before all
    /// declarations, those of imports too: all of them come to the first line.
    pub fn assemble(&self, name: &str, constants: &[(&'static str, u32)]) -> Source {
        let mut source = Source { text: String::new(), files: vec![] };
        let mut enabled = BTreeSet::new();
        let imported = |line: &str| {
            let named =
                constants.iter().fold(line.strip_prefix(IMPORT)?.trim().to_string(), |name, (constant, value)| {
                    name.replace(&format!("{{{constant}}}"), &value.to_string())
                });
            SHADERS.iter().map(|(known, _)| *known).find(|known| *known == named)
        };
        let (text, path) = self.text(name);
        // A line that names nothing, for want of its constant, stays for the compiler to complain of.
        source.append(path, text.lines().map(|line| if imported(line).is_some() { "" } else { line }), &mut enabled);
        for import in text.lines().filter_map(imported) {
            let (text, path) = self.text(import);
            source.append(path, text.lines(), &mut enabled);
        }
        for (constant, value) in constants {
            source.text += &format!("const {constant}: u32 = {value}u;\n");
        }
        let enabled: String = enabled.into_iter().map(|extension| format!("enable {extension}; ")).collect();
        source.text.insert_str(0, &enabled);
        source
    }
}

const IMPORT: &str = "#import ";

fn names(wanted: impl Fn(&str) -> bool) -> String {
    let names: Vec<_> = SHADERS.iter().map(|(name, _)| *name).filter(|name| wanted(name)).collect();
    names.join(", ")
}

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
    use wgpu::naga::front::wgsl::parse_str;

    use super::{SHADERS, Shaders, split_enable};

    #[test]
    fn every_file_is_listed() {
        let folder = |sub: &str| {
            let entries = std::fs::read_dir(format!("{}/shaders/{sub}", env!("CARGO_MANIFEST_DIR")))
                .expect("the shaders' folder");
            let names = entries.map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8"));
            names.filter_map(|n| Some(format!("{sub}{}", n.strip_suffix(".wgsl")?))).collect::<Vec<_>>()
        };
        let mut files = folder("");
        files.extend(folder("shared/"));
        files.extend(folder("bench/"));
        files.sort();
        let mut listed: Vec<_> = SHADERS.iter().map(|(name, _)| name.to_string()).collect();
        listed.sort();
        assert_eq!(files, listed);
    }

    #[test]
    fn extensions_come_first_and_lines_keep_their_numbers() {
        assert_eq!(split_enable("enable f16, subgroups; // both"), (vec!["f16", "subgroups"], " // both"));
        assert_eq!(split_enable("// enable f16;"), (vec![], "// enable f16;"));
        let shaders = Shaders::default();
        for (name, constants, enabled) in [
            ("softmax", &[("SUBGROUPS", 1), ("VECTOR", 4)][..], "enable subgroups; "),
            ("softmax", &[("SUBGROUPS", 0), ("VECTOR", 4)], ""),
            ("attention_broadcast", &[("VECTOR", 1)], "enable subgroups; "),
            ("bench/multiply_add_f16", &[("ROUNDS", 1)], "enable f16; "),
        ] {
            let source = shaders.assemble(name, constants);
            let (file, _) = shaders.text(name);
            let first = file.lines().next().expect("a line");
            assert_eq!(source.text.lines().next(), Some(format!("{enabled}{first}").as_str()), "{name}");
            assert_eq!(source.text.matches("enable ").count(), usize::from(!enabled.is_empty()), "{name}");
            for (line, own) in source.text.lines().zip(file.lines()).skip(1) {
                assert!(line == own || line.is_empty() && (own.starts_with('#') || own.starts_with("enable")), "{own}");
            }
            assert!(!source.for_naga().contains("enable subgroups"), "{name}");
        }
    }

    /// Once this fails, `for_naga` has no purpose.
    #[test]
    fn naga_refuses_enable_subgroups() {
        let refused = parse_str("enable subgroups;").expect_err("as in naga 30");
        assert!(refused.to_string().contains("subgroups"), "{refused}");
    }
}
