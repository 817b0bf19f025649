//! The configuration of a training run: what to read, which model to build, how to train it.
//!
//! A run starts from a complete configuration, usually one of the [`PRESETS`]. Files may change a part of it
//! ([`Config::overlay`]), and so may single assignments ([`Config::set`]). Every function here
//! returns a configuration whose values are in range, or an error that names the key, its value and what is expected.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::models::ModelConfig;
use crate::text::{BatchSize, Frame, TokenizerKind};
use read::nearest;

mod check;
pub(crate) mod read;

/// Everything that determines a run besides the text itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub data: DataConfig,
    pub model: ModelConfig,
    pub train: TrainConfig,
}

/// `[data]`: languages and vocabularies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Folder with train.de, train.en, val.de, val.en and test*.de, test*.en; empty for the corpus that comes with
    /// wgrad.
    pub directory: String,
    /// Language to translate from: the ending of the files to read, e.g. `de` for `train.de`.
    pub source: String,
    /// Language to translate into.
    pub target: String,
    pub tokenizer: TokenizerKind,
    /// Most tokens of the source vocabulary, the four special ones included.
    pub source_vocabulary: usize,
    /// Most tokens of the target vocabulary, the four special ones included.
    pub target_vocabulary: usize,
    /// Words (BPE: characters and merges) that occur less often in the training text become `<unk>`.
    pub min_frequency: u32,
    /// Whether to read and write lower case only.
    pub lowercase: bool,
    /// Whether both languages share one vocabulary, learned from both sides, of `source_vocabulary` tokens.
    pub joint_vocabulary: bool,
    /// Pairs with more tokens on either side are left out of training.
    pub max_tokens: usize,
    /// Which special tokens stand around a sentence.
    pub frame: Frame,
}

/// `[train]`: batches, Adam, and when to report, save and stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training text.
    pub epochs: usize,
    /// Determines initialization, dropout and the order of batches. At most `i64::MAX`, the largest number of TOML.
    pub seed: u64,
    /// Adam's step size (Kingma and Ba 2015), before the schedule.
    pub learning_rate: f32,
    /// Decay of Adam's mean of gradients.
    pub beta1: f32,
    /// Decay of Adam's mean of squared gradients.
    pub beta2: f32,
    /// What Adam adds to the denominator.
    pub epsilon: f32,
    /// Gradients are scaled down to this L2 norm over all parameters.
    pub clip_norm: f32,
    /// Probability that the loss moves from the right token to all tokens (Szegedy et al. 2016).
    pub label_smoothing: f32,
    /// Probability that the decoder reads the right token, not its own likeliest one. Below 1 in training; validation
    /// is free-running at 0, else forced.
    pub teacher_forcing: f32,
    /// Whether every epoch has an order of its own. If not, batches are neighbours in the corpus, padded to
    /// `data.max_tokens`.
    pub shuffle: bool,
    /// Epochs whose parameters are averaged for validation and for the model that is saved; 1 = the last alone.
    pub average_epochs: usize,
    /// Epochs without a better validation loss after which training stops; 0 = never.
    pub patience: usize,
    /// Steps between two reports.
    pub log_every: usize,
    /// Steps between two checkpoints; 0 = at the end of an epoch only.
    pub checkpoint_every: usize,
    pub batch: BatchSize,
    pub schedule: Schedule,
}

/// How the learning rate changes during training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Not at all.
    Constant {},
    /// Multiplied by `factor` when more than `patience` epochs in a row brought no better `metric`, down to
    /// `min_learning_rate` (torch.optim.lr_scheduler.ReduceLROnPlateau).
    Plateau { metric: Metric, factor: f32, patience: usize, min_learning_rate: f32 },
    /// Linear growth to `learning_rate` over `warmup_steps`, then decay with the square root of the step
    /// (Vaswani et al. 2017).
    InverseSqrt { warmup_steps: usize },
}

/// The loss that a schedule watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    Training,
    Validation,
}

