//! The log of a run, `metrics.jsonl`: one JSON object a line, for plots and comparisons.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::train::files::{FileError, is_own, open_to_write, read};

/// One line of the log. Numbers that are not finite, which JSON does not have, are written as `null`, and read as
/// infinity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Record {
    Step(StepMetrics),
    Epoch(EpochMetrics),
}

/// What the run reports every `train.log_every` steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Optimizer steps done, over the whole run.
    pub step: u64,
    /// The present epoch, counted from 1.
    pub epoch: usize,
    /// Training loss, nats per target token.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    pub learning_rate: f32,
    /// L2 norm of the gradient over all parameters, before clipping.
    #[serde(deserialize_with = "number")]
    pub grad_norm: f64,
    /// Target tokens trained on per second, padding not counted.
    pub tokens_per_second: f64,
}

/// What the run reports after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The epoch that ended, counted from 1.
    pub epoch: usize,
    /// Optimizer steps done, over the whole run.
    pub step: u64,
    /// Mean over the epoch, nats per target token, label smoothing included.
    #[serde(deserialize_with = "number")]
    pub training_loss: f64,
    /// e to the mean negative log-likelihood per target token, label smoothing not included.
    #[serde(deserialize_with = "number")]
    pub training_perplexity: f64,
    /// e to the mean of the batches' mean negative log-likelihoods, as courses report it.
    #[serde(default, deserialize_with = "number")]
    pub training_batch_perplexity: f64,
    /// Nats per target token, without label smoothing.
    #[serde(deserialize_with = "number")]
    pub validation_loss: f64,
    #[serde(deserialize_with = "number")]
    pub validation_perplexity: f64,
    #[serde(default, deserialize_with = "number")]
    pub validation_batch_perplexity: f64,
    /// sacreBLEU of the validation set in the form that the model writes ([`score`](super::score)), 0 to 100; `None` if
    /// it was not measured.
    pub bleu: Option<f64>,
    /// Of the epoch's last step.
    pub learning_rate: f32,
    /// Time spent on the run so far, validation and earlier sessions included.
    pub seconds: f64,
}

/// A number that may be `null`: the perplexity of a loss above 709 nats exceeds f64.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::INFINITY))
}

/// A log that cannot be written or continued.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MetricsError {
    #[error(transparent)]
    File(#[from] FileError),

    #[error("{} line {number}: expected an object as wgrad writes it: {error}; restore the file", path.display())]
    Line { path: PathBuf, number: usize, error: serde_json::Error },

    /// Lines that the checkpoint knows of are gone.
    #[error(
        "{} was changed since the last checkpoint: its first {expected} bytes should be whole lines of the run, but it \
         has {found} bytes; restore the file, or train again in another folder",
        path.display()
    )]
    Changed { path: PathBuf, expected: u64, found: u64 },
}

/// Minutes and seconds, `1:32`, from an hour on with hours, `1:02:03`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// All records of a log.
///
/// # Errors
///
/// The file cannot be read, or has a line that is no record.
pub fn read_records(path: &Path) -> Result<Vec<Record>, MetricsError> {
    match read_intact_records(path)? {
        (_, Some(error)) => Err(error),
        (records, None) => Ok(records),
    }
}

/// The records up to the first line that is none, and that line's error. A last line without its end is no error: a
/// run that goes on may be writing it.
///
/// # Errors
///
/// The file cannot be read.
pub fn read_intact_records(path: &Path) -> Result<(Vec<Record>, Option<MetricsError>), MetricsError> {
    let contents = read(path)?;
    let whole = contents.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let mut records = vec![];
    for (number, line) in contents[..whole].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        match serde_json::from_slice(line) {
            Ok(record) => records.push(record),
            Err(error) => {
                let number = number + 1;
                return Ok((records, Some(MetricsError::Line { path: path.into(), number, error })));
            }
        }
    }
    Ok((records, None))
}

/// Appends to the log of a run.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    file: File,
}

