//! Parameters and training state on disk, in the safetensors format.
//!
//! `model.safetensors` has the parameters under PyTorch's names, so that any program of the field reads it.
//! `last.safetensors` has what a run needs to go on: the parameters, Adam's two moments of each under PyTorch's names
//! `exp_avg` and `exp_avg_sq`, and the [`TrainingState`].
//!
//! safetensors notices a truncated file but not a flipped bit in a tensor. Files written here therefore have a
//! checksum in their metadata, which is verified where there is one: files of other programs have none. Whoever wrote
//! it, a file with NaN or infinity in a tensor is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::decode::Lengths;
use crate::hash::fnv;
use crate::nn::{Parameter, Parameters};
use crate::train::files::{FileError, read, write_atomically};
use crate::train::fingerprint::Fingerprints;
use crate::train::schedule::ScheduleState;

/// Key of [`Metadata`] among the metadata of a file. One key only: safetensors writes several in random order, and the
/// same training should give the same file.
const METADATA_KEY: &str = "wgrad";

/// A tensor outside the device, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// As in PyTorch's `state_dict`, e.g. `decoder.rnn.weight_ih_l0`.
    pub name: String,
    pub shape: Vec<usize>,
    /// As many as the product of `shape`.
    pub values: Vec<f32>,
}

/// A flat buffer, cut into the model's parameters.
pub fn cut(parameters: &Parameters, flat: &[f32]) -> Vec<NamedTensor> {
    let tensor = |p: &Parameter| NamedTensor {
        name: p.name.clone(),
        shape: p.shape.clone(),
        values: flat[p.offset..][..p.len()].to_vec(),
    };
    parameters.iter().map(tensor).collect()
}

/// Where in its course a run is. With the parameters and Adam's moments, all that an interrupted run needs to reach
/// the result of an uninterrupted one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingState {
    /// Optimizer steps done.
    pub step: u64,
    /// The present epoch.
    pub epoch: usize,
    /// Batches of the present epoch done.
    pub batch: usize,
    pub schedule: ScheduleState,
    /// Training loss summed over the target tokens of the present epoch, nats.
    pub epoch_loss_sum: f64,
    /// Negative log-likelihood, the loss without label smoothing, summed in the same way.
    pub epoch_nll_sum: f64,
    /// Its mean in each batch, summed over the batches.
    #[serde(default)]
    pub epoch_batch_nll_sum: f64,
    /// Target tokens of the present epoch trained on, padding not counted.
    pub epoch_tokens: f64,
    /// Nats per target token; `None` before the first validation.
    pub best_validation_loss: Option<f64>,
    /// The epoch of `best_validation_loss`.
    pub best_epoch: usize,
    pub epochs_without_improvement: usize,
    /// Length of `metrics.jsonl` up to which it belongs to this state.
    pub metrics_bytes: u64,
    /// Time spent on the run so far.
    pub seconds: f64,
    /// Of the text and the tokenizers; empty in checkpoints from before there were fingerprints.
    #[serde(default)]
    pub files: Fingerprints,
    /// The configuration that the run began with, as TOML; empty in checkpoints from before it was kept.
    #[serde(default)]
    pub config: String,
}

impl TrainingState {
    /// Whether its numbers are ones that a run comes to: kernels count steps in 32 bits.
    fn count(&self) -> Result<(), String> {
        let counts = [
            ("step", self.step),
            ("epoch", self.epoch as u64),
            ("batch", self.batch as u64),
            ("best_epoch", self.best_epoch as u64),
            ("epochs_without_improvement", self.epochs_without_improvement as u64),
        ];
        match counts.into_iter().find(|(_, count)| *count >= u64::from(u32::MAX)) {
            Some((name, count)) => Err(format!("its state has {name} = {count}")),
            None => Ok(()),
        }
    }
}

/// What `last.safetensors` holds. Parameters and moments have the same names and are in the same order.
#[derive(Clone, Debug, PartialEq)]
pub struct Last {
    pub parameters: Vec<NamedTensor>,
    /// Adam's mean of gradients.
    pub exp_avg: Vec<NamedTensor>,
    /// Adam's mean of squared gradients.
    pub exp_avg_sq: Vec<NamedTensor>,
    pub state: TrainingState,
}

/// What a model has to say of its training to those who translate with it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// Fingerprints of the two tokenizers, source and target.
    pub tokenizers: [u64; 2],
    pub lengths: Lengths,
}

