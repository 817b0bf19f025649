//! What a study found: its best trials, which keys matter, and what each change brings.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use toml::Value;
use toml_edit::{DocumentMut, Item};

use super::proposal::importance;
use super::space::{Assignment, Space};
use super::study::{End, Role, Trial, searched};
use crate::train::config::ConfigError;

/// A study's results.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    space: &'a Space,
    trials: &'a [Trial],
}

/// What one key's change brings: the objectives of two pairs of trials that differ in it alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub key: String,
    pub from: Option<Value>,
    pub to: Option<Value>,
    /// Of the default with this change alone.
    pub alone: Option<f64>,
    /// Of the best trial without it.
    pub without: Option<f64>,
}

impl<'a> Summary<'a> {
    pub fn new(space: &'a Space, trials: &'a [Trial]) -> Self {
        Self { space, trials }
    }

    /// The objective of a trial that trained all its epochs.
    pub fn objective(&self, trial: &Trial) -> Option<f64> {
        let complete = matches!(trial.end, Some(End::Complete));
        // A loss back to the objective is the same step.
        complete.then(|| self.space.objective.loss(trial.loss()))
    }

    /// `28 trials of 6 epochs: 21 complete, 7 pruned, 0 failed, 0 under way`
    pub fn states(&self) -> String {
        let count = |of: fn(&Option<End>) -> bool| self.trials.iter().filter(|trial| of(&trial.end)).count();
        format!(
            "{} trials of {} epochs: {} complete, {} pruned, {} failed, {} under way",
            self.trials.len(),
            self.space.base.train.epochs,
            count(|end| matches!(end, Some(End::Complete))),
            count(|end| matches!(end, Some(End::Pruned { .. }))),
            count(|end| matches!(end, Some(End::Failed { .. }))),
            count(Option::is_none),
        )
    }

