//! A run before it has a folder: its text, its model and its plans; then the same with all their memory taken on a
//! device.

use std::collections::HashMap;
use std::sync::Arc;

use crate::models::{self, Model};
use crate::plan::{Device, Plan, Prepared};
use crate::text::{BatchShape, BatchSize, Batcher, ParallelText, Tokenizer};

use super::config::Config;
use super::fingerprint::{Fingerprints, fingerprints};
use super::footprint::Footprint;
use super::step::{StepBatch, allocate, training_plan, validation_plan};
use super::{Split, TrainError};

/// Lengths are rounded up to a multiple of this: 24 shapes and 11 % padding on Multi30k (at 2, 53 shapes and 5 %; at 8,
/// 13 and 21 %).
const BUCKET: usize = 4;

/// Index of the training split; validation follows.
pub(super) const TRAINING: usize = 0;
pub(super) const VALIDATION: usize = 1;

/// All that a run is made of, planned for a device that has room for it, of which nothing is taken yet.
pub struct Setup {
    pub(super) tokenizers: [Tokenizer; 2],
    pub(super) splits: [Split; 2],
    pub(super) validation_text: ParallelText,
    pub(super) files: Fingerprints,
    pub(super) batches: [Batcher; 2],
    /// The most sentences that a batch holds.
    pub(super) most: usize,
    pub(super) model: Arc<dyn Model>,
    seed: u64,
    plans: [Vec<(BatchShape, Plan)>; 2],
    footprint: Footprint,
}

/// A [`Setup`] with its memory on a device.
pub struct Ready<'d> {
    pub(super) device: &'d mut dyn Device,
    pub(super) setup: Setup,
    pub(super) plans: [HashMap<BatchShape, Prepared>; 2],
}

impl Setup {
    /// Plans a run on this text, training and validation.
    ///
    /// # Errors
    /// When no sentence is short enough, or the run takes more memory than the device or the machine has.
    pub fn new(
        config: &Config,
        tokenizers: [Tokenizer; 2],
        [training, validation]: [ParallelText; 2],
        device: &dyn Device,
    ) -> Result<Self, TrainError> {
        let sides = [&tokenizers[0], &tokenizers[1]];
        let vocabularies = sides.map(Tokenizer::vocabulary_size);
        let mut footprint = Footprint::of_model(&config.model, vocabularies);
        footprint.check(device)?;
        let files = fingerprints(&config.data, [&training, &validation], sides);
        let splits = [("training", &training), ("validation", &validation)].map(|(name, text)| {
            let ids = [sides[0].encode_all(&text.source), sides[1].encode_all(&text.target)];
            Split::new(name, [&ids[0], &ids[1]], config.data.max_tokens, config.data.frame)
        });
        for (split, name, text) in [(&splits[0], "training", &training), (&splits[1], "validation", &validation)] {
            if split.is_empty() {
                let (split, count) = (name.into(), text.source.len());
                return Err(TrainError::NothingLeft { split, count, limit: config.data.max_tokens });
            }
        }
        footprint = footprint.with_text(splits.iter().map(Split::bytes).sum());
        let batches = [&splits[0], &splits[1]].map(|split| batcher(config, split));
        let most = batches.iter().flat_map(Batcher::shapes).map(|s| s.sentences).max().expect("no split is empty");
        let model = models::build(&config.model, vocabularies);
        let target = device.target();
        let plan = |kind: usize, shape: BatchShape| {
            let batch = StepBatch { split: &splits[kind], shape, most };
            match kind {
                TRAINING => training_plan(&*model, config, batch, &target),
                _ => validation_plan(&*model, config, batch, &target),
            }
        };
        let mut plans = [vec![], vec![]];
        for kind in [TRAINING, VALIDATION] {
            for shape in batches[kind].shapes() {
                plans[kind].push((shape, plan(kind, shape)?));
                if plans[kind].len() == 1 {
                    // The largest: where it alone is too large, the others need not be planned.
                    let (shape, plan) = &plans[kind][0];
                    footprint.clone().with_plans([plan], config, *shape, device).check(device)?;
                }
            }
        }
        let all = plans.iter().flatten().map(|(_, plan)| plan);
        footprint = footprint.with_plans(all, config, plans[TRAINING][0].0, device);
        footprint.check(device)?;
        let (validation_text, seed) = (validation, config.train.seed);
        Ok(Self { tokenizers, splits, validation_text, files, batches, most, model, seed, plans, footprint })
    }

    pub fn tokenizers(&self) -> &[Tokenizer; 2] {
        &self.tokenizers
    }

    /// Number of parameters.
    pub fn parameter_count(&self) -> usize {
        self.model.parameters().count()
    }

    /// Pairs of training and validation that were left out for their length.
    pub fn too_long(&self) -> [usize; 2] {
        [self.splits[0].too_long, self.splits[1].too_long]
    }

    /// The plan of a whole training step on the largest batch, to be shown.
    pub fn largest_plan(&self) -> &Plan {
        &self.plans[TRAINING][0].1
    }

    /// What the run takes of memory.
    pub fn footprint(&self) -> &Footprint {
        &self.footprint
    }

    /// Takes all memory that the run needs on the device, and compiles its kernels.
    ///
    /// # Errors
    /// When the device cannot hold it after all, or its driver refuses a kernel.
    pub fn allocate(mut self, device: &mut dyn Device) -> Result<Ready<'_>, TrainError> {
        for split in &self.splits {
            split.upload(device)?;
        }
        allocate(device, self.model.parameters(), self.seed, self.most)?;
        let mut prepare = |plans: Vec<(BatchShape, Plan)>| -> Result<HashMap<BatchShape, Prepared>, TrainError> {
            plans.into_iter().map(|(shape, plan)| Ok((shape, device.prepare(plan)?))).collect()
        };
        let [training, validation] = std::mem::take(&mut self.plans);
        let plans = [prepare(training)?, prepare(validation)?];
        Ok(Ready { device, setup: self, plans })
    }
}

/// The batches of a split: of similar lengths, or in its own order.
fn batcher(config: &Config, split: &Split) -> Batcher {
    match config.train.batch {
        BatchSize::Sentences(sentences) if !config.train.shuffle => {
            Batcher::sequential(split.len(), sentences, config.data.frame.positions(config.data.max_tokens))
        }
        size => Batcher::new(&split.lengths[0], &split.lengths[1], size, BUCKET),
    }
}
