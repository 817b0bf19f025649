//! Reading configurations: whole files, partial files and single assignments.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::models::{ModelConfig, OwnModel};

use super::{Config, ConfigError};

const WIDTH: &str = "a whole number from 1 to 65535 (kernels number a matrix of that width squared in 32 bits)";
const LAYERS: &str = "a whole number from 1 to 1024 (more would take minutes to plan)";

/// Every key and the values it takes, in the words of error messages.
const KEYS: [(&str, &str); 49] = [
    (
        "data.directory",
        "the folder with train.de, train.en, val.de and val.en, or \"\" for the corpus that comes with wgrad",
    ),
    ("data.source", "the language of the source files, e.g. \"de\" for train.de: a file name's ending"),
    ("data.target", "the language of the target files, e.g. \"en\" for train.en: another ending than data.source"),
    ("data.tokenizer", "\"word\", \"bpe\" or \"words-only\""),
    (
        "data.source_vocabulary",
        "a whole number from 5 (four tokens are special) to 1048576 (of which a tokenizer's file has no more)",
    ),
    (
        "data.target_vocabulary",
        "a whole number from 5 (four tokens are special) to 1048576 (of which a tokenizer's file has no more)",
    ),
    ("data.min_frequency", "a whole number from 1 to 4294967295"),
    ("data.lowercase", "true or false"),
    ("data.joint_vocabulary", "true or false"),
    (
        "data.max_tokens",
        "a whole number from 1 to 65535 (kernels number the attention between two sentences in 32 bits)",
    ),
    (
        "data.frame",
        "\"target\", or \"both\" to put <sos> and <eos> around the source too and to predict the target's <sos>",
    ),
    ("model.kind", "\"seq2seq\", \"transformer-encoder\" or \"transformer\""),
    ("model.rnn", "\"rnn\", \"lstm\", \"gru\" or \"unit\""),
    ("model.layers", LAYERS),
    ("model.attention", "\"none\", \"dot\", \"general\", \"additive\", \"cosine-concat\" or \"cosine-replace\""),
    ("model.input_feeding", "true or false"),
    ("model.mask_padding", "true or false"),
    ("model.embedding", WIDTH),
    (
        "model.hidden",
        "a whole number from 1 to 65535 (kernels number a matrix of that width squared in 32 bits), even where \
         model.bidirectional = true",
    ),
    ("model.bidirectional", "true or false"),
    ("model.dropout", "a number from 0 to below 1"),
    ("model.attention_dropout", "a number from 0 to below 1"),
    ("model.variational_dropout", "true or false"),
    ("model.heads", "a whole number from 1 to 65535, by which model.hidden can be divided in a transformer"),
    ("model.head_width", WIDTH),
    ("model.value_width", WIDTH),
    ("model.feed_forward", WIDTH),
    ("model.encoder_layers", LAYERS),
    ("model.decoder_layers", LAYERS),
    ("model.norm_first", "true or false"),
    ("model.positions", "\"learned\" or \"sinusoidal\""),
    (
        "model.max_positions",
        "a whole number from 1 to 65535 (kernels number the attention between two sentences in 32 bits)",
    ),
    ("model.tied", "\"none\", \"target\" or \"all\""),
    ("train.epochs", "a whole number from 1 to 4294967295"),
    ("train.seed", "a whole number from 0 to 9223372036854775807"),
    ("train.learning_rate", "a number above 0"),
    ("train.beta1", "a number from 0 to below 1"),
    ("train.beta2", "a number from 0 to below 1"),
    ("train.epsilon", "a number above 0"),
    ("train.clip_norm", "a number above 0"),
    ("train.label_smoothing", "a number from 0 to below 1"),
    ("train.teacher_forcing", "a number from 0 (free-running) to 1 (always the right token)"),
    ("train.shuffle", "true or false"),
    ("train.average_epochs", "a whole number from 1 to 4294967295"),
    ("train.patience", "a whole number from 0 to 4294967295 (0 = never stop early)"),
    ("train.log_every", "a whole number from 1 to 4294967295"),
    ("train.checkpoint_every", "a whole number from 0 to 4294967295 (0 = at the end of an epoch only)"),
    ("train.batch", "{ sentences = 128 } or { tokens = 4096 }, with a whole number from 1 to 4294967295"),
    (
        "train.schedule",
        "{ kind = \"constant\" }, { kind = \"plateau\", metric = \"validation\", factor = 0.5, patience = 1, \
         min_learning_rate = 1e-5 } with the metric \"training\" or \"validation\", a factor between 0 and 1 and a \
         patience from 1 to 4294967295, or { kind = \"inverse-sqrt\", warmup_steps = 4000 } with 1 to 4294967295 steps",
    ),
];

