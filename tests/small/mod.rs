//! Every preset in small: what the tests that walk their list train with.

use wgrad::models::ModelConfig;
use wgrad::train::config::Config;

pub const GERMAN: &str = "ein Hund\nein Hund schläft\neine Katze schläft\nein Hund sieht die Katze\n";
pub const ENGLISH: &str = "a dog\na dog sleeps\na cat sleeps\na dog sees the cat\n";

/// Assignments that make a preset small enough for four pairs.
pub fn assignments(preset: &str) -> Vec<&'static str> {
    let config = Config::preset(preset).expect("it is one of the presets");
    let sizes: &[&str] = match config.model {
        ModelConfig::Seq2Seq(_) => &["model.embedding=6", "model.hidden=8"],
        ModelConfig::TransformerEncoder(_) => {
            &["model.hidden=8", "model.head_width=3", "model.value_width=5", "model.feed_forward=12"]
        }
        ModelConfig::Own(_) => &[],
        ModelConfig::Transformer(_) => &["model.hidden=8", "model.heads=2", "model.feed_forward=12"],
    };
    let data = ["data.min_frequency=1", "data.max_tokens=8", "data.source_vocabulary=60", "data.target_vocabulary=60"];
    sizes.iter().copied().chain(data).chain(["train.log_every=1"]).collect()
}
