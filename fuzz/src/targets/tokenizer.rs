//! `tokenizer.json`: what is loaded encodes and decodes.

use std::path::Path;

use arbitrary::Arbitrary;
use wgrad::text::Tokenizer;

use super::{Fuzzed, names};
use crate::mutate::{Edits, JsonEdits};
use crate::seeds::{TEXT, TOKENIZERS};

#[derive(Arbitrary, Debug)]
pub struct Change {
    which: u8,
    structure: JsonEdits,
    text: Option<Edits>,
}

/// Lines that tokenizers meet.
pub const LINES: [&str; 9] = [
    "",
    " ",
    "Ein Mann, der 'alt' ist, sitzt.",
    "<eos> <pad> \u{2581}\u{2581} a\u{2581}b",
    "e\u{301}\u{327}\u{fb01} \u{1f469}\u{200d}\u{1f680} \u{130}STANBUL STRASSE",
    "\u{6f22}\u{5b57}\u{304b}\u{306a} \u{5e9}\u{5c1} \u{e01}\u{e33}",
    "a\u{a0}b\u{2028}c\td\u{0}e\u{200b}\u{ad}",
    "1.000,5 --- ((([[[{{{ !!!???",
    "\u{10ffff}\u{fffd}\u{feff}",
];

impl Fuzzed for Change {
    fn case(&self) -> Vec<u8> {
        let json = self.structure.apply(&TOKENIZERS[usize::from(self.which) % TOKENIZERS.len()]);
        self.text.as_ref().map_or(json.clone().into_bytes(), |edits| edits.apply(json.into_bytes()))
    }

    fn judge(case: &[u8]) -> bool {
        let folder = super::scratch();
        let path = folder.join("tokenizer.de.json");
        std::fs::write(&path, case).expect("a temporary file");
        let tokenizer = match Tokenizer::load(&path) {
            Ok(tokenizer) => tokenizer,
            Err(error) => {
                names(error, "tokenizer.de.json");
                return false;
            }
        };
        let size = tokenizer.vocabulary_size();
        let again = Tokenizer::from_json(tokenizer.to_json().as_bytes(), Path::new("again.json"))
            .expect("what was loaded once");
        let lines: Vec<String> =
            LINES.iter().map(|line| line.to_string()).chain(TEXT.source.iter().take(4).cloned()).collect();
        let all = tokenizer.encode_all(&lines);
        for (line, ids) in lines.iter().zip(all) {
            assert_eq!(tokenizer.encode(line), ids, "alone and among others: {line:?}");
            assert_eq!(again.encode(line), ids, "saved and read again: {line:?}");
            assert!(ids.iter().all(|&id| (id as usize) < size), "an id of {ids:?} is not below {size}");
            assert!(ids.iter().all(|id| ![1, 2, 3].contains(id)), "text became a special token: {line:?} {ids:?}");
            let _ = tokenizer.decode(&ids);
        }
        let _ = tokenizer.decode(&[0, 1, 2, 3, 4, size as u32, u32::MAX]);
        true
    }
}
