//! `wgrad evaluate`

use std::path::PathBuf;

use crate::text::{BleuKind, BleuTokenizer, corpus_bleu, read_lines};
use anyhow::bail;
use clap::Args;

use super::device::DeviceChoice;
use super::translate::{SearchChoice, TrainedModel};

#[derive(Debug, Args)]
pub struct Evaluate {
    /// Folder of a training run
    run: PathBuf,
    /// Sentences to translate, one a line
    #[arg(long, value_name = "FILE")]
    src: PathBuf,
    /// Their translations, line by line
    #[arg(long = "ref", value_name = "FILE")]
    reference: PathBuf,
    /// Ignore upper and lower case, as most published figures on Multi30k do
    #[arg(long)]
    lowercase: bool,
    /// What counts as a word, by sacreBLEU's names: 13a, zh, char or none [default: the target language's]
    #[arg(long, value_name = "NAME")]
    tokenize: Option<BleuTokenizer>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    search: SearchChoice,
    #[command(flatten)]
    device: DeviceChoice,
}

impl Evaluate {
    pub fn run(self) -> anyhow::Result<()> {
        let (sources, references) = (read_lines(&self.src)?, read_lines(&self.reference)?);
        if sources.len() != references.len() {
            bail!(
                "{} has {} lines and {} has {}: expected line n of one to translate line n of the other",
                self.src.display(),
                sources.len(),
                self.reference.display(),
                references.len()
            );
        }
        let mut model = TrainedModel::open(self.run, self.search, &self.device)?;
        let (target, language) = model.target();
        let tokenizer = self.tokenize.unwrap_or_else(|| BleuTokenizer::for_language(language));
        let kind = BleuKind { tokenizer, lowercase: self.lowercase };
        if let Some(caveat) = tokenizer.caveat(language) {
            tell!("note: {language} with {tokenizer}: {caveat}");
        }
        let normalized: Vec<String> = references.iter().map(|line| target.normalize(line)).collect();
        let most = corpus_bleu(&normalized, &references, kind);
        if most.score < 99.95 {
            tell!(
                "note: this model writes normalized text only: the references themselves, in its form, score {:.1}",
                most.score
            );
        }
        let hypotheses = model.translate(&sources)?;
        let bleu = corpus_bleu(&hypotheses, &references, kind);
        if self.json {
            let object = serde_json::json!({
                "bleu": bleu.score,
                "precisions": bleu.precisions,
                "brevity_penalty": bleu.brevity_penalty,
                "hypothesis_length": bleu.hypothesis_length,
                "reference_length": bleu.reference_length,
                "sentences": sources.len(),
                "lowercase": self.lowercase,
                "tokenizer": tokenizer.name(),
                "signature": kind.to_string(),
                "beam": self.search.beam().width,
                "length_penalty": self.search.beam().length_penalty,
            });
            println!("{}", serde_json::to_string_pretty(&object)?);
        } else {
            println!("{bleu}");
        }
        model.warnings.finish()
    }
}
