//! A German-English corpus of image captions, made by a small grammar.
//!
//! The captions are written by no one: tables of words and scenes (`lexicon`) say who does
//! what where, the inflection of both languages (`german`, `noun`, `clause`) puts it into words,
//! and the kinds of sentences (`sentences`) join scenes into captions. A German sentence has
//! exactly one English translation, so that a trained model can be judged by comparison.

mod author;
mod clause;
mod german;
mod lexicon;
mod noun;
mod sentences;
#[cfg(test)]
mod tests;
mod text;

use std::collections::HashSet;
use std::fmt;

use author::Author;

use crate::text::random::SplitMix64;

/// How many different pairs the grammar can surely make, whatever the seed.
pub const CAPACITY: usize = 500_000;

/// One German caption and its English translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub german: String,
    pub english: String,
}

/// More pairs were asked for than the grammar can surely make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// How many pairs were asked for.
    pub count: usize,
}

impl fmt::Display for TooMany {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.count;
        write!(formatter, "{count} caption pairs were asked for, but the grammar can surely make only {CAPACITY}",)
    }
}

impl std::error::Error for TooMany {}

/// Makes `count` different pairs: no two share the German side or the English side.
///
/// The pairs depend on nothing but `seed`, on every platform. They come one after the other: a
/// smaller corpus from the same seed is the beginning of a larger one.
pub fn generate(count: usize, seed: u64) -> Result<Vec<Pair>, TooMany> {
    if count > CAPACITY {
        return Err(TooMany { count });
    }
    let mut random = SplitMix64::new(seed);
    let mut author = Author { random: &mut random };
    let mut german_seen = HashSet::new();
    let mut english_seen = HashSet::new();
    let mut pairs = Vec::with_capacity(count);
    while pairs.len() < count {
        let Some(pair) = draw(&mut author) else {
            continue;
        };
        if german_seen.contains(&pair.german) || english_seen.contains(&pair.english) {
            continue;
        }
        german_seen.insert(pair.german.clone());
        english_seen.insert(pair.english.clone());
        pairs.push(pair);
    }
    Ok(pairs)
}

/// One pair, which may have come before.
fn draw(author: &mut Author) -> Option<Pair> {
    let caption = sentences::draw(author)?;
    let german = text::sentence(&caption.german);
    let english = text::sentence(&caption.english);
    Some(Pair { german, english })
}
