//! What a person sees of the learning of a vocabulary, on standard error: a line when it begins, and on a terminal a
//! bar.

use std::time::Duration;

use crate::text::{LONGEST_WORD, Learning};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how far the learning of one vocabulary is. Ctrl-C ends the program meanwhile: nothing is made yet.
#[derive(Debug)]
pub struct LearningBar(ProgressBar);

impl LearningBar {
    /// Of the vocabulary of these files.
    pub fn new(files: &str) -> Self {
        tell!("vocab     learning from {files}");
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} lines  {eta} left");
        bar.set_style(style.expect("the template is well-formed").progress_chars("━╸ "));
        Self(bar)
    }
}

impl Learning for LearningBar {
    fn read(&mut self, lines: usize, of: usize) {
        self.0.set_length(of as u64);
        self.0.set_position(lines as u64);
    }

    /// From here on the library works alone: time is shown, not progress.
    fn learn(&mut self, words: usize, too_long: u64) {
        if too_long > 0 {
            let line = format!("          {too_long} words of more than {LONGEST_WORD} characters teach it nothing");
            self.0.suspend(|| tell!("{line}"));
        }
        let style = ProgressStyle::with_template("{spinner} {elapsed}  putting {len} different words together");
        self.0.set_style(style.expect("the template is well-formed"));
        self.0.set_length(words as u64);
        if !self.0.is_hidden() {
            self.0.enable_steady_tick(Duration::from_millis(100));
        }
    }
}

impl Drop for LearningBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
