//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

use crate::train::config::{Metric, Schedule, TrainConfig};

/// A validation loss counts as better if it is smaller by this fraction of the best one: PyTorch's `threshold`.
const THRESHOLD: f64 = 1e-4;

/// A learning rate is left as it is if it would shrink by less than this: PyTorch's `eps`.
const SMALLEST_CHANGE: f64 = 1e-8;

/// Gives every step its learning rate.
#[derive(Clone, Debug)]
pub struct Scheduler {
    schedule: Schedule,
    state: ScheduleState,
}

/// What a schedule remembers from one epoch to the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduleState {
    /// `train.learning_rate`, times what [`Schedule::Plateau`] has made of it so far.
    learning_rate: f64,
    /// Smallest loss of the watched kind so far, up to [`THRESHOLD`]; `None` before the first epoch.
    best: Option<f64>,
    /// Epochs since `best` or since the last reduction.
    bad_epochs: usize,
}

impl ScheduleState {
    /// The state before the first epoch.
    pub fn new(learning_rate: f32) -> Self {
        Self { learning_rate: learning_rate.into(), best: None, bad_epochs: 0 }
    }
}

impl Scheduler {
    /// The schedule of a new run.
    pub fn new(train: &TrainConfig) -> Self {
        Self::resume(train.schedule, ScheduleState::new(train.learning_rate))
    }

    /// The schedule as it was when its [`state`](Self::state) was saved.
    pub fn resume(schedule: Schedule, state: ScheduleState) -> Self {
        Self { schedule, state }
    }

    pub fn state(&self) -> ScheduleState {
        self.state
    }

    /// The learning rate for optimizer step `step`, counted from 1 over the whole run.
    pub fn learning_rate(&self, step: u64) -> f32 {
        let scale = match self.schedule {
            Schedule::Constant {} | Schedule::Plateau { .. } => 1.0,
            Schedule::InverseSqrt { warmup_steps } => {
                let progress = step as f64 / warmup_steps as f64;
                progress.min(progress.powf(-0.5))
            }
        };
        (self.state.learning_rate * scale) as f32
    }