/// The configurations that come with the program, by name.
pub const PRESETS: [(&str, &str); 24] = [
    ("bahdanau", include_str!("../../data/presets/bahdanau.toml")),
    ("captions", include_str!("../../data/presets/captions.toml")),
    ("course-full-transformer", include_str!("../../data/presets/course-full-transformer.toml")),
    ("course-lstm", include_str!("../../data/presets/course-lstm.toml")),
    ("course-lstm-attention", include_str!("../../data/presets/course-lstm-attention.toml")),
    ("course-lstm-replace", include_str!("../../data/presets/course-lstm-replace.toml")),
    ("course-rnn", include_str!("../../data/presets/course-rnn.toml")),
    ("course-rnn-attention", include_str!("../../data/presets/course-rnn-attention.toml")),
    ("course-rnn-replace", include_str!("../../data/presets/course-rnn-replace.toml")),
    ("course-transformer", include_str!("../../data/presets/course-transformer.toml")),
    ("gru", include_str!("../../data/presets/gru.toml")),
    ("lstm", include_str!("../../data/presets/lstm.toml")),
    ("lstm-attention", include_str!("../../data/presets/lstm-attention.toml")),
    ("lstm-deep", include_str!("../../data/presets/lstm-deep.toml")),
    ("luong", include_str!("../../data/presets/luong.toml")),
    ("rnn", include_str!("../../data/presets/rnn.toml")),
    ("rnn-unit", include_str!("../../data/presets/rnn-unit.toml")),
    ("scheduled-sampling", include_str!("../../data/presets/scheduled-sampling.toml")),
    ("tiny", include_str!("../../data/presets/tiny.toml")),
    ("transformer", include_str!("../../data/presets/transformer.toml")),
    ("translator", include_str!("../../data/presets/translator.toml")),
    ("tuned-seq2seq", include_str!("../../data/presets/tuned-seq2seq.toml")),
    ("tuned-transformer", include_str!("../../data/presets/tuned-transformer.toml")),
    ("tuned-transformer-encoder", include_str!("../../data/presets/tuned-transformer-encoder.toml")),
];

