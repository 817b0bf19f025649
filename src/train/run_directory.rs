//! The folder of a run: all that it takes to continue it, to translate with it, and to compare it with others.

use std::fs::{self, DirEntry, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use thiserror::Error;
use toml_edit::DocumentMut;

use crate::models::OwnModel;
use crate::text::{TextError, Tokenizer};
use crate::train::config::read::ASSIGNMENT;
use crate::train::config::{Config, ConfigError};
use crate::train::files::{FileError, is_own, is_temporary, open_to_write, read, stands_for, write_atomically};

const CONFIG: &str = "config.toml";
const METRICS: &str = "metrics.jsonl";
const MODEL: &str = "model.safetensors";
const LAST: &str = "last.safetensors";
const LOCK: &str = "train.lock";

/// A folder that a run cannot be written to or read from.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    #[error("{} already has files in it", path.display())]
    Exists { path: PathBuf },

    #[error("{} already has a run in it", path.display())]
    Run { path: PathBuf },

    #[error("another process trains in {}: wait for its end", path.display())]
    Locked { path: PathBuf },

    /// Of a run to come.
    #[error("{} is not a folder", path.display())]
    NotAFolder { path: PathBuf },

    /// Of a run to read.
    #[error("{} {problem}; expected {expected}", path.display())]
    NotARun { path: PathBuf, problem: String, expected: &'static str },

    #[error(
        "{} has no {MODEL}; the run has not finished an epoch yet, or the file is gone: resume it, a finished one with \
         more train.epochs",
        path.display()
    )]
    NoModel { path: PathBuf },

    #[error(
        "{} has no {LAST}; the run ended before its first checkpoint and cannot be continued: train again in this \
         folder",
        path.display()
    )]
    NoCheckpoint { path: PathBuf },

    #[error("{} has no {file}; {needed}restore the file, or train again in another folder", path.display())]
    Missing { path: PathBuf, file: String, needed: &'static str },

    #[error(
        "`{key}` cannot change in the middle of a run: only {} can. For another value begin another run",
        CHANGEABLE.join(", ")
    )]
    Fixed { key: String },

    #[error(transparent)]
    File(#[from] FileError),

    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// What may change between two sessions of a run: how long it goes on, how often it says so and saves, and where its
/// text lies, which the trainer holds to the one that the run began with. With anything else it would be another run.
const CHANGEABLE: [&str; 5] =
    ["train.epochs", "train.patience", "train.log_every", "train.checkpoint_every", "data.directory"];

/// The folder of one run and its configuration.
#[derive(Clone, Debug)]
pub struct RunDirectory {
    path: PathBuf,
    config: Config,
}

/// Keeps other processes out of a run's folder as long as it lives.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Gives the folder free and removes the file, which a folder that nobody trains in has no use for.
    pub fn remove(self) {
        // While it is still locked: the next process makes one of its own. An empty file that stays does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

impl RunDirectory {
    /// A run to come, in a folder that is new, empty, or left by a run that never began. Nothing is written before
    /// [`create`](Self::create).
    ///
    /// # Errors
    ///
    /// The folder has files in it.
    pub fn new(path: impl Into<PathBuf>, config: Config) -> Result<Self, RunError> {
        let path = path.into();
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self { path, config }),
            Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(RunError::NotAFolder { path }),
            Err(error) => return Err(FileError::reading(&path, error).into()),
        };
        let entries: Vec<_> = entries.filter_map(|entry| entry.ok()).collect();
        if entries.iter().any(|entry| entry.file_name() == LAST) {
            return Err(RunError::Run { path });
        }
        let begun = entries.iter().any(|entry| entry.file_name() == LOCK);
        if entries.is_empty() || begun && entries.iter().all(is_of_a_beginning) {
            return Ok(Self { path, config });
        }
        Err(RunError::Exists { path })
    }

    /// Makes the folder, parent folders as needed, and in it the lock, `config.toml` and what `first` writes: all of it
    /// or nothing. The lock keeps other processes out as long as it lives.
    ///
    /// # Errors
    ///
    /// Another process has the folder or made a run in it meanwhile, it cannot be written to, or `first` failed.
    pub fn create<E: From<RunError>>(&self, first: impl FnOnce() -> Result<(), E>) -> Result<Lock, E> {
        fs::create_dir_all(&self.path).map_err(|error| RunError::from(FileError::writing(&self.path, error)))?;
        // Only an empty folder goes.
        let lock = self.lock().inspect_err(|_| drop(fs::remove_dir(&self.path)))?;
        Self::new(&self.path, self.config.clone())?;
        self.clear();
        let config = write_atomically(&self.config_path(), self.config.to_toml().as_bytes());
        match config.map_err(|error| RunError::from(error).into()).and_then(|()| first()) {
            Ok(()) => Ok(lock),
            Err(error) => {
                self.clear();
                lock.remove();
                // Unless something else is in it.
                let _ = fs::remove_dir(&self.path);
                Err(error)
            }
        }
    }

    /// Removes what a run leaves that ended before its first checkpoint, and that checkpoint.
    fn clear(&self) {
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            if entry.file_name() != LOCK && (is_of_a_beginning(&entry) || entry.file_name() == LAST) {
                // What cannot go is overwritten, or told of where that fails.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Changes keys of a run that goes on; [`save_changes`](Self::save_changes) writes them down.
    ///
    /// # Errors
    ///
    /// Those of [`Config::set`], or the key is one that decides what the run is.
    pub fn change(&mut self, assignments: &[impl AsRef<str>]) -> Result<(), RunError> {
        self.assign(assignments, ASSIGNMENT)
    }

    /// [`change`](Self::change) by a flag or a file, `origin`, to name in errors.
    ///
    /// # Errors
    ///
    /// Those of [`change`](Self::change).
    pub fn assign(&mut self, assignments: &[impl AsRef<str>], origin: &str) -> Result<(), RunError> {
        let mut config = self.config.clone();
        config.assign(assignments, origin)?;
        let mut keys = assignments.iter().filter_map(|assignment| assignment.as_ref().split_once('='));
        match keys.find(|(key, _)| !CHANGEABLE.contains(&key.trim())) {
            Some((key, _)) => Err(RunError::Fixed { key: key.trim().into() }),
            None => {
                self.config = config;
                Ok(())
            }
        }
    }

    /// The first key in which the run is no longer the one that it began as with this configuration, in TOML: its name,
    /// its value then and now.
    pub fn reconfigured(&self, began: &str) -> Option<[String; 3]> {
        self.config.difference(began, &CHANGEABLE)
    }

    /// Writes what may change into `config.toml`, and leaves the rest of the file, a person's notes too, as it is.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written.
    pub fn save_changes(&self) -> Result<(), RunError> {
        let path = self.config_path();
        let mut document: DocumentMut =
            String::from_utf8_lossy(&read(&path)?).parse().expect("the configuration was read from it");
        let now = self.config.to_toml().parse::<DocumentMut>().expect("it is TOML");
        for key in CHANGEABLE {
            let (section, name) = key.split_once('.').expect("a section and a name");
            if let (Some(old), Some(new)) = (document[section][name].as_value_mut(), now[section][name].as_value()) {
                let decor = old.decor().clone();
                *old = new.clone();
                *old.decor_mut() = decor;
            }
        }
        Ok(write_atomically(&path, document.to_string().as_bytes())?)
    }

    /// Keeps other processes from training in the folder as long as the lock lives. Its file is one that nobody reads:
    /// on Windows a locked one cannot be.
    ///
    /// # Errors
    ///
    /// Another process has it, or the folder cannot be written to.
    pub fn lock(&self) -> Result<Lock, RunError> {
        let path = self.path.join(LOCK);
        loop {
            let file = open_to_write(&path)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Err(RunError::Locked { path: self.path.clone() }),
                // Some network drives have no locks, and training goes on there all the same.
                Ok(()) | Err(TryLockError::Error(_)) => (),
            }
            // Whoever had it may just have taken its run back, and the file with it.
            if stands_for(&path, &file) {
                return Ok(Lock { path, _file: file });
            }
        }
    }

    /// The folder of a trained model, to translate with it or to evaluate it.
    ///
    /// # Errors
    ///
    /// The folder, its configuration, a tokenizer or the model is missing, or the configuration is not in order.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        Self::open_any(path.into(), None)
    }

    /// [`open`](Self::open) for a run of a model of another crate.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), or the run is of another model.
    pub fn open_own(path: impl Into<PathBuf>, model: &OwnModel) -> Result<Self, RunError> {
        Self::open_any(path.into(), Some(model))
    }

    fn open_any(path: PathBuf, own: Option<&OwnModel>) -> Result<Self, RunError> {
        let run = Self::with_tokenizers(path, own)?;
        run.require(MODEL, |path| RunError::NoModel { path })?;
        Ok(run)
    }

    /// The folder of a run to continue.
    ///
    /// # Errors
    ///
    /// The folder, its configuration, a tokenizer, the last checkpoint or the metrics are missing, or the configuration
    /// is not in order.
    pub fn resume(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        Self::resume_any(path.into(), None)
    }

    /// [`resume`](Self::resume) for a run of a model of another crate.
    ///
    /// # Errors
    ///
    /// As for [`resume`](Self::resume), or the run is of another model.
    pub fn resume_own(path: impl Into<PathBuf>, model: &OwnModel) -> Result<Self, RunError> {
        Self::resume_any(path.into(), Some(model))
    }

    fn resume_any(path: PathBuf, own: Option<&OwnModel>) -> Result<Self, RunError> {
        let run = Self::with_tokenizers(path, own)?;
        run.require(LAST, |path| RunError::NoCheckpoint { path })?;
        run.require_as_it_was(METRICS, "")?;
        // What training may come to only later.
        is_own(&run.model_path())?;
        for entry in fs::read_dir(&run.path).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("epoch-") {
                is_own(&entry.path())?;
            }
        }
        Ok(run)
    }

    /// A folder with a configuration and a model, of a run or of `wgrad init`; tokenizers may be there or not.
    ///
    /// # Errors
    ///
    /// The folder, its configuration or the model is missing, or the configuration is not in order.
    pub fn of_model(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let run = Self::configured(path.into(), "the folder of a run or of `wgrad init`", None)?;
        let expected = "the folder of a run that has finished an epoch, or of `wgrad init`";
        run.require(MODEL, |path| RunError::NotARun { path, problem: has_no(MODEL), expected })?;
        for path in [run.source_tokenizer_path(), run.target_tokenizer_path()] {
            is_own(&path)?;
        }
        Ok(run)
    }

    fn with_tokenizers(path: PathBuf, own: Option<&OwnModel>) -> Result<Self, RunError> {
        let run = Self::configured(path, "the folder of a run", own)?;
        for language in [&run.config.data.source, &run.config.data.target] {
            let needed = "the model's token ids mean nothing without it: ";
            run.require_as_it_was(&tokenizer_name(language), needed)?;
        }
        Ok(run)
    }

    fn configured(path: PathBuf, expected: &'static str, own: Option<&OwnModel>) -> Result<Self, RunError> {
        if !path.is_dir() {
            return Err(RunError::NotARun { path, problem: "is not a folder".into(), expected });
        }
        let mut run = Self { path, config: Config::default() };
        run.require(CONFIG, |path| RunError::NotARun { path, problem: has_no(CONFIG), expected })?;
        let file = run.config_path();
        let text = read(&file)?;
        let (text, origin) = (String::from_utf8_lossy(&text), file.display().to_string());
        run.config = match own {
            Some(model) => Config::from_toml_of(model, &text, &origin)?,
            None => Config::from_toml(&text, &origin)?,
        };
        Ok(run)
    }

    fn require(&self, file: &str, missing: impl FnOnce(PathBuf) -> RunError) -> Result<(), RunError> {
        if is_own(&self.path.join(file))? { Ok(()) } else { Err(missing(self.path.clone())) }
    }

    /// Requires a file that nothing makes again.
    fn require_as_it_was(&self, file: &str, needed: &'static str) -> Result<(), RunError> {
        self.require(file, |path| RunError::Missing { path, file: file.to_owned(), needed })
    }

    /// Refuses a run that averages over an epoch whose parameters are gone: the mean would be another one, unnoticed.
    pub(super) fn require_epoch(&self, epoch: usize) -> Result<(), RunError> {
        let file = self.epoch_path(epoch);
        let name = file.file_name().expect("it has one").to_string_lossy();
        self.require_as_it_was(&name, "train.average_epochs needs it: ")
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `config.toml` says.
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// The tokenizers, source and target.
    ///
    /// # Errors
    ///
    /// One is missing or damaged.
    pub fn tokenizers(&self) -> Result<[Tokenizer; 2], TextError> {
        Ok([Tokenizer::load(self.source_tokenizer_path())?, Tokenizer::load(self.target_tokenizer_path())?])
    }

    /// The log that [`Metrics`](crate::train::metrics::Metrics) writes.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join(METRICS)
    }

    /// The parameters at the end of an epoch, kept as long as `train.average_epochs` needs them.
    pub fn epoch_path(&self, epoch: usize) -> PathBuf {
        self.path.join(format!("epoch-{epoch}.safetensors"))
    }

    /// The parameters with the smallest validation loss.
    pub fn model_path(&self) -> PathBuf {
        self.path.join(MODEL)
    }

    /// The latest parameters, with the state of the optimizer.
    pub fn last_path(&self) -> PathBuf {
        self.path.join(LAST)
    }

    /// A file of the text, e.g. `train.de`: below the name of the corpus where the run has the one that comes with
    /// wgrad.
    pub fn text_path(&self, file: &str) -> PathBuf {
        let directory = &self.config.data.directory;
        let directory = if directory.is_empty() { "the corpus that comes with wgrad" } else { directory };
        Path::new(directory).join(file)
    }

    pub fn source_tokenizer_path(&self) -> PathBuf {
        self.path.join(tokenizer_name(&self.config.data.source))
    }

    pub fn target_tokenizer_path(&self) -> PathBuf {
        self.path.join(tokenizer_name(&self.config.data.target))
    }
}

