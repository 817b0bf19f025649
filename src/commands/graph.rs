//! `wgrad graph`

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::graph::draw::{Drawn, dot, drawing, svg, text};
use crate::graph::{self, Kind, Value};
use crate::models;
use crate::models::textbook_rnn::{Sizes, textbook_rnn};
use crate::text::BatchShape;
use crate::train::Split;
use crate::train::config::Config;
use crate::train::step::{StepBatch, training_graph};
use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};

/// Draws forward and backward pass of a training step, for 2 sentences of 5 tokens and vocabularies of 32.
#[derive(Debug, Args)]
pub struct Graph {
    /// A configuration that comes with wgrad; `rnn` is the textbook network of docs/bptt.md instead of the preset of
    /// that name
    #[arg(long, value_name = "NAME", default_value = "rnn")]
    preset: String,
    /// Time steps of the textbook network [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    steps: Option<u32>,
    /// [default: what --out ends in, else text]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Where to write it [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Svg,
    Dot,
    Text,
}

const TOKENS: usize = 5;
const SENTENCES: usize = 2;
const VOCABULARY: usize = 32;

impl Graph {
    pub fn run(self) -> anyhow::Result<()> {
        let drawn = match (self.preset.as_str(), self.steps) {
            ("rnn", steps) => textbook(steps.unwrap_or(4) as usize)?,
            (preset, Some(steps)) => {
                bail!(
                    "--steps {steps}: only the textbook network has a number of steps to choose; leave it out with \
                     --preset {preset}"
                )
            }
            (preset, None) => of_config(&super::preset(preset)?)?,
        };
        let format = match (self.format, &self.out) {
            (Some(format), _) => format,
            (None, Some(path)) => format_of(path)?,
            (None, None) => Format::Text,
        };
        let picture = match format {
            Format::Svg => svg(&drawn),
            Format::Dot => dot(&drawn),
            Format::Text => text(&drawn),
        };
        match self.out {
            Some(path) => std::fs::write(&path, picture).with_context(|| format!("cannot write {}", path.display())),
            None => {
                print!("{picture}");
                Ok(())
            }
        }
    }
}

/// The format that a file's name says: text where it has no ending.
fn format_of(path: &Path) -> anyhow::Result<Format> {
    match path.extension().map(|ending| ending.to_string_lossy()).as_deref() {
        None | Some("txt") => Ok(Format::Text),
        Some(ending) => Format::from_str(ending, true).map_err(|_| {
            anyhow!(
                "--out {}: no format is called {ending}; expected a name that ends in .svg, .dot or .txt, or \
                 --format with another",
                path.display()
            )
        }),
    }
}

fn textbook(steps: usize) -> anyhow::Result<Vec<Drawn>> {
    let network = textbook_rnn(Sizes { steps, inputs: 3, hidden: 5, outputs: 7 })?;
    Ok(drawing(&network.graph, network.forward, &network.labels))
}

/// A training step of this configuration.
pub fn of_config(config: &Config) -> anyhow::Result<Vec<Drawn>> {
    let words = vec![vec![4; TOKENS - config.data.frame.positions(0)]; SENTENCES];
    let split = Split::new("training", [&words, &words], TOKENS, config.data.frame);
    let model = models::build(&config.model, [VOCABULARY; 2]);
    let shape = BatchShape { sentences: SENTENCES, source: TOKENS, target: TOKENS };
    let step = training_graph(&*model, config, StepBatch { split: &split, shape, most: SENTENCES })?;
    // Parameters are views of one flat buffer, each from its own offset on.
    let parameter = |(node, kind): (usize, &Kind)| match kind {
        Kind::View { offset } => {
            let parameter = model.parameters().iter().find(|p| p.offset == *offset)?;
            let of_parameters = step.graph.nodes()[node].inputs.iter().all(|input| is_flat(&step.graph, *input));
            of_parameters.then(|| (Value { node, output: 0 }, parameter.name.clone()))
        }
        _ => None,
    };
    let kinds = step.graph.nodes().iter().map(|node| &node.kind).enumerate();
    let labels: HashMap<Value, String> = kinds.filter_map(parameter).collect();
    Ok(drawing(&step.graph, step.forward, &labels))
}

fn is_flat(graph: &graph::Graph, value: Value) -> bool {
    matches!(&graph.nodes()[value.node].kind, Kind::Input { name } if name == "parameters")
}
