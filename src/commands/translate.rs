//! `wgrad translate`

use std::io::{BufRead, Write, stdin, stdout};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use wgrad::decode::{Beam, Search};
use wgrad::plan::Device;
use wgrad::text::Tokenizer;
use wgrad::train::load;
use wgrad::train::run_directory::RunDirectory;

use super::device::DeviceChoice;

#[derive(Debug, Args)]
pub struct Translate {
    /// Folder of a training run
    run: PathBuf,
    #[command(flatten)]
    beam: BeamChoice,
    #[command(flatten)]
    device: DeviceChoice,
}

/// How `translate` and `evaluate` search.
#[derive(Clone, Copy, Debug, Args)]
pub struct BeamChoice {
    /// Hypotheses that are kept of each sentence; 1 is greedy search, the fastest
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=Beam::WIDEST as i64))]
    beam: u8,
    /// Hypotheses are compared by log-probability / length^ALPHA: larger means longer translations
    #[arg(long, value_name = "ALPHA", default_value_t = 1.0, value_parser = penalty)]
    length_penalty: f32,
}

fn penalty(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number| (0.0..=10.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 10".into())
}

impl BeamChoice {
    pub fn get(self) -> Beam {
        Beam { width: self.beam.into(), length_penalty: self.length_penalty }
    }
}

/// Lines that are translated before the first of them is printed: a few batches, so that a long file streams.
const LINES: usize = 512;

impl Translate {
    pub fn run(self) -> anyhow::Result<()> {
        let mut translator = Translator::open(self.run, self.beam.get(), &self.device)?;
        let mut lines = vec![];
        let mut input = stdin().lock();
        for number in 1.. {
            let mut line = String::new();
            let read = input.read_line(&mut line).with_context(|| {
                format!("standard input, line {number}: expected UTF-8 text; convert it first, e.g. with iconv -f latin1 -t utf-8")
            })?;
            if read > 0 {
                lines.push(line.trim_end_matches(['\n', '\r']).to_string());
            }
            if read == 0 || lines.len() == LINES {
                let mut output = stdout().lock();
                for translation in translator.translate(&lines)? {
                    writeln!(output, "{translation}").context("writing to standard output")?;
                }
                lines.clear();
            }
            if read == 0 {
                break;
            }
        }
        Ok(())
    }
}

/// A trained model, ready on a device.
pub struct Translator {
    device: Box<dyn Device>,
    tokenizers: [Tokenizer; 2],
    search: Search,
}

impl Translator {
    pub fn open(run: PathBuf, beam: Beam, device: &DeviceChoice) -> anyhow::Result<Self> {
        let run = RunDirectory::open(run)?;
        let tokenizers = [Tokenizer::load(run.source_tokenizer_path())?, Tokenizer::load(run.target_tokenizer_path())?];
        let mut device = device.open()?.device;
        let vocabularies = [tokenizers[0].vocabulary_size(), tokenizers[1].vocabulary_size()];
        let model = load(device.as_mut(), &run, vocabularies)?;
        Ok(Self { device, tokenizers, search: Search::new(model, run.config().data.frame, beam) })
    }

    pub fn translate(&mut self, lines: &[String]) -> anyhow::Result<Vec<String>> {
        let sources = self.tokenizers[0].encode_all(lines);
        let longest = self.search.longest();
        let cut = sources.iter().filter(|ids| ids.len() > longest).count();
        if cut > 0 {
            eprintln!(
                "warning: {cut} sentences have more than {longest} tokens, the most that this model has positions for; only their beginnings are translated"
            );
        }
        let translations = self.search.translate(self.device.as_mut(), &sources)?;
        if translations.len() != lines.len() {
            bail!("wgrad lost a line, please report this");
        }
        Ok(translations.iter().map(|ids| self.tokenizers[1].decode(ids)).collect())
    }
}
