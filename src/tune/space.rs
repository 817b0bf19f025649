//! Which keys of a configuration a study varies, over which values: a TOML file.
//!
//! ```toml
//! preset = "lstm-attention"     # what everything else is taken from
//! epochs = 6                    # of a trial
//! objective = "perplexity"      # of the validation text, or "bleu"
//! sampler = "tpe"               # or "random"
//! pruner = "median"             # or "hyperband", or "none"
//!
//! [limits]
//! parameters = 5_000_000        # a larger model is no trial
//! seconds_per_epoch = 300       # a slower one ends after its first epoch
//!
//! [fixed]
//! train.batch = { sentences = 64 }
//!
//! [tune]
//! train.learning_rate = { from = 1e-4, to = 1e-2, log = true }
//! model.hidden = { from = 64, to = 512, step = 64 }
//! model.rnn = { choices = ["lstm", "gru"] }
//! model.attention = { choices = ["dot", "additive"], when = { model.rnn = "lstm" } }
//! ```

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::{Table, Value};
use toml_edit::{Document, Item, TableLike};

use crate::train::config::read::{ASSIGNMENT, nearest};
use crate::train::config::{Config, ConfigError};
use crate::train::metrics::EpochMetrics;

/// What a trial is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// Of the validation text, per token; less is better.
    Perplexity,
    /// Of greedy translations of the validation text, 0 to 100; more is better.
    Bleu,
}

/// How the next trial's values are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sampler {
    /// A tree-structured Parzen estimator (Bergstra et al. 2011), after ten trials by chance.
    Tpe,
    /// By chance.
    Random,
}

/// When a trial ends before its last epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pruner {
    /// When it is worse than the median of the finished trials at the same epoch (Golovin et al. 2017).
    Median,
    /// By Hyperband's rungs (Li et al. 2018).
    Hyperband,
    /// Never.
    None,
}

/// What a key may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    Float { from: f64, to: f64, log: bool, step: Option<f64> },
    Integer { from: i64, to: i64, log: bool, step: Option<i64> },
    Choices(Vec<Value>),
}

/// A key that varies.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// `train.learning_rate`
    pub name: String,
    pub values: Values,
    /// Keys and the values that they must have for this key to matter; without conditions it always does.
    pub when: Vec<(String, Vec<Value>)>,
}

/// What a study searches.
#[derive(Clone, Debug)]
pub struct Space {
    pub source: Source,
    /// The preset or file that it starts from.
    pub start: String,
    /// The configuration that trials differ from: the start with the space's fixed values, and the epochs of a trial.
    pub base: Config,
    /// Epochs that the start itself has.
    pub full_epochs: usize,
    pub objective: Objective,
    pub sampler: Sampler,
    pub pruner: Pruner,
    /// Largest number of parameters, if there is one.
    pub parameters: Option<usize>,
    /// Longest time that an epoch may take, validation included.
    pub seconds_per_epoch: Option<f64>,
    pub keys: Vec<Key>,
}

/// What a space was read from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The file's name.
    pub origin: String,
    pub text: String,
    /// The text of the configuration that it names, if it names one.
    pub config: Option<String>,
}

/// Values of the keys that vary, in TOML. A key whose condition does not hold is missing.
pub type Assignment = BTreeMap<String, Value>;

/// A space that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpaceError {
    #[error("{origin}, line {line}: {message}")]
    Line { origin: String, line: usize, message: String },
    #[error("{origin}: {message}")]
    File { origin: String, message: String },
}

/// Keys that say what is learned, not how: trials that differ in them cannot be compared.
const ANOTHER_TASK: [&str; 7] =
    ["data.directory", "data.source", "data.target", "data.lowercase", "data.max_tokens", "data.frame", "train.epochs"];

/// Keys that change what a perplexity is measured over: the tokens, or what the decoder reads in validation.
const ANOTHER_PERPLEXITY: [&str; 6] = [
    "data.tokenizer",
    "data.source_vocabulary",
    "data.target_vocabulary",
    "data.min_frequency",
    "data.joint_vocabulary",
    "train.teacher_forcing",
];

/// The file as serde reads it, without its keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    preset: Option<String>,
    config: Option<String>,
    epochs: Option<usize>,
    objective: Objective,
    #[serde(default = "tpe")]
    sampler: Sampler,
    #[serde(default = "median")]
    pruner: Pruner,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    #[allow(dead_code, reason = "read with its lines")]
    fixed: Table,
    #[allow(dead_code, reason = "read with its lines")]
    tune: Table,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    parameters: Option<usize>,
    seconds_per_epoch: Option<f64>,
}

