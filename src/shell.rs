//! Commands that are printed to be typed again.

use std::ffi::OsString;
use std::path::Path;

/// A path as a word for `sh`, on Windows for `cmd` and PowerShell. It is not taken for a flag. What needs no quotes
/// gets none.
///
/// What a path has that is not Unicode, no printed command can say.
pub fn word(path: impl AsRef<Path>) -> String {
    let text = path.as_ref().to_string_lossy();
    quoted(&if text.starts_with('-') { format!("./{text}") } else { text.into_owned() })
}

/// Arguments as they were given, to be typed again: a flag stays one.
pub fn words(arguments: impl Iterator<Item = OsString>) -> String {
    arguments.map(|argument| quoted(&argument.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quoted(text: &str) -> String {
    if cfg!(windows) { quoted_for_windows(text) } else { quoted_for_sh(text) }
}

fn quoted_for_sh(text: &str) -> String {
    shlex::Quoter::new().allow_nul(true).quote(text).expect("only a NUL is no part of a word").into_owned()
}

/// No Windows path has a quotation mark. A backslash before the closing one would be read as a part of it.
fn quoted_for_windows(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "\\/:._-+=~".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into();
    }
    let backslashes = text.len() - text.trim_end_matches('\\').len();
    format!("\"{text}{}\"", "\\".repeat(backslashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn the_shell_reads_the_word_again() {
        for name in ["run", "my run 2", "it's", "a\"b", "$HOME `x` \\", "-x", "ä;b", "a\nb", "*", "~", "!x", ""] {
            let command = format!("printf %s {}", word(name));
            let output = std::process::Command::new("sh").args(["-c", &command]).output().expect("a shell");
            let read = String::from_utf8(output.stdout).expect("UTF-8");
            assert_eq!(read.strip_prefix(if name == "-x" { "./" } else { "" }), Some(name), "{command}");
        }
        assert_eq!([word("runs/a-b_2.x"), word("my run 2")], ["runs/a-b_2.x", "'my run 2'"]);
    }

    #[test]
    #[cfg(unix)]
    fn a_flag_stays_a_flag() {
        let given = ["tune", "my space.toml", "--study", "-s", "--hours=1"].map(OsString::from);
        assert_eq!(words(given.into_iter()), "tune 'my space.toml' --study -s '--hours=1'");
    }

    #[test]
    fn windows_has_quotation_marks() {
        for (path, expected) in [
            (r"C:\runs\mine", r"C:\runs\mine"),
            (r"C:\my run 2", r#""C:\my run 2""#),
            (r"C:\my runs\", r#""C:\my runs\\""#),
            ("it's", r#""it's""#),
            ("", r#""""#),
        ] {
            assert_eq!(quoted_for_windows(path), expected);
        }
    }
}