/// The origin of what nobody named another one for.
pub(crate) const ASSIGNMENT: &str = "an assignment";

/// `model.kind` of a model of another crate.
const OWN: &str = "own";

/// Keys that a complete file may lack, since runs from before they were there do; then they have the value that those
/// runs had.
const LATER: [&str; 1] = ["model.attention_dropout"];

/// The families of models, each with a preset of it.
const KINDS: [(&str, &str); 3] = [
    ("seq2seq", "lstm-attention"),
    ("transformer-encoder", "course-transformer"),
    ("transformer", "course-full-transformer"),
];

/// Whether a configuration with this `model.kind` has the key.
fn belongs(key: &str, kind: &str) -> bool {
    let kinds: &[&str] = match key {
        "model.rnn"
        | "model.layers"
        | "model.bidirectional"
        | "model.attention"
        | "model.input_feeding"
        | "model.embedding"
        | "model.variational_dropout" => &["seq2seq"],
        "model.mask_padding" => &["seq2seq", "transformer-encoder"],
        "model.head_width" | "model.value_width" => &["transformer-encoder"],
        "model.heads" | "model.feed_forward" | "model.max_positions" | "model.attention_dropout" => {
            &["transformer-encoder", "transformer"]
        }
        "model.encoder_layers" | "model.decoder_layers" | "model.norm_first" | "model.positions" | "model.tied" => {
            &["transformer"]
        }
        _ => return true,
    };
    kinds.contains(&kind)
}