fn tpe() -> Sampler {
    Sampler::Tpe
}

fn median() -> Pruner {
    Pruner::Median
}

impl Objective {
    /// The objective as a loss, of which less is better.
    pub fn loss(self, value: f64) -> f64 {
        match self {
            Self::Perplexity => value,
            Self::Bleu => -value,
        }
    }

    /// The objective after each of a run's epochs, as a loss, of the model that the run keeps: the one with the
    /// smallest validation loss so far.
    pub fn losses(self, epochs: &[EpochMetrics]) -> Vec<f64> {
        let kept = epochs.iter().scan(None, |best: &mut Option<&EpochMetrics>, epoch| {
            if best.is_none_or(|best| epoch.validation_loss < best.validation_loss) {
                *best = Some(epoch);
            }
            *best
        });
        let loss = |epoch: &EpochMetrics| match self {
            Self::Perplexity => epoch.validation_perplexity,
            Self::Bleu => self.loss(epoch.bleu.unwrap_or(0.0)),
        };
        // JSON has no infinity.
        kept.map(|epoch| loss(epoch).min(f64::MAX)).collect()
    }

    /// `perplexity 12.34` or `BLEU 41.2`
    pub fn say(self, value: f64) -> String {
        match self {
            Self::Perplexity => format!("perplexity {value:.2}"),
            Self::Bleu => format!("BLEU {value:.1}"),
        }
    }
}

impl Space {
    /// Reads a space. `origin` is the file to name in errors; `open` reads the configuration that `config` names.
    ///
    /// # Errors
    /// The line at fault: no TOML, an unknown key, an empty range, or a value that the configuration refuses.
    pub fn read(text: &str, origin: &str, open: &dyn Fn(&str) -> io::Result<String>) -> Result<Self, SpaceError> {
        let reader = Reader { text, origin };
        let head: Head = toml::from_str(text).map_err(|error| reader.syntax(error.span(), error.message()))?;
        let document = Document::parse(text).map_err(|error| reader.syntax(error.span(), error.message()))?;
        let at = |key: &str| document.as_table().get_key_value(key).and_then(|(key, _)| key.span());
        let mut source = Source { origin: origin.into(), text: text.into(), config: None };
        let (start, mut base) = match (&head.preset, &head.config) {
            (Some(name), None) => {
                let preset = Config::preset(name).map_err(|error| reader.error(at("preset"), error))?;
                (format!("preset {name}"), preset)
            }
            (None, Some(file)) => {
                let text =
                    open(file).map_err(|error| reader.error(at("config"), format!("cannot read {file}: {error}")))?;
                let config = Config::from_toml(&text, file).map_err(|error| reader.error(at("config"), error))?;
                source.config = Some(text);
                (file.clone(), config)
            }
            _ => return Err(reader.whole("expected either `preset = \"NAME\"` or `config = \"FILE\"`")),
        };
        let mut fixed = vec![];
        if let Some(table) = document.get("fixed").and_then(Item::as_table_like) {
            for (name, item) in leaves(table, &|_| false) {
                let value = value_of(item).ok_or_else(|| reader.error(item.span(), "expected a value"))?;
                reader.accepts(&base, &name, &value, item.span())?;
                fixed.push(assignment(&name, &value));
            }
        }
        base.set_all(&fixed).map_err(|error| reader.refused(at("fixed"), &error))?;
        let full_epochs = base.train.epochs;
        if let Some(epochs) = head.epochs {
            reader.accepts(&base, "train.epochs", &Value::Integer(epochs as i64), at("epochs"))?;
            base.train.epochs = epochs;
        }
        let limits = &head.limits;
        if limits.parameters == Some(0) || limits.seconds_per_epoch.is_some_and(|seconds| seconds <= 0.0) {
            return Err(reader.error(at("limits"), "expected limits above 0"));
        }
        let mut space = Self {
            source,
            start,
            base,
            full_epochs,
            objective: head.objective,
            sampler: head.sampler,
            pruner: head.pruner,
            parameters: limits.parameters,
            seconds_per_epoch: limits.seconds_per_epoch,
            keys: vec![],
        };
        let tune = document.get("tune").and_then(Item::as_table_like);
        let keys = leaves(tune.ok_or_else(|| reader.whole("`tune` is no table"))?, &is_key);
        let names: Vec<&str> = keys.iter().map(|(name, _)| name.as_str()).collect();
        for (name, item) in &keys {
            let key = reader.key(&space, &names, name, item)?;
            space.keys.push(key);
        }
        if space.keys.is_empty() {
            return Err(reader
                .error(at("tune"), "nothing varies; expected keys, e.g. `model.dropout = { from = 0.0, to = 0.5 }`"));
        }
        Ok(space)
    }

