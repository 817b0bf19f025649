//! `wgrad train`

use std::fs;
use std::path::{Path, PathBuf};

use crate::device::Opened;
use crate::plan::Device;
use crate::shell::word;
use crate::text::{BleuTokenizer, Tokenizer};
use crate::train::config::Config;
use crate::train::corpus::Corpus;
use crate::train::footprint::Footprint;
use crate::train::metrics::{EpochMetrics, Record, read_records};
use crate::train::run_directory::{RunDirectory, next_free};
use crate::train::score::score_name;
use crate::train::{Outcome, Setup, Trainer};
use anyhow::{Context, bail};
use clap::Args;

use super::corpus;
use super::device::{DeviceChoice, reason};
use super::program;
use super::progress::{Progress, thousands};
use super::signals::Signals;
use super::translate::{SearchChoice, TrainedModel};

#[derive(Debug, Args)]
pub struct Train {
    /// Folder with train.de, train.en, val.de and val.en, and test*.de and test*.en if there are any; with --resume
    /// where the run's text lies now [default: the corpus that comes with wgrad]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder for the run: configuration, metrics, model, tokenizers [default: runs/PRESET]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A configuration that comes with wgrad, e.g. captions, lstm-attention, translator, course-transformer; a wrong
    /// name lists them all
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// A TOML file that changes part of the preset, or a complete one, as --print-config writes it, in place of a
    /// preset
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change one key, e.g. --set train.learning_rate=3e-4; with --resume one of those that may change: train.epochs,
    /// train.patience, train.log_every, train.checkpoint_every
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,
    /// Print the complete configuration and stop
    #[arg(long)]
    print_config: bool,
    /// Continue the run in this folder after its last checkpoint
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "preset", "config", "print_config"])]
    resume: Option<PathBuf>,
    /// Print the plan of a training step: every op and every kernel launch
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    device: DeviceChoice,
}

impl Train {
    /// A run as a file has it whole, in a folder of its own; it goes on where the folder has it already.
    pub fn of_file(config: PathBuf, out: PathBuf, data: Option<PathBuf>, device: DeviceChoice) -> Self {
        let begun = out.join("last.safetensors").exists();
        let (resume, config, out) = if begun { (Some(out), None, None) } else { (None, Some(config), Some(out)) };
        Self {
            data,
            out,
            preset: None,
            config,
            assignments: vec![],
            print_config: false,
            resume,
            verbose: false,
            device,
        }
    }

    pub fn run(self) -> anyhow::Result<()> {
        let signals = Signals::catch().context("catching Ctrl-C")?;
        if let Some(path) = &self.resume {
            let mut run = RunDirectory::resume(path)?;
            run.assign(&self.assignments, "--set")?;
            if let Some(directory) = self.data_directory()? {
                run.assign(&[format!("data.directory={directory}")], "--data")?;
            }
            let tokenizers = run.tokenizers()?;
            let directory = Path::new(&run.config().data.directory);
            if self.data.is_none() && !directory.as_os_str().is_empty() && !directory.exists() {
                bail!(
                    "the text of {} is no longer in {}: say where it is with --data DIR",
                    path.display(),
                    directory.display()
                );
            }
            let corpus = corpus::read(run.config(), true)?;
            return self.train(&run, &corpus, tokenizers, self.device.open()?, signals, true);
        }
        let (preset, config) = self.configuration()?;
        if self.print_config {
            print!("{}", config.to_toml());
            return Ok(());
        }
        let out = self.out.clone().unwrap_or_else(|| next_free(&Path::new("runs").join(preset)));
        let run = RunDirectory::new(out, config)?;
        let corpus = corpus::read(run.config(), false)?;
        let opened = self.device.open()?;
        // With the fewest words: what is too large for these need not learn any.
        Footprint::of_model(&run.config().model, [5; 2]).check(opened.device.as_ref())?;
        let tokenizers = corpus::train_tokenizers(&corpus, run.config())?;
        self.train(&run, &corpus, tokenizers, opened, signals, false)
    }

    /// The preset's name, and it with the file and the assignments applied.
    fn configuration(&self) -> anyhow::Result<(String, Config)> {
        let default = if self.data.is_some() { "lstm-attention" } else { "captions" };
        let mut name = self.preset.clone().unwrap_or_else(|| default.into());
        let mut config = super::preset(&name)?;
        if let Some(path) = &self.config {
            let text = fs::read_to_string(path).with_context(|| format!("--config {}", path.display()))?;
            let origin = path.display().to_string();
            match (&self.preset, Config::from_toml(&text, &origin)) {
                // A complete file, as --print-config writes it, needs no preset, and may be of another kind than the
                // default.
                (None, Ok(complete)) => {
                    config = complete;
                    name = path.file_stem().map_or(name, |stem| stem.to_string_lossy().into_owned());
                }
                _ => config = config.overlay(&text, &origin)?,
            }
        }
        if let Some(directory) = self.data_directory()? {
            config.data.directory = directory;
        }
        config.assign(&self.assignments, "--set")?;
        Ok((name, config))
    }

    fn data_directory(&self) -> anyhow::Result<Option<String>> {
        self.data.as_deref().map(data_directory).transpose()
    }