    /// Takes note of an epoch's losses, which only [`Schedule::Plateau`] heeds, exactly as
    /// `torch.optim.lr_scheduler.ReduceLROnPlateau` does with `mode="min"`, a relative threshold and no cooldown: the
    /// rate is reduced after `patience + 1` epochs in a row without a better loss. NaN is not better.
    pub fn end_epoch(&mut self, training_loss: f64, validation_loss: f64) {
        let Schedule::Plateau { metric, factor, patience, min_learning_rate } = self.schedule else {
            return;
        };
        let loss = if metric == Metric::Training { training_loss } else { validation_loss };
        let state = &mut self.state;
        if loss < state.best.unwrap_or(f64::INFINITY) * (1.0 - THRESHOLD) {
            state.best = Some(loss);
            state.bad_epochs = 0;
        } else {
            state.bad_epochs += 1;
        }
        if state.bad_epochs > patience {
            let reduced = (state.learning_rate * f64::from(factor)).max(min_learning_rate.into());
            if state.learning_rate - reduced > SMALLEST_CHANGE {
                state.learning_rate = reduced;
            }
            state.bad_epochs = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::config::Config;

    fn scheduler(learning_rate: f32, schedule: Schedule) -> Scheduler {
        let mut train = Config::default().train;
        train.learning_rate = learning_rate;
        train.schedule = schedule;
        Scheduler::new(&train)
    }

    fn plateau(learning_rate: f32, factor: f32, patience: usize, min_learning_rate: f32) -> Scheduler {
        let schedule = Schedule::Plateau { metric: Metric::Validation, factor, patience, min_learning_rate };
        scheduler(learning_rate, schedule)
    }

    fn assert_close(found: f32, expected: f64, what: &str) {
        let difference = (f64::from(found) - expected).abs();
        assert!(difference <= 1e-6 * expected, "{what}: {found:e} instead of {expected:e}");
    }

    /// Losses on both sides of the threshold (3.5 less 0.01 % is 3.49965), equal ones, and one that is no number.
    const LOSSES: [f64; 18] =
        [5.0, 4.0, 3.5, 3.4999, 3.49966, 3.6, 3.4, 3.5, 3.5, 3.5, 3.5, 3.4, 3.39, 3.4, 3.4, f64::NAN, 3.4, 3.3];

    /// The learning rates after each loss are those of `ReduceLROnPlateau` in PyTorch 2.15.0, run in double precision.
    #[test]
    fn plateau_agrees_with_pytorch() {
        let halved = [
            1e-3, 1e-3, 1e-3, 1e-3, 5e-4, 5e-4, 5e-4, 5e-4, 2.5e-4, 2.5e-4, 1.25e-4, 1.25e-4, 1.25e-4, 1.25e-4,
            6.25e-5, 6.25e-5, 3.125e-5, 3.125e-5,
        ];
        let to_the_minimum = [
            1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-4, 1e-4, 1e-4, 1e-4, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5, 3e-5,
        ];
        // The last reduction, from 1e-8 to 1e-9, is too small to be made.
        let to_the_smallest_change = [
            1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6, 1e-7, 1e-7, 1e-8, 1e-8, 1e-8, 1e-8, 1e-8, 1e-8, 1e-8, 1e-8,
        ];
        // A minimum above the rate does not raise it.
        let below_the_minimum = [1e-6; 18];
        for (mut scheduler, losses, expected) in [
            (plateau(1e-3, 0.5, 1, 1e-5), LOSSES, halved),
            (plateau(1e-3, 0.1, 2, 3e-5), LOSSES, to_the_minimum),
            (plateau(1e-3, 0.1, 1, 0.0), [1.0; 18], to_the_smallest_change),
            (plateau(1e-6, 0.5, 1, 1e-5), [1.0; 18], below_the_minimum),
        ] {
            for (epoch, (loss, expected)) in losses.into_iter().zip(expected).enumerate() {
                scheduler.end_epoch(0.0, loss);
                let what = format!("epoch {epoch} of {:?}", scheduler.schedule);
                assert_close(scheduler.learning_rate(1 + epoch as u64), expected, &what);
            }
        }
    }

    #[test]
    fn a_resumed_plateau_goes_on_as_if_never_stopped() {
        let mut uninterrupted = plateau(1e-3, 0.5, 1, 1e-5);
        for loss in LOSSES {
            let json = serde_json::to_string(&uninterrupted.state()).unwrap();
            let mut resumed = Scheduler::resume(uninterrupted.schedule, serde_json::from_str(&json).unwrap());
            uninterrupted.end_epoch(0.0, loss);
            resumed.end_epoch(0.0, loss);
            assert_eq!(resumed.state(), uninterrupted.state());
        }
    }

    /// Linear over 4 steps, then proportional to 1 / sqrt(step); the loss has no say.
    #[test]
    fn inverse_sqrt_warms_up_and_decays() {
        let mut scheduler = scheduler(1e-3, Schedule::InverseSqrt { warmup_steps: 4 });
        for (step, expected) in [(1, 2.5e-4), (2, 5e-4), (4, 1e-3), (9, 1e-3 * 2.0 / 3.0), (16, 5e-4), (400, 1e-4)] {
            assert_close(scheduler.learning_rate(step), expected, &format!("step {step}"));
            scheduler.end_epoch(0.0, 1.0);
        }
    }

    #[test]
    fn constant_is_constant() {
        let mut scheduler = scheduler(3e-4, Schedule::Constant {});
        for step in [1, 2, 1_000_000] {
            scheduler.end_epoch(0.0, 1.0);
            assert_eq!(scheduler.learning_rate(step), 3e-4);
        }
    }
}