    /// A space once more, from what it was read from.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn again(source: &Source) -> Result<Self, SpaceError> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "the study does not have it");
        Self::read(&source.text, &source.origin, &|_| source.config.clone().ok_or_else(missing))
    }

    /// The configuration with these values.
    ///
    /// # Errors
    /// The values contradict each other.
    pub fn configure(&self, values: &Assignment) -> Result<Config, ConfigError> {
        let mut config = self.base.clone();
        let assignments: Vec<_> = values.iter().map(|(name, value)| assignment(name, value)).collect();
        config.assign(&assignments, &self.source.origin)?;
        Ok(config)
    }

    /// The values that the base has for the keys that vary.
    pub fn default_values(&self) -> Assignment {
        let values = self.keys.iter().filter_map(|key| Some((key.name.clone(), value_at(&self.base, &key.name)?)));
        values.collect()
    }

    /// Whether a key matters beside these values.
    pub fn applies(&self, key: &Key, values: &Assignment) -> bool {
        key.when.iter().all(|(name, allowed)| {
            // A key that does not matter itself is as if it had another value.
            let varies = self.keys.iter().any(|other| other.name == *name);
            let value = values.get(name).cloned().or_else(|| (!varies).then(|| value_at(&self.base, name))?);
            value.is_some_and(|value| allowed.contains(&value))
        })
    }

    /// All that decides what a study searches, by name: two spaces are the same where these are.
    pub fn description(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let base = table(&self.base);
        for (section, keys) in base.iter().filter_map(|(section, keys)| Some((section, keys.as_table()?))) {
            for (name, value) in keys {
                all.insert(format!("{section}.{name}"), value.to_string());
            }
        }
        // Where the text lies does not matter, what it says is told by its hashes.
        all.remove("data.directory");
        for key in &self.keys {
            all.insert(format!("tune {}", key.name), key.describe());
        }
        let limit = |limit: Option<String>| limit.unwrap_or_else(|| "none".into());
        all.insert("objective".into(), format!("{:?}", self.objective));
        all.insert("sampler".into(), format!("{:?}", self.sampler));
        all.insert("pruner".into(), format!("{:?}", self.pruner));
        all.insert("limits.parameters".into(), limit(self.parameters.map(|n| n.to_string())));
        all.insert("limits.seconds_per_epoch".into(), limit(self.seconds_per_epoch.map(|n| n.to_string())));
        all
    }
}

impl Values {
    /// Whether this is one of them.
    pub fn contains(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Choices(choices), value) => choices.contains(value),
            (Self::Integer { from, to, .. }, Value::Integer(value)) => (from..=to).contains(&value),
            (Self::Float { from, to, .. }, Value::Float(value)) => (from..=to).contains(&value),
            _ => false,
        }
    }
}

impl Key {
    /// Its largest and its smallest value, or its last and its first choice; of a table its kind.
    pub fn ends(&self) -> [String; 2] {
        match &self.values {
            Values::Float { from, to, .. } => [to.to_string(), from.to_string()],
            Values::Integer { from, to, .. } => [to.to_string(), from.to_string()],
            Values::Choices(choices) => [&choices[choices.len() - 1], &choices[0]].map(|choice| {
                choice.get("kind").and_then(Value::as_str).map_or_else(|| choice.to_string(), str::to_owned)
            }),
        }
    }

    /// `from 64 to 512, step 64`
    pub fn describe(&self) -> String {
        let range = |from: &str, to: &str, log: bool, step: Option<String>| {
            let step = step.map_or(String::new(), |step| format!(", step {step}"));
            format!("from {from} to {to}{}{step}", if log { ", logarithmic" } else { "" })
        };
        let mut text = match &self.values {
            Values::Float { from, to, log, step } => {
                range(&from.to_string(), &to.to_string(), *log, step.map(|step| step.to_string()))
            }
            Values::Integer { from, to, log, step } => {
                range(&from.to_string(), &to.to_string(), *log, step.map(|step| step.to_string()))
            }
            Values::Choices(choices) => choices.iter().map(Value::to_string).collect::<Vec<_>>().join(" or "),
        };
        for (name, allowed) in &self.when {
            let allowed: Vec<_> = allowed.iter().map(Value::to_string).collect();
            text += &format!(", when {name} = {}", allowed.join(" or "));
        }
        text
    }
}

