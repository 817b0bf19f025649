//! `wgrad data`

use std::fs;
use std::path::PathBuf;

use crate::text::captions::CAPACITY;
use crate::train::bundled::{BundledError, HELD_OUT, QUICK_START, write_captions};
use anyhow::{anyhow, bail};
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

impl Data {
    pub fn run(self) -> anyhow::Result<()> {
        let Set::Captions(Captions { pairs, seed, out }) = self.set;
        if out.exists() && fs::read_dir(&out).is_ok_and(|mut entries| entries.next().is_some()) {
            bail!(
                "--out {}: the folder is not empty; nothing was written. Name another folder, or empty this one",
                out.display()
            );
        }
        write_captions(&out, pairs, seed).map_err(|error| match error {
            BundledError::Pairs { most, .. } => anyhow!(
                "--pairs {pairs}: expected 1 to {most}; the grammar can surely make {CAPACITY}, of which val and test \
                 get {HELD_OUT} each"
            ),
            error => error.into(),
        })?;
        println!("{pairs} pairs in train, {HELD_OUT} each in val and test: {}", out.display());
        Ok(())
    }
}
