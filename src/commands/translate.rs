//! `wgrad translate`

use std::io::{BufRead, Write, stdin, stdout};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use wgrad::decode::Greedy;
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
    device: DeviceChoice,
}

/// Lines that are translated before the first of them is printed: a few batches, so that a long file streams.
const LINES: usize = 512;

impl Translate {
    pub fn run(self) -> anyhow::Result<()> {
        let mut translator = Translator::open(self.run, &self.device)?;
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
    greedy: Greedy,
}

impl Translator {
    pub fn open(run: PathBuf, device: &DeviceChoice) -> anyhow::Result<Self> {
        let run = RunDirectory::open(run)?;
        let tokenizers = [Tokenizer::load(run.source_tokenizer_path())?, Tokenizer::load(run.target_tokenizer_path())?];
        let mut device = device.open()?.device;
        let vocabularies = [tokenizers[0].vocabulary_size(), tokenizers[1].vocabulary_size()];
        let model = load(device.as_mut(), &run, vocabularies)?;
        Ok(Self { device, tokenizers, greedy: Greedy::new(model, run.config().data.frame) })
    }

    pub fn translate(&mut self, lines: &[String]) -> anyhow::Result<Vec<String>> {
        let sources = self.tokenizers[0].encode_all(lines);
        let longest = self.greedy.longest();
        let cut = sources.iter().filter(|ids| ids.len() > longest).count();
        if cut > 0 {
            eprintln!(
                "warning: {cut} sentences have more than {longest} tokens, the most that this model has positions for; only their beginnings are translated"
            );
        }
        let translations = self.greedy.translate(self.device.as_mut(), &sources)?;
        if translations.len() != lines.len() {
            bail!("wgrad lost a line, please report this");
        }
        Ok(translations.iter().map(|ids| self.tokenizers[1].decode(ids)).collect())
    }
}