impl Config {
    /// Reads a complete configuration, e.g. one that [`to_toml`](Self::to_toml) wrote. `origin` is the file to name in
    /// errors.
    ///
    /// # Errors
    ///
    /// Those of [`overlay`](Self::overlay), and a missing key.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, ConfigError> {
        // First what the file says, then what it fails to say: a misspelt key is a better error than a missing one.
        let table: Table = parse(text, origin)?;
        let kind = lookup(&table, "model.kind").and_then(Value::as_str).unwrap_or_default();
        if kind == OWN {
            let name = lookup(&table, "model.name").and_then(Value::as_str).unwrap_or_default().to_owned();
            return Err(ConfigError::OwnModel { name, origin: origin.to_owned() });
        }
        let preset = KINDS.iter().find(|(known, _)| *known == kind).map_or("lstm-attention", |(_, preset)| preset);
        Self::preset(preset)?.overlay(text, origin)?;
        let kind = lookup(&table, "model.kind").and_then(Value::as_str).unwrap_or_default();
        let missing = |key: &&str| lookup(&table, key).is_none() && belongs(key, kind) && !LATER.contains(key);
        match KEYS.iter().find(|(key, _)| missing(key)) {
            Some((key, expected)) => Err(ConfigError::MissingKey { key, origin: origin.to_owned(), expected }),
            // Read afresh, so that nothing comes from the default, not even a field of the schedule.
            None => parse(text, origin),
        }
    }

    /// Reads the complete configuration of a run whose model is one of another crate.
    ///
    /// # Errors
    ///
    /// As for [`from_toml`](Self::from_toml), or the run is of another model.
    pub fn from_toml_of(model: &OwnModel, text: &str, origin: &str) -> Result<Self, ConfigError> {
        let mut table: Table = parse(text, origin)?;
        let name = lookup(&table, "model.name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name != model.name {
            return Err(ConfigError::OwnModel { name, origin: origin.to_owned() });
        }
        // Any of wgrad's, so that all other sections are read as they always are.
        let other = Table::try_from(Self::default()).expect("a configuration in range has a TOML value");
        table.insert("model".into(), other["model"].clone());
        let mut config = Self::from_toml(&table.to_string(), origin)?;
        config.model = ModelConfig::Own(model.clone());
        config.check()?;
        Ok(config)
    }

    /// This configuration with the values that a TOML text gives for some of its keys. `origin` is the file to name in
    /// errors.
    ///
    /// # Errors
    ///
    /// The text is not TOML, has an unknown key, or has a value of the wrong type or out of range.
    pub fn overlay(&self, text: &str, origin: &str) -> Result<Self, ConfigError> {
        self.merge(vec![parse(text, origin)?], origin)
    }

    /// Changes one key: `train.learning_rate=3e-4`. The value is TOML, but text needs no
    /// quotes: `model.rnn=lstm`. The fields of `train.batch` and `train.schedule` can be set directly:
    /// `train.batch.tokens=4096`.
    ///
    /// # Errors
    ///
    /// There is no `=`, the key is unknown, or the value has the wrong type or is out of range.
    pub fn set(&mut self, assignment: &str) -> Result<(), ConfigError> {
        self.set_all(&[assignment])
    }

    /// [`set`](Self::set) for several assignments, of which only the result must be in range: `data.source=en` and
    /// `data.target=de` together turn a translator from German around, each alone would make both sides the same.
    ///
    /// # Errors
    ///
    /// Those of [`set`](Self::set).
    pub fn set_all(&mut self, assignments: &[impl AsRef<str>]) -> Result<(), ConfigError> {
        self.assign(assignments, ASSIGNMENT)
    }

    /// [`set_all`](Self::set_all) for assignments of a flag or a file, `origin`, to name in errors.
    ///
    /// # Errors
    ///
    /// Those of [`set`](Self::set).
    pub fn assign(&mut self, assignments: &[impl AsRef<str>], origin: &str) -> Result<(), ConfigError> {
        let tables = assignments.iter().map(|assignment| table_of(assignment.as_ref(), origin));
        *self = self.merge(tables.collect::<Result<_, _>>()?, origin)?;
        Ok(())
    }

    /// The first key, of those that are not among `free`, that another configuration, in TOML, has with another value:
    /// the key, its value there and here. A key that only one of them knows is none: the other may be of another
    /// version.
    pub fn difference(&self, other: &str, free: &[&str]) -> Option<[String; 3]> {
        let [other, own] = [other, &self.to_toml()].map(|text| text.parse::<Table>().unwrap_or_default());
        let keys = KEYS.iter().map(|(key, _)| *key).filter(|key| !free.contains(key));
        keys.filter_map(|key| Some((key, lookup(&other, key)?, lookup(&own, key)?)))
            .find(|(_, there, here)| there != here)
            .map(|(key, there, here)| [key.into(), there.to_string(), here.to_string()])
    }

    /// Every value must have its type, and the result must be in range.
    fn merge(&self, tables: Vec<Table>, origin: &str) -> Result<Self, ConfigError> {
        let mut config = self.clone();
        for (section, changes) in tables.iter().flatten() {
            let known = KEYS.iter().any(|(key, _)| section_of(key) == section);
            let keys = match changes {
                Value::Table(keys) if known || !keys.is_empty() => keys,
                _ => return Err(unknown_key(section.clone(), origin)),
            };
            for (name, value) in keys {
                config = config.with(section, name, value.clone(), origin)?;
            }
        }
        match config.check() {
            Err(ConfigError::Value { key, value, expected, .. }) => Err(ConfigError::Value {
                // As it was written, where it was.
                value: (tables.iter().rev()).find_map(|table| lookup(table, &key)).map_or(value, Value::to_string),
                origin: origin.to_owned(),
                key,
                expected,
            }),
            checked => checked.map(|()| config),
        }
    }

    /// This configuration with one value replaced. One at a time, so that the key and value at fault are known.
    fn with(self, section: &str, name: &str, value: Value, origin: &str) -> Result<Self, ConfigError> {
        let key = format!("{section}.{name}");
        let Some(expected) = expected(&key) else {
            return Err(unknown_key(key, origin));
        };
        let kind = self.model.kind();
        if !belongs(&key, kind) {
            let owners =
                KINDS.iter().map(|(kind, _)| *kind).filter(|kind| belongs(&key, kind)).map(str::to_owned).collect();
            return Err(ConfigError::OtherKind { key, origin: origin.to_owned(), kind: kind.to_owned(), owners });
        }
        if let Some((other, example)) =
            KINDS.iter().find(|(other, _)| key == "model.kind" && value.as_str() == Some(other))
            && *other != kind
        {
            let (value, origin, kind) = ((*other).to_owned(), origin.to_owned(), kind.to_owned());
            return Err(ConfigError::Kind { value, origin, kind, example });
        }
        let text = value.to_string();
        // Its builder is in no table.
        let own = if let ModelConfig::Own(model) = &self.model { Some(model.clone()) } else { None };
        let mut table = Table::try_from(self).expect("a configuration in range has a TOML value");
        match (&mut table[section][name], value) {
            // The fields of a schedule keep their values unless another kind is set; a batch size has one field.
            (Value::Table(fields), Value::Table(changes))
                if fields.contains_key("kind") && !changes.contains_key("kind") =>
            {
                fields.extend(changes);
            }
            (old, new) => *old = new,
        }
        let read = table.try_into::<Self>();
        let mut config =
            read.map_err(|_| ConfigError::Value { key, value: text, origin: origin.to_owned(), expected })?;
        if let (ModelConfig::Own(model), Some(mut own)) = (&mut config.model, own) {
            own.dropout = model.dropout;
            *model = own;
        }
        Ok(config)
    }
}

