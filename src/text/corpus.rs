//! Parallel corpora: one sentence a line, line n of one file translates line n of the other.
//!
//! A split is a pair of files named after its languages, as Multi30k and most WMT exports have them: `train.de` and
//! `train.en`, `val.de` and `val.en`, `test_2016_flickr.de` and `test_2016_flickr.en`.

use std::fs;
use std::path::Path;

use crate::text::TextError;

use super::foreign::Foreign;
use super::missing::Missing;

/// Sentences and their translations: `target[n]` translates `source[n]`, and both have the same length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParallelText {
    pub source: Vec<String>,
    pub target: Vec<String>,
}

impl ParallelText {
    /// The pairs whose both sides have text, and the number of pairs left out.
    ///
    /// For training and validation only. In a test set line n must stay line n, or the translations no longer match
    /// their references.
    pub fn without_blanks(self) -> (Self, usize) {
        let pairs = self.source.len();
        let (source, target): (Vec<_>, Vec<_>) = self
            .source
            .into_iter()
            .zip(self.target)
            .filter(|(source, target)| !source.trim().is_empty() && !target.trim().is_empty())
            .unzip();
        let blank = pairs - source.len();
        (Self { source, target }, blank)
    }
}

/// The lines of a UTF-8 file, without a byte order mark and without line ends (`\n` or `\r\n`). A last line counts
/// whether or not a newline ends it.
///
/// # Errors
///
/// The file cannot be read, is empty, or is not UTF-8 with newlines; the error names what it is and the command that
/// converts it.
pub fn read_lines(path: impl AsRef<Path>) -> Result<Vec<String>, TextError> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(|error| TextError::Read { path: path.into(), error })?;
    if let Some(foreign) = Foreign::of(&bytes) {
        return Err(TextError::Foreign { path: path.into(), foreign });
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let at = error.valid_up_to();
        let line_start = bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        TextError::NotUtf8 {
            path: path.into(),
            line: 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count(),
            column: 1 + at - line_start,
            byte: bytes[at],
        }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.is_empty() {
        return Err(TextError::EmptyFile { path: path.into() });
    }
    // `str::lines` splits at `\n` only, drops one `\r` before it, and yields no empty line after a final newline. It
    // keeps the `\r` of a last line without a newline.
    Ok(text.strip_suffix('\r').unwrap_or(text).lines().map(str::to_owned).collect())
}

/// Whether a language can be a file's ending. What a person calls `train.de.txt` is no other language.
pub fn is_ending(language: &str) -> bool {
    !language.is_empty() && !language.contains(['/', '\\', '.'])
}

/// Reads `directory/split.source` and `directory/split.target`, e.g. `data/train.de` and `data/train.en`.
///
/// # Errors
///
/// Those of [`read_lines`]; a missing file (the error says how to make it of what is there); different numbers of
/// lines.
pub fn read_pairs(directory: &Path, split: &str, source: &str, target: &str) -> Result<ParallelText, TextError> {
    let languages = [source, target];
    let read = |side: usize| {
        let path = directory.join(format!("{split}.{}", languages[side]));
        if path.exists() {
            read_lines(path)
        } else {
            let names = file_names(directory)?;
            let hint = Missing { directory, names: &names, split, languages, side }.hint();
            Err(TextError::MissingFile { path, hint })
        }
    };
    let text = ParallelText { source: read(0)?, target: read(1)? };
    let (source_lines, target_lines) = (text.source.len(), text.target.len());
    if source_lines != target_lines {
        return Err(TextError::LineCounts {
            source_path: directory.join(format!("{split}.{source}")),
            source_lines,
            target_path: directory.join(format!("{split}.{target}")),
            target_lines,
            first_unmatched: source_lines.min(target_lines) + 1,
        });
    }
    Ok(text)
}

/// The names of a directory's test sets, sorted: every `test*` with a file for both languages, e.g.
/// `test_2016_flickr` for `test_2016_flickr.de` and `test_2016_flickr.en`. Empty if there is none.
///
/// # Errors
///
/// The directory cannot be listed.
pub fn test_splits(directory: &Path, source: &str, target: &str) -> Result<Vec<String>, TextError> {
    let names = file_names(directory)?;
    let splits = names.iter().filter_map(|name| name.strip_suffix(source)?.strip_suffix('.'));
    Ok(splits
        .filter(|split| split.starts_with("test") && names.contains(&format!("{split}.{target}")))
        .map(str::to_owned)
        .collect())
}