/// Whether a run may have left this that ended before its first checkpoint.
fn is_of_a_beginning(entry: &DirEntry) -> bool {
    let (name, metadata) = (entry.file_name(), entry.metadata());
    let name = name.to_string_lossy();
    metadata.is_ok_and(|metadata| match &*name {
        METRICS => metadata.is_file() && metadata.len() == 0,
        LOCK | CONFIG => metadata.is_file(),
        _ => metadata.is_file() && (is_temporary(&name) || name.starts_with("tokenizer.") && name.ends_with(".json")),
    })
}

fn has_no(file: &str) -> String {
    format!("has no {file}")
}

/// E.g. `tokenizer.de.json`.
fn tokenizer_name(language: &str) -> String {
    format!("tokenizer.{language}.json")
}

/// The first of `base`, `base-2`, `base-3`, … that does not exist: where a run goes that has no name of its own.
///
/// # Panics
///
/// If `base` has no last component, as `/` and `..` have none.
pub fn next_free(base: &Path) -> PathBuf {
    let name = base.file_name().expect("a run has a name").display();
    let numbered = (2_u64..).map(|number| base.with_file_name(format!("{name}-{number}")));
    std::iter::once(base.to_owned())
        .chain(numbered)
        .find(|path| !path.exists())
        .expect("there are more numbers than files")
}

#[cfg(test)]
mod tests;
