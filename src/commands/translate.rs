//! `wgrad translate`

use std::io::{BufRead, BufReader, ErrorKind, IsTerminal, Write, stdin, stdout};
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
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
    #[arg(long, value_name = "N", default_value_t = 5, allow_negative_numbers = true, value_parser = clap::value_parser!(u8).range(1..=Beam::WIDEST as i64))]
    beam: u8,
    /// Hypotheses are compared by log-probability / length^ALPHA: larger means longer translations
    #[arg(long, value_name = "ALPHA", default_value_t = 1.0, allow_negative_numbers = true, value_parser = penalty)]
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

/// Lines of a file that are translated before the first of them is printed: a few batches, so that a long file streams. Who waits for an answer before going on,
/// a person or a program, gets it at once.
const LINES: usize = 512;

/// What a terminal takes for the end of a file.
const END_OF_INPUT: &str = if cfg!(windows) { "Ctrl-Z, Enter" } else { "Ctrl-D" };

impl Translate {
    pub fn run(self) -> anyhow::Result<()> {
        let mut translator = Translator::open(self.run, self.beam.get(), &self.device)?;
        let (mut lines, mut first) = (vec![], 1);
        if stdin().is_terminal() {
            tell!("type sentences, one a line; {END_OF_INPUT} ends");
        }
        let mut input = BufReader::with_capacity(1 << 16, stdin().lock());
        for number in 1.. {
            let mut line = String::new();
            let read = input.read_line(&mut line);
            let ended = matches!(read, Ok(0) | Err(_));
            if !ended {
                let line = if number == 1 { line.trim_start_matches(BYTE_ORDER_MARK) } else { &line };
                lines.push(line.trim_end_matches(['\n', '\r']).to_string());
            }
            // What came before a line that cannot be read is not lost.
            if ended || lines.len() == LINES || input.buffer().is_empty() {
                let mut output = stdout().lock();
                for translation in translator.translate(&lines, Some(first))? {
                    writeln!(output, "{translation}").context("writing to standard output")?;
                }
                first += lines.len();
                lines.clear();
            }
            read.map_err(|error| {
                let advice = match error.kind() {
                    ErrorKind::InvalidData => {
                        ": expected UTF-8 text; convert it first, e.g. with iconv -f latin1 -t utf-8"
                    }
                    _ => "",
                };
                anyhow!(error).context(format!("standard input, line {number}{advice}"))
            })?;
            if ended {
                break;
            }
        }
        Ok(())
    }
}

/// What editors of Windows begin a file with.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A trained model, ready on a device.
pub struct Translator {
    device: Box<dyn Device>,
    tokenizers: [Tokenizer; 2],
    search: Search,
    /// The most tokens of a sentence that training took.
    seen: usize,
}

impl Translator {
    pub fn open(run: PathBuf, beam: Beam, device: &DeviceChoice) -> anyhow::Result<Self> {
        let run = RunDirectory::open(run)?;
        let tokenizers = [Tokenizer::load(run.source_tokenizer_path())?, Tokenizer::load(run.target_tokenizer_path())?];
        let mut device = device.open()?.device;
        let vocabularies = [tokenizers[0].vocabulary_size(), tokenizers[1].vocabulary_size()];
        let model = load(device.as_mut(), &run, vocabularies)?;
        let data = &run.config().data;
        Ok(Self { device, tokenizers, search: Search::new(model, data.frame, beam), seen: data.max_tokens })
    }

    /// Warns of lines that are too long, where they are the user's: `first` is the number of the first one.
    pub fn translate(&mut self, lines: &[String], first: Option<usize>) -> anyhow::Result<Vec<String>> {
        let sources = self.tokenizers[0].encode_all(lines);
        if let Some(first) = first {
            let cut = "the most that this model has positions for; only its beginning is translated";
            let longest = self.search.longest();
            warn(&sources, first, [longest, usize::MAX], cut);
            let unusual = "the most that training took (data.max_tokens); expect little of its translation";
            warn(&sources, first, [self.seen, longest], unusual);
        }
        let translations = self.search.translate(self.device.as_mut(), &sources)?;
        if translations.len() != lines.len() {
            bail!("wgrad lost a line, please report this");
        }
        Ok(translations.iter().map(|ids| self.tokenizers[1].decode(ids)).collect())
    }
}

/// Names the first line of more tokens than `more_than`, and no more than `at_most`, and counts the others.
fn warn(sources: &[Vec<u32>], first: usize, [more_than, at_most]: [usize; 2], why: &str) {
    let mut longer = (first..).zip(sources).filter(|(_, ids)| ids.len() > more_than && ids.len() <= at_most);
    let Some((line, ids)) = longer.next() else { return };
    let others = match longer.count() {
        0 => String::new(),
        1 => "; so has one after it".into(),
        others => format!("; so have {others} after it"),
    };
    tell!("warning: line {line} has {} tokens, more than {}, {why}{others}", ids.len(), more_than);
}
