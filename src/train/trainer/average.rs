//! The mean of several epochs' parameters, which is what a run saves and validates with `train.average_epochs`.

use std::ops::RangeInclusive;

use super::super::TrainError;
use super::super::checkpoint::{load_model, save_model};
use super::super::config::TrainConfig;
use super::super::files::remove;
use super::super::load::expected;
use super::Trainer;
use crate::plan::DeviceError;

impl Trainer<'_> {
    /// Puts the mean of the last `train.average_epochs` epochs' parameters in the place of the present ones, which it
    /// gives back; `None` where there is nothing to average. The epochs' parameters lie in the run's folder, so that a
    /// resumed run averages the same.
    pub(super) fn average(&mut self) -> Result<Option<Vec<f32>>, TrainError> {
        let (count, epoch) = (self.run.config().train.average_epochs, self.state.epoch);
        if count == 1 {
            return Ok(None);
        }
        save_model(&self.run.epoch_path(epoch), &self.tensors("parameters")?, None)?;
        if epoch > count {
            remove(&self.run.epoch_path(epoch - count))?;
        }
        let paths: Vec<_> = averaged(&self.run.config().train, epoch).map(|epoch| self.run.epoch_path(epoch)).collect();
        let number = paths.len() as f64;
        let mut sums: Vec<Vec<f64>> = self.model.parameters().iter().map(|p| vec![0.0; p.len()]).collect();
        for path in &paths {
            let tensors = load_model(path, &expected(self.model.parameters()))?;
            for (sum, tensor) in sums.iter_mut().zip(&tensors) {
                sum.iter_mut().zip(&tensor.values).for_each(|(sum, &value)| *sum += f64::from(value));
            }
        }
        let means = sums.iter().map(|sum| sum.iter().map(|sum| (sum / number) as f32).collect::<Vec<f32>>());
        let trained = self.device.read_f32("parameters")?;
        let means = self.model.parameters().weights(means);
        self.device.write_f32("parameters", &means)?;
        Ok(Some(trained))
    }

    /// Puts the parameters back that [`average`](Self::average) took the place of.
    pub(super) fn put_back(&mut self, trained: Option<Vec<f32>>) -> Result<(), DeviceError> {
        trained.map_or(Ok(()), |trained| self.device.write_f32("parameters", &trained))
    }
}

/// The epochs whose parameters make the mean at the end of this one.
pub(super) fn averaged(train: &TrainConfig, epoch: usize) -> RangeInclusive<usize> {
    (epoch + 1).saturating_sub(train.average_epochs).max(1)..=epoch
}
