//! `wgrad data`

use std::fs;
use std::path::{Path, PathBuf};

use crate::text::captions::{CAPACITY, Pair, generate};
use crate::train::files::write_atomically;
use anyhow::{Context, bail};
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct Data {
    #[command(subcommand)]
    set: Set,
}

#[derive(Debug, Subcommand)]
enum Set {
    /// German and English image captions from wgrad's own grammar: train, val and test, disjoint
    Captions(Captions),
}

#[derive(Debug, Args)]
struct Captions {
    /// Pairs of train; val and test get 500 each besides
    #[arg(long, default_value_t = QUICK_START.0)]
    pairs: usize,
    /// The same seed writes the same files
    #[arg(long, default_value_t = QUICK_START.1)]
    seed: u64,
    /// Folder to write train.de, train.en, val.de, val.en, test.de and test.en to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Pairs and seed of the corpus that `wgrad train` uses when no data is named.
const QUICK_START: (usize, u64) = (20_000, 1);

/// Pairs of val, and of test.
const HELD_OUT: usize = 500;

impl Data {
    pub fn run(self) -> anyhow::Result<()> {
        let Set::Captions(Captions { pairs, seed, out }) = self.set;
        if out.exists() && fs::read_dir(&out).is_ok_and(|mut entries| entries.next().is_some()) {
            bail!(
                "--out {}: the folder is not empty; nothing was written. Name another folder, or empty this one",
                out.display()
            );
        }
        write_captions(&out, pairs, seed)?;
        println!("{pairs} pairs in train, {HELD_OUT} each in val and test: {}", out.display());
        Ok(())
    }
}

/// The pairs that the grammar makes are all different, so cutting them apart keeps the splits disjoint.
fn write_captions(directory: &Path, pairs: usize, seed: u64) -> anyhow::Result<()> {
    const MOST: usize = CAPACITY - 2 * HELD_OUT;
    if !(1..=MOST).contains(&pairs) {
        bail!(
            "--pairs {pairs}: expected 1 to {MOST}; the grammar can surely make {CAPACITY}, of which val and test get \
             {HELD_OUT} each"
        );
    }
    let all = generate(pairs + 2 * HELD_OUT, seed).context("--pairs")?;
    fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    let (held_out, train) = all.split_at(2 * HELD_OUT);
    for (split, pairs) in [("test", &held_out[..HELD_OUT]), ("val", &held_out[HELD_OUT..]), ("train", train)] {
        let file = |side: fn(&Pair) -> &str| pairs.iter().map(|p| side(p).to_string() + "\n").collect::<String>();
        write_atomically(&directory.join(format!("{split}.de")), file(|p| &p.german).as_bytes())?;
        write_atomically(&directory.join(format!("{split}.en")), file(|p| &p.english).as_bytes())?;
    }
    Ok(())
}

/// The folder of the quick start's corpus, which is generated at its first use.
pub fn bundled_captions() -> anyhow::Result<PathBuf> {
    let (pairs, seed) = QUICK_START;
    // The version in the name: another wgrad may have another grammar.
    let name = format!("captions-{}-{pairs}-{seed}", env!("CARGO_PKG_VERSION"));
    let directory = cache().join("wgrad").join(name);
    let is_there = |split: &str| ["de", "en"].iter().all(|side| directory.join(format!("{split}.{side}")).is_file());
    let is_complete = || ["train", "val", "test"].into_iter().all(is_there);
    if !is_complete() {
        // Another program may be writing the same bytes, each file at once. A system that does not let a file be
        // replaced while it is read refuses.
        let written = write_captions(&directory, pairs, seed);
        if !is_complete() {
            written.with_context(|| {
                let variable = if cfg!(windows) { "LOCALAPPDATA" } else { "XDG_CACHE_HOME" };
                format!(
                    "the corpus that comes with wgrad is kept in {}: set {variable} to an absolute path where you may \
                     write, or train on text of your own with --data DIR",
                    directory.display()
                )
            })?;
        }
    }
    Ok(directory)
}

/// Where this system keeps what can be made again.
fn cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let home = || {
        std::env::home_dir().map(|home| home.join(if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" }))
    };
    variable("XDG_CACHE_HOME").or_else(|| variable("LOCALAPPDATA")).or_else(home).unwrap_or_else(std::env::temp_dir)
}
