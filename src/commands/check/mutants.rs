//! Mutants: are the cases good enough to notice a change of the WGSL?

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::check::mutation::{Judges, Mutant, Outcome, all_mutants, draw, work};
use crate::ops::Listing;

use super::super::{chosen_ops, expected_adapter, unopened, usage};
use super::Check;

/// Far longer than the slowest case, on a machine that is busy with other things: a mutant that takes this long has an
/// endless loop. A worker that still prepares has ten times as long.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A line of the file of verdicts; the first is a `Header`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Judged {
    number: usize,
    /// "tanh.wgsl:17 operator: `*` becomes `+`"
    mutant: String,
    verdict: String,
}

impl Judged {
    fn outcome(&self) -> Option<Outcome> {
        Outcome::of(&self.verdict)
    }
}

/// What the verdicts are of: numbers are those of this program's mutants, and its cases made the verdicts.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    program: String,
    ops: Vec<String>,
    device: String,
}

/// Judges `count` mutants, and lists those that the cases do not notice.
pub fn run(check: &Check, count: usize, all: &[Listing]) -> anyhow::Result<()> {
    let ops = chosen_ops(all, &check.ops).map_err(usage)?;
    let Some(adapter) = check.choice.adapter() else {
        return Err(usage(expected_adapter("--mutants: the CPU runs no WGSL")));
    };
    let device = check.choice.open().map_err(unopened)?.properties().info.label();
    let mutants = all_mutants(&ops);
    let drawn = draw(count, mutants.len(), check.seed);
    let header = Header { program: program_hash()?, ops: ops.iter().map(|op| op.name.into()).collect(), device };
    let (mut judged, mut file) = match &check.verdicts {
        Some(path) => {
            let (judged, file) = resume(path, &header).map_err(usage)?;
            (judged, Some(file))
        }
        None => (BTreeMap::new(), None),
    };
    if !check.json {
        println!("{}: {} of {} mutants, seed {}", header.device, drawn.len(), mutants.len(), check.seed);
    }
    let mut command = Command::new(std::env::current_exe().context("where this program stands")?);
    command.args(["check", "--mutant-worker", "--device", &adapter]);
    command.args(header.ops.iter().flat_map(|op| ["--op", op]));
    if check.choice.webgpu_limits {
        command.arg("--webgpu-limits");
    }
    let mut judges = Judges::new(command, TIMEOUT);
    let style = ProgressStyle::with_template("{bar:24} {pos}/{len}, {eta} left").expect("the template is well-formed");
    let bar = ProgressBar::new(drawn.len() as u64).with_style(style.progress_chars("━╸ "));
    for &number in &drawn {
        let known = match judged.remove(&number) {
            Some(known) => known,
            None => {
                let verdict = judges.judge(number)?;
                let new = Judged { number, mutant: mutants[number].to_string(), verdict };
                if let (Some(file), Some(path)) = (&mut file, &check.verdicts) {
                    writeln!(file, "{}", serde_json::to_string(&new)?).with_context(|| cannot_write(path))?;
                }
                new
            }
        };
        if !check.json && known.outcome() == Some(Outcome::Survived) {
            bar.suspend(|| println!("{}: {}", known.mutant, known.verdict));
        }
        judged.insert(number, known);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let of_draw: Vec<&Judged> = drawn.iter().map(|number| &judged[number]).collect();
    if check.json {
        let object = serde_json::json!({ "device": header.device, "seed": check.seed, "mutants": of_draw });
        println!("{}", serde_json::to_string_pretty(&object)?);
    } else {
        print_table(&of_draw, &mutants);
    }
    Ok(())
}

/// What a worker's process does.
pub fn work_on(check: &Check, all: &[Listing]) -> anyhow::Result<()> {
    Ok(work(&chosen_ops(all, &check.ops)?, || check.choice.open())?)
}

/// The verdicts of an earlier run, and the file to write more to.
fn resume(path: &Path, header: &Header) -> anyhow::Result<(BTreeMap<usize, Judged>, File)> {
    let mut judged = BTreeMap::new();
    if path.exists() {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut lines = BufReader::new(file).lines();
        let first = lines.next().transpose().with_context(|| format!("cannot read {}", path.display()))?;
        let then: Option<Header> = first.and_then(|line| serde_json::from_str(&line).ok());
        let Some(then) = then else {
            bail!("--verdicts {}: its first line is none that --mutants writes; name another file", path.display());
        };
        let differs = [
            (then.program != header.program, "another build of this program"),
            (then.ops != header.ops, "other ops"),
            (then.device != header.device, "another device"),
        ];
        if let Some((_, what)) = differs.into_iter().find(|(differs, _)| *differs) {
            bail!("--verdicts {}: its verdicts are of {what}; name another file, or remove it", path.display());
        }
        // A line that a killed run did not end is left out, and its mutant judged again.
        let known = lines.map_while(Result::ok).filter_map(|line| serde_json::from_str::<Judged>(&line).ok());
        let known = known.filter(|judged| judged.outcome().is_some());
        judged.extend(known.map(|judged| (judged.number, judged)));
    }
    // Written anew, so that what comes next begins a line.
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        writeln!(file, "{}", serde_json::to_string(header)?)?;
        for judged in judged.values() {
            writeln!(file, "{}", serde_json::to_string(judged)?)?;
        }
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| cannot_write(path))?;
    let file = OpenOptions::new().append(true).open(path).with_context(|| cannot_write(path))?;
    Ok((judged, file))
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Tells builds apart: other cases or WGSL make another program.
fn program_hash() -> anyhow::Result<String> {
    let path = std::env::current_exe().context("where this program stands")?;
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(format!("{:016x}", crate::hash::fnv(0, &bytes)))
}

/// Verdicts by file.
fn print_table(judged: &[&Judged], mutants: &[Mutant]) {
    let mut table: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    for judged in judged {
        let outcome = judged.outcome().expect("a worker says one of them");
        table.entry(&mutants[judged.number].file).or_default()[outcome as usize] += 1;
    }
    let [invalid, same, caught, survived] = Outcome::ALL.map(Outcome::name);
    println!("\n{:32} {invalid:>7} {same:>9} {caught:>7} {survived:>9} {:>6}", "file", "score");
    let sum = table.values().fold([0; 4], |sum, row| std::array::from_fn(|k| sum[k] + row[k]));
    for (file, [invalid, same, caught, survived]) in table.into_iter().chain([("all", sum)]) {
        let score = match caught + survived {
            0 => String::new(),
            judged => format!("{:.1}%", 100.0 * caught as f64 / judged as f64),
        };
        println!("{file:32} {invalid:7} {same:9} {caught:7} {survived:9} {score:>6}");
    }
}