    fn train(
        &self,
        run: &RunDirectory,
        corpus: &Corpus,
        tokenizers: [Tokenizer; 2],
        Opened { mut device, why }: Opened,
        signals: Signals,
        resume: bool,
    ) -> anyhow::Result<()> {
        let setup = Setup::new(run.config(), tokenizers, corpus.splits.clone(), device.as_ref())?;
        tell!("device    {}: {}", device.describe(), reason(&why));
        tell!("          take another with --device NAME; `wgrad devices` lists them");
        corpus::report(corpus);
        self.report(run.config(), &setup, device.as_ref());
        let mut trainer = Trainer::new(setup.allocate(device.as_mut())?, run, resume)?;
        if resume && (self.data.is_some() || !self.assignments.is_empty()) {
            run.save_changes()?;
        }
        if trainer.best_is_lost() {
            tell!("          model.safetensors is missing or damaged: the best epoch from now on takes its place");
        }
        tell!("run       {}", run.path().display());
        if let Some(key) = trainer.finished() {
            let (program, path) = (program(), word(run.path()));
            let none = if key == "train.patience" { ", 0 for no end" } else { "" };
            tell!(
                "          is finished; for longer: {program} train --resume {path} --set {key}=N, N a larger \
                 number{none}"
            );
        }
        tell!("score     {} of greedy translations of the validation set", score_name(&run.config().data));
        let target = &run.config().data.target;
        if let Some(caveat) = BleuTokenizer::for_language(target).caveat(target) {
            tell!("          {caveat}");
        }
        tell!("          * behind an epoch: the smallest validation loss so far");
        let train = &run.config().train;
        let mut progress = Progress::new(train.epochs, train.log_every);
        let was_finished = trainer.finished().is_some();
        let outcome = trainer.train(signals.defer(), &mut progress);
        signals.heed();
        let resume = format!("{} train --resume {}", program(), word(run.path()));
        match outcome {
            Ok(Outcome::Finished) => (),
            Ok(Outcome::Interrupted) => {
                println!("Stopped; everything is saved. Continue with:\n  {resume}");
                // What was to follow the training does not follow.
                drop(trainer);
                std::process::exit(signals.status());
            }
            Err(error) if !error.is_full_disk() => return Err(error.into()),
            // What a full disk has to say names no flags, so that no advice stands between.
            Err(error) if trainer.is_on_disk() => bail!("{error}, then continue with `{resume}`"),
            Err(error) => bail!("{error}, then train again: nothing of the run was left"),
        }
        if !was_finished && trainer.finished() == Some("train.patience") {
            tell!("stopped: no smaller validation loss for {} epochs (train.patience)", train.patience);
        }
        drop(trainer);
        summarize(run, corpus, &self.device)
    }

    /// Says what is to be trained, and what it takes.
    fn report(&self, config: &Config, setup: &Setup, device: &dyn Device) {
        let [training, validation] = setup.too_long();
        if training + validation > 0 {
            let limit = config.data.max_tokens;
            tell!(
                "          {training} training and {validation} validation pairs have more than {limit} tokens on a \
                 side and are left out of the loss (data.max_tokens)"
            );
        }
        let [source, target] = setup.tokenizers();
        tell!(
            "model     {}, {} parameters, vocabularies {} and {}",
            config.model.kind(),
            thousands(setup.parameter_count() as f64),
            source.vocabulary_size(),
            target.vocabulary_size()
        );
        tell!("memory    {}", setup.footprint().describe(device));
        let plan = setup.largest_plan();
        if self.verbose {
            tell!("{plan}");
        } else if plan.dispatch_count() > 0 {
            tell!("step      {} kernel launches", plan.dispatch_count());
        }
    }
}

/// `--data`, so that it means the same from everywhere.
pub fn data_directory(directory: &Path) -> anyhow::Result<String> {
    let absolute = std::path::absolute(directory).with_context(|| format!("--data {}", directory.display()))?;
    absolute.into_os_string().into_string().ok().context("--data: expected a UTF-8 path")
}

/// What a finished run tells: its best epoch, ten translations, and what to type next.
fn summarize(run: &RunDirectory, corpus: &Corpus, device: &DeviceChoice) -> anyhow::Result<()> {
    let epochs = read_records(&run.metrics_path())?
        .into_iter()
        .filter_map(|r| if let Record::Epoch(e) = r { Some(e) } else { None });
    let better = |a: &EpochMetrics, b: &EpochMetrics| a.validation_loss.total_cmp(&b.validation_loss);
    let best = epochs.min_by(better).context("the run has no finished epoch: is train.epochs 0?")?;
    println!(
        "best epoch {}: validation perplexity {:.2}, {} {:.1}\n",
        best.epoch,
        best.validation_perplexity,
        score_name(&run.config().data),
        best.bleu.unwrap_or(0.0)
    );
    let (name, test) = &corpus.test;
    println!("ten sentences of {name}:");
    // Spread over the set, whose neighbours may be alike.
    let chosen: Vec<usize> = (0..test.source.len()).step_by(test.source.len().div_ceil(10).max(1)).collect();
    let sources: Vec<String> = chosen.iter().map(|&i| test.source[i].clone()).collect();
    let translations = TrainedModel::open(run.path().into(), SearchChoice::GREEDY, device)?.translate(&sources)?;
    for (&i, translation) in chosen.iter().zip(&translations) {
        println!("  {}\n    wgrad      {translation}\n    reference  {}", test.source[i], test.target[i]);
    }
    let data = &run.config().data;
    let [from, to] = [&data.source, &data.target].map(|language| word(format!("text.{language}")));
    println!("\nmodel      {}", run.model_path().display());
    println!("translate  {} translate {} < {from} > {to}", program(), word(run.path()));
    Ok(())
}
