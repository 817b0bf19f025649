//! The configuration: a preset, a TOML file over it or in its place, and assignments, as `wgrad train` puts them
//! together.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use wgrad::train::config::{Config, ConfigError, PRESETS};

use super::{Fuzzed, names};
use crate::mutate::{Edits, Fragment, Number};
use crate::parts;

/// Keys and the values that presets give them, as TOML.
static ENTRIES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let mut entries = vec![];
    for (_, text) in PRESETS {
        let mut section = "";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            } else if let Some((key, rest)) = line.split_once(" = ") {
                let value = rest.split(" #").next().unwrap_or_default().trim();
                let entry = (format!("{section}.{}", key.trim()), value.to_string());
                if !entries.contains(&entry) {
                    entries.push(entry);
                }
            }
        }
    }
    entries
});

#[derive(Arbitrary, Debug)]
enum Value {
    /// What a preset has, of this key or of another.
    OfPreset(u16),
    Number(Number),
    Strange(Fragment),
    Bool(bool),
    /// A field of a table: `train.batch.tokens`, `train.schedule.factor`.
    Field(u8, Number),
}

#[derive(Arbitrary, Debug)]
struct Assignment {
    key: u16,
    value: Value,
    /// Whether the value is one of the key's own.
    own: bool,
}

const FIELDS: [&str; 8] =
    ["tokens", "sentences", "factor", "patience", "min_learning_rate", "warmup_steps", "metric", "kind"];

impl Assignment {
    fn parts(&self) -> (String, String) {
        let (key, own) = &ENTRIES[usize::from(self.key) % ENTRIES.len()];
        if self.own {
            return (key.clone(), own.clone());
        }
        match &self.value {
            Value::OfPreset(which) => (key.clone(), ENTRIES[usize::from(*which) % ENTRIES.len()].1.clone()),
            Value::Number(number) => (key.clone(), number.text().into()),
            Value::Strange(fragment) => (key.clone(), fragment.text()),
            Value::Bool(value) => (key.clone(), value.to_string()),
            Value::Field(field, number) => {
                let table = if *field % 2 == 0 { "train.batch" } else { "train.schedule" };
                (format!("{table}.{}", FIELDS[usize::from(*field / 2) % FIELDS.len()]), number.text().into())
            }
        }
    }
}

#[derive(Arbitrary, Debug)]
pub struct Change {
    preset: u8,
    /// Whether the file is a part with these entries, not a complete one.
    partial: bool,
    entries: [Assignment; 2],
    file: Edits,
    assignments: [Assignment; 3],
    count: u8,
    strange: Edits,
}

impl Fuzzed for Change {
    fn case(&self) -> Vec<u8> {
        let (preset, text) = PRESETS[usize::from(self.preset) % PRESETS.len()];
        let text = if self.partial {
            self.entries.iter().map(|entry| entry.parts()).map(|(key, value)| format!("{key} = {value}\n")).collect()
        } else {
            text.to_string()
        };
        let file = self.file.apply_to_text(&text);
        let count = usize::from(self.count % 4);
        let mut assignments = vec![];
        for (number, assignment) in self.assignments.iter().enumerate().take(count) {
            let (key, value) = assignment.parts();
            let assignment = format!("{key}={value}");
            assignments.push(if number == 0 { self.strange.apply_to_text(&assignment) } else { assignment });
        }
        let mut all = vec![("preset", preset.as_bytes()), ("file", file.as_bytes())];
        all.extend(assignments.iter().map(|assignment| ("set", assignment.as_bytes())));
        parts::join(&all)
    }

    fn judge(case: &[u8]) -> bool {
        let parts = parts::split(case);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (preset, file) = (text(parts[0].1), text(parts[1].1));
        let assignments: Vec<String> = parts[2..].iter().map(|(_, bytes)| text(bytes)).collect();
        let preset = Config::preset(&preset).expect("a preset");
        let complete = Config::from_toml(&file, "my.toml");
        if let Ok(config) = &complete {
            in_order(config);
        }
        let mut config = match preset.overlay(&file, "my.toml") {
            Ok(config) => config,
            Err(error) => {
                names_origin(&error, "my.toml");
                return complete.is_ok();
            }
        };
        in_order(&config);
        let before = config.clone();
        for assignment in &assignments {
            is_one_assignment(&before, assignment);
        }
        match config.set_all(&assignments) {
            Ok(()) => in_order(&config),
            Err(error) => {
                assert_eq!(config, before, "what was refused changed something: {error}");
                names_origin(&error, "an assignment");
                return false;
            }
        }
        // One after the other gives the same, where each is in range by itself.
        let mut single = before;
        if assignments.iter().all(|assignment| single.set(assignment).is_ok()) {
            assert_eq!(single, config, "together they mean something else than one by one");
        }
        true
    }
}

/// An error says where the value stands; of two that contradict each other it names both keys.
fn names_origin(error: &ConfigError, origin: &str) {
    if !matches!(error, ConfigError::Contradiction { .. }) {
        names(error, origin);
    }
}

/// What follows a line end is taken with the rest or refused with it.
fn is_one_assignment(before: &Config, assignment: &str) {
    let Some((first, rest)) = assignment.split_once('\n') else { return };
    let (mut whole, mut alone) = (before.clone(), before.clone());
    let says_more = rest.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    if says_more && whole.set(assignment).is_ok() && alone.set(first).is_ok() {
        assert_ne!(whole, alone, "{rest:?} is passed over in silence");
    }
}

/// What holds for every configuration that was read.
fn in_order(config: &Config) {
    assert_eq!(config.check(), Ok(()));
    let text = config.to_toml();
    let again = Config::from_toml(&text, "again.toml").unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(&again, config, "it does not come back from TOML");
    assert_eq!(config.difference(&text, &[]), None);
}
