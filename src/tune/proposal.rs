//! What the results so far say of the next trial: its values, when it ends early, and which keys matter.
//!
//! The crate `optimizer` has the algorithms. Each call stands by itself, on the history as the study's file has it, so
//! that a study is the same whether one process ran it or ten one after another. Two things are done here that its
//! own `Study` does otherwise (version 1.0.1): it looks a parameter's history up by its range alone, so that two keys
//! of one range share it, and it counts a pruned trial as one of objective 0.

use std::collections::HashMap;

use optimizer::distribution::{CategoricalDistribution, Distribution, FloatDistribution, IntDistribution};
use optimizer::param::ParamValue;
use optimizer::parameter::ParamId;
use optimizer::pruner::{HyperbandPruner, MedianPruner, Pruner as _};
use optimizer::sampler::{CompletedTrial, RandomSampler, Sampler as _, TpeSampler};
use optimizer::storage::MemoryStorage;
use optimizer::{Direction, Study as Forest, TrialState};
use toml::Value;

use super::space::{Assignment, Key, Pruner, Sampler, Space, Values, value_at};
use super::study::{End, Trial, searched};
use crate::hash::fnv;
use crate::train::config::ConfigError;

/// Trials by chance before the estimator has enough to go by.
const STARTUP: usize = 10;

/// Combinations tried for one that the configuration takes and that no trial has.
const ATTEMPTS: u64 = 1000;

/// Of these, the ones that the estimator makes. It has no prior, so that it can settle on one value and never leave it.
const ESTIMATED: u64 = 20;

/// Epochs before the median is asked: warm-up makes the first one a poor witness.
const UNJUDGED_EPOCHS: u64 = 2;

/// Finished trials of which a median is taken.
const JUDGES: usize = 3;