/// The range that a key's fields name, or what is wrong with them.
fn range(from: &Value, to: &Value, log: bool, step: Option<&Value>, whole: bool) -> Result<Values, String> {
    let number = |what: &str, value: &Value| match value {
        Value::Integer(value) => Ok(*value as f64),
        Value::Float(value) if value.is_finite() && !whole => Ok(*value),
        other if whole => Err(format!("{what} = {other}; expected a whole number")),
        other => Err(format!("{what} = {other}; expected a number")),
    };
    let (low, high) = (number("from", from)?, number("to", to)?);
    if low >= high {
        return Err(format!("from = {from}, to = {to}: the range is empty; expected `from` below `to`"));
    }
    if log && low <= 0.0 {
        return Err(format!("from = {from} with log = true; expected a number above 0"));
    }
    let step = step.map(|step| number("step", step).map(|number| (step, number))).transpose()?;
    if let Some((step, number)) = step
        && !(number > 0.0 && number <= high - low)
    {
        return Err(format!("step = {step}; expected a number above 0, at most the {} from end to end", high - low));
    }
    if log && step.is_some() {
        return Err("log = true with a step; expected one of them".into());
    }
    let step = step.map(|(_, number)| number);
    Ok(match whole {
        true => Values::Integer { from: low as i64, to: high as i64, log, step: step.map(|step| step as i64) },
        false => Values::Float { from: low, to: high, log, step },
    })
}

/// `train.learning_rate=0.001`, as [`Config::set`] takes it.
pub fn assignment(name: &str, value: &Value) -> String {
    format!("{name}={value}")
}

/// The value of a key in a configuration, as short as its TOML.
pub fn value_at(config: &Config, name: &str) -> Option<Value> {
    let table = Value::Table(table(config));
    name.split('.').try_fold(&table, |value, part| value.get(part)).cloned()
}

fn table(config: &Config) -> Table {
    config.to_toml().parse().expect("it is TOML")
}

/// Whether a table says what a key may be, in place of holding more keys.
fn is_key(table: &dyn TableLike) -> bool {
    ["from", "to", "choices"].iter().any(|field| table.contains_key(field))
}

/// The values, or the tables for which `ends` holds, with their names put together.
fn leaves<'a>(table: &'a dyn TableLike, ends: &dyn Fn(&dyn TableLike) -> bool) -> Vec<(String, &'a Item)> {
    let mut found = vec![];
    for (name, item) in table.iter() {
        match item.as_table_like().filter(|inner| {
            // `batch = { sentences = 64 }` is a value, `train.batch.sentences = 64` and `[fixed.train]` are names.
            !ends(*inner) && (item.is_table() || item.as_inline_table().is_some_and(|table| table.is_dotted()))
        }) {
            Some(inner) => {
                found.extend(leaves(inner, ends).into_iter().map(|(rest, item)| (format!("{name}.{rest}"), item)))
            }
            None => found.push((name.to_owned(), item)),
        }
    }
    found
}

/// The item as a value of a configuration.
fn value_of(item: &Item) -> Option<Value> {
    let mut value = item.as_value()?.clone();
    value.decor_mut().clear();
    toml::from_str::<Table>(&format!("value = {value}")).ok()?.remove("value")
}

/// The text, to tell where in it something is.
struct Reader<'a> {
    text: &'a str,
    origin: &'a str,
}

