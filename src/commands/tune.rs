//! `wgrad tune`

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::shell::{word, words};
use crate::text::Tokenizer;
use crate::train::corpus::Corpus;
use crate::train::fingerprint::text_fingerprints;
use crate::train::metrics::duration;
use crate::tune::study::{Claim, Identity, Role, run_path};
use crate::tune::summary::Summary;
use crate::tune::{End, SPACES, Space, Study, Trial};
use anyhow::{Context, anyhow};
use clap::Args;

use super::corpus;
use super::device::{DeviceChoice, reason};
use super::progress::thousands;
use super::signals::Signals;
use super::train::{Train, data_directory};
use super::{program, usage};

mod trial;

/// Trials of a study, where neither --trials nor --hours says when it ends.
const TRIALS: usize = 50;

#[derive(Debug, Args)]
pub struct Tune {
    /// A file that says which keys vary and over which values, or the name of a space that comes with wgrad: seq2seq,
    /// transformer-encoder, transformer, translator
    space: Option<String>,
    /// Folder with train.de, train.en, val.de and val.en [default: the corpus that comes with wgrad]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// File of the study. Where it exists, the study goes on, beside other processes that work on it too; the trials'
    /// runs lie beside it, those of mine.jsonl in mine.trials
    #[arg(long, value_name = "FILE")]
    study: Option<PathBuf>,
    /// Trials of the whole study, of all its processes and sessions [default: 50, unless --hours is given]
    #[arg(long, value_name = "N")]
    trials: Option<usize>,
    /// Time after which this process searches no more; the trial that is under way is saved, and goes on the next time
    #[arg(long, value_name = "H")]
    hours: Option<f64>,
    /// Decides what is tried [default: 1, or what the study began with]
    #[arg(long)]
    seed: Option<u64>,
    /// In the end, train what each change of the best trial brings: the default with it alone, the best without it
    #[arg(long)]
    changes: bool,
    /// In the end, train the best configuration for as many epochs as the space's preset has
    #[arg(long = "final")]
    finish: bool,
    /// Show what a study has found so far, and stop
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["space", "study", "data", "trials", "hours", "seed", "changes", "finish", "print_space"]
    )]
    show: Option<PathBuf>,
    /// With --show: print JSON
    #[arg(long, requires = "show")]
    json: bool,
    /// Print the space, to begin one of your own with, and stop
    #[arg(long)]
    print_space: bool,
    #[command(flatten)]
    device: DeviceChoice,
}

/// What all trials of a session share.
struct Session<'a> {
    space: &'a Space,
    study: &'a Study,
    corpus: &'a Corpus,
    device: &'a DeviceChoice,
    signals: &'a std::sync::atomic::AtomicBool,
    deadline: Option<Instant>,
    /// Trials after which the search ends.
    enough: usize,
    /// By the configuration that they were learned with: most studies have one vocabulary.
    tokenizers: BTreeMap<String, [Tokenizer; 2]>,
}