/// The assignment as TOML: `train.epochs=3` is `{ train = { epochs = 3 } }`.
fn table_of(assignment: &str, origin: &str) -> Result<Table, ConfigError> {
    let nothing = || ConfigError::Assignment { assignment: assignment.to_owned(), origin: origin.to_owned() };
    let (key, text) = assignment.split_once('=').ok_or_else(nothing)?;
    let key = key.trim();
    // No key has more parts than `train.schedule.kind`; 60,000 tables in each other overflow the stack when they are
    // freed.
    if key.split('.').count() > 3 {
        return Err(unknown_key(key.to_owned(), origin));
    }
    // A line end would begin another assignment, which nobody would hear of.
    let value = toml::from_str::<Table>(&format!("value = {text}"))
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.trim().to_owned()));
    let nested = key.rsplit('.').fold(value, |value, name| Table::from_iter([(name.to_owned(), value)]).into());
    let Value::Table(table) = nested else { unreachable!("a split has at least one part") };
    Ok(table)
}

fn parse<T: DeserializeOwned>(text: &str, origin: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::Syntax {
        origin: origin.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    })
}

fn lookup<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    let (section, name) = key.split_once('.')?;
    table.get(section)?.get(name)
}

fn section_of(key: &str) -> &str {
    key.split_once('.').map_or(key, |(section, _)| section)
}

/// Every key.
#[cfg(test)]
pub(in crate::train) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(key, _)| *key)
}

/// The values that a key takes, or `None` if there is no such key.
pub(super) fn expected(key: &str) -> Option<&'static str> {
    KEYS.iter().find(|(known, _)| *known == key).map(|(_, expected)| *expected)
}

fn unknown_key(key: String, origin: &str) -> ConfigError {
    let nearest = nearest(&key, KEYS.map(|(known, _)| known));
    ConfigError::UnknownKey { key, origin: origin.to_owned(), nearest }
}