    /// The finished trials, the best first.
    pub fn best(&self) -> Vec<&'a Trial> {
        let mut finished: Vec<&Trial> = self.trials.iter().filter(|trial| self.objective(trial).is_some()).collect();
        finished.sort_by(|a, b| a.loss().total_cmp(&b.loss()));
        finished
    }

    /// The best trial of the search, whose changes are looked at one by one. One of those may turn out better still.
    pub fn tuned(&self) -> Option<&'a Trial> {
        self.best().into_iter().find(|trial| trial.is_searched())
    }

    /// The trial of the configuration that the space starts from.
    pub fn default(&self) -> Option<&'a Trial> {
        self.trials.iter().find(|trial| trial.role == Role::Default)
    }

    /// Keys in which a trial differs from the default.
    fn changed(&self, trial: &Trial) -> Vec<String> {
        let default = self.space.default_values();
        let keys = self.space.keys.iter().map(|key| key.name.clone());
        keys.filter(|key| trial.values.get(key).is_some_and(|value| default.get(key) != Some(value))).collect()
    }

    /// For each key in which the tuned trial differs from the default: the default with its value alone, and the
    /// tuned values without it.
    fn single_changes(&self) -> Vec<(String, Assignment, Assignment)> {
        let Some(tuned) = self.tuned() else { return vec![] };
        let default = self.space.default_values();
        let changes = self.changed(tuned).into_iter().map(|key| {
            let (mut alone, mut without) = (default.clone(), tuned.values.clone());
            alone.insert(key.clone(), tuned.values[&key].clone());
            match default.get(&key) {
                Some(value) => without.insert(key.clone(), value.clone()),
                None => without.remove(&key),
            };
            (key, alone, without)
        });
        changes.collect()
    }

    /// The trials that show what each change brings by itself, and have not been begun. Of one change only, the default
    /// and the tuned trial show it; of two, one alone is the tuned trial without the other.
    pub fn missing_changes(&self) -> Vec<(Role, Assignment)> {
        let wanted = self
            .single_changes()
            .into_iter()
            .flat_map(|(key, alone, without)| [(Role::Alone(key.clone()), alone), (Role::Without(key), without)]);
        let mut missing: Vec<(Role, Assignment)> = vec![];
        for (role, values) in wanted {
            let known = self.trials.iter().map(|trial| &trial.values).chain(missing.iter().map(|(_, values)| values));
            if !known.into_iter().any(|known| *known == values) {
                missing.push((role, values));
            }
        }
        missing
    }

    /// What each change of the tuned trial brings, as far as its trials have ended.
    pub fn changes(&self) -> Vec<Change> {
        let default = self.space.default_values();
        let of = |values: &Assignment| {
            self.trials.iter().filter(|trial| trial.values == *values).find_map(|trial| self.objective(trial))
        };
        let changes = self.single_changes().into_iter().map(|(key, alone, without)| Change {
            from: default.get(&key).cloned(),
            to: alone.get(&key).cloned(),
            alone: of(&alone),
            without: of(&without),
            key,
        });
        changes.collect()
    }

    /// Each key's share of the objective's variance, the largest first.
    pub fn importance(&self) -> Vec<(String, f64)> {
        importance(self.space, &searched(self.trials))
    }

    /// The best trial's configuration as TOML, with a comment behind each value that the start has otherwise.
    ///
    /// # Errors
    /// Never, unless the study's values are another space's.
    pub fn best_toml(&self) -> Option<Result<String, ConfigError>> {
        let best = *self.best().first()?;
        Some(self.space.configure(&best.values).map(|mut config| {
            config.train.epochs = self.space.full_epochs;
            let mut document: DocumentMut = config.to_toml().parse().expect("it is TOML");
            let default = self.space.default_values();
            for key in self.changed(best) {
                let from = default.get(&key).map_or("nothing".into(), Value::to_string);
                let item = key.split('.').try_fold(document.as_item_mut(), |item, part| item.get_mut(part));
                if let Some(value) = item.and_then(Item::as_value_mut) {
                    value.decor_mut().set_suffix(format!(" # {from} in {}", self.space.start));
                }
            }
            document.to_string()
        }))
    }

    /// All of it, for programs.
    pub fn to_json(&self) -> Json {
        let trials: Vec<Json> = self.trials.iter().map(|trial| self.trial_json(trial)).collect();
        let changes = self.changes().into_iter().map(|change| {
            json!({
                "key": change.key, "from": change.from, "to": change.to, "alone": change.alone,
                "without": change.without,
            })
        });
        let importance: BTreeMap<String, f64> = self.importance().into_iter().collect();
        json!({
            "objective": format!("{:?}", self.space.objective).to_lowercase(),
            "start": self.space.start,
            "epochs": self.space.base.train.epochs,
            "keys": self.space.keys.iter().map(|key| (key.name.clone(), key.describe())).collect::<BTreeMap<_, _>>(),
            "best": self.best().first().map(|trial| trial.id),
            "trials": trials,
            "importance": importance,
            "changes": changes.collect::<Vec<_>>(),
        })
    }

    fn trial_json(&self, trial: &Trial) -> Json {
        let role = match &trial.role {
            Role::Default => "default".into(),
            Role::Search => "search".into(),
            Role::Alone(key) => format!("alone {key}"),
            Role::Without(key) => format!("without {key}"),
        };
        let (state, why) = match &trial.end {
            None => ("running", None),
            Some(End::Complete) => ("complete", None),
            Some(End::Pruned { why }) => ("pruned", Some(why)),
            Some(End::Failed { why }) => ("failed", Some(why)),
        };
        let epochs: Vec<f64> = trial.losses.iter().map(|&loss| self.space.objective.loss(loss)).collect();
        json!({
            "trial": trial.id, "role": role, "state": state, "why": why, "values": trial.values,
            "objective": self.objective(trial), "epochs": epochs, "parameters": trial.parameters,
            "seconds": trial.seconds,
        })
    }
}
