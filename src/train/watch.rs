//! What a person, or a program, is told of training while it goes on.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::metrics::EpochMetrics;

/// Is told how far training is, and may end it: it stops with everything saved, and can go on later. Epochs count from
/// 1. `()` is told and says nothing: for programs that want no more than what the run's folder gets.
pub trait Watch {
    /// An epoch begins, of which `done` of its `steps` steps were taken in an earlier session.
    fn start_epoch(&mut self, epoch: usize, done: usize, steps: usize);

    /// The loss of one step more is known, nats per target token.
    fn step(&mut self, loss: f64, speed: &Speed) -> ControlFlow<()>;

    /// An epoch is over; `best`: with the smallest validation loss so far.
    fn finish_epoch(&mut self, metrics: &EpochMetrics, best: bool, speed: &Speed) -> ControlFlow<()>;
}

impl Watch for () {
    fn start_epoch(&mut self, _epoch: usize, _done: usize, _steps: usize) {}

    fn step(&mut self, _loss: f64, _speed: &Speed) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn finish_epoch(&mut self, _metrics: &EpochMetrics, _best: bool, _speed: &Speed) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// The steps of an epoch in this session. Time stands still after the last step, so validation does not count.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    start: Instant,
    elapsed: Duration,
    steps: u32,
    tokens: u64,
}

impl Speed {
    /// An epoch begins.
    pub fn start() -> Self {
        Self { start: Instant::now(), elapsed: Duration::ZERO, steps: 0, tokens: 0 }
    }

    /// One step more, of so many target tokens, padding not counted.
    pub fn step(&mut self, tokens: u64) {
        self.elapsed = self.start.elapsed();
        self.steps += 1;
        self.tokens += tokens;
    }

    /// Target tokens per second, averaged over the epoch's steps so far; 0 before the first.
    pub fn tokens_per_second(&self) -> f64 {
        match self.elapsed.as_secs_f64() {
            0.0 => 0.0,
            seconds => self.tokens as f64 / seconds,
        }
    }

    /// What so many steps more will take, in seconds.
    pub fn time_for(&self, steps: u64) -> f64 {
        self.elapsed.as_secs_f64() / f64::from(self.steps.max(1)) * steps as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_counts_steps_only() {
        let mut speed = Speed::start();
        assert_eq!((speed.tokens_per_second(), speed.time_for(100)), (0.0, 0.0));
        for tokens in [300, 500] {
            speed.step(tokens);
        }
        speed.elapsed = Duration::from_secs(4);
        assert_eq!((speed.tokens_per_second(), speed.time_for(100)), (200.0, 200.0));
    }
}