/// The name that was most likely meant. Of a key, `section.name`, either half alone counts as well: `dropout` means
/// `model.dropout`. Capitals do not count, nor what follows the first 64 characters: time grows with the length, and a
/// key of 900,000 took minutes.
pub(crate) fn nearest<const N: usize>(name: &str, known: [&'static str; N]) -> &'static str {
    let name: String = name.chars().take(64).flat_map(char::to_lowercase).collect();
    let distance = |known: &str| {
        let halves = known.split('.').chain([known]);
        halves.map(|part| strsim::damerau_levenshtein(&name, part)).min()
    };
    known.into_iter().min_by_key(|known| distance(known)).expect("there is at least one name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::AttentionKind;
    use crate::text::{BatchSize, TokenizerKind};
    use crate::train::config::Schedule;

    fn error_of(assignment: &str) -> String {
        Config::default().set(assignment).unwrap_err().to_string()
    }

    #[test]
    fn the_known_keys_are_the_fields_of_the_configuration() {
        let table = Table::try_from(Config::default()).unwrap();
        let fields: Vec<String> = table
            .iter()
            .flat_map(|(section, keys)| keys.as_table().unwrap().keys().map(move |name| format!("{section}.{name}")))
            .collect();
        let mut known: Vec<_> = KEYS.map(|(key, _)| key).into_iter().filter(|key| belongs(key, "seq2seq")).collect();
        known.sort();
        assert_eq!(fields, known);
    }

    #[test]
    fn an_overlay_changes_what_it_names() {
        let base = Config::preset("lstm").unwrap();
        let text = "[model]\nattention = \"additive\"\ndropout = 0\n[train]\nbatch = { tokens = 2048 }\n";
        let config = base.overlay(text, "my.toml").unwrap();
        let mut expected = base.clone();
        let ModelConfig::Seq2Seq(model) = &mut expected.model else { panic!("the preset is a seq2seq") };
        model.attention = AttentionKind::Additive;
        model.dropout = 0.0;
        expected.train.batch = BatchSize::Tokens(2048);
        assert_eq!(config, expected);
        assert_eq!(base.overlay("[train]\n", "my.toml").unwrap(), base);
    }

    #[test]
    fn assignments_are_toml_with_bare_words() {
        let mut config = Config::default();
        for assignment in [
            "train.learning_rate=3e-4",
            "data.tokenizer = word",
            "data.source=\"fr\"",
            "model.bidirectional=false",
            "train.batch.tokens=512",
            "train.schedule.patience=9",
        ] {
            config.set(assignment).unwrap();
        }
        assert_eq!(config.train.learning_rate, 3e-4);
        assert_eq!(config.data.tokenizer, TokenizerKind::Word);
        assert_eq!(config.data.source, "fr");
        assert!(config.to_toml().contains("bidirectional = false"));
        assert_eq!(config.train.batch, BatchSize::Tokens(512));
        assert!(matches!(config.train.schedule, Schedule::Plateau { patience: 9, .. }));
        config.set("train.schedule.kind=constant").unwrap();
        assert_eq!(config.train.schedule, Schedule::Constant {});
    }

    /// Neither half of these changes is in range without the other.
    #[test]
    fn values_that_depend_on_each_other_change_together() {
        let mut config = Config::default();
        config.set_all(&["data.source=en", "data.target=de"]).unwrap();
        assert_eq!((&*config.data.source, &*config.data.target), ("en", "de"));
        assert_eq!(Config::from_toml(&config.to_toml(), "config.toml").as_ref(), Ok(&config));
        config.set_all(&["model.bidirectional=false", "model.hidden=13"]).unwrap();
        let even = "[model]\nbidirectional = true\nhidden = 12";
        assert!(config.overlay(even, "my.toml").unwrap().to_toml().contains("hidden = 12"));
        let error = config.set_all(&["model.bidirectional=true", "train.epochs=3"]).unwrap_err();
        assert!(error.to_string().starts_with("`model.hidden = 13` in an assignment: expected"), "{error}");
        assert!(error_of("data.source=en").starts_with("`data.target = \"en\"` in an assignment: expected"));
    }

    #[test]
    fn two_configurations_differ_in_what_both_know() {
        let began = format!("later = 1\n{}", Config::default().to_toml());
        let mut config = Config::default();
        assert_eq!(config.difference(&began, &[]), None);
        config.set("train.epochs=7").unwrap();
        assert_eq!(config.difference("", &[]), None);
        assert_eq!(config.difference(&began, &["train.epochs"]), None);
        assert_eq!(config.difference(&began, &[]).unwrap()[0], "train.epochs");
        config.set("train.learning_rate=0.5").unwrap();
        assert_eq!(config.difference(&began, &["train.epochs"]).unwrap(), ["train.learning_rate", "0.001", "0.5"]);
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        let error = Config::default().overlay("train.learning_rat = 1.0", "my.toml").unwrap_err().to_string();
        assert_eq!(error, "unknown key `train.learning_rat` in my.toml: did you mean `train.learning_rate`?");
        for (assignment, nearest) in [
            ("dropout=0.1", "model.dropout"),
            ("model.learning_rate=1", "train.learning_rate"),
            ("modle.hidden=5", "model.hidden"),
            ("train=3", "train.epochs"),
            ("TRAIN.SEED=3", "train.seed"),
        ] {
            let error = error_of(assignment);
            assert!(error.ends_with(&format!("did you mean `{nearest}`?")), "{error}");
        }
    }

    #[test]
    fn values_of_the_wrong_type_name_the_expected_one() {
        let error = Config::default().overlay("[train]\nepochs = \"ten\"", "my.toml").unwrap_err().to_string();
        assert_eq!(error, "`train.epochs = \"ten\"` in my.toml: expected a whole number from 1 to 4294967295");
        assert_eq!(
            error_of("model.rnn=elman"),
            "`model.rnn = \"elman\"` in an assignment: expected \"rnn\", \"lstm\", \"gru\" or \"unit\""
        );
        for (assignment, message) in [
            ("model.hidden=-1", "`model.hidden = -1` in an assignment: expected a whole number from 1 to 65535 ("),
            ("model.hidden=1.5", "`model.hidden = 1.5` in an assignment"),
            ("model.dropout=1.0", "expected a number from 0 to below 1"),
            ("train.clip_norm=inf", "expected a number above 0"),
            ("data.source.name=x", "`data.source = { name = \"x\" }` in an assignment: expected the language"),
            ("train.batch=128", "expected { sentences = 128 } or { tokens = 4096 }"),
            ("train.batch.words=128", "expected { sentences = 128 } or { tokens = 4096 }"),
            ("train.schedule.kind=cosine", "expected { kind = \"constant\" }"),
            ("train.schedule.factr=0.1", "expected { kind = \"constant\" }"),
            ("train.schedule.factor=2", "a factor between 0 and 1"),
        ] {
            let error = error_of(assignment);
            assert!(error.contains(message), "{assignment}: {error}");
        }
    }

    /// Each of these ended the process, took minutes, or was taken for what it is not.
    #[test]
    fn keys_without_end_are_refused_at_once() {
        for deep in ["a.".repeat(60_000) + "b=1", format!("train.seed{}=1", ".a".repeat(60_000))] {
            assert!(error_of(&deep).starts_with("unknown key `"), "{} bytes", deep.len());
        }
        let long = format!("train.seed{}", "d".repeat(900_000));
        assert!(error_of(&format!("{long}=1")).ends_with("did you mean `train.seed`?"));
        let begun = std::time::Instant::now();
        Config::default().overlay(&format!("{long} = 1"), "my.toml").unwrap_err();
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
        let error = error_of("train.seed=3\ntrain.epochs=4");
        assert!(error.starts_with("`train.seed = ") && error.contains("expected a whole number"), "{error}");
    }

    #[test]
    fn a_refused_assignment_changes_nothing() {
        let mut config = Config::default();
        config.set("model.hidden=0").unwrap_err();
        assert_eq!(config, Config::default());
    }

    #[test]
    fn what_is_no_assignment_or_no_toml_is_refused() {
        assert!(
            error_of("train.epochs").starts_with("`train.epochs` in an assignment sets nothing: expected KEY=VALUE")
        );
        let error = Config::default().overlay("[train]\nepochs 3", "my.toml").unwrap_err().to_string();
        assert!(error.starts_with("cannot read my.toml: TOML parse error") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn a_complete_file_needs_every_key() {
        let text = Config::default().to_toml().replace("hidden = 256\n", "");
        let error = Config::from_toml(&text, "run/config.toml").unwrap_err().to_string();
        let start = "`model.hidden` is missing in run/config.toml; expected a whole number from 1 to 65535";
        assert!(error.starts_with(start), "{error}");
        let text = Config::default().to_toml().replace("kind = \"plateau\"\n", "");
        let error = Config::from_toml(&text, "run/config.toml").unwrap_err().to_string();
        assert!(error.contains("missing field `kind`"), "{error}");
    }

    /// The folders of runs from before a key was there are read as they were meant.
    #[test]
    fn a_complete_file_may_lack_keys_that_came_later() {
        let mut config = Config::preset("transformer").unwrap();
        let text = config.to_toml().replace("attention_dropout = 0.1\n", "");
        config.set("model.attention_dropout=0.0").unwrap();
        assert_eq!(Config::from_toml(&text, "run/config.toml"), Ok(config));
    }
}
