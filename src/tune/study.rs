//! A study: all trials in one file, to which several processes write, one line for each event.
//!
//! ```text
//! {"study":1,"version":"0.1.0","seed":1,"space":{…},"text":{…}}
//! {"begin":{"trial":3,"role":"search","values":{…}}}
//! {"end":{"trial":3,"losses":[…],"state":"complete",…}}
//! ```
//!
//! Whoever reads or writes it holds the study's lock. Whoever trains a trial holds that trial's lock as long as it
//! lives; a trial without an end whose lock is free belongs to a process that is gone, and the next one takes it up
//! where its run stands. A line that a killed process did not finish is dropped. The runs lie in a folder beside the
//! file: `mine.jsonl` has its trials in `mine.trials`.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::proposal::propose;
use super::space::{Assignment, Source, Space, SpaceError};
use crate::train::config::ConfigError;
use crate::train::files::{FileError, open_to_write, read};

/// Of the file's form.
const FORM: u32 = 1;

/// What [`StudyError::Other`] calls the seed.
pub(crate) const SEED: &str = "the seed";

/// What a trial is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The configuration that the space starts from.
    Default,
    /// A proposal.
    Search,
    /// The default with one value of the best trial.
    Alone(String),
    /// The best trial with the default's value for one key.
    Without(String),
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum End {
    /// It trained all its epochs.
    Complete,
    /// It fell behind the others, or was slower than the space allows.
    Pruned { why: String },
    /// It diverged, did not fit the memory, or is larger than the space allows.
    Failed { why: String },
}

/// One run of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    pub id: u64,
    pub role: Role,
    pub values: Assignment,
    /// The objective after each epoch, as a loss, of the model that the run keeps until then.
    pub losses: Vec<f64>,
    /// Of the model; 0 where none was built.
    pub parameters: usize,
    /// Spent on training it, validation included.
    pub seconds: f64,
    /// `None` while it goes on, or after its process was killed.
    pub end: Option<End>,
}

impl Trial {
    /// The objective after its last epoch, as a loss; infinite before its first.
    pub fn loss(&self) -> f64 {
        self.losses.last().copied().unwrap_or(f64::INFINITY)
    }

    /// Whether it is one of the search, or the default: not one of those that show what a change brings.
    pub fn is_searched(&self) -> bool {
        matches!(self.role, Role::Default | Role::Search)
    }
}

