//! How good are the cases? Changes one thing at a time in the shaders, and counts the changes that the quick cases of
//! the ops notice.
//!
//! `nice -n 19 cargo test --release --test mutation -- [--file NAME]… [--sample N] [--seed S] [--list]`. Not part of
//! `cargo test`: all mutants take hours. `docs/verification.md` has the results. Mutants run in a child process, since
//! some hang and some take the driver down with them.

mod judges;
mod mutants;
mod worker;

use std::collections::BTreeMap;
use std::process::{Command, exit};
use std::time::{Duration, Instant};

use clap::Parser;
use judges::Judges;
use mutants::{Mutant, mutants};
use wgrad::gpu::Shaders;
use wgrad::ops::threefry::threefry;

/// Far longer than the slowest case, on a machine that is busy with other things: a mutant that takes this long has an
/// endless loop. A worker that still prepares has ten times as long.
const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Parser)]
struct Options {
    /// Mutants of this file only (softmax, shared/grid); may be given again
    #[arg(long = "file", value_name = "NAME")]
    files: Vec<String>,
    /// So many mutants, drawn at random, instead of all
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// Draws the sample
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u32,
    /// List the mutants and run none
    #[arg(long)]
    list: bool,
    /// Run the mutants whose numbers come in on standard input
    #[arg(long, hide = true)]
    worker: bool,
}

/// Name and text of every shader, of those that this program was compiled with: what becomes of the folder meanwhile
/// changes nothing.
fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    let measuring = |name: &str| name.starts_with("bench/");
    Shaders::built_in().iter().copied().filter(move |(name, _)| !measuring(name))
}

fn chosen(options: &Options) -> Vec<(usize, Mutant)> {
    let all = files().flat_map(|(name, text)| mutants(name, text)).enumerate();
    let mut chosen: Vec<_> = all.filter(|(_, m)| options.files.is_empty() || options.files.contains(&m.file)).collect();
    if let Some(count) = options.sample {
        chosen.sort_by_key(|(number, _)| threefry([*number as u32, 0, 0, 0], [options.seed, 0, 0, 0]));
        chosen.truncate(count);
        chosen.sort_by_key(|(number, _)| *number);
    }
    chosen
}

fn main() {
    let options = Options::parse();
    if options.worker {
        return worker::run();
    }
    let names: Vec<_> = files().map(|(name, _)| name).collect();
    if let Some(unknown) = options.files.iter().find(|file| !names.contains(&file.as_str())) {
        eprintln!("--file {unknown}: there is no such shader; expected one of {}", names.join(", "));
        exit(2);
    }
    let chosen = chosen(&options);
    if options.list {
        chosen.iter().for_each(|(number, mutant)| println!("{number:5} {mutant}"));
        return;
    }
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("--worker");
    let (started, mut judges) = (Instant::now(), Judges::new(command, TIMEOUT));
    // By file: verdicts by name.
    let mut table: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (number, mutant) in &chosen {
        let verdict = judges.judge(*number);
        println!("{number:5} {mutant}: {verdict}");
        let name = verdict.split(':').next().unwrap_or_default().to_string();
        *table.entry(mutant.file.clone()).or_default().entry(name).or_default() += 1;
    }
    let count = |name: &str, row: &BTreeMap<String, usize>| row.get(name).copied().unwrap_or(0);
    println!("\n{:22} {:>7} {:>7} {:>8} {:>8} {:>6}", "file", "invalid", "same", "caught", "survived", "score");
    let mut sum = BTreeMap::new();
    for (file, row) in &table {
        print_row(file, row, count);
        row.iter().for_each(|(name, n)| *sum.entry(name.clone()).or_default() += n);
    }
    print_row("all", &sum, count);
    println!("{} mutants in {:.0} s", chosen.len(), started.elapsed().as_secs_f64());
}

fn print_row(file: &str, row: &BTreeMap<String, usize>, count: impl Fn(&str, &BTreeMap<String, usize>) -> usize) {
    let [invalid, same, caught, survived] = ["invalid", "same code", "caught", "survived"].map(|name| count(name, row));
    let score = 100.0 * caught as f64 / (caught + survived).max(1) as f64;
    println!("{file:22} {invalid:7} {same:7} {caught:8} {survived:8} {score:5.1}%");
}
