//! `wgrad translate`

use std::io::{BufRead, BufReader, ErrorKind, IsTerminal, Write, stdin, stdout};
use std::path::PathBuf;

use crate::decode::Beam;
use crate::shell::word;
use crate::text::{Foreign, Tokenizer};
use crate::train::RunTranslator;
use crate::train::run_directory::RunDirectory;
use anyhow::{Context, anyhow, bail};
use clap::Args;

use super::device::DeviceChoice;
use super::program;
use super::warnings::Warnings;

#[derive(Debug, Args)]
pub struct Translate {
    /// Folder of a training run
    run: PathBuf,
    #[command(flatten)]
    search: SearchChoice,
    #[command(flatten)]
    device: DeviceChoice,
}

/// How `translate` and `evaluate` search.
#[derive(Clone, Copy, Debug, Args)]
pub struct SearchChoice {
    /// Hypotheses that are kept of each sentence; 1 is greedy search, the fastest
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5,
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(u8).range(1..=Beam::WIDEST as i64)
    )]
    beam: u8,
    /// Hypotheses are compared by log-probability / length^ALPHA: larger means longer translations
    #[arg(long, value_name = "ALPHA", default_value_t = 1.0, allow_negative_numbers = true, value_parser = penalty)]
    length_penalty: f32,
    /// The most tokens of a translation [default: what training saw for a source of this length, half as many again,
    /// and 10]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    max_length: Option<u32>,
}

fn penalty(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number| (0.0..=10.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 10".into())
}

impl SearchChoice {
    pub const GREEDY: Self = Self { beam: 1, length_penalty: 0.0, max_length: None };

    pub fn beam(self) -> Beam {
        Beam { width: self.beam.into(), length_penalty: self.length_penalty }
    }
}

/// Lines of a file that are translated before the first of them is printed: a few batches, so that a long file streams.
/// Who waits for an answer before going on, a person or a program, gets it at once.
const LINES: usize = 512;

/// What a terminal takes for the end of a file.
const END_OF_INPUT: &str = if cfg!(windows) { "Ctrl-Z, Enter" } else { "Ctrl-D" };

impl Translate {
    pub fn run(self) -> anyhow::Result<()> {
        let run = self.run.clone();
        let mut model = TrainedModel::open(self.run, self.search, &self.device)?;
        let mut lines = vec![];
        let interactive = stdin().is_terminal();
        if interactive {
            tell!("type sentences, one a line; {END_OF_INPUT} ends");
        }
        let mut input = BufReader::with_capacity(1 << 16, stdin().lock());
        if let Some(foreign) = input.fill_buf().ok().and_then(Foreign::of) {
            let decoder = foreign.decoder("FILE");
            bail!(
                "standard input is {}; expected UTF-8, one sentence a line. Convert it: {decoder} | {} translate {}",
                foreign.description(),
                program(),
                word(&run)
            );
        }
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
                let mut written = Ok(());
                let mut output = stdout().lock();
                model.translate_each(&lines, &mut |translation| {
                    if written.is_ok() {
                        written = writeln!(output, "{translation}");
                    }
                })?;
                written.context("writing to standard output")?;
                lines.clear();
                if interactive || ended {
                    model.warnings.tell();
                }
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
        model.warnings.finish()
    }
}

/// What editors of Windows begin a file with.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A trained model, ready on a device, and what is to be said of its translations.
pub struct TrainedModel {
    translator: RunTranslator,
    language: String,
    pub warnings: Warnings,
}

impl TrainedModel {
    pub fn open(run: PathBuf, choice: SearchChoice, device: &DeviceChoice) -> anyhow::Result<Self> {
        let run = RunDirectory::open(run)?;
        let limit = choice.max_length.map(|tokens| tokens as usize);
        let translator = RunTranslator::open(&run, choice.beam(), limit, device.open()?.device)?;
        Ok(Self { translator, language: run.config().data.target.clone(), warnings: Warnings::default() })
    }

    /// The tokenizer of the language that it translates into, and that language as the run's files name it.
    pub fn target(&self) -> (&Tokenizer, &str) {
        (&self.translator.translator().tokenizers()[1], &self.language)
    }

    /// The translations of all lines; one that the device cannot hold is empty.
    pub fn translate(&mut self, lines: &[String]) -> anyhow::Result<Vec<String>> {
        let mut translations = vec![];
        self.translate_each(lines, &mut |translation| translations.push(translation))?;
        if translations.len() != lines.len() {
            bail!("wgrad lost a line, please report this");
        }
        Ok(translations)
    }

    /// Hands each translation on as soon as it and those before it are there.
    pub fn translate_each(&mut self, lines: &[String], said: &mut dyn FnMut(String)) -> anyhow::Result<()> {
        let Self { translator, warnings, .. } = self;
        let limits = [translator.seen(), translator.translator().whole(), translator.translator().longest()];
        translator.translate_each(lines, &mut |line| {
            warnings.note(&line, limits);
            said(line.text);
        })?;
        Ok(())
    }
}