/// A study that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StudyError {
    #[error("{} is no study of wgrad's: {reason}; expected the file of a study, or a new name", path.display())]
    NoStudy { path: PathBuf, reason: String },
    #[error("{}, line {line}: {reason}; restore the file, or begin another study", path.display())]
    Line { path: PathBuf, line: usize, reason: String },
    #[error(
        "{} is a study of something else: {what} is {there} there and {here} here. Take a new name, or put back what \
         the study began with",
        path.display()
    )]
    Other { path: PathBuf, what: String, there: String, here: String },
    #[error(
        "{} is a name that the folder of the trials has; expected one with another ending, e.g. {}",
        path.display(),
        path.with_extension("jsonl").display()
    )]
    NameOfFolder { path: PathBuf },
    #[error(
        "{} has runs of another study than {}, which is new; take another name, or remove the folder",
        folder.display(),
        path.display()
    )]
    OtherRuns { folder: PathBuf, path: PathBuf },
    #[error("no combination of values was found that the configuration takes; the last one: {0}")]
    Impossible(ConfigError),
    #[error(transparent)]
    Space(#[from] SpaceError),
    #[error(transparent)]
    File(#[from] FileError),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    study: u32,
    version: String,
    seed: u64,
    /// What the space was read from, to show the study without it.
    file: Source,
    space: BTreeMap<String, String>,
    /// Hashes of the text's files, in hexadecimal.
    text: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Event {
    Begin(Begin),
    End(Ended),
}

#[derive(Debug, Serialize, Deserialize)]
struct Begin {
    trial: u64,
    role: Role,
    values: Assignment,
}

#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    trial: u64,
    losses: Vec<f64>,
    parameters: usize,
    seconds: f64,
    #[serde(flatten)]
    end: End,
}

/// What decides whether a study is the same.
#[derive(Clone, Debug)]
pub struct Identity {
    pub seed: Option<u64>,
    /// Hashes of the text's files.
    pub text: BTreeMap<String, u64>,
}

/// A study's file, and the folder of its trials.
#[derive(Debug)]
pub struct Study {
    path: PathBuf,
    folder: PathBuf,
    seed: u64,
    has_locks: bool,
}

/// A trial that this process trains. Its lock keeps others away from it as long as it lives.
#[derive(Debug)]
pub struct Claim {
    pub trial: Trial,
    path: PathBuf,
    _lock: File,
}

impl Study {
    /// The study in this file, or a new one.
    ///
    /// # Errors
    /// The file is no study, or one of another space, text, seed or version.
    pub fn open(path: &Path, space: &Space, identity: &Identity) -> Result<Self, StudyError> {
        let folder = folder(path);
        if folder == path {
            return Err(StudyError::NameOfFolder { path: path.into() });
        }
        make_folder(&folder)?;
        let mut study = Self { path: path.into(), folder, seed: identity.seed.unwrap_or(1), has_locks: true };
        let lock = study.lock()?;
        study.has_locks = lock.is_some();
        let mut file = open_to_write(path)?;
        let text = whole_lines(path, &mut file)?;
        let own = Header {
            study: FORM,
            version: env!("CARGO_PKG_VERSION").into(),
            seed: study.seed,
            file: space.source.clone(),
            space: space.description(),
            text: identity.text.iter().map(|(name, hash)| (name.clone(), format!("{hash:016x}"))).collect(),
        };
        match text.lines().next() {
            None if study.has_runs() => {
                return Err(StudyError::OtherRuns { folder: study.folder, path: path.into() });
            }
            None => append(path, &mut file, &serde_json::to_string(&own).expect("text and numbers"))?,
            Some(line) => {
                let there = header(path, line)?;
                study.seed = identity.seed.unwrap_or(there.seed);
                study.compare(&there, &Header { seed: study.seed, ..own })?;
            }
        }
        drop(lock);
        Ok(study)
    }

    /// The space and the trials of a study's file, as they are now: to be shown. Nothing is written.
    ///
    /// # Errors
    /// The file cannot be read, or is no study.
    pub fn read(path: &Path) -> Result<(Space, Vec<Trial>), StudyError> {
        let text = String::from_utf8_lossy(&read(path)?).into_owned();
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let first = whole.lines().next().ok_or_else(|| no_study(path, "it has no line"))?;
        let space = Space::again(&header(path, first)?.file)?;
        Ok((space, events(path, whole)?))
    }

    /// Where the trials' runs lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether several processes can work on it: some network drives have no locks.
    pub fn has_locks(&self) -> bool {
        self.has_locks
    }

    /// The number of a trial that another process trains at this moment.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn under_way(&self) -> Result<Option<u64>, StudyError> {
        for trial in self.trials()?.iter().filter(|trial| trial.end.is_none()) {
            if self.take(trial)?.is_none() {
                return Ok(Some(trial.id));
            }
        }
        Ok(None)
    }

    /// Whether folders of trials lie there.
    fn has_runs(&self) -> bool {
        let mut entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.any(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
    }

    /// The folder of a trial's run.
    pub fn run_path(&self, id: u64) -> PathBuf {
        run_path(&self.path, id)
    }

    /// All trials, in the order of their numbers.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn trials(&self) -> Result<Vec<Trial>, StudyError> {
        let _lock = self.lock()?;
        let mut file = open_to_write(&self.path)?;
        events(&self.path, &whole_lines(&self.path, &mut file)?)
    }

    /// The next trial to train: one that a process left behind, or else what `next` makes of the trials so far; `None`
    /// where it makes nothing.
    ///
    /// # Errors
    /// The file cannot be written, or no values were found.
    pub fn claim(
        &self,
        next: impl FnOnce(&[Trial], u64) -> Result<Option<(Role, Assignment)>, StudyError>,
    ) -> Result<Option<Claim>, StudyError> {
        let _lock = self.lock()?;
        let mut file = open_to_write(&self.path)?;
        let trials = events(&self.path, &whole_lines(&self.path, &mut file)?)?;
        for trial in trials.iter().filter(|trial| trial.end.is_none()) {
            if let Some(claim) = self.take(trial)? {
                return Ok(Some(claim));
            }
        }
        let id = trials.last().map_or(0, |trial| trial.id + 1);
        let Some((role, values)) = next(&trials, id)? else { return Ok(None) };
        let trial = Trial { id, role, values, losses: vec![], parameters: 0, seconds: 0.0, end: None };
        let claim = self.take(&trial)?.ok_or_else(|| {
            no_study(&self.path, &format!("another process has trial {id}, which the file does not know"))
        })?;
        let begin = Begin { trial: id, role: trial.role, values: trial.values };
        append(&self.path, &mut file, &serde_json::to_string(&Event::Begin(begin)).expect("text and numbers"))?;
        Ok(Some(claim))
    }

    /// Writes down how a trial ended.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end(&self, claim: Claim) -> Result<Trial, StudyError> {
        let _lock = self.lock()?;
        let trial = claim.trial.clone();
        let ended = Ended {
            trial: trial.id,
            losses: trial.losses.clone(),
            parameters: trial.parameters,
            seconds: trial.seconds,
            end: trial.end.clone().expect("the trial has ended"),
        };
        let mut file = open_to_write(&self.path)?;
        whole_lines(&self.path, &mut file)?;
        append(&self.path, &mut file, &serde_json::to_string(&Event::End(ended)).expect("text and numbers"))?;
        // While it is locked: a file that stays does no harm.
        let _ = fs::remove_file(&claim.path);
        Ok(trial)
    }

    /// What a search tries next: the default first, then proposals; `None` where all of a small space was tried.
    ///
    /// # Errors
    /// No values were found that the configuration takes.
    pub fn search(&self, space: &Space, trials: &[Trial], id: u64) -> Result<Option<(Role, Assignment)>, StudyError> {
        if !trials.iter().any(|trial| trial.role == Role::Default) {
            return Ok(Some((Role::Default, space.default_values())));
        }
        let values = propose(space, self.seed, id, trials).map_err(StudyError::Impossible)?;
        Ok(values.map(|values| (Role::Search, values)))
    }

    fn take(&self, trial: &Trial) -> Result<Option<Claim>, StudyError> {
        let path = self.folder.join(format!("{:04}.lock", trial.id));
        let lock = open_to_write(&path)?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(None),
            // As for runs: some network drives have no locks.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(Claim { trial: trial.clone(), path, _lock: lock })),
        }
    }

    /// Waits until no other process reads or writes the study; `None` where the drive has no locks.
    fn lock(&self) -> Result<Option<File>, StudyError> {
        let path = self.folder.join("study.lock");
        let file = open_to_write(&path)?;
        match file.lock() {
            Ok(()) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(None),
            Err(error) => Err(FileError::writing(&path, error).into()),
        }
    }

    fn compare(&self, there: &Header, here: &Header) -> Result<(), StudyError> {
        let other = |what: &str, there: &str, here: &str| StudyError::Other {
            path: self.path.clone(),
            what: what.into(),
            there: there.into(),
            here: here.into(),
        };
        if there.version != here.version {
            return Err(other("the version of wgrad", &there.version, &here.version));
        }
        for (there, here) in [(&there.space, &here.space), (&there.text, &here.text)] {
            let names = there.keys().chain(here.keys());
            let value =
                |all: &BTreeMap<String, String>, name: &String| all.get(name).cloned().unwrap_or("nothing".into());
            if let Some(name) = names.into_iter().find(|name| there.get(*name) != here.get(*name)) {
                return Err(other(&format!("`{name}`"), &value(there, name), &value(here, name)));
            }
        }
        if there.seed != here.seed {
            return Err(other(SEED, &there.seed.to_string(), &here.seed.to_string()));
        }
        Ok(())
    }
}