/// A checkpoint that cannot be used or should not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    #[error(transparent)]
    File(#[from] FileError),

    #[error("{} is damaged ({reason}); copy it again from where it came from, or train again", path.display())]
    Damaged { path: PathBuf, reason: String },

    /// One line for each tensor that is missing, superfluous, or of another type or shape.
    #[error(
        "{} does not hold the parameters of this model; use the config.toml that it was trained with, and convert \
         other types to F32:\n  {}",
        path.display(),
        problems.join("\n  ")
    )]
    Tensors { path: PathBuf, problems: Vec<String> },

    #[error(
        "{}: element {element} of {tensor} is {value}; expected finite numbers. Copy the file again from where it came \
         from, or train again",
        path.display()
    )]
    Infinite { path: PathBuf, tensor: String, element: usize, value: f32 },

    #[error("{} is not a batch: {problem}", path.display())]
    Batch { path: PathBuf, problem: String },

    #[error("{} has no training state; expected last.safetensors of the folder of a run", path.display())]
    NoState { path: PathBuf },

    /// Training has diverged. Saved, it would replace a state that has not.
    #[error(
        "{what} is infinite or not a number, so {} was left as it is; train again with a lower train.learning_rate or \
         train.clip_norm",
        path.display()
    )]
    NotFinite { path: PathBuf, what: String },
}

/// What a file says of itself besides its tensors.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Metadata {
    /// Of what follows and all tensors.
    checksum: u64,
    state: Option<TrainingState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trained: Option<Trained>,
}

impl Metadata {
    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and field names have a JSON form")
    }
}

/// The part of the metadata that the checksum covers, as it was written: a program that knows more fields would write
/// it otherwise.
fn covered(json: &str) -> &str {
    json.split_once("\"state\":").and_then(|(_, rest)| rest.strip_suffix('}')).unwrap_or_default()
}

/// Writes `model.safetensors`, with what it says of its training where it is the model of a run.
///
/// # Errors
///
/// A value is not finite, or the file cannot be written. An existing file is then as it was.
///
/// # Panics
///
/// If a tensor has other than the product of its shape many values.
pub fn save_model(path: &Path, tensors: &[NamedTensor], trained: Option<Trained>) -> Result<(), CheckpointError> {
    save(path, named(tensors, "").collect(), Metadata { trained, ..Metadata::default() })
}

/// Reads the tensors named in `expected` (name and shape) from `model.safetensors`, in this order.
///
/// # Errors
///
/// The file cannot be read or is damaged, or its tensors are not the expected ones, all of type F32 and finite.
pub fn load_model(path: &Path, expected: &[(String, Vec<usize>)]) -> Result<Vec<NamedTensor>, CheckpointError> {
    let bytes = read(path)?;
    let (file, _) = open(path, &bytes)?;
    select(path, &file, expected)
}

/// What `model.safetensors` says of its training. Files of other programs, of `wgrad init` and of older runs say
/// nothing.
///
/// # Errors
///
/// The file cannot be read or is damaged.
pub fn load_trained(path: &Path) -> Result<Option<Trained>, CheckpointError> {
    Ok(open(path, &read(path)?)?.1.trained)
}

/// Writes `last.safetensors`. The moments have the names of their parameters.
///
/// # Errors
///
/// As [`save_model`].
///
/// # Panics
///
/// As [`save_model`].
pub fn save_last(
    path: &Path,
    parameters: &[NamedTensor],
    exp_avg: &[NamedTensor],
    exp_avg_sq: &[NamedTensor],
    state: &TrainingState,
) -> Result<(), CheckpointError> {
    let moments = named(exp_avg, "exp_avg.").chain(named(exp_avg_sq, "exp_avg_sq."));
    save(
        path,
        named(parameters, "").chain(moments).collect(),
        Metadata { state: Some(state.clone()), ..Metadata::default() },
    )
}

/// Reads `last.safetensors`, given the names and shapes of the parameters.
///
/// # Errors
///
/// As [`load_model`], or the file has no training state.
pub fn load_last(path: &Path, expected: &[(String, Vec<usize>)]) -> Result<Last, CheckpointError> {
    let bytes = read(path)?;
    let (file, metadata) = open(path, &bytes)?;
    let state = metadata.state.ok_or_else(|| CheckpointError::NoState { path: path.into() })?;
    state.count().map_err(|reason| CheckpointError::Damaged { path: path.into(), reason })?;
    let all = ["", "exp_avg.", "exp_avg_sq."].map(|prefix| {
        let prefixed = expected.iter().map(|(name, shape)| (format!("{prefix}{name}"), shape.clone()));
        prefixed.collect::<Vec<_>>()
    });
    let mut parameters = select(path, &file, &all.concat())?;
    let mut exp_avg = parameters.split_off(expected.len());
    let mut exp_avg_sq = exp_avg.split_off(expected.len());
    for moments in [&mut exp_avg, &mut exp_avg_sq] {
        for (moment, (name, _)) in moments.iter_mut().zip(expected) {
            moment.name.clone_from(name);
        }
    }
    Ok(Last { parameters, exp_avg, exp_avg_sq, state })
}

/// The shape that a tensor has in a file, if the file can be read and has it.
pub fn stored_shape(path: &Path, name: &str) -> Option<Vec<usize>> {
    let bytes = read(path).ok()?;
    let (file, _) = open(path, &bytes).ok()?;
    Some(file.tensor(name).ok()?.shape().to_vec())
}