impl Reader<'_> {
    fn whole(&self, message: &str) -> SpaceError {
        SpaceError::File { origin: self.origin.into(), message: message.into() }
    }

    fn error(&self, span: Option<Range<usize>>, message: impl ToString) -> SpaceError {
        let (origin, message) = (self.origin.into(), message.to_string());
        match span {
            Some(span) => {
                let line = self.text[..span.start.min(self.text.len())].matches('\n').count() + 1;
                SpaceError::Line { origin, line, message }
            }
            None => SpaceError::File { origin, message },
        }
    }

    fn syntax(&self, span: Option<Range<usize>>, message: &str) -> SpaceError {
        self.error(span, message.trim_end())
    }

    /// Whether the configuration takes a value by itself. What contradicts another may fit beside other values.
    fn accepts(&self, base: &Config, name: &str, value: &Value, span: Option<Range<usize>>) -> Result<(), SpaceError> {
        match base.clone().set(&assignment(name, value)) {
            Ok(()) | Err(ConfigError::Contradiction { .. }) => Ok(()),
            Err(error) => Err(self.refused(span, &error)),
        }
    }

    /// What the configuration says of a value. The file is named in front, with the line.
    fn refused(&self, span: Option<Range<usize>>, error: &ConfigError) -> SpaceError {
        self.error(span, error.to_string().replace(&format!(" in {ASSIGNMENT}"), ""))
    }

    fn key(&self, space: &Space, names: &[&str], name: &str, item: &Item) -> Result<Key, SpaceError> {
        let error = |message: String| self.error(item.span(), message);
        let expected =
            "expected { from = A, to = B }, with log = true or step = C if you like, or { choices = [A, B] }";
        let table = item.as_table_like().ok_or_else(|| error(format!("`{name}`: {expected}")))?;
        const FIELDS: [&str; 6] = ["from", "to", "log", "step", "choices", "when"];
        if let Some((field, _)) = table.iter().find(|(field, _)| !FIELDS.contains(field)) {
            let nearest = nearest(field, FIELDS);
            return Err(error(format!("`{name}`: unknown field `{field}`: did you mean `{nearest}`? {expected}")));
        }
        if ANOTHER_TASK.contains(&name) {
            let advice =
                if name == "train.epochs" { "set `epochs` above [tune]" } else { "begin a study for each value" };
            return Err(error(format!("`{name}`: trials that differ in it cannot be compared; {advice}")));
        }
        if space.objective == Objective::Perplexity && ANOTHER_PERPLEXITY.contains(&name) {
            return Err(error(format!(
                "`{name}`: perplexities of trials that differ in it cannot be compared; set `objective = \"bleu\"`"
            )));
        }
        if space.keys.iter().any(|key| key.name == name) {
            return Err(error(format!("`{name}` varies already")));
        }
        let get = |field: &str| table.get(field).and_then(value_of);
        let values = match (get("choices"), get("from"), get("to")) {
            (Some(Value::Array(choices)), None, None) if !choices.is_empty() => Values::Choices(choices),
            (None, Some(from), Some(to)) => {
                let log = match get("log") {
                    None => false,
                    Some(Value::Boolean(log)) => log,
                    Some(other) => return Err(error(format!("`{name}`: log = {other}; expected true or false"))),
                };
                let whole = !matches!(value_at(&space.base, name), Some(Value::Float(_)));
                let values = range(&from, &to, log, get("step").as_ref(), whole);
                values.map_err(|problem| error(format!("`{name}`: {problem}")))?
            }
            _ => return Err(error(format!("`{name}`: {expected}"))),
        };
        let ends: Vec<Value> = match &values {
            Values::Float { from, to, .. } => vec![Value::Float(*from), Value::Float(*to)],
            Values::Integer { from, to, .. } => vec![Value::Integer(*from), Value::Integer(*to)],
            Values::Choices(choices) => choices.clone(),
        };
        for value in &ends {
            self.accepts(&space.base, name, value, item.span())?;
        }
        let mut when = vec![];
        if let Some(conditions) = table.get("when") {
            let inner = conditions.as_table_like().ok_or_else(|| {
                error(format!("`{name}`: when = {conditions}; expected e.g. when = {{ model.rnn = \"lstm\" }}"))
            })?;
            for (other, item) in leaves(inner, &|_| false) {
                let allowed = match value_of(item) {
                    Some(Value::Array(allowed)) => allowed,
                    Some(value) => vec![value],
                    None => return Err(error(format!("`{name}`: `when {other}` has no value"))),
                };
                if let Some(known) = space.keys.iter().find(|key| key.name == other) {
                    if !allowed.iter().any(|value| known.values.contains(value)) {
                        return Err(error(format!(
                            "`{name}`: `{other}` never has the value of its `when`: it is {}",
                            known.describe()
                        )));
                    }
                } else if names.contains(&&*other) {
                    return Err(error(format!("`{name}` depends on `{other}`, which must stand above it")));
                } else if value_at(&space.base, &other).is_none() {
                    // Says which keys there are.
                    self.accepts(&space.base, &other, &allowed[0], item.span())?;
                    return Err(error(format!("`{name}`: `when` names `{other}`, which has no value here")));
                }
                when.push((other, allowed));
            }
        }
        Ok(Key { name: name.into(), values, when })
    }
}

#[cfg(test)]
mod tests;