/// The folder of a trial's run, beside the study's file.
pub fn run_path(study: &Path, id: u64) -> PathBuf {
    folder(study).join(format!("{id:04}"))
}

fn folder(study: &Path) -> PathBuf {
    study.with_extension("trials")
}

/// The trials that a proposal goes by: those of the search that have ended, and the default.
pub fn searched(trials: &[Trial]) -> Vec<&Trial> {
    trials.iter().filter(|trial| trial.is_searched() && trial.end.is_some()).collect()
}

fn make_folder(folder: &Path) -> Result<(), StudyError> {
    Ok(fs::create_dir_all(folder).map_err(|error| FileError::writing(folder, error))?)
}

fn no_study(path: &Path, reason: &str) -> StudyError {
    StudyError::NoStudy { path: path.into(), reason: reason.into() }
}

fn header(path: &Path, line: &str) -> Result<Header, StudyError> {
    let header: Header = serde_json::from_str(line).map_err(|error| no_study(path, &format!("line 1: {error}")))?;
    match header.study {
        FORM => Ok(header),
        other => Err(no_study(path, &format!("its form is {other}, which a newer wgrad writes"))),
    }
}

/// The file's lines, without one that a killed process did not finish: it is cut off, so that the next line begins
/// where a line begins.
fn whole_lines(path: &Path, file: &mut File) -> Result<String, StudyError> {
    let mut bytes = vec![];
    file.read_to_end(&mut bytes).map_err(|error| FileError::reading(path, error))?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    if whole < bytes.len() {
        // Whatever is no study is not touched.
        if whole == 0 && !bytes.starts_with(b"{\"study\":") {
            return Err(no_study(path, "it does not begin as one"));
        }
        let cut = file.set_len(whole as u64);
        cut.map_err(|error| FileError::writing(path, error))?;
        bytes.truncate(whole);
    }
    String::from_utf8(bytes).map_err(|_| no_study(path, "it is no text"))
}

/// Adds a line, which is on the disk when this returns.
fn append(path: &Path, file: &mut File, line: &str) -> Result<(), StudyError> {
    let written = (|| {
        file.seek(SeekFrom::End(0))?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    })();
    Ok(written.map_err(|error| FileError::writing(path, error))?)
}

fn events(path: &Path, text: &str) -> Result<Vec<Trial>, StudyError> {
    let mut trials: BTreeMap<u64, Trial> = BTreeMap::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let wrong = |reason: String| StudyError::Line { path: path.into(), line: number + 1, reason };
        match serde_json::from_str(line).map_err(|error| wrong(error.to_string()))? {
            Event::Begin(Begin { trial: id, role, values }) => {
                let trial = Trial { id, role, values, losses: vec![], parameters: 0, seconds: 0.0, end: None };
                trials.insert(id, trial);
            }
            Event::End(Ended { trial: id, losses, parameters, seconds, end }) => {
                let trial = trials.get_mut(&id).ok_or_else(|| wrong(format!("trial {id} ends that never began")))?;
                *trial = Trial { losses, parameters, seconds, end: Some(end), ..trial.clone() };
            }
        }
    }
    Ok(trials.into_values().collect())
}
