//! The training loop.

mod average;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::decode::{Beam, End, Limit, Search, Translated, Translator};
use crate::models::Model;
use crate::nn::Parameters;
use crate::plan::{Device, DeviceError, Prepared};
use crate::text::{Batch, BatchShape, Batcher, Tokenizer};

use super::TrainError;
use super::checkpoint::{Last, NamedTensor, Trained, TrainingState, cut, load_last, load_model, save_last, save_model};
use super::config::{Config, TrainConfig};
use super::files::{remove_temporaries, write_atomically};
use super::fingerprint::{Fingerprints, tokenizer_fingerprint};
use super::load::{blame, expected};
use super::metrics::{EpochMetrics, Metrics, Record, StepMetrics};
use super::run_directory::{Lock, RunDirectory};
use super::schedule::{ScheduleState, Scheduler};
use super::score::ValidationScore;
use super::setup::{Ready, Setup, TRAINING, VALIDATION};
use super::step::{StepResult, control_words};
use super::watch::{Speed, Watch};
use average::averaged;

/// Steps after a resume within which a divergence is told apart: moments that were restored wrongly ended a run at the
/// second.
const SOON: u64 = 10;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs are done, or early stopping ended them.
    Finished,
    /// Somebody asked it to stop; everything is saved.
    Interrupted,
}

/// A step that was submitted and whose loss has not arrived yet.
struct Pending {
    step: u64,
    learning_rate: f32,
}

/// One training run.
pub struct Trainer<'a> {
    device: &'a mut dyn Device,
    run: &'a RunDirectory,
    model: Arc<dyn Model>,
    /// What the model says of its training.
    trained: Trained,
    /// The validation text's source, which is translated after every epoch.
    validation_source: Vec<String>,
    validation_score: ValidationScore,
    batches: [Batcher; 2],
    plans: [HashMap<BatchShape, Prepared>; 2],
    /// The most sentences that a batch holds.
    most: usize,
    translator: Translator,
    scheduler: Scheduler,
    state: TrainingState,
    /// `None` before a new run has its folder.
    metrics: Option<Metrics>,
    lock: Option<Lock>,
    speed: Speed,
    pending: VecDeque<Pending>,
    /// Whether who watches has seen enough.
    enough: bool,
    /// The step that the run was resumed at.
    resumed: Option<u64>,
    /// Training time of earlier sessions.
    before: f64,
    started: Instant,
}

impl<'a> Trainer<'a> {
    /// Prepares a run in `run`: new, or with `resume` from its last checkpoint. Nothing of a new run is written yet,
    /// however this ends: [`train`](Self::train) makes its folder.
    ///
    /// # Errors
    /// When the checkpoint is damaged, the text or a tokenizer is not what the run began with, or another process
    /// trains in the folder.
    pub fn new(ready: Ready<'a>, run: &'a RunDirectory, resume: bool) -> Result<Self, TrainError> {
        let lock = if resume { Some(run.lock()?) } else { None };
        let Ready { device, setup, plans } = ready;
        let Setup { tokenizers, validation_text, files, batches, most, model, splits, .. } = setup;
        let config = run.config();
        let sides = [&tokenizers[0], &tokenizers[1]];
        let lengths = splits[TRAINING].pair_lengths(config.data.frame);
        let trained = Trained { tokenizers: sides.map(tokenizer_fingerprint), lengths };
        let vocabularies = sides.map(Tokenizer::vocabulary_size);
        let (state, metrics) = if resume {
            let last =
                load_last(&run.last_path(), &expected(model.parameters())).map_err(|e| blame(e, run, vocabularies))?;
            let mut state = unchanged(last.state.clone(), files, run)?;
            if state.best_epoch > 0 && load_model(&run.model_path(), &expected(model.parameters())).is_err() {
                (state.best_validation_loss, state.epochs_without_improvement) = (None, 0);
            }
            for epoch in averaged(&config.train, state.epoch).filter(|&epoch| epoch < state.epoch) {
                run.require_epoch(epoch)?;
                load_model(&run.epoch_path(epoch), &expected(model.parameters()))?;
            }
            let metrics = Metrics::resume(&run.metrics_path(), state.metrics_bytes)?;
            restore(device, model.parameters(), &last)?;
            remove_temporaries(run.path());
            (state, Some(metrics))
        } else {
            (first_state(config, files), None)
        };
        let search = Search::new(model.clone(), config.data.frame, Beam::GREEDY, Limit::Trained(lengths));
        Ok(Self {
            device,
            run,
            validation_score: ValidationScore::new(&config.data, &tokenizers[1], &validation_text.target),
            validation_source: validation_text.source,
            translator: Translator::new(tokenizers, search, lengths.source),
            model,
            trained,
            batches,
            plans,
            most,
            scheduler: Scheduler::resume(config.train.schedule, state.schedule),
            speed: Speed::start(),
            before: state.seconds,
            resumed: resume.then_some(state.step),
            state,
            metrics,
            lock,
            pending: VecDeque::new(),
            enough: false,
            started: Instant::now(),
        })
    }

