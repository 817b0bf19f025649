//! What to do about a missing half of a split: commands that make it of what is there, or keys that take what is there.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::shell::word;

use super::corpus::is_ending;
use super::foreign::Foreign;

/// A half that is missing in `directory`, which holds files of these `names`.
pub(super) struct Missing<'a> {
    pub directory: &'a Path,
    pub names: &'a [String],
    pub split: &'a str,
    /// Source and target.
    pub languages: [&'a str; 2],
    /// The index of the missing one.
    pub side: usize,
}

/// What a directory holds in place of a missing file, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    text: String,
    assignments: Vec<String>,
}

impl Hint {
    fn new(text: String) -> Self {
        Self { text, assignments: vec![] }
    }

    /// Assignments to a configuration, e.g. `data.source=fr`, that take what is there. Empty where the remedy is
    /// another.
    pub fn assignments(&self) -> &[String] {
        &self.assignments
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What others call a validation set.
const VALIDATION: [&str; 5] = ["val", "dev", "valid", "validation", "devel"];

/// Training pairs of which one is held out for validation, and the most that are.
const HELD_OUT: (usize, usize) = (20, 1000);

impl Missing<'_> {
    /// What stands in the error behind the name of the missing file.
    pub fn hint(&self) -> Hint {
        if self.names.is_empty() {
            return Hint::new(format!("{} is empty", self.directory.display()));
        }
        let found: Vec<&str> = self.names.iter().map(String::as_str).filter(|name| self.is_of_split(name)).collect();
        let listed = match found.is_empty() {
            true => {
                format!("{} holds no {}.* but {}", self.directory.display(), self.split, shortened(self.names))
            }
            false => format!("found {}", shortened(&found)),
        };
        let remedies = [Self::cut_table, Self::take_likeness, Self::name_others, Self::hold_out];
        match remedies.iter().find_map(|remedy| remedy(self, &found)) {
            Some(Hint { text, assignments }) => Hint { text: format!("{listed}; {text}"), assignments },
            None if self.split == "val" => Hint::new(format!("{listed}; {NEEDED}")),
            None => Hint::new(listed),
        }
    }

    /// A file with both languages in columns.
    fn cut_table(&self, found: &[&str]) -> Option<Hint> {
        if self.missing().count() < 2 {
            return None;
        }
        let (name, foreign) = found.iter().find_map(|name| {
            let (beginning, foreign) = self.beginning(name)?;
            let says_so = words(name).iter().any(|word| word == "tsv");
            let first_line = beginning.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let is_one = match foreign {
                Some(_) => says_so,
                None => first_line.contains(&b'\t') && (says_so || self.language_of(name).is_none()),
            };
            is_one.then_some((name, foreign))
        })?;
        // A name with both languages has them in the order of the columns.
        let spoken: Vec<String> = words(name).into_iter().filter(|word| self.is_language(word)).collect();
        let [first, second] = if spoken.first().is_some_and(|word| same(word, self.languages[1])) {
            [self.languages[1], self.languages[0]]
        } else {
            self.languages
        };
        let table = word(self.directory.join(name));
        let cut = |column: usize, language: &str| {
            let to = word(self.path(language));
            match foreign {
                Some(foreign) => format!("{} | cut -f{column} > {to}", foreign.decoder(&table)),
                None => format!("cut -f{column} {table} > {to}"),
            }
        };
        Some(Hint::new(format!(
            "if the columns of {name} are {first} and {second}, `{} && {}` cuts it apart",
            cut(1, first),
            cut(2, second)
        )))
    }

    /// Files of other names that are the missing ones, packed or not: `train.de.txt`, `train_de.gz`, `dev.de`.
    fn take_likeness(&self, found: &[&str]) -> Option<Hint> {
        let missing: Vec<&str> = self.missing().collect();
        let commands: Vec<String> = (missing.iter())
            .map_while(|&language| {
                let like = |name: &&&str| self.language_of(name) == Some(language) && !is_archive(name);
                let name = found.iter().find(like)?;
                let (_, foreign) = self.beginning(name)?;
                let (from, to) = (word(self.directory.join(name)), word(self.path(language)));
                Some(match foreign {
                    Some(foreign) => format!("{} > {to}", foreign.decoder(&from)),
                    None => format!("cp {from} {to}"),
                })
            })
            .collect();
        // One of two would lead to the next refusal.
        let makes = || Hint::new(format!("`{}` makes what is expected", commands.join(" && ")));
        (commands.len() == missing.len()).then(makes)
    }

    /// Languages that can be trained at once.
    fn name_others(&self, _: &[&str]) -> Option<Hint> {
        let is_there =
            |split: &str, language: &str| self.names.iter().any(|name| *name == format!("{split}.{language}"));
        let complete =
            |language: &str| is_ending(language) && ["train", "val"].iter().all(|split| is_there(split, language));
        let endings = self.names.iter().filter_map(|name| name.strip_prefix(self.split)?.strip_prefix('.'));
        let mut others = endings.filter(|ending| complete(ending) && !self.languages.contains(ending));
        let set = |side: usize, language: &str| format!("{}={language}", ["data.source", "data.target"][side]);
        let partner = self.languages[1 - self.side];
        if complete(partner) {
            let assignment = set(self.side, others.next()?);
            return Some(Hint { text: format!("{assignment} takes another"), assignments: vec![assignment] });
        }
        let [first, second] = [set(0, others.next()?), set(1, others.next()?)];
        let text = format!("e.g. {first} and {second} take others");
        Some(Hint { text, assignments: vec![first, second] })
    }

    /// A part of the training set that becomes the validation set.
    fn hold_out(&self, _: &[&str]) -> Option<Hint> {
        if self.split != "val" || self.missing().count() < 2 {
            return None;
        }
        let [source, target] = self.languages;
        let training = std::fs::read(self.directory.join(format!("train.{source}"))).ok()?;
        let lines = training.iter().filter(|&&byte| byte == b'\n').count();
        let held_out = (lines / HELD_OUT.0).clamp(1, HELD_OUT.1);
        let is_free = |all: &&str| !self.names.iter().any(|name| name.starts_with(&format!("{all}.")));
        let all = ["train-and-val", "train-with-val"].into_iter().find(is_free).filter(|_| lines >= 2)?;
        Some(Hint::new(format!(
            "{NEEDED}. This makes one of the first {held_out} training pairs: `(cd {} && for l in {} {}; do mv \
             train.\"$l\" {all}.\"$l\" && head -n {held_out} {all}.\"$l\" > val.\"$l\" && tail -n +{} {all}.\"$l\" > \
             train.\"$l\"; done)`",
            word(self.directory),
            word(source),
            word(target),
            held_out + 1
        )))
    }

    /// Languages without a file.
    fn missing(&self) -> impl Iterator<Item = &str> {
        self.languages.into_iter().filter(|language| !self.path(language).exists())
    }

    fn path(&self, language: &str) -> PathBuf {
        self.directory.join(format!("{}.{language}", self.split))
    }

    fn is_of_split(&self, name: &str) -> bool {
        let names = if self.split == "val" { &VALIDATION[..] } else { &[self.split] };
        words(name).first().is_some_and(|word| names.contains(&word.as_str())) && self.directory.join(name).is_file()
    }

    fn is_language(&self, word: &str) -> bool {
        self.languages.iter().any(|language| same(word, language))
    }

    /// The language that a name ends in, but for what says how the file is written.
    fn language_of(&self, name: &str) -> Option<&str> {
        let last = words(name).into_iter().rfind(|word| self.is_language(word))?;
        self.languages.into_iter().find(|language| same(&last, language))
    }

    /// The beginning of a file, and what it is if it is no UTF-8 text. `None` if it is neither, or cannot be read.
    fn beginning(&self, name: &str) -> Option<(Vec<u8>, Option<Foreign>)> {
        let mut beginning = vec![];
        File::open(self.directory.join(name)).ok()?.take(1 << 16).read_to_end(&mut beginning).ok()?;
        let foreign = Foreign::of(&beginning);
        (foreign.is_some() || !beginning.contains(&0)).then_some((beginning, foreign))
    }
}

const NEEDED: &str = "training needs a validation set too, by which it tells its best epoch";

fn same(word: &str, language: &str) -> bool {
    word.eq_ignore_ascii_case(language)
}

/// The parts of a name, in lower case.
fn words(name: &str) -> Vec<String> {
    name.split(['.', '_', '-']).map(str::to_lowercase).collect()
}

/// Whether a name says that the file holds several, or more than lines.
fn is_archive(name: &str) -> bool {
    const OTHERS: [&str; 9] = ["tar", "tgz", "csv", "tsv", "json", "jsonl", "xml", "sgm", "tmx"];
    words(name).iter().any(|word| OTHERS.contains(&word.as_str()))
}

/// Names in a row, a dozen at most.
fn shortened(names: &[impl AsRef<str>]) -> String {
    const MOST: usize = 12;
    let shown = names.iter().take(MOST).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{shown} and {} more", names.len() - MOST) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hint of `split` where these files are, for German and English.
    fn hint(split: &str, side: usize, files: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        let missing = Missing { directory: folder.path(), names: &names, split, languages: ["de", "en"], side };
        missing.hint().to_string().replace(&folder.path().display().to_string(), "D")
    }

    fn train(side: usize, names: &[&str]) -> String {
        hint("train", side, &names.iter().map(|&name| (name, "x\n")).collect::<Vec<_>>())
    }

    #[test]
    fn likenesses_are_taken() {
        for (names, command) in [
            (&["train.de.txt", "train.en.txt"][..], "cp D/train.de.txt D/train.de && cp D/train.en.txt D/train.en"),
            (&["train.de.txt", "train.en"], "cp D/train.de.txt D/train.de"),
            (&["train.de-en.de", "train.de-en.en"], "cp D/train.de-en.de D/train.de && cp D/train.de-en.en D/train.en"),
            (&["Train_DE.txt", "train-EN.tok"], "cp D/Train_DE.txt D/train.de && cp D/train-EN.tok D/train.en"),
        ] {
            assert_eq!(train(0, names), format!("found {}; `{command}` makes what is expected", names.join(", ")));
        }
        let packed = hint("train", 0, &[("train.de.gz", "\x1f\u{8}"), ("train.en", "x\n")]);
        assert_eq!(packed, "found train.de.gz, train.en; `cp D/train.de.gz D/train.de` makes what is expected");
        let both = [("dev.de", "x\n"), ("dev.en", "x\n"), ("train.de", "x\nx\n"), ("train.en", "x\nx\n")];
        let command = "cp D/dev.de D/val.de && cp D/dev.en D/val.en";
        assert_eq!(hint("val", 0, &both), format!("found dev.de, dev.en; `{command}` makes what is expected"));
    }

    /// One command of two, an archive, a table without tabs: all would lead to the next refusal.
    #[test]
    fn nothing_is_better_than_a_hint_that_fails() {
        for names in [
            &["train.de.txt", "other.en"][..],
            &["train.de.tar", "train.en.tar"],
            &["train.de.csv"],
            &["train.tsv"],
            &["train.fr", "train.it"],
            &["train.de-en.json"],
        ] {
            let found: Vec<&str> = names.iter().copied().filter(|name| name.starts_with("train")).collect();
            assert_eq!(train(0, names), format!("found {}", found.join(", ")));
        }
        assert_eq!(train(0, &["readme"]), "D holds no train.* but readme");
        assert_eq!(train(0, &[]), "D is empty");
    }

    #[test]
    fn tables_are_cut() {
        let table = |name: &str| hint("train", 0, &[(name, "x\ty\nx\ty\n")]);
        let advice = |name: &str, first: &str, second: &str| {
            format!(
                "found {name}; if the columns of {name} are {first} and {second}, \
                 `cut -f1 D/{name} > D/train.{first} && cut -f2 D/{name} > D/train.{second}` cuts it apart"
            )
        };
        for name in ["train.tsv", "train.txt", "train.de-en.tsv"] {
            assert_eq!(table(name), advice(name, "de", "en"));
        }
        assert_eq!(table("train.en-de.tsv"), advice("train.en-de.tsv", "en", "de"));
    }

    #[test]
    fn languages_that_are_complete_are_named() {
        let files = |names: &[&str]| train(1, names);
        assert_eq!(
            files(&["train.de", "train.fr", "val.de", "val.fr"]),
            "found train.de, train.fr; data.target=fr takes another"
        );
        assert_eq!(files(&["train.de", "train.fr", "val.de"]), "found train.de, train.fr");
        assert_eq!(
            files(&["train.it", "train.fr", "train.x.y", "val.fr", "val.it", "val.x.y"]),
            "found train.it, train.fr, train.x.y; e.g. data.source=it and data.target=fr take others"
        );
    }

    #[test]
    fn a_validation_set_is_held_out() {
        let lines = "x\n".repeat(50);
        let hint = hint("val", 0, &[("train.de", &lines), ("train.en", &lines)]);
        assert!(hint.starts_with("D holds no val.* but train.de, train.en; training needs a validation set"), "{hint}");
        assert!(hint.contains("head -n 2 train-and-val.\"$l\" > val.\"$l\" && tail -n +3 train-and-val"), "{hint}");
        let few = self::hint("val", 0, &[("train.de", "x\n"), ("train.en", "x\n")]);
        assert!(few.ends_with(NEEDED), "{few}");
        let half = self::hint("val", 1, &[("train.de", &lines), ("train.en", &lines), ("val.de", "x\n")]);
        assert_eq!(half, format!("found val.de; {NEEDED}"));
    }
}