/// A configuration that cannot be used.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    #[error("cannot read {origin}: {message}")]
    Syntax { origin: String, message: String },

    #[error("unknown key `{key}` in {origin}: did you mean `{nearest}`?")]
    UnknownKey { key: String, origin: String, nearest: &'static str },

    /// A key of another family of models.
    #[error(
        "`{key}` in {origin}: a {kind} has no such key; it belongs to model.kind = {}. Take a preset of that kind, or \
         leave the key out",
        owners.join(" and ")
    )]
    OtherKind { key: String, origin: String, kind: String, owners: Vec<String> },

    #[error(
        "`model.kind = {value}` in {origin}: the preset is a {kind}, whose other keys would not fit; take a preset of \
         that kind, e.g. {example}"
    )]
    Kind { value: String, origin: String, kind: String, example: &'static str },

    /// A model of another crate, which a file cannot build.
    #[error(
        "{origin} is of the model `{name}`, which is none of wgrad's: the program that made the run has it, and opens \
         the run"
    )]
    OwnModel { name: String, origin: String },

    #[error("`{key} = {value}` contradicts {other}: {advice}")]
    Contradiction { key: &'static str, value: String, other: String, advice: String },

    #[error("`{key}` is missing in {origin}; expected {expected}")]
    MissingKey { key: &'static str, origin: String, expected: &'static str },

    #[error("`{key} = {value}` in {origin}: expected {expected}")]
    Value { key: String, value: String, origin: String, expected: &'static str },

    #[error("`{assignment}` in {origin} sets nothing: expected KEY=VALUE, e.g. train.learning_rate=3e-4")]
    Assignment { assignment: String, origin: String },

    #[error("there is no preset `{name}`: did you mean `{nearest}`? The presets are {}", names.join(", "))]
    UnknownPreset { name: String, nearest: &'static str, names: Vec<&'static str> },
}

/// The preset `lstm-attention`.
impl Default for Config {
    fn default() -> Self {
        Self::preset("lstm-attention").expect("it is one of the presets")
    }
}

impl Config {
    /// What a preset is called that had another name: those after a course were `seed-` ones, which read like a seed.
    pub fn renamed(name: &str) -> Option<&'static str> {
        let rest = name.strip_prefix("seed-")?;
        PRESETS.iter().map(|(known, _)| *known).find(|known| known.strip_prefix("course-") == Some(rest))
    }

    /// One of the [`PRESETS`].
    ///
    /// # Errors
    ///
    /// No preset has this name; the error lists them.
    pub fn preset(name: &str) -> Result<Self, ConfigError> {
        let today = Self::renamed(name).unwrap_or(name);
        match PRESETS.iter().find(|(known, _)| *known == today) {
            Some((_, text)) => Ok(toml::from_str(text).expect("the tests read every preset")),
            None => {
                let names = PRESETS.map(|(known, _)| known);
                Err(ConfigError::UnknownPreset {
                    name: name.to_owned(),
                    nearest: nearest(name, names),
                    names: names.to_vec(),
                })
            }
        }
    }

    /// The complete configuration as TOML, which [`from_toml`](Self::from_toml) reads back exactly.
    ///
    /// # Panics
    ///
    /// If the configuration fails its [`check`](Self::check) for `train.seed`.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("only a seed above i64::MAX has no TOML")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_keep_to_their_old_names() {
        assert_eq!(Config::renamed("seed-lstm"), Some("course-lstm"));
        assert_eq!(Config::preset("seed-lstm"), Config::preset("course-lstm"));
        assert_eq!(Config::renamed("course-lstm"), None);
        assert!(Config::preset("seed-gru").is_err(), "there was none");
    }

    #[test]
    fn every_preset_is_complete_valid_and_commented() {
        for (name, text) in PRESETS {
            let preset = Config::preset(name).unwrap();
            assert_eq!(Config::from_toml(text, name).as_ref(), Ok(&preset));
            // Behind the key, or above one that fills its line.
            let mut above = "";
            for line in text.lines() {
                let is_commented = line.contains(" # ") || above.starts_with("# ");
                assert!(
                    is_commented || line.starts_with('#') || !line.contains(" = "),
                    "{name}: `{line}` has no comment"
                );
                above = line;
            }
        }
    }

    #[test]
    fn toml_round_trips_exactly() {
        let schedules = [
            "train.schedule={ kind = \"inverse-sqrt\", warmup_steps = 7 }",
            "train.schedule={ kind = \"constant\" }",
            "train.batch.tokens=4096",
            "train.learning_rate=0.0012345679",
            "train.seed=9223372036854775807",
        ];
        for (name, _) in PRESETS {
            let mut config = Config::preset(name).unwrap();
            for change in schedules {
                assert_eq!(Config::from_toml(&config.to_toml(), "again.toml").as_ref(), Ok(&config));
                config.set_all(&[change, "train.shuffle=true"]).unwrap();
            }
        }
        // As short as it was written, not the nearest 64-bit number.
        assert!(Config::default().to_toml().contains("dropout = 0.35\n"), "{}", Config::default().to_toml());
    }

    #[test]
    fn an_unknown_preset_lists_the_known_ones() {
        let error = Config::preset("lstm-atention").unwrap_err().to_string();
        let list = PRESETS.map(|(name, _)| name).join(", ");
        assert_eq!(
            error,
            format!("there is no preset `lstm-atention`: did you mean `lstm-attention`? The presets are {list}")
        );
    }

    #[test]
    fn check_names_key_value_and_range() {
        let mut config = Config::default();
        assert_eq!(config.check(), Ok(()));
        config.set("model.dropout=0.5").unwrap();
        let set = |config: &mut Config, p: f32| {
            let ModelConfig::Seq2Seq(model) = &mut config.model else { panic!("the default is a seq2seq") };
            model.dropout = p;
        };
        set(&mut config, 1.0);
        let error = config.check().unwrap_err().to_string();
        assert_eq!(error, "`model.dropout = 1.0` in the configuration: expected a number from 0 to below 1");
        set(&mut config, f32::NAN);
        assert!(config.check().is_err());
        set(&mut config, 0.0);
        config.train.seed = u64::MAX;
        assert!(config.check().unwrap_err().to_string().contains("`train.seed = 18446744073709551615`"));
    }

    #[test]
    fn what_contradicts_is_refused() {
        for (preset, assignment, message) in [
            ("lstm", "model.input_feeding=true", "`model.input_feeding = true` contradicts model.attention = \"none\""),
            ("course-transformer", "train.teacher_forcing=0.5", "contradicts model.kind = transformer-encoder"),
            ("course-full-transformer", "model.heads=3", "`model.heads = 3` contradicts model.hidden = 128"),
            ("course-full-transformer", "model.tied=all", "needs data.joint_vocabulary=true"),
            ("course-full-transformer", "data.max_tokens=19", "takes 21 positions"),
            ("course-lstm", "train.batch.tokens=512", "`train.shuffle = false` contradicts train.batch"),
            (
                "course-transformer",
                "model.rnn=lstm",
                "a transformer-encoder has no such key; it belongs to model.kind = seq2seq",
            ),
            ("rnn-unit", "model.layers=2", "`model.layers = 2` contradicts model.rnn = unit"),
            ("lstm-attention", "model.rnn=unit", "`model.bidirectional = true` contradicts model.rnn = unit"),
            ("luong", "model.rnn=unit", "`model.layers = 2` contradicts model.rnn = unit"),
            ("bahdanau", "model.kind=transformer", "e.g. course-full-transformer"),
            ("lstm", "model.heads=2", "belongs to model.kind = transformer-encoder and transformer"),
            ("lstm", "model.kind=transformer", "e.g. course-full-transformer"),
        ] {
            let error = Config::preset(preset).unwrap().set(assignment).unwrap_err().to_string();
            assert!(error.contains(message), "{preset} {assignment}: {error}");
        }
    }
}