    /// Whether the run has a folder, in which it can be continued.
    pub fn is_on_disk(&self) -> bool {
        self.lock.is_some()
    }

    /// Makes the folder of a new run. From now on it can be resumed, whenever it is killed.
    fn begin(&mut self) -> Result<(), TrainError> {
        let run = self.run;
        self.lock = Some(run.create(|| {
            let paths = [run.source_tokenizer_path(), run.target_tokenizer_path()];
            for (tokenizer, path) in self.translator.tokenizers().iter().zip(paths) {
                write_atomically(&path, tokenizer.to_json().as_bytes())?;
            }
            self.metrics = Some(Metrics::create(&run.metrics_path())?);
            self.save()
        })?);
        Ok(())
    }

    fn metrics(&mut self) -> &mut Metrics {
        self.metrics.as_mut().expect("the run has begun")
    }

    /// Whether a resumed run had a best model that is missing now, or cannot be read: the next epoch's is the best
    /// then.
    pub fn best_is_lost(&self) -> bool {
        self.state.best_epoch > 0 && self.state.best_validation_loss.is_none()
    }

    /// The key that keeps the run from going on: all of its epochs are done, or validation has not improved for as many
    /// as its patience.
    pub fn finished(&self) -> Option<&'static str> {
        let train = &self.run.config().train;
        if self.state.epoch > train.epochs {
            return Some("train.epochs");
        }
        (train.patience > 0 && self.state.epochs_without_improvement >= train.patience).then_some("train.patience")
    }

    /// Makes the folder of a new run, tells `watch` how it goes, and trains until all epochs are done, validation stops
    /// improving, or `stop` is set, which is heeded between two steps and between two batches of validation.
    ///
    /// # Errors
    /// When the device fails, the disk is full or the loss diverges; the last checkpoint is intact then. If the folder
    /// cannot be made, nothing of it is left.
    pub fn train(&mut self, stop: &AtomicBool, watch: &mut dyn Watch) -> Result<Outcome, TrainError> {
        let train = self.run.config().train.clone();
        if !self.is_on_disk() {
            self.begin()?;
        }
        while self.finished().is_none() {
            let batches = self.batches[TRAINING].epoch(train.seed, self.state.epoch);
            self.speed = Speed::start();
            watch.start_epoch(self.state.epoch, self.state.batch, batches.len());
            while self.state.batch < batches.len() {
                self.step(&train, &batches[self.state.batch], watch)?;
                let due = train.checkpoint_every > 0 && self.state.step.is_multiple_of(train.checkpoint_every as u64);
                let stopped = self.enough || stop.load(Ordering::Relaxed);
                if due || stopped {
                    self.drain(true, watch)?;
                    self.save()?;
                }
                if stopped {
                    return Ok(Outcome::Interrupted);
                }
            }
            self.drain(true, watch)?;
            let ended = self.end_epoch(stop, watch)?;
            self.save()?;
            let stopped = self.enough || stop.load(Ordering::Relaxed);
            if !ended || stopped && self.finished().is_none() {
                return Ok(Outcome::Interrupted);
            }
        }
        Ok(Outcome::Finished)
    }

    fn step(&mut self, train: &TrainConfig, batch: &Batch, watch: &mut dyn Watch) -> Result<(), TrainError> {
        self.state.step += 1;
        self.state.batch += 1;
        let (step, learning_rate) = (self.state.step, self.scheduler.learning_rate(self.state.step));
        let control = control_words(train, step, learning_rate, &batch.sentences, self.most);
        self.device.write_u32("control", &control)?;
        self.device.run(self.plans[TRAINING][&batch.shape], true)?;
        self.pending.push_back(Pending { step, learning_rate });
        self.drain(false, watch)
    }

    /// Takes note of the losses that have arrived, or of all.
    fn drain(&mut self, wait: bool, watch: &mut dyn Watch) -> Result<(), TrainError> {
        for record in self.device.logged(wait)? {
            let Pending { step, learning_rate } = self.pending.pop_front().expect("one record a step");
            let result = StepResult::from_log(&record);
            if !(result.loss_sum.is_finite() && result.grad_norm.is_finite()) {
                return Err(self.diverged(format!("at step {step}"), step));
            }
            self.state.epoch_loss_sum += result.loss_sum;
            self.state.epoch_nll_sum += result.nll_sum;
            self.state.epoch_tokens += result.tokens;
            self.state.epoch_batch_nll_sum += result.batch_nll_sum;
            self.speed.step(result.tokens as u64);
            self.enough |= watch.step(result.loss(), &self.speed).is_break();
            if step.is_multiple_of(self.run.config().train.log_every.max(1) as u64) {
                let record = Record::Step(StepMetrics {
                    step,
                    epoch: self.state.epoch,
                    loss: result.loss(),
                    learning_rate,
                    grad_norm: result.grad_norm,
                    tokens_per_second: self.speed.tokens_per_second(),
                });
                self.metrics().write(record)?;
            }
        }
        Ok(())
    }

    /// The error for a loss that is no number. Soon after a resume the checkpoint is the likelier cause.
    fn diverged(&self, at: String, step: u64) -> TrainError {
        match self.resumed.map(|resumed| step - resumed) {
            Some(steps @ ..=SOON) => TrainError::DivergedOnResume { at, steps, checkpoint: self.run.last_path() },
            _ => TrainError::Diverged { at },
        }
    }

    /// Validates, takes note of it and turns to the next epoch. `false` where `stop` was set meanwhile: all is as it
    /// was after the last step then, and the epoch is validated once the run goes on.
    fn end_epoch(&mut self, stop: &AtomicBool, watch: &mut dyn Watch) -> Result<bool, TrainError> {
        let trained = self.average()?;
        let scores = self.validate(stop)?;
        let Some((validation, bleu)) = scores else {
            self.put_back(trained)?;
            return Ok(false);
        };
        let training = StepResult {
            loss_sum: self.state.epoch_loss_sum,
            nll_sum: self.state.epoch_nll_sum,
            tokens: self.state.epoch_tokens,
            batch_nll_sum: self.state.epoch_batch_nll_sum,
            batches: self.state.batch as f64,
            grad_norm: 0.0,
        };
        let best = self.state.best_validation_loss.is_none_or(|best| validation.loss() < best);
        if best {
            self.state.best_validation_loss = Some(validation.loss());
            self.state.best_epoch = self.state.epoch;
            self.state.epochs_without_improvement = 0;
            save_model(&self.run.model_path(), &self.tensors("parameters")?, Some(self.trained))?;
        } else {
            self.state.epochs_without_improvement += 1;
        }
        let metrics = EpochMetrics {
            epoch: self.state.epoch,
            step: self.state.step,
            training_loss: training.loss(),
            training_perplexity: training.perplexity(),
            training_batch_perplexity: training.batch_perplexity(),
            validation_loss: validation.loss(),
            validation_perplexity: validation.perplexity(),
            validation_batch_perplexity: validation.batch_perplexity(),
            bleu: Some(bleu),
            learning_rate: self.scheduler.learning_rate(self.state.step),
            seconds: self.seconds(),
        };
        self.metrics().write(Record::Epoch(metrics))?;
        self.enough |= watch.finish_epoch(&metrics, best, &self.speed).is_break();
        self.put_back(trained)?;
        self.scheduler.end_epoch(training.loss(), validation.loss());
        self.state.epoch += 1;
        self.state.batch = 0;
        (self.state.epoch_loss_sum, self.state.epoch_nll_sum) = (0.0, 0.0);
        (self.state.epoch_tokens, self.state.epoch_batch_nll_sum) = (0.0, 0.0);
        Ok(true)
    }

    /// Loss and BLEU of the validation set; `None` where `stop` was set meanwhile.
    fn validate(&mut self, stop: &AtomicBool) -> Result<Option<(StepResult, f64)>, TrainError> {
        let Some(loss) = self.validation_loss(stop)? else { return Ok(None) };
        if !loss.loss().is_finite() {
            let at = format!("in the validation of epoch {}", self.state.epoch);
            return Err(self.diverged(at, self.state.step));
        }
        Ok(self.validation_bleu(stop)?.map(|bleu| (loss, bleu)))
    }

    fn validation_loss(&mut self, stop: &AtomicBool) -> Result<Option<StepResult>, TrainError> {
        let mut total = StepResult::default();
        for batch in self.batches[VALIDATION].in_order() {
            let control = control_words(&self.run.config().train, 0, 0.0, &batch.sentences, self.most);
            self.device.write_u32("control", &control)?;
            self.device.run(self.plans[VALIDATION][&batch.shape], true)?;
            if stop.load(Ordering::Relaxed) {
                // Their records are no steps'.
                self.device.logged(true)?;
                return Ok(None);
            }
        }
        self.device.logged(true)?.iter().for_each(|record| total.add(&StepResult::from_log(record)));
        Ok(Some(total))
    }

    /// BLEU of greedy translations of the whole validation text, found and limited as `wgrad translate` does it.
    fn validation_bleu(&mut self, stop: &AtomicBool) -> Result<Option<f64>, TrainError> {
        let (mut hypotheses, mut lost) = (vec![], None);
        let mut said = |line: Translated| {
            hypotheses.push(line.text);
            if let End::OutOfMemory(message) = line.end {
                lost = Some(message);
            }
        };
        let go_on = || !stop.load(Ordering::Relaxed);
        if !self.translator.translate(self.device, &self.validation_source, &go_on, &mut said)? {
            return Ok(None);
        }
        if let Some(message) = lost {
            return Err(DeviceError::OutOfMemory { device: self.device.describe(), message }.into());
        }
        Ok(Some(self.validation_score.of(&hypotheses)))
    }

    fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }

    /// Writes `last.safetensors`.
    fn save(&mut self) -> Result<(), TrainError> {
        self.state.schedule = self.scheduler.state();
        self.state.seconds = self.seconds();
        self.state.metrics_bytes = self.metrics().bytes()?;
        let [parameters, exp_avg, exp_avg_sq] = ["parameters", "exp_avg", "exp_avg_sq"].map(|name| self.tensors(name));
        save_last(&self.run.last_path(), &parameters?, &exp_avg?, &exp_avg_sq?, &self.state)?;
        Ok(())
    }

    /// A flat buffer, cut into the model's parameters.
    fn tensors(&mut self, buffer: &str) -> Result<Vec<NamedTensor>, TrainError> {
        Ok(cut(self.model.parameters(), &self.device.read_f32(buffer)?))
    }
}

