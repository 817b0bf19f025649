//! One trial of a study: a run like any other, which may end early.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use crate::models;
use crate::plan::DeviceError;
use crate::text::Tokenizer;
use crate::train::config::Config;
use crate::train::metrics::{EpochMetrics, Record, read_records};
use crate::train::run_directory::RunDirectory;
use crate::train::{Outcome, Setup, Speed, TrainError, Trainer, Watch};
use crate::tune::proposal::falls_behind;
use crate::tune::study::{Claim, searched};
use crate::tune::{End, Role, Trial};
use anyhow::ensure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::advice::told;
use super::super::corpus;
use super::Session;

/// Trains a trial to its end and writes it down; `None` where the session is over before that, or the study's other
/// trials cannot be read.
pub fn train(session: &mut Session, mut claim: Claim) -> anyhow::Result<Option<Trial>> {
    let path = session.study.run_path(claim.trial.id);
    let Some(end) = ended(session, &mut claim.trial, &path)? else { return Ok(None) };
    let keep = end == End::Complete;
    claim.trial.end = Some(end);
    let trial = session.study.end(claim)?;
    if !keep {
        keep_metrics_only(&path);
    }
    Ok(Some(trial))
}

/// How the trial ends, with what is known of it by then; `None` where it is stopped and goes on later.
fn ended(session: &mut Session, trial: &mut Trial, path: &Path) -> anyhow::Result<Option<End>> {
    let failed = |why: String| Ok(Some(End::Failed { why }));
    // With what to type: that is all that the study keeps of it.
    let refused = |error: TrainError| failed(told(&error.into()));
    let config = match session.space.configure(&trial.values) {
        Ok(config) => config,
        Err(error) => return failed(told(&error.into())),
    };
    let resume = path.join("last.safetensors").exists();
    let (run, tokenizers) = if resume {
        let mut run = RunDirectory::resume(path)?;
        // The text may lie elsewhere now; that it is the same is known by its hashes.
        run.change(&[format!("data.directory={}", toml::Value::from(&*config.data.directory))])?;
        ensure!(
            *run.config() == config,
            "{} is not trial {}: its configuration has other values than the study. Take the folder away; the trial \
             then begins anew",
            path.display(),
            trial.id
        );
        let tokenizers = run.tokenizers()?;
        (run, tokenizers)
    } else {
        let tokenizers = tokenizers(session, &config)?;
        (RunDirectory::new(path, config.clone())?, tokenizers)
    };
    let vocabularies = [&tokenizers[0], &tokenizers[1]].map(Tokenizer::vocabulary_size);
    trial.parameters = models::build(&config.model, vocabularies).parameters().count();
    if let Some(limit) = session.space.parameters.filter(|&limit| trial.parameters > limit) {
        return failed(format!("{} parameters; the space allows {limit}", trial.parameters));
    }
    let mut device = session.device.open()?.device;
    let setup = match Setup::new(run.config(), tokenizers, session.corpus.splits.clone(), device.as_ref()) {
        Err(error @ (TrainError::NoRoom(_) | TrainError::NothingLeft { .. })) => return refused(error),
        setup => setup?,
    };
    let ready = match setup.allocate(device.as_mut()) {
        Err(error) if is_out_of_memory(&error) => return refused(error),
        ready => ready?,
    };
    let mut trainer = Trainer::new(ready, &run, resume)?;
    let mut watch = TrialWatch::new(session, trial, &run, resume)?;
    if watch.judge().is_continue() {
        match trainer.train(session.signals, &mut watch) {
            Ok(Outcome::Finished) => watch.end = Some(End::Complete),
            Ok(Outcome::Interrupted) => (),
            Err(error @ (TrainError::Diverged { .. } | TrainError::DivergedOnResume { .. })) => {
                watch.end = Some(End::Failed { why: error.to_string() });
            }
            Err(error) if is_out_of_memory(&error) => watch.end = Some(End::Failed { why: told(&error.into()) }),
            Err(error) => return Err(error.into()),
        }
    }
    watch.bar.finish_and_clear();
    trial.losses = session.space.objective.losses(&watch.epochs);
    trial.seconds = watch.epochs.last().map_or(0.0, |epoch| epoch.seconds);
    Ok(watch.end)
}

