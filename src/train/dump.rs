//! One forward and backward pass on given ids, with every number that comes of it: to compare wgrad with another
//! implementation, or to debug a model.

use std::fs;
use std::path::Path;

use safetensors::tensor::Dtype;
use thiserror::Error;

use crate::graph::{Graph, GraphError, TensorType, Value};
use crate::models::{Feedback, Model, Source, Weights, unroll};
use crate::nn::Scope;
use crate::ops::fill::{fill, fill_ids};
use crate::ops::linear_cross_entropy::LinearCrossEntropy;
use crate::plan::{Device, DeviceError, Plan};
use crate::text::{Frame, PAD, SOS};

use super::checkpoint::{CheckpointError, NamedTensor, open};
use super::config::Config;
use super::files::FileError;
use super::step::parameter_gradients;

/// Source and target ids, row by row; `<unk> <pad> <sos> <eos>` are 0 to 3. As the model's [`Frame`] says: both sides
/// `<sos> … <eos>`, or the source `… <eos>` and the target `<sos> … <eos>`; then padding.
#[derive(Clone, Debug, PartialEq)]
pub struct IdBatch {
    pub sentences: usize,
    /// Ids [B, S].
    pub source: Vec<i64>,
    /// Ids [B, T].
    pub target: Vec<i64>,
}

