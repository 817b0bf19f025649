//! The corpus that comes with wgrad: German and English image captions of its own grammar, made at their first use.

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::text::captions::{CAPACITY, Pair, generate};

use super::files::{FileError, write_atomically};

/// Pairs and seed of the corpus that training takes when no text is named.
pub const QUICK_START: (usize, u64) = (20_000, 1);

/// Pairs of val, and of test.
pub const HELD_OUT: usize = 500;

/// Why the corpus is not there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BundledError {
    #[error(
        "{pairs} pairs: expected 1 to {most}; the grammar can surely make {CAPACITY}, of which val and test get \
         {HELD_OUT} each"
    )]
    Pairs { pairs: usize, most: usize },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "the corpus that comes with wgrad is kept in {}, which cannot be written ({error}): set {variable} to an \
         absolute path where you may write, or train on text of your own",
        directory.display()
    )]
    Cache { directory: PathBuf, variable: &'static str, error: Box<BundledError> },
}

/// Writes `pairs` pairs of train, and [`HELD_OUT`] each of val and test. The pairs that the grammar makes are all
/// different, so cutting them apart keeps the splits disjoint. The same seed writes the same files.
///
/// # Errors
/// When the grammar does not make so many, or the folder cannot be written.
pub fn write_captions(directory: &Path, pairs: usize, seed: u64) -> Result<(), BundledError> {
    const MOST: usize = CAPACITY - 2 * HELD_OUT;
    if !(1..=MOST).contains(&pairs) {
        return Err(BundledError::Pairs { pairs, most: MOST });
    }
    let all = generate(pairs + 2 * HELD_OUT, seed).expect("the grammar surely makes so many");
    fs::create_dir_all(directory).map_err(|error| FileError::writing(directory, error))?;
    let (held_out, train) = all.split_at(2 * HELD_OUT);
    for (split, pairs) in [("test", &held_out[..HELD_OUT]), ("val", &held_out[HELD_OUT..]), ("train", train)] {
        let file = |side: fn(&Pair) -> &str| pairs.iter().map(|p| side(p).to_string() + "\n").collect::<String>();
        write_atomically(&directory.join(format!("{split}.de")), file(|p| &p.german).as_bytes())?;
        write_atomically(&directory.join(format!("{split}.en")), file(|p| &p.english).as_bytes())?;
    }
    Ok(())
}

/// The folder of the corpus, which is made at its first use.
///
/// # Errors
/// When it cannot be written.
pub fn captions_directory() -> Result<PathBuf, BundledError> {
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
            let variable = if cfg!(windows) { "LOCALAPPDATA" } else { "XDG_CACHE_HOME" };
            let cache = |error| BundledError::Cache { directory: directory.clone(), variable, error: Box::new(error) };
            written.map_err(cache)?;
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