/// The values of trial `id`, which no trial so far has; `None` where chance finds none that is new.
///
/// # Errors
/// No combination was found that the configuration takes; what it said of the last one.
pub fn propose(space: &Space, seed: u64, id: u64, trials: &[Trial]) -> Result<Option<Assignment>, ConfigError> {
    let ended = searched(trials);
    let (mut tried, mut refused) = (false, None);
    for attempt in 0..ATTEMPTS {
        let sampler = if attempt < ESTIMATED { space.sampler } else { Sampler::Random };
        let mut values = Assignment::new();
        for key in &space.keys {
            if space.applies(key, &values) {
                values.insert(key.name.clone(), draw(key, sampler, [seed, attempt], id, &ended));
            }
        }
        match space.configure(&values) {
            Ok(_) if trials.iter().all(|trial| trial.values != values) => return Ok(Some(values)),
            Ok(_) => tried = true,
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if !tried => Err(error),
        _ => Ok(None),
    }
}

/// Whether trial `id` should end now. `epochs`: the objective as a loss after each of its epochs.
pub fn falls_behind(space: &Space, id: u64, epochs: &[f64], ended: &[&Trial]) -> bool {
    let (Some(_), own) = (epochs.last(), steps(epochs)) else { return false };
    let step = epochs.len() as u64;
    let others: Vec<CompletedTrial> = ended.iter().map(|trial| completed(trial, &[])).collect();
    match space.pruner {
        Pruner::None => false,
        Pruner::Median => MedianPruner::new(Direction::Minimize)
            .n_warmup_steps(UNJUDGED_EPOCHS)
            .n_min_trials(JUDGES)
            .should_prune(id, step, &own, &others),
        Pruner::Hyperband => {
            let pruner = HyperbandPruner::new().min_resource(1).max_resource(space.base.train.epochs as u64);
            // It deals brackets out in the order in which it hears of trials.
            for other in 0..=id {
                pruner.should_prune(other, 0, &[(0, 0.0)], &[]);
            }
            pruner.should_prune(id, step, &own, &others)
        }
    }
}

/// How much of the objective's variance among finished trials each key explains by itself, the largest share first:
/// functional ANOVA over a random forest (Hutter, Hoos and Leyton-Brown 2014). Empty below three trials.
pub fn importance(space: &Space, ended: &[&Trial]) -> Vec<(String, f64)> {
    let finished: Vec<&&Trial> = ended.iter().filter(|trial| matches!(trial.end, Some(End::Complete))).collect();
    if finished.len() < 3 {
        return vec![];
    }
    let ids: Vec<ParamId> = space.keys.iter().map(|_| ParamId::new()).collect();
    let trials = finished.iter().map(|trial| {
        let mut one = completed(trial, &[]);
        for (key, id) in space.keys.iter().zip(&ids) {
            one.params.insert(*id, ParamValue::Float(place(space, key, &trial.values)));
            one.param_labels.insert(*id, key.name.clone());
        }
        one
    });
    let storage = MemoryStorage::with_trials(trials.collect());
    let forest = Forest::with_sampler_and_storage(Direction::Minimize, RandomSampler::with_seed(1), storage);
    forest.fanova().map_or(vec![], |result| result.main_effects)
}

/// Where a key's value lies between its ends, 0 to 1.
pub fn place(space: &Space, key: &Key, values: &Assignment) -> f64 {
    let Some(value) = values.get(&key.name).cloned().or_else(|| value_at(&space.base, &key.name)) else { return 0.0 };
    let between = |value: f64, from: f64, to: f64, log: bool| {
        let scale = |x: f64| if log { x.ln() } else { x };
        (scale(value) - scale(from)) / (scale(to) - scale(from))
    };
    match (&key.values, value) {
        (Values::Float { from, to, log, .. }, Value::Float(value)) => between(value, *from, *to, *log),
        (Values::Integer { from, to, log, .. }, Value::Integer(value)) => {
            between(value as f64, *from as f64, *to as f64, *log)
        }
        (Values::Choices(choices), value) => {
            let at = choices.iter().position(|choice| *choice == value).unwrap_or(0);
            at as f64 / (choices.len() - 1).max(1) as f64
        }
        _ => 0.0,
    }
}

fn draw(key: &Key, sampler: Sampler, seeds: [u64; 2], id: u64, ended: &[&Trial]) -> Value {
    let bytes = seeds.map(u64::to_le_bytes).concat();
    let seed = fnv(fnv(0, &bytes), key.name.as_bytes());
    let distribution = distribution(&key.values);
    let own = ParamId::new();
    let history: Vec<CompletedTrial> = ended
        .iter()
        .filter_map(|trial| {
            Some(completed(trial, &[(own, raw(&key.values, trial.values.get(&key.name)?)?, &distribution)]))
        })
        .collect();
    let drawn = match sampler {
        Sampler::Random => RandomSampler::with_seed(seed).sample(&distribution, id, &history),
        Sampler::Tpe => TpeSampler::builder()
            .n_startup_trials(STARTUP)
            .seed(seed)
            .build()
            .expect("its settings are in range")
            .sample(&distribution, id, &history),
    };
    match (&key.values, drawn) {
        (&Values::Float { from, to, step, .. }, ParamValue::Float(value)) => {
            let value = step.map_or(value, |step| on_grid(value, from, to, step));
            // Four digits: what a person would write, and not worse.
            let short: f64 = format!("{value:.3e}").parse().expect("it is a number");
            Value::Float(short.clamp(from, to))
        }
        (&Values::Integer { from, to, step, .. }, ParamValue::Int(value)) => {
            let value = value.clamp(from, to);
            Value::Integer(step.map_or(value, |step| on_grid(value as f64, from as f64, to as f64, step as f64) as i64))
        }
        (Values::Choices(choices), ParamValue::Categorical(index)) => choices[index].clone(),
        _ => unreachable!("a sampler gives a value of its distribution's kind"),
    }
}

/// The nearest of `from`, `from + step`, … up to `to`: the estimator proposes `to` though no step ends there.
fn on_grid(value: f64, from: f64, to: f64, step: f64) -> f64 {
    // A step of 0.05 ends at 0.5, though 0.5 / 0.05 may come out a rounding below 10.
    let last = ((to - from) / step + 1e-9).floor();
    from + step * ((value - from) / step).round().clamp(0.0, last)
}

fn distribution(values: &Values) -> Distribution {
    match values {
        &Values::Float { from, to, log, step } => {
            Distribution::Float(FloatDistribution { low: from, high: to, log_scale: log, step })
        }
        &Values::Integer { from, to, log, step } => {
            Distribution::Int(IntDistribution { low: from, high: to, log_scale: log, step })
        }
        Values::Choices(choices) => Distribution::Categorical(CategoricalDistribution { n_choices: choices.len() }),
    }
}

/// A value as the sampler knows it; `None` for one outside the range, as a default may have.
fn raw(values: &Values, value: &Value) -> Option<ParamValue> {
    if !values.contains(value) {
        return None;
    }
    Some(match (values, value) {
        (Values::Choices(choices), value) => ParamValue::Categorical(choices.iter().position(|c| c == value)?),
        (_, Value::Integer(value)) => ParamValue::Int(*value),
        (_, Value::Float(value)) => ParamValue::Float(*value),
        _ => return None,
    })
}

/// Epochs count from 1.
fn steps(epochs: &[f64]) -> Vec<(u64, f64)> {
    (1..).zip(epochs.iter().copied()).collect()
}

/// A trial that has ended, as the crate knows it. A failed one is worse than any other; a pruned one is as good as it
/// was.
fn completed(trial: &Trial, params: &[(ParamId, ParamValue, &Distribution)]) -> CompletedTrial {
    let loss = match trial.end {
        Some(End::Failed { .. }) | None => f64::INFINITY,
        Some(End::Complete | End::Pruned { .. }) => trial.loss(),
    };
    let values: HashMap<_, _> = params.iter().map(|(id, value, _)| (*id, value.clone())).collect();
    let distributions = params.iter().map(|(id, _, distribution)| (*id, (*distribution).clone())).collect();
    let mut completed = CompletedTrial::new(trial.id, values, distributions, HashMap::new(), loss);
    completed.intermediate_values = steps(&trial.losses);
    completed.state = match trial.end {
        Some(End::Complete) => TrialState::Complete,
        Some(End::Pruned { .. }) => TrialState::Pruned,
        _ => TrialState::Failed,
    };
    completed
}