/// A batch that a model cannot read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DumpError {
    #[error(
        "`{tensor}` row {row} column {column} is {id}: expected an id from 0 to {last}, the vocabulary's last; use ids \
         of this model's vocabulary"
    )]
    Id { tensor: &'static str, row: usize, column: usize, id: i64, last: usize },
    #[error(
        "`{tensor}` row {row} has padding (id {PAD}) before its token in column {column}; expected padding at the end \
         only"
    )]
    Padding { tensor: &'static str, row: usize, column: usize },
    #[error("`{tensor}` has {length} columns: expected at least 2, a token and a special token")]
    TooShort { tensor: &'static str, length: usize },
    #[error("`{tensor}` has {length} columns: expected at most {most}, the positions that the model has")]
    TooLong { tensor: &'static str, length: usize, most: usize },
    #[error("every target of the batch is empty: expected at least one token to score")]
    NothingToScore,
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error("{blame}{0}", blame = .0.blame())]
    Graph(#[from] GraphError),
}

impl IdBatch {
    fn columns(&self) -> [usize; 2] {
        [&self.source, &self.target].map(|ids| ids.len() / self.sentences.max(1))
    }

    fn check(&self, model: &dyn Model, vocabularies: [usize; 2]) -> Result<(), DumpError> {
        let [source, target] = self.columns();
        let sides = [("src", &self.source, source), ("tgt", &self.target, target)];
        for ((tensor, ids, length), vocabulary) in sides.into_iter().zip(vocabularies) {
            if length < 2 {
                return Err(DumpError::TooShort { tensor, length });
            }
            if let Some(most) = model.max_positions().filter(|most| length > *most) {
                return Err(DumpError::TooLong { tensor, length, most });
            }
            for (row, ids) in ids.chunks(length).enumerate() {
                let mut padded = false;
                for (column, &id) in ids.iter().enumerate() {
                    if !(0..vocabulary as i64).contains(&id) {
                        return Err(DumpError::Id { tensor, row, column, id, last: vocabulary - 1 });
                    }
                    if padded && id != i64::from(PAD) {
                        return Err(DumpError::Padding { tensor, row, column });
                    }
                    padded = id == i64::from(PAD);
                }
            }
        }
        Ok(())
    }

    /// Ids [T, B] from those of columns `from..to`, after `start` at the front.
    fn time_major(&self, ids: &[i64], start: Option<u32>, range: std::ops::Range<usize>) -> Vec<u32> {
        let columns = ids.len() / self.sentences;
        let first = start.map_or(vec![], |id| vec![id; self.sentences]);
        let rest = range.flat_map(|t| (0..self.sentences).map(move |b| ids[b * columns + t] as u32));
        first.into_iter().chain(rest).collect()
    }
}

/// The ids of a batch, tensors `src` [B, S] and `tgt` [B, T] of type I64.
///
/// # Errors
///
/// The file cannot be read or is damaged, or its tensors are others.
pub fn load_ids(path: &Path) -> Result<IdBatch, CheckpointError> {
    // Not a run's: the user named it, and it may be a link or a pipe.
    let bytes = fs::read(path).map_err(|error| FileError::reading(path, error))?;
    let (file, _) = open(path, &bytes)?;
    let side = |name: &str| match file.tensor(name) {
        Ok(tensor) if tensor.dtype() == Dtype::I64 && tensor.shape().len() == 2 && tensor.shape()[0] > 0 => {
            let words = tensor.data().chunks_exact(8);
            let ids = words.map(|bytes| i64::from_le_bytes(bytes.try_into().expect("chunks of eight"))).collect();
            Ok((tensor.shape()[0], ids))
        }
        Ok(tensor) => Err(format!("{name} is {:?} {:?}; expected I64 [B, T]", tensor.dtype(), tensor.shape())),
        Err(_) => Err(format!("{name} is missing; expected I64 [B, T]")),
    };
    let problem = |problem| CheckpointError::Batch { path: path.into(), problem };
    let ((sentences, source), (targets, target)) = (side("src").map_err(problem)?, side("tgt").map_err(problem)?);
    if sentences != targets {
        return Err(problem(format!("src has {sentences} rows and tgt has {targets}; expected as many")));
    }
    Ok(IdBatch { sentences, source, target })
}

/// Runs forward and backward once, with dropout off, on a device whose buffer `parameters` holds the model. Gives
/// `logits` [B, T, V], `loss` `[1]`, `grad.NAME` for every parameter, and `attention` where the model has one.
///
/// The loss is `train.label_smoothing`'s, the mean over the positions that are not padding. The decoder runs free where
/// `train.teacher_forcing` is 0, else it is forced.
///
/// # Errors
/// When ids lie outside the vocabulary, sentences outside the positions, or the device fails.
pub fn dump(
    device: &mut dyn Device,
    model: &dyn Model,
    config: &Config,
    vocabularies: [usize; 2],
    batch: &IdBatch,
) -> Result<Vec<NamedTensor>, DumpError> {
    batch.check(model, vocabularies)?;
    let [source_time, target_time] = batch.columns();
    let (inputs, labels) = match config.data.frame {
        Frame::Both => (
            batch.time_major(&batch.target, Some(SOS), 0..target_time - 1),
            batch.time_major(&batch.target, None, 0..target_time),
        ),
        Frame::Target => (
            batch.time_major(&batch.target, None, 0..target_time - 1),
            batch.time_major(&batch.target, None, 1..target_time),
        ),
    };
    if labels.iter().all(|&id| id == PAD) {
        return Err(DumpError::NothingToScore);
    }
    let sentences = batch.sentences;
    let time = labels.len() / sentences;
    let positions = model.source_positions(source_time, time);
    let mut source = batch.time_major(&batch.source, None, 0..source_time);
    source.resize(positions * sentences, PAD);
    let mut graph = Graph::new();
    let mut input = |graph: &mut Graph, name: &str, ids: &[u32], shape: &[usize]| -> Result<Value, DumpError> {
        let name = format!("dump.{name}");
        device.allocate(&name, &TensorType::u32(shape))?;
        device.write_u32(&name, ids)?;
        Ok(graph.input(&name, TensorType::u32(shape))?)
    };
    let ids = input(&mut graph, "source", &source, &[positions, sentences])?;
    let lengths = input(&mut graph, "source_lengths", &lengths(&source, sentences), &[sentences])?;
    let target = input(&mut graph, "inputs", &inputs, &[time, sentences])?;
    // The decoder reads padding like words: nobody scores what it says there, but other implementations say it too.
    let target_lengths = fill_ids(&mut graph, &[sentences], time as u32)?;
    let labels = input(&mut graph, "labels", &labels, &[time * sentences])?;

    let mut scope = Scope::evaluating(&mut graph, model.parameters())?;
    let encoded = model.encode(&mut scope, Source { ids, lengths })?;
    let decoded = match config.train.teacher_forcing {
        0.0 => unroll(model, &mut scope, &encoded, target, Feedback::Free)?,
        _ => model.decode(&mut scope, &encoded, target, target_lengths)?,
    };
    let logits = model.projection().logits(&mut scope, decoded.features)?;
    let op = LinearCrossEntropy::new(PAD, config.train.label_smoothing);
    let loss = model.projection().loss(&mut scope, decoded.features, labels, op)?.mean;
    let gradients = parameter_gradients(&mut graph, model.parameters(), loss)?;
    let nothing = fill(&mut graph, &[1], 0.0)?;
    let weights = decoded.weights.map(|(Weights::Whole(w) | Weights::Steps(w))| w);
    let mut fetches = vec![logits, loss, weights.unwrap_or(nothing)];
    fetches.extend(gradients.iter().map(|(gradient, _)| *gradient));
    let plan = device.prepare(Plan::new(&graph, &fetches, &[], &device.target()))?;
    device.run(plan, false)?;

    let mut tensors = vec![];
    let mut add = |name: &str, shape: &[usize], values| {
        tensors.push(NamedTensor { name: name.into(), shape: shape.to_vec(), values });
    };
    let vocabulary = graph.type_of(logits).columns();
    add("logits", &[sentences, time, vocabulary], swap(&device.fetch_f32(plan, 0)?, [time, sentences, vocabulary]));
    add("loss", &[1], device.fetch_f32(plan, 1)?);
    if let Some(weights) = decoded.weights {
        let values = device.fetch_f32(plan, 2)?;
        match weights {
            Weights::Whole(value) => add("attention", graph.shape(value), values),
            Weights::Steps(value) => {
                let [time, rows @ .., source] = graph.shape(value) else { unreachable!("steps are [T, B, .., S]") };
                let shape = [rows, &[*time, *source]].concat();
                add("attention", &shape, swap(&values, [*time, rows.iter().product(), *source]));
            }
        }
    }
    for parameter in model.parameters().iter() {
        let index = gradients.iter().position(|(_, offset)| *offset == parameter.offset);
        let values = index.map_or_else(|| Ok(vec![0.0; parameter.len()]), |i| device.fetch_f32(plan, 3 + i))?;
        add(&format!("grad.{}", parameter.name), &parameter.shape, values);
    }
    Ok(tensors)
}

/// Tokens of each sentence before its padding, of ids [T, B].
fn lengths(ids: &[u32], sentences: usize) -> Vec<u32> {
    (0..sentences).map(|b| ids.iter().skip(b).step_by(sentences).filter(|&&id| id != PAD).count() as u32).collect()
}

/// [a, b, c] to [b, a, c].
fn swap(values: &[f32], [a, b, c]: [usize; 3]) -> Vec<f32> {
    (0..b).flat_map(|j| (0..a).flat_map(move |i| values[(i * b + j) * c..][..c].iter().copied())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Cpu;
    use crate::models;

    /// A decoder that runs free gives what it gives when it is forced to say the same words: logits and where it
    /// looked.
    #[test]
    fn a_free_transformer_looks_where_the_forced_one_does() {
        for (heads, seed) in [(1, 3), (2, 3)] {
            let mut config = Config::preset("course-full-transformer").unwrap();
            let sizes = ["model.hidden=8", &format!("model.heads={heads}"), "model.feed_forward=12"];
            config.set_all(&sizes).unwrap();
            let vocabularies = [9, 8];
            let model = models::build(&config.model, vocabularies);
            let mut batch = IdBatch {
                sentences: 2,
                source: vec![2, 5, 6, 3, 2, 7, 3, 1],
                target: vec![2, 5, 6, 7, 3, 2, 4, 4, 4, 3],
            };
            let mut run = |teacher_forcing: &str, batch: &IdBatch| {
                config.set(&format!("train.teacher_forcing={teacher_forcing}")).unwrap();
                let mut device = Cpu::<f32>::new();
                let flat = model.parameters().initial(seed);
                device.allocate("parameters", &TensorType::f32(&[flat.len()])).unwrap();
                device.write_f32("parameters", &flat).unwrap();
                dump(&mut device, &*model, &config, vocabularies, batch).unwrap()
            };
            let find = |tensors: &[NamedTensor], name: &str| tensors.iter().find(|t| t.name == name).unwrap().clone();
            let free = run("0", &batch);
            let logits = find(&free, "logits");
            let [sentences, time, vocabulary] = logits.shape[..] else { panic!("{:?}", logits.shape) };
            let said = |row: &[f32]| (0..vocabulary).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap() as i64;
            let words: Vec<i64> = logits.values.chunks(vocabulary).map(said).collect();
            let columns = batch.target.len() / sentences;
            for b in 0..sentences {
                // The last word is said, and not read again.
                batch.target[b * columns + columns - time..][..time - 1]
                    .copy_from_slice(&words[b * time..][..time - 1]);
            }
            let forced = run("1", &batch);
            let (looked, expected) = (find(&free, "attention"), find(&forced, "attention"));
            assert_eq!(looked.shape, expected.shape);
            assert_eq!(looked.shape, [2, heads, time, 4]);
            for (name, [a, b]) in [("attention", [&looked, &expected]), ("logits", [&logits, &find(&forced, "logits")])]
            {
                let worst = a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst < 1e-5, "{heads} heads, {name}: {worst}");
            }
        }
    }
}
