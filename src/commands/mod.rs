//! The subcommands, one file each: what a person types, and what they see. Nothing here that a user of the library
//! would miss.

mod bench;
mod check;
mod corpus;
mod data;
mod device;
mod devices;
mod dump;
mod evaluate;
mod graph;
mod init;
mod learning;
mod progress;
mod report;
mod signals;
mod threads;
mod train;
mod translate;
mod tune;
mod warnings;

use anyhow::{anyhow, bail};
use clap::{Parser, Subcommand};
use thiserror::Error;
use wgrad::gpu::{self, OpenError};
use wgrad::ops::OPS;
use wgrad::shell::word;

/// Trains translation models on any GPU, without CUDA, and translates with them.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a model: without arguments a German-to-English translator on the corpus that comes with wgrad
    Train(train::Train),
    /// Try configurations, and find the best one and what each change brings
    Tune(tune::Tune),
    /// Write a page that shows runs: curves, translations, attention, and what tuning brought
    Report(report::Report),
    /// Translate lines from standard input to standard output
    Translate(translate::Translate),
    /// Translate a file and score it with BLEU
    Evaluate(evaluate::Evaluate),
    /// List the devices that training can use
    Devices(devices::Devices),
    /// Measure kernels, training steps and translation on a device
    Bench(bench::Bench),
    /// Compare every kernel with its reference
    Check(check::Check),
    /// Write data sets
    Data(data::Data),
    /// Draw the computation graph of a training step
    Graph(graph::Graph),
    /// Write an untrained model
    Init(init::Init),
    /// Write what a model makes of one batch: logits, loss, gradients, attention
    Dump(dump::Dump),
}

impl Cli {
    pub fn run(self) -> anyhow::Result<()> {
        threads::start()?;
        match self.command {
            Command::Train(command) => command.run(),
            Command::Tune(command) => command.run(),
            Command::Report(command) => command.run(),
            Command::Translate(command) => command.run(),
            Command::Evaluate(command) => command.run(),
            Command::Devices(command) => command.run(),
            Command::Bench(command) => command.run(),
            Command::Check(command) => command.run(),
            Command::Data(command) => command.run(),
            Command::Graph(command) => command.run(),
            Command::Init(command) => command.run(),
            Command::Dump(command) => command.run(),
        }
    }
}

/// A command line that asks for what is not there. It ends as clap ends for one that it cannot read: with exit status 2
/// and the same hint.
#[derive(Debug, Error)]
#[error("{0:#}\n\nFor more information, try '--help'.")]
pub struct Usage(anyhow::Error);

fn usage(error: impl Into<anyhow::Error>) -> anyhow::Error {
    Usage(error.into()).into()
}

/// For a device that cannot be opened: a name that no adapter has is a mistake of the command line, a driver that
/// refuses is none.
fn unopened(error: impl Into<anyhow::Error>) -> anyhow::Error {
    let error = error.into();
    match error.downcast_ref() {
        Some(OpenError::Unknown { .. }) => usage(error),
        _ => error,
    }
}

/// Refuses the CPU for what only an adapter does: names those that are there, or says how to get one.
fn expected_adapter(what: &str) -> anyhow::Error {
    let present: Vec<_> = gpu::list().into_iter().map(|adapter| adapter.name).collect();
    let present = if present.is_empty() {
        format!(". None is there. {}", gpu::install_hint())
    } else {
        format!(": {}", present.join(", "))
    };
    anyhow!("{what}; expected a graphics adapter; choose an adapter with --device{present}")
}

/// Refuses names given with --op that no op has.
fn known_ops(ops: &[String]) -> anyhow::Result<()> {
    for op in ops {
        if !OPS.iter().any(|(name, _)| name == op) {
            let known: Vec<_> = OPS.iter().map(|(name, _)| *name).collect();
            bail!("--op {op}: there is no such op; expected one of {}", known.join(", "));
        }
    }
    Ok(())
}

/// How this program was called, as a word of the shell: after `cargo run` there is no `wgrad` on the path.
fn program() -> String {
    word(std::env::args_os().next().unwrap_or_else(|| "wgrad".into()))
}