fn named<'a>(tensors: &'a [NamedTensor], prefix: &str) -> impl Iterator<Item = (String, &'a NamedTensor)> {
    tensors.iter().map(move |tensor| (format!("{prefix}{}", tensor.name), tensor))
}

fn save(path: &Path, tensors: BTreeMap<String, &NamedTensor>, mut metadata: Metadata) -> Result<(), CheckpointError> {
    let not_finite = |what: &str| CheckpointError::NotFinite { path: path.into(), what: what.to_owned() };
    if let Some((name, _)) = tensors.iter().find(|(_, tensor)| !tensor.values.iter().all(|value| value.is_finite())) {
        return Err(not_finite(name));
    }
    // The map is in the order of names, and so is the file that safetensors makes of tensors of one type.
    let data = tensors.values().map(|tensor| bytemuck::cast_slice(&tensor.values));
    metadata.checksum = checksum(covered(&metadata.to_json()), data);
    let json = metadata.to_json();
    // What is not finite becomes null in JSON, and does not come back.
    let read_back = serde_json::from_str::<Metadata>(&json).ok();
    if read_back.and_then(|read_back| read_back.state) != metadata.state {
        return Err(not_finite("the loss"));
    }
    let views = tensors.iter().map(|(name, tensor)| {
        let bytes = bytemuck::cast_slice(&tensor.values);
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes);
        (name, view.expect("a tensor has as many values as its shape says"))
    });
    let metadata = [(METADATA_KEY.to_owned(), json)].into();
    let bytes = safetensors::serialize(views, Some(metadata)).expect("the header of a model is below its 100 MB");
    Ok(write_atomically(path, &bytes)?)
}

/// Verifies the contents of a file as far as they can be without knowing the model.
pub(super) fn open<'a>(path: &Path, bytes: &'a [u8]) -> Result<(SafeTensors<'a>, Metadata), CheckpointError> {
    let damaged = |reason: String| CheckpointError::Damaged { path: path.into(), reason };
    let (header, description) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(error.to_string()))?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
    let Some(json) = description.metadata().as_ref().and_then(|all| all.get(METADATA_KEY)) else {
        return Ok((file, Metadata::default()));
    };
    let metadata: Metadata = serde_json::from_str(json).map_err(|error| damaged(error.to_string()))?;
    let data = &bytes[size_of::<u64>() + header..];
    if checksum(covered(json), [data]) != metadata.checksum {
        return Err(damaged("its checksum is wrong".to_owned()));
    }
    // The checksum leaves out the header, where two tensors of one shape could change places.
    if !description.offset_keys().is_sorted() {
        return Err(damaged("its tensors do not lie in the order of their names".to_owned()));
    }
    Ok((file, metadata))
}

fn select(
    path: &Path,
    file: &SafeTensors<'_>,
    expected: &[(String, Vec<usize>)],
) -> Result<Vec<NamedTensor>, CheckpointError> {
    let problems = problems(file, expected);
    if !problems.is_empty() {
        return Err(CheckpointError::Tensors { path: path.into(), problems });
    }
    let tensors = expected.iter().map(|(name, shape)| {
        let data = file.tensor(name).expect("it is not among the problems").data();
        let values = data.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().expect("chunks of four")));
        let tensor = NamedTensor { name: name.clone(), shape: shape.clone(), values: values.collect() };
        match tensor.values.iter().position(|value| !value.is_finite()) {
            Some(element) => {
                let (tensor, value) = (name.clone(), tensor.values[element]);
                Err(CheckpointError::Infinite { path: path.into(), tensor, element, value })
            }
            None => Ok(tensor),
        }
    });
    tensors.collect()
}

/// How the tensors of a file differ from the expected ones.
fn problems(file: &SafeTensors<'_>, expected: &[(String, Vec<usize>)]) -> Vec<String> {
    let mut found: BTreeMap<String, TensorView<'_>> = file.tensors().into_iter().collect();
    let mut problems = Vec::new();
    for (name, shape) in expected {
        match found.remove(name) {
            None => problems.push(format!("{name} is missing; expected F32 {shape:?}")),
            Some(tensor) if tensor.dtype() != Dtype::F32 || tensor.shape() != shape => {
                problems.push(format!("{name} is {:?} {:?}; expected F32 {shape:?}", tensor.dtype(), tensor.shape()))
            }
            Some(_) => (),
        }
    }
    let superfluous = found.iter().map(|(name, tensor)| {
        let (dtype, shape) = (tensor.dtype(), tensor.shape());
        format!("{name} is {dtype:?} {shape:?}; expected no tensor of this name")
    });
    problems.extend(superfluous);
    problems
}

/// Of the covered part of the metadata and the tensors.
fn checksum<'a>(covered: &str, data: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    data.into_iter().fold(fnv(0xcbf2_9ce4_8422_2325, covered.as_bytes()), fnv)
}

#[cfg(test)]
mod tests;
