//! Fingerprints of the text and the tokenizers that a run began with: resumed with others, it would quietly train
//! another model.

use std::collections::BTreeMap;

use crate::hash::fnv;
use crate::text::{ParallelText, Tokenizer};

use super::config::DataConfig;

/// Of a tokenizer.
pub fn tokenizer_fingerprint(tokenizer: &Tokenizer) -> u64 {
    fnv(0, tokenizer.to_json().as_bytes())
}

/// Hashes by file name, e.g. `train.de` and `tokenizer.en.json`.
pub type Fingerprints = BTreeMap<String, u64>;

/// Of the text and the tokenizers.
pub fn fingerprints(data: &DataConfig, splits: [&ParallelText; 2], tokenizers: [&Tokenizer; 2]) -> Fingerprints {
    let mut all = text_fingerprints(data, splits);
    for (language, tokenizer) in [&data.source, &data.target].into_iter().zip(tokenizers) {
        all.insert(format!("tokenizer.{language}.json"), tokenizer_fingerprint(tokenizer));
    }
    all
}

/// Of the sentences as training reads them, so that another line ending or a pair with a blank side, which nobody
/// trains on, changes nothing.
pub fn text_fingerprints(data: &DataConfig, splits: [&ParallelText; 2]) -> Fingerprints {
    let lines = |text: &[String]| text.iter().fold(fnv(0, &[]), |hash, line| fnv(fnv(hash, line.as_bytes()), b"\n"));
    let mut all = Fingerprints::new();
    for (split, text) in ["train", "val"].into_iter().zip(splits) {
        all.insert(format!("{split}.{}", data.source), lines(&text.source));
        all.insert(format!("{split}.{}", data.target), lines(&text.target));
    }
    all
}
