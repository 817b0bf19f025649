//! `wgrad report`

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::bench::report::Report as Bench;
use crate::graph::draw::svg;
use crate::report::{BEGINNING, Page, Run, Translation};
use crate::shell::words;
use crate::text::{read_pairs, sentence_chrf, test_splits};
use crate::train::config::Config;
use crate::train::files::write_atomically;
use crate::train::fingerprint::text_fingerprints;
use crate::train::metrics::{Record, read_intact_records};
use crate::train::run_directory::RunDirectory;
use crate::tune::Study;
use anyhow::bail;
use clap::Args;

use super::advice::told;
use super::device::DeviceChoice;
use super::graph;
use super::translate::{SearchChoice, TrainedModel};
use crate::train::bundled::captions_directory;
use attention::Looker;

mod attention;

/// Sentences of the test set that are translated.
const SENTENCES: usize = 200;
/// Sentences of the test set whose attention is shown, besides those of the command line.
const SHOWN: usize = 2;

#[derive(Debug, Args)]
pub struct Report {
    /// Folders of training runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// A study of `wgrad tune`: what it changed, and what each change brought
    #[arg(long, value_name = "FILE")]
    study: Option<PathBuf>,
    /// Show the attention for this sentence too; may be given several times
    #[arg(long = "sentence", value_name = "TEXT")]
    sentences: Vec<String>,
    /// Show the roofline of a run of `wgrad bench --save FILE`
    #[arg(long, value_name = "FILE")]
    bench: Option<PathBuf>,
    /// The page: one HTML file
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    #[command(flatten)]
    search: SearchChoice,
    #[command(flatten)]
    device: DeviceChoice,
}

impl Report {
    pub fn run(self) -> anyhow::Result<()> {
        if let Some(path) = self.runs.iter().find(|path| !path.is_dir()) {
            bail!("{} is no folder; expected the folder of a training run", path.display());
        }
        self.keep_other_files()?;
        let mut page = Page::default();
        if let Some(path) = &self.study {
            page.study = Some(Study::read(path)?);
        }
        if let Some(path) = &self.bench {
            page.bench = Some(Bench::open(path)?);
        }
        let names = names(&self.runs);
        for (path, name) in self.runs.iter().zip(names) {
            tell!("run       {}", path.display());
            page.runs.push(self.read(path, name));
        }
        let first = page.runs.iter().find_map(|run| run.config.as_ref());
        page.graph = first.map(|config| graph::of_config(config).map(|drawn| svg(&drawn))).transpose()?;
        page.made = self.made()?;
        let html = page.html();
        write_atomically(&self.out, html.as_bytes())?;
        println!("{}: {} KiB, open it in a browser", self.out.display(), html.len().div_ceil(1024));
        Ok(())
    }

    /// Refuses to put the page in the place of a file that is none.
    fn keep_other_files(&self) -> anyhow::Result<()> {
        let mut start = [0; BEGINNING.len()];
        let file = File::open(&self.out).and_then(|file| file.take(start.len() as u64).read_exact(&mut start));
        match file {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Ok(()) if start == BEGINNING.as_bytes() => Ok(()),
            _ => bail!("{} is there and no page; expected a free name, or a page to replace", self.out.display()),
        }
    }

    /// A run as far as it can be read; what cannot is noted.
    fn read(&self, path: &Path, name: String) -> Run {
        let mut run = Run { name, ..Run::default() };
        let config = fs::read_to_string(path.join("config.toml")).map_err(anyhow::Error::from);
        match config.and_then(|text| Ok(Config::from_toml(&text, "config.toml")?)) {
            Ok(config) => run.config = Some(config),
            Err(error) => run.notes.push(format!("its configuration cannot be read: {}", told(&error))),
        }
        match read_intact_records(&path.join("metrics.jsonl")) {
            Ok((records, torn)) => {
                for record in records {
                    match record {
                        Record::Step(step) => run.steps.push(step),
                        Record::Epoch(epoch) => run.epochs.push(epoch),
                    }
                }
                run.notes.extend(torn.map(|error| format!("its log is shown as far as it can be read: {error}")));
            }
            Err(error) => run.notes.push(format!("its log cannot be read: {error:#}")),
        }
        if let Some(config) = &run.config
            && run.epochs.len() < config.train.epochs
        {
            let epochs = config.train.epochs;
            run.notes.push(format!("{} of {epochs} epochs so far, or stopped early", run.epochs.len()));
        }
        if let Err(error) = self.look(path, &mut run) {
            run.notes.push(format!("no translations and no attention: {}", told(&error)));
        }
        run
    }

