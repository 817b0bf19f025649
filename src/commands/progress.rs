//! What a person sees of training, on standard error: a bar on a terminal, plain lines anywhere else.

use std::io::{self, Stderr, Write};
use std::ops::ControlFlow;

use crate::train::metrics::{EpochMetrics, duration};
use crate::train::{Speed, Watch};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how far training is.
#[derive(Debug)]
pub struct Progress<W = Stderr> {
    epochs: usize,
    log_every: u64,
    /// Hidden where there is no terminal.
    bar: ProgressBar,
    output: W,
    epoch: usize,
}

impl Progress {
    /// Shows a bar if standard error is a terminal, else a line every `log_every` steps.
    pub fn new(epochs: usize, log_every: usize) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self::on(bar, io::stderr(), epochs, log_every)
    }
}

impl<W: Write> Progress<W> {
    fn on(bar: ProgressBar, output: W, epochs: usize, log_every: usize) -> Self {
        let style = ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len}  {msg}");
        bar.set_style(style.expect("the template is well-formed").progress_chars("━╸ "));
        Self { epochs, log_every: log_every as u64, bar, output, epoch: 0 }
    }

    /// Writes a line, above the bar if there is one.
    fn line(&mut self, text: &str) {
        // That nobody listens any more (a closed pipe) is no reason to stop training.
        let _ = self.bar.suspend(|| writeln!(self.output, "{text}"));
    }
}

impl<W: Write> Watch for Progress<W> {
    fn start_epoch(&mut self, epoch: usize, done: usize, steps: usize) {
        self.epoch = epoch;
        self.bar.set_length(steps as u64);
        self.bar.set_message("");
        self.bar.reset();
        self.bar.set_prefix(epoch_label(epoch, self.epochs));
        self.bar.set_position(done as u64);
    }

    fn step(&mut self, loss: f64, speed: &Speed) -> ControlFlow<()> {
        self.bar.inc(1);
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
        let status = step_status(loss, speed.tokens_per_second(), speed.time_for(all.saturating_sub(done)));
        if self.bar.is_hidden() && done % self.log_every == 0 {
            let label = epoch_label(self.epoch, self.epochs);
            self.line(&format!("{label}  step {done}/{all}  {status}"));
        }
        self.bar.set_message(status);
        ControlFlow::Continue(())
    }

    /// Replaces the bar by a line about the epoch, marked with `*` if its model is the best so far.
    fn finish_epoch(&mut self, metrics: &EpochMetrics, best: bool, speed: &Speed) -> ControlFlow<()> {
        self.bar.finish_and_clear();
        self.line(&epoch_line(metrics, self.epochs, speed.tokens_per_second(), best));
        ControlFlow::Continue(())
    }
}

/// `epoch  3/10`: all of a run's labels are equally wide.
fn epoch_label(epoch: usize, epochs: usize) -> String {
    let width = epochs.to_string().len();
    format!("epoch {epoch:width$}/{epochs}")
}

/// `loss 3.214  8,123 tokens/s  0:41 left of the epoch`
fn step_status(loss: f64, tokens_per_second: f64, seconds_left: f64) -> String {
    let (speed, left) = (thousands(tokens_per_second), duration(seconds_left));
    format!("loss {loss:.3}  {speed} tokens/s  {left} left of the epoch")
}

/// `epoch  3/10  train loss 3.21 ppl 24.8  val loss 3.02 ppl 20.5  BLEU 18.3  lr 1.0e-3  8,123 tok/s  1:32 *`, where
/// the time is that of the run so far.
fn epoch_line(metrics: &EpochMetrics, epochs: usize, tokens_per_second: f64, best: bool) -> String {
    let loss = |loss: f64, ppl: f64| match ppl {
        // Of a model that has diverged.
        1e6.. => format!("loss {loss:.2} ppl {ppl:.1e}"),
        _ => format!("loss {loss:.2} ppl {ppl:.1}"),
    };
    let label = epoch_label(metrics.epoch, epochs);
    let training = loss(metrics.training_loss, metrics.training_perplexity);
    let validation = loss(metrics.validation_loss, metrics.validation_perplexity);
    let bleu = metrics.bleu.map_or(String::new(), |bleu| format!("  BLEU {bleu:.1}"));
    let lr = metrics.learning_rate;
    let (speed, time) = (thousands(tokens_per_second), duration(metrics.seconds));
    let mark = if best { " *" } else { "" };
    format!("{label}  train {training}  val {validation}{bleu}  lr {lr:.1e}  {speed} tok/s  {time}{mark}")
}

/// A number rounded to a whole one, with commas: `1,234,567`.
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: EpochMetrics = EpochMetrics {
        epoch: 3,
        step: 681,
        training_loss: 3.2108,
        training_perplexity: 24.799,
        training_batch_perplexity: 24.9,
        validation_loss: 3.02,
        validation_perplexity: 20.491,
        validation_batch_perplexity: 20.5,
        bleu: Some(18.26),
        learning_rate: 1e-3,
        seconds: 91.7,
    };

    #[test]
    fn numbers_are_written_for_people() {
        let numbers = [(0.4, "0"), (999.0, "999"), (8123.4, "8,123"), (999_999.9, "1,000,000"), (12_345.0, "12,345")];
        for (number, text) in numbers {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn an_epoch_is_a_line() {
        assert_eq!(
            epoch_line(&METRICS, 10, 8123.4, false),
            "epoch  3/10  train loss 3.21 ppl 24.8  val loss 3.02 ppl 20.5  BLEU 18.3  lr 1.0e-3  8,123 tok/s  1:32"
        );
        let diverged = EpochMetrics {
            validation_loss: 40.0,
            validation_perplexity: 40.0_f64.exp(),
            bleu: None,
            learning_rate: 3.125e-5,
            ..METRICS
        };
        assert_eq!(
            epoch_line(&diverged, 9, 8123.4, true),
            "epoch 3/9  train loss 3.21 ppl 24.8  val loss 40.00 ppl 2.4e17  lr 3.1e-5  8,123 tok/s  1:32 *"
        );
    }

    #[test]
    fn without_a_terminal_there_are_plain_lines_only() {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let mut progress = Progress::on(bar, Vec::new(), 10, 2);
        let speed = Speed::start();
        // The first step of epoch 3 was taken in an earlier session.
        progress.start_epoch(3, 1, 5);
        for _ in 1..5 {
            assert!(progress.step(3.2144, &speed).is_continue());
        }
        assert!(progress.finish_epoch(&METRICS, true, &speed).is_continue());
        progress.start_epoch(4, 0, 5);
        let _ = (progress.step(3.0, &speed), progress.step(3.0, &speed));

        let text = String::from_utf8(progress.output).unwrap();
        assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
        let lines: Vec<&str> = text.lines().collect();
        for (line, start) in lines.iter().zip([
            "epoch  3/10  step 2/5  loss 3.214  ",
            "epoch  3/10  step 4/5  loss 3.214  ",
            "epoch  3/10  train loss 3.21 ppl 24.8  val loss 3.02 ",
            "epoch  4/10  step 2/5  loss 3.000  ",
        ]) {
            assert!(line.starts_with(start), "{line}");
        }
        assert_eq!(lines.len(), 4);
        assert!(lines[0].ends_with(" left of the epoch") && lines[2].ends_with(" *"), "{text}");
    }
}
