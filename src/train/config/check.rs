//! Which values a configuration may have.

use std::fmt::Debug;

use crate::models::{ModelConfig, Tied};
use crate::nn::{AttentionKind, RnnKind};
use crate::text::corpus::is_ending;
use crate::text::{BatchSize, MOST_TOKENS};

use super::read::expected;
use super::{Config, ConfigError, Schedule};

impl Config {
    /// Whether all values are in range and none contradicts another. Configurations that were read or set always are.
    ///
    /// # Errors
    ///
    /// The first key that is not.
    pub fn check(&self) -> Result<(), ConfigError> {
        let train = &self.train;
        let batch = match train.batch {
            BatchSize::Sentences(size) | BatchSize::Tokens(size) => count(size),
        };
        let schedule = match train.schedule {
            Schedule::Constant {} => true,
            Schedule::Plateau { factor, patience, min_learning_rate, .. } => {
                positive(factor) && factor < 1.0 && count(patience) && (0.0..f32::INFINITY).contains(&min_learning_rate)
            }
            Schedule::InverseSqrt { warmup_steps } => count(warmup_steps),
        };
        let data = &self.data;
        let mut in_range: Vec<(&str, &dyn Debug, bool)> = vec![
            ("data.source", &data.source, is_ending(&data.source)),
            ("data.target", &data.target, is_ending(&data.target) && data.target != data.source),
            ("data.source_vocabulary", &data.source_vocabulary, vocabulary(data.source_vocabulary)),
            ("data.target_vocabulary", &data.target_vocabulary, vocabulary(data.target_vocabulary)),
            ("data.min_frequency", &data.min_frequency, data.min_frequency >= 1),
            ("data.max_tokens", &data.max_tokens, width(data.max_tokens)),
            ("train.epochs", &train.epochs, count(train.epochs)),
            ("train.seed", &train.seed, i64::try_from(train.seed).is_ok()),
            ("train.learning_rate", &train.learning_rate, positive(train.learning_rate)),
            ("train.beta1", &train.beta1, probability(train.beta1)),
            ("train.beta2", &train.beta2, probability(train.beta2)),
            ("train.epsilon", &train.epsilon, positive(train.epsilon)),
            ("train.clip_norm", &train.clip_norm, positive(train.clip_norm)),
            ("train.label_smoothing", &train.label_smoothing, probability(train.label_smoothing)),
            ("train.teacher_forcing", &train.teacher_forcing, (0.0..=1.0).contains(&train.teacher_forcing)),
            ("train.average_epochs", &train.average_epochs, count(train.average_epochs)),
            ("train.patience", &train.patience, train.patience == 0 || count(train.patience)),
            ("train.log_every", &train.log_every, count(train.log_every)),
            (
                "train.checkpoint_every",
                &train.checkpoint_every,
                train.checkpoint_every == 0 || count(train.checkpoint_every),
            ),
            ("train.batch", &train.batch, batch),
            ("train.schedule", &train.schedule, schedule),
        ];
        in_range.extend(model_ranges(&self.model));
        match in_range.iter().find(|(.., ok)| !ok) {
            None => self.check_together(),
            Some((key, value, _)) => Err(ConfigError::Value {
                key: (*key).to_owned(),
                value: format!("{value:?}"),
                origin: "the configuration".to_owned(),
                expected: expected(key).expect("the keys above are among the known ones"),
            }),
        }
    }

