//! `wgrad dump`

use std::path::PathBuf;

use crate::models::vocabulary_tensors;
use crate::text::Tokenizer;
use crate::train::checkpoint::{load_trained, save_model, stored_shape};
use crate::train::dump::{dump, load_ids};
use crate::train::run_directory::RunDirectory;
use crate::train::{check_tokenizers, load_weights};
use anyhow::{Context, bail};
use clap::Args;

use super::device::DeviceChoice;

#[derive(Debug, Args)]
pub struct Dump {
    /// Folder with config.toml and model.safetensors, of a run or of `wgrad init`
    model: PathBuf,
    /// Tensors `src` and `tgt`, int64 [B, T], with <unk> <pad> <sos> <eos> = 0 to 3
    #[arg(long, value_name = "FILE")]
    batch: PathBuf,
    /// Where to write logits, loss, grad.NAME for every parameter, and attention where there is one
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    device: DeviceChoice,
}

impl Dump {
    pub fn run(self) -> anyhow::Result<()> {
        let run = RunDirectory::of_model(self.model)?;
        let (config, path) = (run.config(), run.model_path());
        for read in [&run.config_path(), &path, &self.batch] {
            // Of a file that is not there canonicalize knows no place.
            if self.out.canonicalize().is_ok_and(|out| read.canonicalize().is_ok_and(|read| read == out)) {
                bail!("--out {}: it is what the dump is made of; expected another file", self.out.display());
            }
        }
        let tokenizers = [run.source_tokenizer_path(), run.target_tokenizer_path()]
            .map(|path| path.exists().then(|| Tokenizer::load(path)).transpose());
        let [source, target] = tokenizers;
        check_tokenizers(&run, load_trained(&path)?, [source?.as_ref(), target?.as_ref()])?;
        let batch = load_ids(&self.batch)?;
        // How many tokens the vocabularies have, the file itself must say; where it cannot, loading names what is
        // missing.
        let vocabularies = vocabulary_tensors(&config.model)
            .map(|name| stored_shape(&path, name).and_then(|shape| shape.first().copied()).unwrap_or(5));
        let mut device = self.device.open()?.device;
        let model = load_weights(device.as_mut(), &config.model, vocabularies, &path)?;
        let tensors = dump(device.as_mut(), &*model, config, vocabularies, &batch)
            .with_context(|| self.batch.display().to_string())?;
        save_model(&self.out, &tensors, None)?;
        let loss = tensors.iter().find(|tensor| tensor.name == "loss").map_or(f32::NAN, |tensor| tensor.values[0]);
        let looks = tensors.iter().any(|tensor| tensor.name == "attention");
        let without = if looks { "" } else { "; no attention, since the model has none" };
        println!("{}: {} tensors, loss {loss}{without}", self.out.display(), tensors.len());
        Ok(())
    }
}
