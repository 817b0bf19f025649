//! A training step of a real configuration on a few made-up sentences: every op that a run of it would launch, at the
//! run's widths.

use std::sync::Arc;

use crate::graph::{GraphError, Target};
use crate::models::{self, Model};
use crate::plan::{Device, DeviceError, Plan};
use crate::text::BatchShape;

use super::Split;
use super::config::Config;
use super::step::{StepBatch, allocate, control_words, training_plan};

/// Rows of the batch, one of them without a sentence.
pub const SENTENCES: usize = 4;
/// Positions of the longest sentence.
pub const TOKENS: usize = 6;
/// Most words of a vocabulary: the ops are the same with 100,000, and the f64 reference would take minutes.
pub const VOCABULARY: usize = 1000;

/// A configuration's step on [`SENTENCES`] sentences of at most [`TOKENS`] tokens, of at most [`VOCABULARY`] words.
pub struct SampleStep {
    config: Config,
    model: Arc<dyn Model>,
    split: Split,
}

impl SampleStep {
    pub fn new(config: Config) -> Self {
        let vocabularies = [config.data.source_vocabulary, config.data.target_vocabulary].map(|v| v.min(VOCABULARY));
        let longest = TOKENS - config.data.frame.positions(0);
        let side = |salt: usize| -> Vec<Vec<u32>> {
            let word = |s: usize, t: usize| 4 + ((s * 11 + t * 7 + salt) % (vocabularies[salt] - 4)) as u32;
            (0..SENTENCES - 1).map(|s| (0..longest.saturating_sub(s).max(1)).map(|t| word(s, t)).collect()).collect()
        };
        let split = Split::new("training", [&side(0), &side(1)], TOKENS, config.data.frame);
        let model = models::build(&config.model, vocabularies);
        Self { config, model, split }
    }

    /// The step as a plan.
    ///
    /// # Errors
    /// When the model's shapes don't fit.
    pub fn plan(&self, target: &Target) -> Result<Plan, GraphError> {
        let shape = BatchShape { sentences: SENTENCES, source: TOKENS, target: TOKENS };
        let batch = StepBatch { split: &self.split, shape, most: SENTENCES };
        training_plan(&*self.model, &self.config, batch, target)
    }

    /// Makes what the plan reads, with the parameters of a new model.
    ///
    /// # Errors
    /// When memory is short.
    pub fn upload(&self, device: &mut dyn Device) -> Result<(), DeviceError> {
        self.split.upload(device)?;
        allocate(device, self.model.parameters(), self.config.train.seed, SENTENCES)
    }

    /// Writes the control words of step `step`.
    ///
    /// # Errors
    /// When nothing was uploaded.
    pub fn write_control(&self, device: &mut dyn Device, step: u64) -> Result<(), DeviceError> {
        let sentences: Vec<u32> = (0..self.split.len() as u32).collect();
        let rate = self.config.train.learning_rate;
        device.write_u32("control", &control_words(&self.config.train, step, rate, &sentences, SENTENCES))
    }
}