    /// Values that are in range each, but not together.
    fn check_together(&self) -> Result<(), ConfigError> {
        let contradiction = |key, value: &dyn Debug, other: String, advice: &str| {
            Err(ConfigError::Contradiction { key, value: format!("{value:?}"), other, advice: advice.to_owned() })
        };
        let (data, train) = (&self.data, &self.train);
        if !train.shuffle && matches!(train.batch, BatchSize::Tokens(_)) {
            let advice =
                "batches in the order of the corpus have a fixed number of sentences; set train.batch.sentences";
            return contradiction("train.shuffle", &train.shuffle, "train.batch = { tokens = … }".into(), advice);
        }
        let positions = match &self.model {
            ModelConfig::Seq2Seq(model) => {
                let fed = matches!(model.attention, AttentionKind::Dot | AttentionKind::General);
                if model.input_feeding && !fed {
                    let advice = "only dot and general attention have an output to feed";
                    let attention = toml::Value::try_from(model.attention).expect("a name");
                    let other = format!("model.attention = {attention}");
                    return contradiction("model.input_feeding", &model.input_feeding, other, advice);
                }
                let plain: [(_, &dyn Debug, _); 3] = [
                    ("model.layers", &model.layers, model.layers == 1),
                    ("model.bidirectional", &model.bidirectional, !model.bidirectional),
                    ("model.attention", &model.attention, model.attention == AttentionKind::None),
                ];
                if let Some((key, value, _)) = plain.iter().find(|(.., ok)| model.rnn == RnnKind::Unit && !ok) {
                    let advice =
                        "the unit is one layer of one direction, without attention; take model.rnn=rnn for more";
                    return contradiction(key, value, "model.rnn = unit".into(), advice);
                }
                return Ok(());
            }
            ModelConfig::Own(_) => return Ok(()),
            ModelConfig::TransformerEncoder(model) => {
                if train.teacher_forcing < 1.0 {
                    let advice = "it has no decoder that could read its own words; set train.teacher_forcing=1.0";
                    let other = "model.kind = transformer-encoder".into();
                    return contradiction("train.teacher_forcing", &train.teacher_forcing, other, advice);
                }
                model.max_positions
            }
            ModelConfig::Transformer(model) => {
                if !model.hidden.is_multiple_of(model.heads) {
                    let advice = "the heads share the hidden elements out, so their number must divide them";
                    return contradiction(
                        "model.heads",
                        &model.heads,
                        format!("model.hidden = {}", model.hidden),
                        advice,
                    );
                }
                if model.tied == Tied::All && !data.joint_vocabulary {
                    let advice = "one matrix serves both languages, which needs data.joint_vocabulary=true";
                    return contradiction("model.tied", &model.tied, "data.joint_vocabulary = false".into(), advice);
                }
                model.max_positions
            }
        };
        let needed = data.frame.positions(data.max_tokens);
        if positions < needed {
            let advice = format!("a sentence of that many tokens takes {needed} positions with its special tokens");
            return contradiction(
                "model.max_positions",
                &positions,
                format!("data.max_tokens = {}", data.max_tokens),
                &advice,
            );
        }
        Ok(())
    }
}

fn probability(p: f32) -> bool {
    (0.0..1.0).contains(&p)
}

/// What is counted in 32 bits.
fn count(number: usize) -> bool {
    number >= 1 && u32::try_from(number).is_ok()
}

fn vocabulary(tokens: usize) -> bool {
    (5..=MOST_TOKENS).contains(&tokens)
}

/// A width or a length, whose square is below 2³².
fn width(elements: usize) -> bool {
    elements >= 1 && u16::try_from(elements).is_ok()
}

/// A plan of 1,024 layers takes seconds.
fn layers(number: usize) -> bool {
    (1..=1024).contains(&number)
}

fn positive(x: f32) -> bool {
    x > 0.0 && x.is_finite()
}

/// Each key of the model with its value and whether that is in range.
fn model_ranges(model: &ModelConfig) -> Vec<(&'static str, &dyn Debug, bool)> {
    fn size<'a>(key: &'static str, value: &'a usize) -> (&'static str, &'a dyn Debug, bool) {
        (key, value, width(*value))
    }
    fn depth<'a>(key: &'static str, value: &'a usize) -> (&'static str, &'a dyn Debug, bool) {
        (key, value, layers(*value))
    }
    match model {
        ModelConfig::Seq2Seq(model) => {
            let even = !model.bidirectional || model.hidden.is_multiple_of(2);
            vec![
                depth("model.layers", &model.layers),
                size("model.embedding", &model.embedding),
                ("model.hidden", &model.hidden, width(model.hidden) && even),
                ("model.dropout", &model.dropout, probability(model.dropout)),
            ]
        }
        ModelConfig::TransformerEncoder(model) => vec![
            size("model.hidden", &model.hidden),
            size("model.heads", &model.heads),
            size("model.head_width", &model.head_width),
            size("model.value_width", &model.value_width),
            size("model.feed_forward", &model.feed_forward),
            size("model.max_positions", &model.max_positions),
            ("model.dropout", &model.dropout, probability(model.dropout)),
            ("model.attention_dropout", &model.attention_dropout, probability(model.attention_dropout)),
        ],
        ModelConfig::Transformer(model) => vec![
            size("model.hidden", &model.hidden),
            size("model.heads", &model.heads),
            size("model.feed_forward", &model.feed_forward),
            depth("model.encoder_layers", &model.encoder_layers),
            depth("model.decoder_layers", &model.decoder_layers),
            size("model.max_positions", &model.max_positions),
            ("model.dropout", &model.dropout, probability(model.dropout)),
            ("model.attention_dropout", &model.attention_dropout, probability(model.attention_dropout)),
        ],
        ModelConfig::Own(model) => vec![("model.dropout", &model.dropout, probability(model.dropout))],
    }
}