fn first_state(config: &Config, files: Fingerprints) -> TrainingState {
    TrainingState {
        step: 0,
        epoch: 1,
        batch: 0,
        schedule: ScheduleState::new(config.train.learning_rate),
        epoch_loss_sum: 0.0,
        epoch_nll_sum: 0.0,
        epoch_tokens: 0.0,
        epoch_batch_nll_sum: 0.0,
        best_validation_loss: None,
        best_epoch: 0,
        epochs_without_improvement: 0,
        metrics_bytes: 0,
        seconds: 0.0,
        files,
        config: config.to_toml(),
    }
}

/// The state of a run whose configuration, text and tokenizers are still those that it began with. A run from before
/// these were kept gets those of today.
fn unchanged(mut state: TrainingState, files: Fingerprints, run: &RunDirectory) -> Result<TrainingState, TrainError> {
    if let Some([key, there, here]) = run.reconfigured(&state.config) {
        return Err(TrainError::Reconfigured { key, there, here, run: run.path().into() });
    }
    state.config = run.config().to_toml();
    if state.files.is_empty() {
        return Ok(TrainingState { files, ..state });
    }
    let differs = |name: &&String| state.files.get(*name) != files.get(*name);
    let changed: Vec<PathBuf> = (files.keys().filter(differs))
        .map(|name| if name.starts_with("tokenizer.") { run.path().join(name) } else { run.text_path(name) })
        .collect();
    if changed.is_empty() { Ok(state) } else { Err(TrainError::Changed { files: changed, run: run.path().into() }) }
}

fn restore(device: &mut dyn Device, parameters: &Parameters, last: &Last) -> Result<(), DeviceError> {
    device.write_f32("parameters", &parameters.weights(last.parameters.iter().map(|tensor| &tensor.values)))?;
    for (name, tensors) in [("exp_avg", &last.exp_avg), ("exp_avg_sq", &last.exp_avg_sq)] {
        device.write_f32(name, &parameters.moments(tensors.iter().map(|tensor| &tensor.values)))?;
    }
    Ok(())
}
