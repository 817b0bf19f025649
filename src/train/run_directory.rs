//! The folder of a run: all that it takes to continue it, to translate with it, and to compare it with others.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use thiserror::Error;
use toml_edit::DocumentMut;

use crate::train::config::{Config, ConfigError};
use crate::train::files::{FileError, read, write_atomically};

const CONFIG: &str = "config.toml";
const METRICS: &str = "metrics.jsonl";
const MODEL: &str = "model.safetensors";
const LAST: &str = "last.safetensors";
const LOCK: &str = "train.lock";

/// A folder that a run cannot be written to or read from.
#[derive(Debug, Error)]
pub enum RunError {
    #[error("{} already has files in it; take another folder with --out", path.display())]
    Exists { path: PathBuf },

    #[error(
        "{} already has a run in it; continue it with `wgrad train --resume {}`, or take another folder with --out",
        path.display(),
        path.display()
    )]
    Run { path: PathBuf },

    #[error("another process trains in {}: wait for its end, or take another folder with --out", path.display())]
    Locked { path: PathBuf },

    #[error("{} is not a folder; {advice}", path.display())]
    NotAFolder { path: PathBuf, advice: &'static str },

    #[error("{} has no {file}; {advice}", path.display())]
    Missing { path: PathBuf, file: String, advice: &'static str },

    #[error(
        "`{key}` cannot change in the middle of a run: with --resume, --set takes {}. For another value begin a run of its own with --out",
        CHANGEABLE.join(", ")
    )]
    Fixed { key: String },

    #[error(transparent)]
    File(#[from] FileError),

    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// What may change between two sessions of a run: how long it goes on, how often it says so and saves, and where its text lies, which the trainer holds to the
/// one that the run began with. With anything else it would be another run.
const CHANGEABLE: [&str; 5] =
    ["train.epochs", "train.patience", "train.log_every", "train.checkpoint_every", "data.directory"];

/// The folder of one run and its configuration.
#[derive(Clone, Debug)]
pub struct RunDirectory {
    path: PathBuf,
    config: Config,
}

impl RunDirectory {
    /// Starts a run in a new or empty folder, with `config.toml` in it. Parent folders are created as needed.
    ///
    /// # Errors
    ///
    /// The folder has files in it, none of which is touched, or it cannot be written to.
    pub fn create(path: impl Into<PathBuf>, config: Config) -> Result<Self, RunError> {
        let path = path.into();
        match fs::read_dir(&path) {
            Ok(mut entries) => {
                if path.join(LAST).exists() {
                    return Err(RunError::Run { path });
                }
                if entries.next().is_some() {
                    return Err(RunError::Exists { path });
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(&path).map_err(|error| FileError::writing(&path, error))?;
            }
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                let advice = "take another name with --out";
                return Err(RunError::NotAFolder { path, advice });
            }
            Err(error) => return Err(FileError::reading(&path, error).into()),
        }
        let run = Self { path, config };
        write_atomically(&run.config_path(), run.config.to_toml().as_bytes())?;
        Ok(run)
    }

    /// Changes keys of a run that goes on, as the flag `--set` does; [`save_changes`](Self::save_changes) writes them down.
    ///
    /// # Errors
    ///
    /// Those of [`Config::set`], or the key is one that decides what the run is.
    pub fn change(&mut self, assignments: &[impl AsRef<str>]) -> Result<(), RunError> {
        let mut config = self.config.clone();
        config.set_all(assignments)?;
        let mut keys = assignments.iter().filter_map(|assignment| assignment.as_ref().split_once('='));
        match keys.find(|(key, _)| !CHANGEABLE.contains(&key.trim())) {
            Some((key, _)) => Err(RunError::Fixed { key: key.trim().into() }),
            None => {
                self.config = config;
                Ok(())
            }
        }
    }

    /// The first key in which the run is no longer the one that it began as with this configuration, in TOML: its name, its value then and now.
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

    /// Keeps other processes from training in the folder as long as the file is open. It is one that nobody reads: on Windows a locked one cannot be.
    ///
    /// # Errors
    ///
    /// Another process has it, or the folder cannot be written to.
    pub fn lock(&self) -> Result<File, RunError> {
        let path = self.path.join(LOCK);
        let file = File::create(&path).map_err(|error| FileError::writing(&path, error))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(RunError::Locked { path: self.path.clone() }),
            // Some network drives have no locks, and training goes on there all the same.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
        }
    }

    /// Takes [`create`](Self::create) back for a run that cannot start: removes the files of the run, and the folder
    /// unless something else is in it. The same name can be used again then.
    pub fn discard(&self) {
        for path in [
            self.config_path(),
            self.metrics_path(),
            self.last_path(),
            self.source_tokenizer_path(),
            self.target_tokenizer_path(),
            self.path.join(LOCK),
        ] {
            // What is not there need not go, and what cannot go does no harm.
            let _ = fs::remove_file(path);
        }
        let _ = fs::remove_dir(&self.path);
    }

    /// The folder of a trained model, to translate with it or to evaluate it.
    ///
    /// # Errors
    ///
    /// The folder, its configuration, a tokenizer or the model is missing, or the configuration is not in order.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let run = Self::with_tokenizers(path.into())?;
        run.require(
            MODEL,
            "the run has not finished an epoch yet, or the file is gone: continue it with `wgrad train --resume`, a finished one with more --set train.epochs",
        )?;
        Ok(run)
    }

    /// The folder of a run to continue.
    ///
    /// # Errors
    ///
    /// The folder, its configuration, a tokenizer, the last checkpoint or the metrics are missing, or the configuration
    /// is not in order.
    pub fn resume(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let run = Self::with_tokenizers(path.into())?;
        run.require(
            LAST,
            "the run ended before its first checkpoint and cannot be continued: remove the folder and train again",
        )?;
        run.require(METRICS, "restore the file, or train again with another --out")?;
        Ok(run)
    }

    fn with_tokenizers(path: PathBuf) -> Result<Self, RunError> {
        if !path.is_dir() {
            let advice = "expected the folder of a run, which training creates under the name given by --out";
            return Err(RunError::NotAFolder { path, advice });
        }
        let mut run = Self { path, config: Config::default() };
        run.require(CONFIG, "expected the folder of a run, which training creates under the name given by --out")?;
        let file = run.config_path();
        let text = read(&file)?;
        run.config = Config::from_toml(&String::from_utf8_lossy(&text), &file.display().to_string())?;
        for language in [&run.config.data.source, &run.config.data.target] {
            run.require(
                &tokenizer_name(language),
                "the model's token ids mean nothing without it: restore the file, or train again",
            )?;
        }
        Ok(run)
    }

    fn require(&self, file: &str, advice: &'static str) -> Result<(), RunError> {
        if self.path.join(file).is_file() {
            return Ok(());
        }
        Err(RunError::Missing { path: self.path.clone(), file: file.to_owned(), advice })
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

    /// A file of the text, e.g. `train.de`: below the name of the corpus where the run has the one that comes with wgrad.
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

/// E.g. `tokenizer.de.json`.
fn tokenizer_name(language: &str) -> String {
    format!("tokenizer.{language}.json")
}

/// The first of `base`, `base-2`, `base-3`, … that does not exist: where a run goes if `--out` does not say.
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
mod tests {
    use super::*;

    const FILES: [&str; 5] = [METRICS, MODEL, LAST, "tokenizer.de.json", "tokenizer.en.json"];

    fn complete(path: &Path) -> RunDirectory {
        let run = RunDirectory::create(path, Config::default()).unwrap();
        for file in FILES {
            fs::write(path.join(file), file).unwrap();
        }
        run
    }

    #[test]
    fn a_new_run_has_its_configuration_and_paths() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("runs").join("first");
        let mut config = Config::default();
        config.set("data.source=fr").unwrap();
        config.set("train.learning_rate=0.0012345679").unwrap();
        let run = RunDirectory::create(&path, config.clone()).unwrap();
        let text = fs::read_to_string(path.join("config.toml")).unwrap();
        assert_eq!(Config::from_toml(&text, "config.toml").unwrap(), config);
        assert_eq!(run.source_tokenizer_path(), path.join("tokenizer.fr.json"));
        assert_eq!(run.target_tokenizer_path(), path.join("tokenizer.en.json"));
        // An empty folder is as good as none.
        let empty = directory.path().join("empty");
        fs::create_dir(&empty).unwrap();
        RunDirectory::create(&empty, config).unwrap();
    }

    #[test]
    fn an_existing_run_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("note");
        fs::create_dir(&path).unwrap();
        fs::write(path.join(".hidden"), "mine").unwrap();
        let error = RunDirectory::create(&path, Config::default()).unwrap_err().to_string();
        let name = path.display();
        assert_eq!(error, format!("{name} already has files in it; take another folder with --out"));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        assert_eq!(fs::read(path.join(".hidden")).unwrap(), b"mine");

        let file = path.join(".hidden");
        let error = RunDirectory::create(&file, Config::default()).unwrap_err().to_string();
        assert_eq!(error, format!("{} is not a folder; take another name with --out", file.display()));
    }

    #[test]
    fn one_process_trains_in_a_folder() {
        let directory = tempfile::tempdir().unwrap();
        let run = complete(&directory.path().join("run"));
        let lock = run.lock().unwrap();
        let error = run.lock().unwrap_err().to_string();
        assert!(error.starts_with(&format!("another process trains in {}: ", run.path().display())), "{error}");
        drop(lock);
        run.lock().unwrap();
    }

    #[test]
    fn the_run_in_a_folder_can_be_continued() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run");
        complete(&path);
        let error = RunDirectory::create(&path, Config::default()).unwrap_err().to_string();
        assert!(error.contains(&format!("`wgrad train --resume {}`", path.display())), "{error}");
    }

    #[test]
    fn a_run_that_goes_on_may_take_longer_but_is_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run");
        let mut run = complete(&path);
        let before = run.config().clone();
        for (assignments, message) in [
            (
                &["train.epochs=9", "train.seed=2"][..],
                "`train.seed` cannot change in the middle of a run: with --resume, --set takes train.epochs, ",
            ),
            (&["model.hidden=8"], "`model.hidden` cannot change"),
            (&["train.epoch=9"], "did you mean `train.epochs`?"),
            (&["train.epochs=0"], "`train.epochs = 0`"),
        ] {
            let error = run.change(assignments).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
            assert_eq!(run.config(), &before);
        }
        run.change(&["train.epochs = 9", "train.patience=3"]).unwrap();
        let noted = before.to_toml().replace("[train]\n", "# mine\n[train] # too\n");
        fs::write(run.config_path(), &noted).unwrap();
        run.save_changes().unwrap();
        let config = RunDirectory::resume(&path).unwrap().config().clone();
        assert_eq!((config.train.epochs, config.train.patience), (9, 3));
        let saved = fs::read_to_string(run.config_path()).unwrap();
        let changed = noted.lines().zip(saved.lines()).filter(|(old, new)| old != new).count();
        assert_eq!((changed, saved.lines().count()), (2, noted.lines().count()), "{saved}");
    }

    #[test]
    fn a_discarded_run_leaves_what_is_not_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run");
        complete(&path).discard();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "a model is never removed");
        fs::remove_file(path.join(MODEL)).unwrap();
        RunDirectory::create(&path, Config::default()).unwrap().discard();
        assert!(!path.exists());
    }

    #[test]
    fn a_complete_run_opens_with_its_own_configuration() {
        let directory = tempfile::tempdir().unwrap();
        let run = complete(&directory.path().join("run"));
        let mut config = run.config().clone();
        config.set("model.hidden=78").unwrap();
        fs::write(run.config_path(), config.to_toml()).unwrap();
        for reopened in [RunDirectory::open(run.path()), RunDirectory::resume(run.path())] {
            let reopened = reopened.unwrap();
            assert_eq!(reopened.config(), &config);
            assert_eq!(reopened.path(), run.path());
        }
        let paths = [
            run.metrics_path(),
            run.model_path(),
            run.last_path(),
            run.source_tokenizer_path(),
            run.target_tokenizer_path(),
        ];
        assert_eq!(paths, FILES.map(|file| run.path().join(file)));
    }

    #[test]
    fn missing_files_are_named() {
        for (file, to_open, to_resume) in [
            (CONFIG, "expected the folder of a run", "expected the folder of a run"),
            (METRICS, "", "restore the file"),
            (MODEL, "continue it with `wgrad train --resume`", ""),
            (LAST, "", "remove the folder and train again"),
            ("tokenizer.de.json", "restore the file", "restore the file"),
            ("tokenizer.en.json", "restore the file", "restore the file"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("run");
            complete(&path);
            fs::remove_file(path.join(file)).unwrap();
            for (result, advice) in [(RunDirectory::open(&path), to_open), (RunDirectory::resume(&path), to_resume)] {
                let error = result.err().map_or(String::new(), |error| error.to_string());
                assert_eq!(error.is_empty(), advice.is_empty(), "{file}: {error}");
                if !advice.is_empty() {
                    let start = format!("{} has no {file}; ", path.display());
                    assert!(error.starts_with(&start) && error.contains(advice), "{error}");
                }
            }
        }
        let error = RunDirectory::open("no/such/run").unwrap_err().to_string();
        assert!(error.starts_with("no/such/run is not a folder; expected the folder of a run"), "{error}");
    }

    #[test]
    fn a_wrong_configuration_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let run = complete(&directory.path().join("run"));
        for (contents, message) in
            [(&b"[model]\nhiden = 3"[..], "config.toml: did you mean `model.hidden`?"), (b"\xff", "cannot read ")]
        {
            fs::write(run.config_path(), contents).unwrap();
            let error = RunDirectory::resume(run.path()).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn default_names_count_up() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().join("v1.0");
        for name in ["v1.0", "v1.0-2", "v1.0-3"] {
            let free = next_free(&base);
            assert_eq!(free, directory.path().join(name));
            fs::create_dir(free).unwrap();
        }
    }
}