/// The files of test sets that lack the other language, e.g. `test_2016.de`.
///
/// # Errors
///
/// The directory cannot be listed.
pub fn test_halves(directory: &Path, source: &str, target: &str) -> Result<Vec<String>, TextError> {
    let names = file_names(directory)?;
    let lacks_other = |name: &&String| {
        let (split, language) = name.rsplit_once('.').unwrap_or_default();
        let other = [(source, target), (target, source)].into_iter().find(|(own, _)| *own == language);
        split.starts_with("test") && other.is_some_and(|(_, other)| !names.contains(&format!("{split}.{other}")))
    };
    Ok(names.iter().filter(lacks_other).cloned().collect())
}

/// The names in a directory, sorted. A name that is not UTF-8 cannot be asked for and is left out.
fn file_names(directory: &Path) -> Result<Vec<String>, TextError> {
    let error = |error| TextError::Read { path: directory.into(), error };
    let entries = fs::read_dir(directory).map_err(error)?.collect::<Result<Vec<_>, _>>().map_err(error)?;
    let mut names: Vec<String> = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::{TempDir, tempdir};

    fn directory(files: &[(&str, &[u8])]) -> TempDir {
        let directory = tempdir().unwrap();
        for (name, content) in files {
            fs::write(directory.path().join(name), content).unwrap();
        }
        directory
    }

    fn lines_of(content: &[u8]) -> Result<Vec<String>, TextError> {
        read_lines(directory(&[("text", content)]).path().join("text"))
    }

    #[test]
    fn line_ends_and_byte_order_mark_are_not_text() {
        assert_eq!(lines_of(b"\xef\xbb\xbfone\r\n\r\ntwo \n").unwrap(), ["one", "", "two "]);
        assert_eq!(lines_of(b"one\ntwo").unwrap(), ["one", "two"]);
        assert_eq!(lines_of(b"one\r\ntwo\r").unwrap(), ["one", "two"]);
        assert_eq!(lines_of("one\u{2028}still one\n".as_bytes()).unwrap(), ["one\u{2028}still one"]);
    }

    #[test]
    fn bad_utf8_is_located() {
        let error = lines_of(b"fine\nM\xe4nner\n").unwrap_err();
        assert!(matches!(error, TextError::NotUtf8 { line: 2, column: 2, byte: 0xe4, .. }), "{error}");
        assert!(error.to_string().contains("line 2: byte 2 of the line (0xe4)"), "{error}");
    }

    #[test]
    fn an_empty_file_is_refused() {
        for content in [&b""[..], b"\xef\xbb\xbf"] {
            assert!(matches!(lines_of(content), Err(TextError::EmptyFile { .. })));
        }
        assert_eq!(lines_of(b"\n").unwrap(), [""]);
    }

    #[test]
    fn pairs_are_read_line_by_line() {
        let data = directory(&[("train.de", b"ein Hund\nzwei Hunde\n"), ("train.en", b"a dog\ntwo dogs")]);
        let text = read_pairs(data.path(), "train", "de", "en").unwrap();
        assert_eq!(text.source, ["ein Hund", "zwei Hunde"]);
        assert_eq!(text.target, ["a dog", "two dogs"]);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let data = directory(&[]);
        let error = read_pairs(&data.path().join("nowhere"), "train", "de", "en").unwrap_err().to_string();
        assert!(error.contains("cannot read") && error.contains("nowhere"), "{error}");
        assert!(read_pairs(data.path(), "train", "de", "en").unwrap_err().to_string().ends_with("is empty"));
    }

    #[test]
    fn different_line_counts_are_refused() {
        let data = directory(&[("val.de", b"1\n2\n3\n"), ("val.en", b"1\n2\n")]);
        let error = read_pairs(data.path(), "val", "de", "en").unwrap_err();
        assert!(matches!(error, TextError::LineCounts { source_lines: 3, target_lines: 2, first_unmatched: 3, .. }));
    }

    #[test]
    fn blank_pairs_are_counted() {
        let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
        let text = ParallelText { source: lines(&["a", " \t", "c", "d"]), target: lines(&["A", "B", "", "D"]) };
        let kept = ParallelText { source: lines(&["a", "d"]), target: lines(&["A", "D"]) };
        assert_eq!(text.without_blanks(), (kept, 2));
    }

    #[test]
    fn test_sets_need_both_languages() {
        let names =
            ["test_b.de", "test_b.en", "test.de", "test.en", "test_c.de", "val.de", "val.en", "testde", "testen"];
        let data = directory(&names.map(|name| (name, &b"x"[..])));
        assert_eq!(test_splits(data.path(), "de", "en").unwrap(), ["test", "test_b"]);
        assert_eq!(test_halves(data.path(), "de", "en").unwrap(), ["test_c.de"]);
        assert!(test_splits(data.path(), "fr", "en").unwrap().is_empty());
    }
}
