//! Corpora: every line end and encoding, and tokenizers that learn from what was read.

use std::fs;

use arbitrary::Arbitrary;
use wgrad::text::{ParallelText, Tokenizer, TokenizerKind, TokenizerSettings, UNK, read_pairs};

use super::{Fuzzed, names};
use crate::mutate::Edits;
use crate::parts;
use crate::seeds::TEXT;

#[derive(Arbitrary, Debug)]
enum LineEnd {
    Unix,
    Windows,
    Mac,
    Unicode,
}

#[derive(Arbitrary, Debug)]
enum Encoding {
    Utf8,
    Utf8Marked,
    Latin1,
    Utf16,
}

#[derive(Arbitrary, Debug)]
struct Side {
    line_end: LineEnd,
    encoding: Encoding,
    usual: bool,
    ended: bool,
    edits: Edits,
    edited: bool,
}

impl Side {
    fn file(&self, lines: &[String]) -> Vec<u8> {
        let line_end = match self.line_end {
            _ if self.usual => "\n",
            LineEnd::Unix => "\n",
            LineEnd::Windows => "\r\n",
            LineEnd::Mac => "\r",
            LineEnd::Unicode => "\u{2028}",
        };
        let text = lines.join(line_end) + if self.ended { line_end } else { "" };
        let bytes = match self.encoding {
            _ if self.usual => text.into_bytes(),
            Encoding::Utf8 => text.into_bytes(),
            Encoding::Utf8Marked => ["\u{feff}".as_bytes(), text.as_bytes()].concat(),
            Encoding::Latin1 => text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
            Encoding::Utf16 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        };
        if self.edited { self.edits.apply(bytes) } else { bytes }
    }
}

#[derive(Arbitrary, Debug)]
pub struct Change {
    lines: u8,
    source: Side,
    target: Side,
    kind: u8,
    vocabulary: u8,
    min_frequency: u8,
}

impl Fuzzed for Change {
    fn case(&self) -> Vec<u8> {
        let lines = 1 + usize::from(self.lines) % TEXT.source.len();
        let [source, target] =
            [(&self.source, &TEXT.source), (&self.target, &TEXT.target)].map(|(side, text)| side.file(&text[..lines]));
        let settings = [self.kind, self.vocabulary, self.min_frequency];
        parts::join(&[("train.de", &source), ("train.en", &target), ("settings", &settings)])
    }

    fn judge(case: &[u8]) -> bool {
        let parts = parts::split(case);
        let folder = super::scratch();
        for (name, bytes) in &parts[..2] {
            fs::write(folder.join(name), bytes).expect("a temporary file");
        }
        let text = match read_pairs(folder, "train", "de", "en") {
            Ok(text) => text,
            Err(error) => {
                names(error, "train.");
                return false;
            }
        };
        assert_eq!(text.source.len(), text.target.len());
        for ((name, bytes), lines) in parts.iter().zip([&text.source, &text.target]) {
            let written = std::str::from_utf8(bytes).unwrap_or_else(|_| panic!("{name} was read, and is no UTF-8"));
            let written = written.strip_prefix('\u{feff}').unwrap_or(written);
            let without_ends = |text: &str| text.replace(['\r', '\n'], "");
            assert!(without_ends(written) == without_ends(&lines.concat()), "{name} lost or gained text");
        }
        let (ParallelText { source, target }, left_out) = text.clone().without_blanks();
        assert_eq!(source.len() + left_out, text.source.len());
        let settings = &parts[2].1;
        let settings = TokenizerSettings {
            kind: [TokenizerKind::Word, TokenizerKind::WordsOnly, TokenizerKind::Bpe][usize::from(settings[0] % 3)],
            lowercase: settings[0] >= 128,
            vocabulary: 5 + 2 * usize::from(settings[1]),
            min_frequency: 1 + u32::from(settings[2] % 3),
        };
        for lines in [&source, &target] {
            learns(lines, &settings);
        }
        !source.is_empty()
    }
}

/// A tokenizer that learns from these lines can say again what it knows.
fn learns(lines: &[String], settings: &TokenizerSettings) {
    let tokenizer = match Tokenizer::train(lines, settings, &mut ()) {
        Ok(tokenizer) => tokenizer,
        Err(error) => return names(error, "data."),
    };
    let size = tokenizer.vocabulary_size();
    assert!(size <= settings.vocabulary, "{size} tokens");
    for (line, ids) in lines.iter().zip(tokenizer.encode_all(lines)) {
        assert!(ids.iter().all(|&id| (id as usize) < size), "an id of {ids:?} is not below {size}");
        if !ids.contains(&UNK) {
            let said = tokenizer.decode(&ids);
            let again = tokenizer.decode(&tokenizer.encode(&said));
            assert!(again == said, "{said:?} becomes {again:?}; the line is {line:?}");
        }
    }
}