impl Metrics {
    /// Starts an empty log.
    ///
    /// # Errors
    ///
    /// The file exists or cannot be created.
    pub fn create(path: &Path) -> Result<Self, MetricsError> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        let file = file.map_err(|error| FileError::writing(path, error))?;
        Ok(Self { path: path.into(), file })
    }

    /// Continues a log after its first `bytes` bytes, the [`bytes`](Self::bytes) of the last checkpoint. What a killed
    /// run wrote after that is removed, for it will be written again.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written, or its first `bytes` bytes are not whole lines. It is then as it was.
    pub fn resume(path: &Path, bytes: u64) -> Result<Self, MetricsError> {
        if !is_own(path)? {
            return Err(FileError::reading(path, ErrorKind::NotFound.into()).into());
        }
        let mut file = open_to_write(path)?;
        let mut contents = vec![];
        file.read_to_end(&mut contents).map_err(|error| FileError::reading(path, error))?;
        let kept = usize::try_from(bytes).ok().and_then(|bytes| contents.get(..bytes));
        if kept.is_none_or(|kept| kept.last().is_some_and(|&byte| byte != b'\n')) {
            return Err(MetricsError::Changed { path: path.into(), expected: bytes, found: contents.len() as u64 });
        }
        let cut = file.set_len(bytes).and_then(|()| file.seek(SeekFrom::End(0)));
        cut.map_err(|error| FileError::writing(path, error))?;
        Ok(Self { path: path.into(), file })
    }

    /// Adds a line. It is in the file when this returns, so that others can watch the run.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(&mut self, record: Record) -> Result<(), MetricsError> {
        let mut line = serde_json::to_vec(&record).expect("numbers and field names have a JSON form");
        line.push(b'\n');
        let written = self.file.write_all(&line);
        Ok(written.map_err(|error| FileError::writing(&self.path, error))?)
    }

    /// Length of the log, for the checkpoint. It is on the disk when this returns: a checkpoint must not survive a
    /// power failure that lines before it do not.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn bytes(&mut self) -> Result<u64, MetricsError> {
        let synced = self.file.sync_all().and_then(|()| self.file.stream_position());
        Ok(synced.map_err(|error| FileError::writing(&self.path, error))?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn times_are_written_for_people() {
        let durations = [(0.0, "0:00"), (41.4, "0:41"), (59.6, "1:00"), (3599.0, "59:59"), (36_123.0, "10:02:03")];
        for (seconds, text) in durations {
            assert_eq!(duration(seconds), text);
        }
    }

    const STEP: Record = Record::Step(StepMetrics {
        step: 50,
        epoch: 1,
        loss: 3.25,
        learning_rate: 1e-3,
        grad_norm: 0.5,
        tokens_per_second: 8123.4,
    });

    const EPOCH: Record = Record::Epoch(EpochMetrics {
        epoch: 1,
        step: 227,
        training_loss: 3.21,
        training_perplexity: 24.8,
        training_batch_perplexity: 24.9,
        validation_loss: 3.02,
        validation_perplexity: 20.5,
        validation_batch_perplexity: 20.6,
        bleu: None,
        learning_rate: 1e-3,
        seconds: 92.5,
    });

    #[test]
    fn one_object_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.jsonl");
        let mut metrics = Metrics::create(&path).unwrap();
        assert_eq!(metrics.bytes().unwrap(), 0);
        for record in [STEP, EPOCH] {
            metrics.write(record).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "{\"kind\":\"step\",\"step\":50,\"epoch\":1,\"loss\":3.25,\"learning_rate\":0.001,\"grad_norm\":0.5,\
             \"tokens_per_second\":8123.4}\n\
             {\"kind\":\"epoch\",\"epoch\":1,\"step\":227,\"training_loss\":3.21,\"training_perplexity\":24.8,\
             \"training_batch_perplexity\":24.9,\
             \"validation_loss\":3.02,\"validation_perplexity\":20.5,\
             \"validation_batch_perplexity\":20.6,\"bleu\":null,\"learning_rate\":0.001,\
             \"seconds\":92.5}\n"
        );
        assert_eq!(metrics.bytes().unwrap(), text.len() as u64);
        let records: Vec<Record> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(records, [STEP, EPOCH]);
    }

    #[test]
    fn a_resumed_log_has_no_line_twice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.jsonl");
        let mut metrics = Metrics::create(&path).unwrap();
        metrics.write(STEP).unwrap();
        let checkpoint = metrics.bytes().unwrap();
        metrics.write(EPOCH).unwrap();
        let uninterrupted = fs::read(&path).unwrap();
        // Killed in the middle of a line.
        fs::write(&path, [&uninterrupted[..], b"{\"kind\":\"st"].concat()).unwrap();

        let mut resumed = Metrics::resume(&path, checkpoint).unwrap();
        assert_eq!(resumed.bytes().unwrap(), checkpoint);
        resumed.write(EPOCH).unwrap();
        assert_eq!(fs::read(&path).unwrap(), uninterrupted);
        assert_eq!(resumed.bytes().unwrap(), uninterrupted.len() as u64);
    }

    #[test]
    fn a_diverged_run_can_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.jsonl");
        let Record::Epoch(epoch) = EPOCH else { unreachable!("it is one") };
        let diverged = Record::Epoch(EpochMetrics { validation_perplexity: f64::INFINITY, ..epoch });
        Metrics::create(&path).unwrap().write(diverged).unwrap();
        assert_eq!(read_records(&path).unwrap(), [diverged]);
    }

    #[test]
    fn a_changed_log_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.jsonl");
        fs::write(&path, "{}\n{}\n").unwrap();
        for bytes in [7, 5, u64::MAX] {
            let error = Metrics::resume(&path, bytes).unwrap_err().to_string();
            let expected = format!(
                "{} was changed since the last checkpoint: its first {bytes} bytes should be whole lines of the run, \
                 but it has 6 bytes; restore the file, or train again in another folder",
                path.display()
            );
            assert_eq!(error, expected);
        }
        assert_eq!(fs::read(&path).unwrap(), b"{}\n{}\n");
        for bytes in [6, 3, 0] {
            assert_eq!(Metrics::resume(&path, bytes).unwrap().bytes().unwrap(), bytes);
        }
        let missing = Metrics::resume(&directory.path().join("missing"), 0).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read ") && missing.contains("missing: "), "{missing}");
    }
}
