//! `wgrad init`

use std::path::PathBuf;

use crate::models;
use crate::train::TrainError;
use crate::train::checkpoint::{cut, save_model};
use crate::train::footprint::Footprint;
use crate::train::run_directory::RunDirectory;
use clap::Args;

#[derive(Debug, Args)]
pub struct Init {
    /// A configuration that comes with wgrad; a wrong name lists them
    #[arg(long, value_name = "NAME")]
    preset: String,
    /// Change one key, e.g. --set model.hidden=64
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,
    /// Tokens of the source vocabulary, the four special ones included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(5..))]
    src_vocab: u32,
    /// Tokens of the target vocabulary
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(5..))]
    tgt_vocab: u32,
    /// Determines the parameters [default: the preset's]
    #[arg(long)]
    seed: Option<u64>,
    /// Folder for config.toml and model.safetensors
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Init {
    pub fn run(self) -> anyhow::Result<()> {
        let mut config = super::preset(&self.preset)?;
        config.assign(&self.assignments, "--set")?;
        if let Some(seed) = self.seed {
            config.assign(&[format!("train.seed={seed}")], "--seed")?;
        }
        if config.data.joint_vocabulary && self.src_vocab != self.tgt_vocab {
            anyhow::bail!(
                "--src-vocab {} and --tgt-vocab {}: expected the same number, for data.joint_vocabulary = true shares \
                 one vocabulary",
                self.src_vocab,
                self.tgt_vocab
            );
        }
        let vocabularies = [self.src_vocab as usize, self.tgt_vocab as usize];
        Footprint::of_model(&config.model, vocabularies).check_machine()?;
        let model = models::build(&config.model, vocabularies);
        let flat = model.parameters().initial(config.train.seed);
        let tensors = cut(model.parameters(), &flat);
        let run = RunDirectory::new(self.out, config)?;
        run.create(|| save_model(&run.model_path(), &tensors, None).map_err(TrainError::from))?.remove();
        println!(
            "{}: {} parameters in {} tensors",
            run.model_path().display(),
            model.parameters().count(),
            tensors.len()
        );
        Ok(())
    }
}