impl Session<'_> {
    /// Whether somebody asked to stop.
    fn is_stopped(&self) -> bool {
        self.signals.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.is_stopped() || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

impl Tune {
    pub fn run(self) -> anyhow::Result<()> {
        if let Some(path) = &self.show {
            let (space, trials) = Study::read(path)?;
            return show(path, &space, &trials, self.json);
        }
        let expected = || {
            let names = SPACES.map(|(name, _)| name).join(", ");
            usage(anyhow!("expected a space to search: a file, or one of {names}"))
        };
        let named = self.space.as_deref().ok_or_else(expected)?;
        let (text, origin, folder) = source(named)?;
        if self.print_space {
            print!("{text}");
            return Ok(());
        }
        let mut space = Space::read(&text, &origin, &|file| fs::read_to_string(folder.join(file)))?;
        let path = self.study.clone().ok_or_else(|| {
            usage(anyhow!("--study is missing: name a file for the study, e.g. --study studies/{}.jsonl", stem(named)))
        })?;
        let hours = self.hours.map(hours).transpose()?;
        if let Some(directory) = &self.data {
            space.base.data.directory = data_directory(directory)?;
        }
        let signals = Signals::catch().context("catching Ctrl-C")?;
        let corpus = corpus::read(&space.base, false)?;
        let text = text_fingerprints(&space.base.data, [&corpus.splits[0], &corpus.splits[1]]);
        let study = Study::open(&path, &space, &Identity { seed: self.seed, text })?;
        if !study.has_locks() {
            tell!("{} is on a drive without file locks: let one process work on the study", path.display());
        }
        let opened = self.device.open()?;
        tell!("device    {}: {}", opened.device.describe(), reason(&opened.why));
        drop(opened);
        corpus::report(&corpus);
        tell!("space     {origin}: {} keys vary, from {}", space.keys.len(), space.start);
        tell!("study     {}, seed {}; runs in {}", path.display(), study.seed(), study.folder().display());
        let mut session = Session {
            space: &space,
            study: &study,
            corpus: &corpus,
            device: &self.device,
            signals: signals.defer(),
            deadline: hours.map(|hours| Instant::now() + hours),
            enough: self.trials.unwrap_or(if hours.is_some() { usize::MAX } else { TRIALS }),
            tokenizers: BTreeMap::new(),
        };
        self.search(&mut session)?;
        if self.changes && !session.is_stopped() {
            // They are as many as they are: time is for the search.
            (session.deadline, session.enough) = (None, 0);
            self.train_changes(&mut session)?;
        }
        let stopped = session.is_stopped();
        signals.heed();
        if stopped {
            println!("Stopped; everything is saved. Go on with:\n  {}", command_line());
            std::process::exit(signals.status());
        }
        let trials = study.trials()?;
        show(&path, &space, &trials, false)?;
        if self.finish {
            return self.train_best(&study, &Summary::new(&space, &trials));
        }
        Ok(())
    }

    /// Trains trials until there are enough, time is up, or somebody asks to stop.
    fn search(&self, session: &mut Session) -> anyhow::Result<()> {
        let (study, enough) = (session.study, session.enough);
        let mut exhausted = false;
        while !session.is_over() {
            let claim = study.claim(|trials, id| {
                if trials.iter().filter(|trial| trial.is_searched()).count() >= enough {
                    return Ok(None);
                }
                let next = study.search(session.space, trials, id)?;
                exhausted = next.is_none();
                Ok(next)
            })?;
            if !self.train(session, claim)? {
                break;
            }
        }
        if exhausted {
            tell!("Every combination of the space's values was tried.");
        }
        Ok(())
    }

    /// Trains what each change of the best trial brings, once no process searches any more: the best is known then.
    fn train_changes(&self, session: &mut Session) -> anyhow::Result<()> {
        while !session.is_over() {
            let claim = session.study.claim(|trials, _| {
                let known = trials.iter().filter(|trial| trial.is_searched()).all(|trial| trial.end.is_some());
                let missing = if known { Summary::new(session.space, trials).missing_changes() } else { vec![] };
                Ok(missing.into_iter().next())
            })?;
            if !self.train(session, claim)? {
                break;
            }
        }
        Ok(())
    }

    /// Whether there was a trial to train, and it came to an end.
    fn train(&self, session: &mut Session, claim: Option<Claim>) -> anyhow::Result<bool> {
        let Some(claim) = claim else { return Ok(false) };
        let Some(trial) = trial::train(session, claim)? else { return Ok(false) };
        self.tell_of(session, &trial)?;
        Ok(true)
    }

    /// One line for a trial that has ended.
    fn tell_of(&self, session: &Session, trial: &Trial) -> anyhow::Result<()> {
        let (space, trials) = (session.space, session.study.trials()?);
        let summary = Summary::new(space, &trials);
        let result = match &trial.end {
            Some(End::Complete) => summary.objective(trial).map_or(String::new(), |value| space.objective.say(value)),
            Some(End::Pruned { why }) => format!("pruned: {why}"),
            Some(End::Failed { why }) => format!("failed: {why}"),
            None => "goes on".into(),
        };
        let best = summary.best().first().and_then(|best| Some((best.id, summary.objective(best)?)));
        let best =
            best.map_or(String::new(), |(id, value)| format!("  best {} (trial {id})", space.objective.say(value)));
        let left = match session.deadline {
            Some(deadline) => {
                let left = duration(deadline.saturating_duration_since(Instant::now()).as_secs_f64());
                format!("  {left} left")
            }
            None => {
                let ended: Vec<&Trial> = trials.iter().filter(|trial| trial.end.is_some()).collect();
                let mean = ended.iter().map(|trial| trial.seconds).sum::<f64>() / ended.len().max(1) as f64;
                let searched = trials.iter().filter(|trial| trial.is_searched()).count();
                let changes = if self.changes { summary.missing_changes().len() } else { 0 };
                match session.enough.saturating_sub(searched) + changes {
                    0 => String::new(),
                    missing => format!("  about {} left", duration(mean * missing as f64)),
                }
            }
        };
        let (number, epochs, time) = (trial.id, trial.losses.len(), duration(trial.seconds));
        let what = describe(space, trial);
        tell!("trial {number:3}  {result}  {epochs} epochs  {time}  {what}{best}{left}");
        Ok(())
    }

    fn train_best(&self, study: &Study, summary: &Summary) -> anyhow::Result<()> {
        if let Some(busy) = study.under_way()? {
            tell!(
                "Another process still trains trial {busy}, so that the best one is not known yet. The one that ends \
                 last trains it if it has --final."
            );
            return Ok(());
        }
        let none = "no trial has finished: there is no best one to train";
        let (best, config) = (summary.best().first().context(none)?.id, summary.best_toml().context(none)??);
        // By its number: a better trial that is found later does not go on from this one's parameters.
        let run = study.folder().join(format!("final-{best:04}"));
        let file = run.with_extension("toml");
        fs::write(&file, config).with_context(|| format!("writing {}", file.display()))?;
        Train::of_file(file, run, self.data.clone(), self.device.clone()).run()
    }
}

/// The space's text, the name to call it by in errors, and the folder in which files that it names lie.
fn source(named: &str) -> anyhow::Result<(String, String, PathBuf)> {
    let path = Path::new(named);
    let shipped = SPACES.iter().find(|(name, _)| *name == named);
    match shipped {
        Some((name, text)) if !path.exists() => Ok(((*text).into(), format!("the space {name}"), PathBuf::new())),
        _ => {
            let names = SPACES.map(|(name, _)| name).join(", ");
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {named}; expected a space's file, or one of {names}"))?;
            Ok((text, named.into(), path.parent().map_or_else(PathBuf::new, Path::to_owned)))
        }
    }
}

fn stem(named: &str) -> String {
    Path::new(named).file_stem().map_or_else(|| named.into(), |stem| stem.to_string_lossy().into_owned())
}

fn hours(hours: f64) -> anyhow::Result<Duration> {
    match Duration::try_from_secs_f64(hours * 3600.0) {
        Ok(time) if hours > 0.0 => Ok(time),
        _ => Err(usage(anyhow!("--hours {hours}: expected a number above 0, e.g. 1.5"))),
    }
}

/// The command line that was typed, to be typed again.
fn command_line() -> String {
    format!("{} {}", program(), words(std::env::args_os().skip(1)))
}

/// What a trial differs in: `learning_rate 0.002, hidden 256`.
fn describe(space: &Space, trial: &Trial) -> String {
    match &trial.role {
        Role::Default => return format!("the default, {}", space.start),
        Role::Alone(key) => return format!("{key} = {} alone", trial.values[key]),
        Role::Without(key) => return format!("the best of the search without its {key}"),
        Role::Search => (),
    }
    let default = space.default_values();
    let differs = trial.values.iter().filter(|(key, value)| default.get(*key) != Some(value));
    let all: Vec<String> = differs
        .map(|(key, value)| format!("{} {value}", key.split_once('.').map_or(key.as_str(), |(_, name)| name)))
        .collect();
    if all.is_empty() { "as the default".into() } else { all.join(", ") }
}

/// What a study has found, on standard output.
fn show(path: &Path, space: &Space, trials: &[Trial], json: bool) -> anyhow::Result<()> {
    let summary = Summary::new(space, trials);
    if json {
        println!("{}", serde_json::to_string_pretty(&summary.to_json())?);
        return Ok(());
    }
    println!("{}", summary.states());
    let Some(best) = summary.best().first().copied() else {
        println!("no trial has trained all its epochs yet");
        return Ok(());
    };
    let say = |trial: &Trial| summary.objective(trial).map_or("unfinished".into(), |value| space.objective.say(value));
    if let Some(default) = summary.default() {
        println!("\ndefault     {}  {} parameters", say(default), thousands(default.parameters as f64));
    }
    for trial in summary.best().into_iter().take(5) {
        println!(
            "trial {:4}  {}  {} parameters  {}",
            trial.id,
            say(trial),
            thousands(trial.parameters as f64),
            describe(space, trial)
        );
    }
    let importance = summary.importance();
    if !importance.is_empty() {
        println!("\nshare of each key in the differences between trials (functional ANOVA):");
        for (key, share) in importance {
            println!("  {key:32} {:3.0} %", 100.0 * share);
        }
    }
    let changes = summary.changes();
    if changes.iter().any(|change| change.alone.is_some() || change.without.is_some()) {
        let tuned = summary.tuned().map_or(best.id, |tuned| tuned.id);
        println!("\nwhat each change of trial {tuned} brings: the default with it alone, the trial without it");
        for change in changes {
            let value = |value: Option<toml::Value>| value.map_or("nothing".into(), |value| value.to_string());
            let of = |value: Option<f64>| value.map_or("not trained".into(), |value| space.objective.say(value));
            println!(
                "  {:32} {} to {}: alone {}, without {}",
                change.key,
                value(change.from),
                value(change.to),
                of(change.alone),
                of(change.without)
            );
        }
    }
    let run = |id: u64| word(run_path(path, id));
    let default = summary.default().filter(|default| default.id != best.id).map(|default| run(default.id));
    let runs: Vec<String> = default.into_iter().chain([run(best.id)]).collect();
    println!("\nas a page:\n  {} report {} --study {}", program(), runs.join(" "), word(path));
    println!("\n# trial {} of the study: {}\n{}", best.id, say(best), summary.best_toml().context("it is the best")??);
    Ok(())
}
