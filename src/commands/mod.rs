//! The subcommands, one file each: what a person types, and what they see. Nothing here that a user of the library
//! would miss, but for the command lines as a whole: [`main`] is wgrad's, and [`kernels`] that of a crate with ops of
//! its own.

/// `eprintln!` that goes on where nobody can listen, on a closed pipe or a full disk: what is said there is no reason
/// to lose the work.
macro_rules! tell {
    ($($said:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{}\n", format_args!($($said)*)));
    }};
}

mod advice;
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

use std::process::ExitCode;

use crate::gpu::{self, OpenError};
use crate::ops::{Listing, OPS};
use crate::shell::word;
use crate::train::config::{Config, ConfigError};
use anyhow::{anyhow, bail};
use clap::{Parser, Subcommand};
use thiserror::Error;

/// Trains translation models on any GPU, without CUDA, and translates with them.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
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
    fn run(self) -> anyhow::Result<()> {
        threads::start()?;
        match self.command {
            Command::Train(command) => command.run(),
            Command::Tune(command) => command.run(),
            Command::Report(command) => command.run(),
            Command::Translate(command) => command.run(),
            Command::Evaluate(command) => command.run(),
            Command::Devices(command) => command.run(),
            Command::Bench(command) => command.run(OPS),
            Command::Check(command) => command.run(OPS),
            Command::Data(command) => command.run(),
            Command::Graph(command) => command.run(),
            Command::Init(command) => command.run(),
            Command::Dump(command) => command.run(),
        }
    }
}

/// Compares kernels with their references, measures them, and changes them to see whether that is noticed.
#[derive(Debug, Parser)]
#[command(about)]
struct Kernels {
    #[command(subcommand)]
    command: KernelCommand,
}

#[derive(Debug, Subcommand)]
enum KernelCommand {
    /// Compare every kernel with its reference
    Check(check::Check),
    /// Measure kernels on a device
    Bench(bench::Bench),
}

impl Kernels {
    fn run(self, ops: &'static [Listing]) -> anyhow::Result<()> {
        threads::start()?;
        match self.command {
            KernelCommand::Check(command) => command.run(ops),
            KernelCommand::Bench(command) => command.run(ops),
        }
    }
}

/// `wgrad`: parses the arguments of this process, and runs what they ask for.
pub fn main() -> ExitCode {
    end_quietly_without_output();
    ended(Cli::parse().run())
}

/// The command line of a crate with ops of its own: `check` (with `--mutants`) and `bench`, over these.
///
/// ```no_run
/// # mod rms_norm {
/// #     use wgrad::ops::Listing;
/// #     pub const LISTING: Listing = Listing::new("", &[], |_| vec![], || vec![]);
/// # }
/// fn main() -> std::process::ExitCode {
///     wgrad::commands::kernels(&[rms_norm::LISTING])
/// }
/// ```
pub fn kernels(ops: &'static [Listing]) -> ExitCode {
    end_quietly_without_output();
    ended(Kernels::parse().run(ops))
}

fn ended(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    tell!("error: {}", advice::told(&error));
    ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
}

/// A closed or full standard output, as of `wgrad check | head`, is no fault of the program's: one line in place of a
/// panic's many.
fn end_quietly_without_output() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>();
        match said.and_then(|said| said.strip_prefix("failed printing to stdout: ")) {
            Some(reason) => {
                tell!("error: cannot write to standard output: {reason}");
                std::process::exit(1);
            }
            None => usual(panic),
        }
    }));
}

/// A command line that asks for what is not there. It ends as clap ends for one that it cannot read: with exit status 2
/// and the same hint.
#[derive(Debug, Error)]
#[error("{}\n\nFor more information, try '--help'.", advice::told(.0))]
struct Usage(anyhow::Error);

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

/// A preset, with a word where it has another name now.
fn preset(name: &str) -> Result<Config, ConfigError> {
    if let Some(today) = Config::renamed(name) {
        tell!("note: the preset {name} is called {today} now");
    }
    Config::preset(name)
}

/// The ops that --op names, in the order of the list; all where it names none.
fn chosen_ops(all: &[Listing], names: &[String]) -> anyhow::Result<Vec<Listing>> {
    for name in names {
        if !all.iter().any(|op| op.name == name) {
            let known: Vec<_> = all.iter().map(|op| op.name).collect();
            bail!("--op {name}: there is no such op; expected one of {}", known.join(", "));
        }
    }
    let chosen = |op: &&Listing| names.is_empty() || names.iter().any(|name| name == op.name);
    Ok(all.iter().filter(chosen).copied().collect())
}

/// How this program was called, as a word of the shell: after `cargo run` there is no `wgrad` on the path.
fn program() -> String {
    word(std::env::args_os().next().unwrap_or_else(|| "wgrad".into()))
}
