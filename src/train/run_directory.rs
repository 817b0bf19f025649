//! The folder of a run: all that it takes to continue it, to translate with it, and to compare it with others.

use std::fs::{self, DirEntry, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use thiserror::Error;
use toml_edit::DocumentMut;

use crate::shell::word;
use crate::train::config::{Config, ConfigError};
use crate::train::files::{FileError, is_own, is_temporary, open_to_write, read, stands_for, write_atomically};

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
        word(path)
    )]
    Run { path: PathBuf },

    #[error("another process trains in {}: wait for its end, or take another folder with --out", path.display())]
    Locked { path: PathBuf },

    #[error("{} is not a folder; {advice}", path.display())]
    NotAFolder { path: PathBuf, advice: &'static str },

    #[error("{} has no {file}; {advice}", path.display())]
    Missing { path: PathBuf, file: String, advice: String },

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
    /// A run to come, in a folder that is new, empty, or left by a run that never began. Nothing is written before [`create`](Self::create).
    ///
    /// # Errors
    ///
    /// The folder has files in it.
    pub fn new(path: impl Into<PathBuf>, config: Config) -> Result<Self, RunError> {
        let path = path.into();
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self { path, config }),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                let advice = "take another name with --out";
                return Err(RunError::NotAFolder { path, advice });
            }
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

    /// Makes the folder, parent folders as needed, and in it the lock, `config.toml` and what `first` writes: all of it or nothing. The lock keeps
    /// other processes out as long as it lives.
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

    /// Keeps other processes from training in the folder as long as the lock lives. Its file is one that nobody reads: on Windows a locked one
    /// cannot be.
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
        let run = Self::with_tokenizers(path.into())?;
        let resume = format!("`wgrad train --resume {}`", word(run.path()));
        run.require(
            MODEL,
            &format!(
                "the run has not finished an epoch yet, or the file is gone: continue it with {resume}, a finished one \
                 with more --set train.epochs"
            ),
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
            "the run ended before its first checkpoint and cannot be continued: train again with --out and this folder",
        )?;
        run.require(METRICS, "restore the file, or train again with another --out")?;
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
        let run = Self::configured(path.into(), "expected the folder of a run or of `wgrad init`")?;
        run.require(MODEL, "expected the folder of a run that has finished an epoch, or of `wgrad init`")?;
        Ok(run)
    }

    fn with_tokenizers(path: PathBuf) -> Result<Self, RunError> {
        let advice = "expected the folder of a run, which training creates under the name given by --out";
        let run = Self::configured(path, advice)?;
        for language in [&run.config.data.source, &run.config.data.target] {
            run.require(
                &tokenizer_name(language),
                "the model's token ids mean nothing without it: restore the file, or train again",
            )?;
        }
        Ok(run)
    }

    fn configured(path: PathBuf, advice: &'static str) -> Result<Self, RunError> {
        if !path.is_dir() {
            return Err(RunError::NotAFolder { path, advice });
        }
        let mut run = Self { path, config: Config::default() };
        run.require(CONFIG, advice)?;
        let file = run.config_path();
        let text = read(&file)?;
        run.config = Config::from_toml(&String::from_utf8_lossy(&text), &file.display().to_string())?;
        Ok(run)
    }

    fn require(&self, file: &str, advice: &str) -> Result<(), RunError> {
        if is_own(&self.path.join(file))? {
            return Ok(());
        }
        Err(RunError::Missing { path: self.path.clone(), file: file.to_owned(), advice: advice.to_owned() })
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

    fn create(run: &RunDirectory) -> Lock {
        run.create(|| Ok::<_, RunError>(())).unwrap()
    }

    fn complete(path: &Path) -> RunDirectory {
        let run = RunDirectory::new(path, Config::default()).unwrap();
        create(&run);
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
        let run = RunDirectory::new(&path, config.clone()).unwrap();
        assert!(!path.exists(), "nothing is written yet");
        create(&run);
        let text = fs::read_to_string(path.join("config.toml")).unwrap();
        assert_eq!(Config::from_toml(&text, "config.toml").unwrap(), config);
        assert_eq!(run.source_tokenizer_path(), path.join("tokenizer.fr.json"));
        assert_eq!(run.target_tokenizer_path(), path.join("tokenizer.en.json"));
        // An empty folder is as good as none.
        let empty = directory.path().join("empty");
        fs::create_dir(&empty).unwrap();
        create(&RunDirectory::new(&empty, config).unwrap());
    }

    #[test]
    fn an_existing_run_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("note");
        fs::create_dir(&path).unwrap();
        fs::write(path.join(".hidden"), "mine").unwrap();
        let error = RunDirectory::new(&path, Config::default()).unwrap_err().to_string();
        let name = path.display();
        assert_eq!(error, format!("{name} already has files in it; take another folder with --out"));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        assert_eq!(fs::read(path.join(".hidden")).unwrap(), b"mine");

        let file = path.join(".hidden");
        let error = RunDirectory::new(&file, Config::default()).unwrap_err().to_string();
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
        let error = RunDirectory::new(&path, Config::default()).unwrap_err().to_string();
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
    fn a_run_that_cannot_begin_leaves_nothing_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run");
        let run = RunDirectory::new(&path, Config::default()).unwrap();
        let fail = |more: &str| {
            let first = || {
                for file in [METRICS, LAST, "tokenizer.de.json", more] {
                    fs::write(path.join(file), "").unwrap();
                }
                Err(RunError::Exists { path: path.clone() })
            };
            run.create(first).unwrap_err()
        };
        fail("tokenizer.en.json");
        assert!(!path.exists());
        fail("notes");
        let left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["notes"], "what is not its own stays");
    }

    /// Killed before its first checkpoint, a run leaves what has no use; the folder serves again.
    #[test]
    fn what_a_run_left_that_never_began_is_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run");
        let left = [CONFIG, LOCK, "tokenizer.de.json", "tokenizer.fr.json", ".wgrad-abc.tmp"];
        fs::create_dir(&path).unwrap();
        left.iter().for_each(|file| fs::write(path.join(file), "old").unwrap());
        fs::write(path.join(METRICS), "").unwrap();
        let run = RunDirectory::new(&path, Config::default()).unwrap();
        create(&run);
        let mut names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [CONFIG, LOCK]);
        // With anything that is worth something, or without the sign of a run, it is not touched.
        for file in [MODEL, METRICS, "notes", "epoch-1.safetensors"] {
            fs::write(path.join(file), "mine").unwrap();
            assert!(matches!(RunDirectory::new(&path, Config::default()), Err(RunError::Exists { .. })), "{file}");
            fs::remove_file(path.join(file)).unwrap();
        }
        fs::remove_file(path.join(LOCK)).unwrap();
        assert!(matches!(RunDirectory::new(&path, Config::default()), Err(RunError::Exists { .. })));
    }

    #[test]
    #[cfg(unix)]
    fn a_run_with_a_link_in_it_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run");
        for file in [CONFIG, MODEL, LAST, METRICS, LOCK, "tokenizer.de.json", "tokenizer.en.json"] {
            let run = complete(&path);
            let [mine, link] = [directory.path().join("mine"), path.join(file)];
            fs::copy(&link, &mine).unwrap();
            let contents = fs::read(&mine).unwrap();
            fs::remove_file(&link).unwrap();
            std::os::unix::fs::symlink(&mine, &link).unwrap();
            let refused =
                |result: Result<(), RunError>| result.map_or_else(|error| error.to_string(), |()| String::new());
            let resumed = refused(RunDirectory::resume(&path).and_then(|run| run.lock()).map(|_| ()));
            assert!(resumed.contains(&format!("{file} is a link to another file; ")), "{resumed}");
            let opened = refused(RunDirectory::open(&path).map(|_| ()));
            assert_eq!(
                opened.contains(" is a link to another file; "),
                ![LAST, METRICS, LOCK].contains(&file),
                "{opened}"
            );
            assert_eq!(fs::read(&mine).unwrap(), contents);
            fs::remove_dir_all(run.path()).unwrap();
        }
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
            (MODEL, "continue it with `wgrad train --resume ", ""),
            (LAST, "", "train again with --out and this folder"),
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
