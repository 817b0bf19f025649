//! Every preset trains a step, validates, translates and evaluates from the command line, with small sizes in the place of its own.

#[allow(dead_code, reason = "other tests use the rest")]
mod cli;

use cli::Sandbox;
use wgrad::models::ModelConfig;
use wgrad::train::config::{Config, PRESETS};
use wgrad::train::metrics::{Record, read_records};

const GERMAN: &str = "ein Hund\nein Hund schläft\neine Katze schläft\nein Hund sieht die Katze\n";
const ENGLISH: &str = "a dog\na dog sleeps\na cat sleeps\na dog sees the cat\n";

impl Sandbox {
    fn with_four_pairs() -> Self {
        let sandbox = Self::new();
        std::fs::create_dir(sandbox.path("data")).expect("a new folder");
        for split in ["train", "val"] {
            sandbox.write(&format!("data/{split}.de"), GERMAN);
            sandbox.write(&format!("data/{split}.en"), ENGLISH);
        }
        sandbox
    }

    /// One epoch of one step.
    fn train(&self, preset: &str, device: &str) {
        let config = Config::preset(preset).expect("it is one of the presets");
        let sizes: &[&str] = match config.model {
            ModelConfig::Seq2Seq(_) => &["embedding=6", "hidden=8"],
            ModelConfig::TransformerEncoder(_) => &["hidden=8", "head_width=3", "value_width=5", "feed_forward=12"],
            ModelConfig::Transformer(_) => &["hidden=8", "heads=2", "feed_forward=12"],
        };
        let model = sizes.iter().map(|size| format!(" --set model.{size}"));
        let data =
            ["data.min_frequency=1", "data.max_tokens=8", "data.source_vocabulary=60", "data.target_vocabulary=60"];
        let other = data.iter().chain(&["train.epochs=1", "train.log_every=1"]).map(|key| format!(" --set {key}"));
        let assignments: String = model.chain(other).collect();
        self.succeed(&format!("train --preset {preset} --data data --out {preset} --device {device}{assignments}"));
        let records = read_records(&self.path(preset).join("metrics.jsonl")).expect("metrics");
        let [Record::Step(step), Record::Epoch(epoch)] = &records[..] else { panic!("{preset}: {records:?}") };
        // Before it has learnt anything, a model of at most 60 tokens has a perplexity of about as many.
        assert!(step.loss > 0.0 && step.grad_norm > 0.0, "{preset}: {step:?}");
        assert!((1.0..200.0).contains(&epoch.validation_perplexity), "{preset}: {epoch:?}");
    }
}

#[test]
fn every_preset_serves_on_the_cpu() {
    let sandbox = Sandbox::with_four_pairs();
    for (preset, _) in PRESETS {
        sandbox.train(preset, "cpu");
        for beam in [1, 3] {
            let command = format!("translate {preset} --beam {beam} --device cpu");
            let output = sandbox.wgrad(&command, Some("data/val.de")).output().expect("wgrad runs");
            assert!(output.status.success(), "{preset}: {}", cli::stderr(&output));
            assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 4, "{preset}: a line for each line");
        }
        sandbox.succeed(&format!("evaluate {preset} --src data/val.de --ref data/val.en --device cpu"));
    }
}

/// Training ends with validation and translations.
#[test]
fn every_preset_serves_through_the_shaders() {
    let sandbox = Sandbox::with_four_pairs();
    for (preset, _) in PRESETS {
        sandbox.train(preset, "llvmpipe");
    }
}