fn is_out_of_memory(error: &TrainError) -> bool {
    matches!(error, TrainError::Device(DeviceError::OutOfMemory { .. }))
}

/// The tokenizers of a configuration, learned once a session.
fn tokenizers(session: &mut Session, config: &Config) -> anyhow::Result<[Tokenizer; 2]> {
    let data = toml::to_string(&config.data)?;
    if let Some(known) = session.tokenizers.get(&data) {
        return Ok(known.clone());
    }
    let learned = corpus::train_tokenizers(session.corpus, config)?;
    session.tokenizers.insert(data, learned.clone());
    Ok(learned)
}

/// Removes what a run needs to go on: a trial that ended early does not.
fn keep_metrics_only(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if !["config.toml", "metrics.jsonl"].iter().any(|kept| entry.file_name() == *kept) {
            // What cannot go takes room, and nothing else.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Follows a trial, and ends it when it falls behind or time is up.
struct TrialWatch<'a> {
    session: &'a Session<'a>,
    id: u64,
    role: Role,
    epochs: Vec<EpochMetrics>,
    end: Option<End>,
    bar: ProgressBar,
}

impl<'a> TrialWatch<'a> {
    fn new(session: &'a Session<'a>, trial: &Trial, run: &RunDirectory, resume: bool) -> anyhow::Result<Self> {
        let mut epochs = vec![];
        if resume {
            let records = read_records(&run.metrics_path())?.into_iter();
            epochs = records
                .filter_map(|record| if let Record::Epoch(epoch) = record { Some(epoch) } else { None })
                .collect();
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len}  {msg}");
        bar.set_style(style.expect("the template is well-formed").progress_chars("━╸ "));
        Ok(Self { session, id: trial.id, role: trial.role.clone(), epochs, end: None, bar })
    }

    /// Whether to go on after the epochs so far.
    fn judge(&mut self) -> ControlFlow<()> {
        let space = self.session.space;
        let (done, Some(last)) = (self.epochs.len(), self.epochs.last()) else { return ControlFlow::Continue(()) };
        if done >= space.base.train.epochs || self.role != Role::Search {
            return ControlFlow::Continue(());
        }
        let seconds = last.seconds / done as f64;
        if let Some(limit) = space.seconds_per_epoch.filter(|&limit| seconds > limit) {
            self.end = Some(End::Pruned { why: format!("{seconds:.1} seconds an epoch; the space allows {limit}") });
            return ControlFlow::Break(());
        }
        // A study that cannot be read now is told of when the trial is written down.
        let trials = self.session.study.trials().unwrap_or_default();
        let losses = space.objective.losses(&self.epochs);
        if falls_behind(space, self.id, &losses, &searched(&trials)) {
            let value = space.objective.say(space.objective.loss(losses[done - 1]));
            self.end = Some(End::Pruned { why: format!("{value} after {done} of {} epochs", space.base.train.epochs) });
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

impl Watch for TrialWatch<'_> {
    fn start_epoch(&mut self, epoch: usize, done: usize, steps: usize) {
        self.bar.set_length(steps as u64);
        self.bar.reset();
        self.bar.set_position(done as u64);
        self.bar.set_prefix(format!("trial {}, epoch {epoch}/{}", self.id, self.session.space.base.train.epochs));
    }

    fn step(&mut self, loss: f64, _speed: &Speed) -> ControlFlow<()> {
        self.bar.inc(1);
        self.bar.set_message(format!("loss {loss:.3}"));
        if self.session.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn finish_epoch(&mut self, metrics: &EpochMetrics, _best: bool, _speed: &Speed) -> ControlFlow<()> {
        self.epochs.push(*metrics);
        self.judge()
    }
}