    /// Translations and attention of a run's best model.
    fn look(&self, path: &Path, run: &mut Run) -> anyhow::Result<()> {
        let directory = RunDirectory::open(path)?;
        let data = &directory.config().data;
        let folder = match &*data.directory {
            "" => captions_directory()?,
            folder => PathBuf::from(folder),
        };
        let text = |split: &str| Ok(read_pairs(&folder, split, &data.source, &data.target)?.without_blanks().0);
        let splits: anyhow::Result<Vec<_>> = ["train", "val"].into_iter().map(text).collect();
        let test = test_splits(&folder, &data.source, &data.target).ok().and_then(|splits| splits.into_iter().next());
        let name = test.unwrap_or_else(|| "val".into());
        let mut shown = self.sentences.clone();
        let mut model = TrainedModel::open(path.into(), self.search, &self.device)?;
        match (splits, text(&name)) {
            (Ok(splits), Ok(test)) => {
                run.text = text_fingerprints(data, [&splits[0], &splits[1]]).into_iter().collect();
                let step = test.source.len().div_ceil(SENTENCES).max(1);
                let chosen: Vec<usize> = (0..test.source.len()).step_by(step).collect();
                let sources: Vec<String> = chosen.iter().map(|&i| test.source[i].clone()).collect();
                let hypotheses = model.translate(&sources)?;
                // As the model writes: its references have that form in validation too.
                let tokenizer = model.target().0;
                run.translations = (chosen.iter().zip(hypotheses))
                    .map(|(&i, hypothesis)| {
                        let reference = tokenizer.normalize(&test.target[i]);
                        let chrf = sentence_chrf(&hypothesis, &reference);
                        Translation { source: test.source[i].clone(), reference, hypothesis, chrf }
                    })
                    .collect();
                run.translated = format!("{} of {} sentences of {name}", sources.len(), test.source.len());
                shown.extend(sources.into_iter().take(SHOWN));
            }
            (Err(error), _) | (_, Err(error)) => run.notes.push(format!("its text cannot be read: {error:#}")),
        }
        let mut looker = Looker::open(&directory, &self.device)?;
        for (sentence, translation) in shown.iter().zip(model.translate(&shown)?) {
            match looker.attention(sentence, &translation) {
                Ok(attention) => run.attention.extend(attention),
                Err(error) => run.notes.push(format!("no attention for \"{sentence}\": {error:#}")),
            }
        }
        Ok(())
    }

    /// What somebody else needs to repeat the page.
    fn made(&self) -> anyhow::Result<Vec<[String; 2]>> {
        let device = self.device.open()?.device.describe();
        let command = words(std::env::args_os().skip(1));
        Ok(vec![
            ["wgrad".into(), env!("CARGO_PKG_VERSION").into()],
            ["machine".into(), machine()],
            ["device of this page's translations".into(), device],
            ["command".into(), format!("wgrad {command}")],
        ])
    }
}

/// `linux x86_64, AMD EPYC 7763, 2 threads`; the processor's name where Linux tells it.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let name = name.map_or(String::new(), |(_, name)| format!(", {name}"));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{} {}{name}, {threads} threads", std::env::consts::OS, std::env::consts::ARCH)
}

/// What the page calls the runs: the folders' names, with as much in front as tells them apart.
fn names(runs: &[PathBuf]) -> Vec<String> {
    let full: Vec<PathBuf> =
        runs.iter().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())).collect();
    let tail = |path: &Path, parts: usize| {
        let all: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
        all[all.len().saturating_sub(parts)..].join("/")
    };
    let depth = full.iter().map(|path| path.components().count()).max().unwrap_or(1);
    // The number of a trial says little without its study.
    let numbered = full.iter().any(|path| tail(path, 1).bytes().all(|byte| byte.is_ascii_digit()));
    for parts in 1 + usize::from(numbered)..=depth {
        let names: Vec<String> = full.iter().map(|path| tail(path, parts)).collect();
        if names.iter().enumerate().all(|(i, name)| !names[..i].contains(name)) {
            return names;
        }
    }
    full.iter().map(|path| path.display().to_string()).collect()
}
