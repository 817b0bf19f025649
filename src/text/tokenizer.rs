//! Tokenizers: text to token ids and back, one for each language, learned from the training text.
//!
//! `word` and `bpe` cut a line the same way. Runs of white space become one space, a space becomes the mark `▁` of the
//! word that follows it (Kudo and Richardson 2018, "SentencePiece"), and every punctuation character stands alone: `Er
//! ruft: "Halt!"` becomes `▁Er ▁ruft : ▁ " Halt ! "`. The marks make decoding exact: joining the tokens and turning `▁`
//! into spaces restores the text; a `▁` of the text itself is written otherwise (`tokenizer/form.rs`). A word-level
//! vocabulary holds these pieces themselves; byte-pair encoding (Sennrich et al. 2016) builds them from characters by
//! merging the most frequent pairs.
//!
//! The work is done by the `tokenizers` library, and a saved tokenizer is a plain `tokenizer.json` that it reads. wgrad
//! itself reads no other than its own ([`file`]): the library panics, aborts or never ends on some files that it takes.

use serde::{Deserialize, Serialize};
use tokenizers::pre_tokenizers::metaspace::Metaspace;
use tokenizers::{Decoder, NormalizedString, Normalizer};

pub use file::MOST_TOKENS;
pub use training::{LONGEST_WORD, Learning, TokenizerSettings};

use form::Form;

mod file;
mod form;
mod training;

/// Stands for a word or character outside the vocabulary.
pub const UNK: u32 = 0;
/// Fills a sentence up to the length of its batch.
pub const PAD: u32 = 1;
/// Starts a sentence: the decoder's first input.
pub const SOS: u32 = 2;
/// Ends a sentence: the decoder's last output.
pub const EOS: u32 = 3;

/// The special tokens; the place of each is its id.
const SPECIAL_TOKENS: [&str; 4] = ["<unk>", "<pad>", "<sos>", "<eos>"];

/// What the tokens of a vocabulary are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenizerKind {
    /// Whole words and punctuation characters; any other word is `<unk>`.
    Word,
    /// The matches of the regular expression `\b\w+\b`, where `\w` is Unicode's (UTS #18, annex C): letters, marks,
    /// digits and underscores. Punctuation is lost, and a line may have no token at all. Not for use, but for
    /// comparison with published experiments.
    WordsOnly,
    /// Byte-pair encoding: words are put together from subwords, only unknown characters are `<unk>`.
    Bpe,
}

/// Turns lines of one language into token ids and back.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    library: tokenizers::Tokenizer,
    form: Form,
}

impl Tokenizer {
    /// The token ids of a line, without `<sos>` and `<eos>`. A blank line has none.
    pub fn encode(&self, line: &str) -> Vec<u32> {
        library(self.library.encode_fast(line, false)).get_ids().to_vec()
    }

    /// [`encode`](Self::encode) for many lines, on all cores.
    pub fn encode_all(&self, lines: &[String]) -> Vec<Vec<u32>> {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let encodings = library(self.library.encode_batch_fast(lines, false));
        encodings.iter().map(|encoding| encoding.get_ids().to_vec()).collect()
    }

    /// A line as [`decode`](Self::decode) gives it back where no word is unknown: in NFC, with one space between words,
    /// for some tokenizers in lower case or without punctuation.
    pub fn normalize(&self, line: &str) -> String {
        let mut line = NormalizedString::from(line);
        library(self.library.get_normalizer().map_or(Ok(()), |normalizer| normalizer.normalize(&mut line)));
        self.form.unescape(line.get().to_owned())
    }

    /// The text of token ids. `<pad>`, `<sos>` and `<eos>` are left out; [`UNK`] and ids outside the vocabulary appear
    /// as `<unk>`.
    pub fn decode(&self, ids: &[u32]) -> String {
        // An unknown word of a word-level vocabulary most likely had a space before it. In BPE the space is a known
        // character of its own.
        let unknown = if self.form.kind == TokenizerKind::Bpe { "<unk>" } else { "▁<unk>" };
        let tokens = ids.iter().filter(|&id| ![PAD, SOS, EOS].contains(id));
        let tokens = tokens.map(|&id| match self.library.id_to_token(id) {
            Some(token) if id != UNK => token,
            _ => unknown.to_owned(),
        });
        self.form.unescape(library(Metaspace::default().decode(tokens.collect())))
    }

    /// Number of tokens, the special ones included: every id is smaller.
    pub fn vocabulary_size(&self) -> usize {
        self.library.get_vocab_size(false)
    }

    /// The tokenizer in the format of the `tokenizers` library.
    pub fn to_json(&self) -> String {
        library(self.library.to_string(true))
    }
}

/// Unwraps a result of the library. Its functions can fail for settings that this module never uses (files, caches,
/// models without `<unk>`), and no file brings in: a tokenizer is put together in [`form`] alone.
fn library<T>(result: tokenizers::Result<T>) -> T {
    result.expect("a tokenizer of this module neither reads files nor lacks <unk>")
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use super::*;
    use crate::text::random::SplitMix64;

    pub(super) const TEXT: [&str; 6] = [
        "A man, who is 'old', sits.",
        "A man sits (alone) on a T-shirt.",
        "The old man -- an \"elder\" -- pays $1,000.50!",
        "Männer größer als Häuser: zwei; drei?",
        "A girl sits on the old man's shoulders.",
        "naïve café",
    ];

    pub(super) const KINDS: [TokenizerKind; 3] = [TokenizerKind::Word, TokenizerKind::WordsOnly, TokenizerKind::Bpe];

    pub(super) fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|&line| line.to_owned()).collect()
    }

    pub(super) fn settings(kind: TokenizerKind) -> TokenizerSettings {
        TokenizerSettings { kind, vocabulary: 120, min_frequency: 1, lowercase: false }
    }

    fn both() -> [Tokenizer; 2] {
        [TokenizerKind::Word, TokenizerKind::Bpe].map(trained)
    }

    pub(super) fn trained(kind: TokenizerKind) -> Tokenizer {
        Tokenizer::train(&lines(&TEXT), &settings(kind), &mut ()).unwrap()
    }

    fn tokens(tokenizer: &Tokenizer, line: &str) -> Vec<String> {
        tokenizer.encode(line).into_iter().map(|id| tokenizer.library.id_to_token(id).unwrap()).collect()
    }

    #[test]
    fn text_survives_encoding() {
        for tokenizer in both() {
            for line in TEXT {
                assert_eq!(tokenizer.decode(&tokenizer.encode(line)), line);
            }
            let spaced = " A\tman,\u{a0} who   is 'old',  sits. \n";
            assert_eq!(tokenizer.decode(&tokenizer.encode(spaced)), TEXT[0]);
            // The same character written as a letter and a combining diaeresis.
            assert_eq!(tokenizer.encode("Ma\u{308}nner"), tokenizer.encode("Männer"));
            assert!(tokenizer.encode("").is_empty() && tokenizer.encode(" \t").is_empty());
            assert_eq!(tokenizer.encode_all(&lines(&TEXT))[3], tokenizer.encode(TEXT[3]));
        }
    }

    #[test]
    fn words_and_punctuation_are_tokens() {
        let [word, bpe] = both();
        assert_eq!(tokens(&word, "A man, who is 'old'"), ["▁A", "▁man", ",", "▁who", "▁is", "▁", "'", "old", "'"]);
        // Frequent words are one subword, a word never seen is put together, and a word ends at its punctuation.
        assert_eq!(tokens(&bpe, "man, sits")[..2], ["▁man", ","]);
        assert!(tokens(&bpe, "hold").len() > 1 && bpe.decode(&bpe.encode("hold")) == "hold");
    }

    #[test]
    fn unknown_text_is_shown() {
        let [word, bpe] = both();
        assert_eq!(word.encode("girl xylophone sits")[1], UNK);
        assert_eq!(word.decode(&word.encode("A xylophone sits.")), "A <unk> sits.");
        assert_eq!(bpe.decode(&bpe.encode("A m漢n 漢.")), "A m<unk>n <unk>.");
        assert_eq!(word.decode(&[SOS, word.encode("man")[0], EOS, PAD, 9999]), "man <unk>");
    }

    /// A line that spells a special token must not encode as that token.
    #[test]
    fn special_tokens_in_text_are_text() {
        for tokenizer in KINDS.map(trained) {
            let ids = tokenizer.encode("A <eos> <pad> man");
            assert!(ids.len() >= 4 && ![PAD, SOS, EOS].iter().any(|special| ids.contains(special)), "{ids:?}");
        }
    }

    #[test]
    fn the_plain_library_reads_a_saved_tokenizer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokenizer.json");
        for tokenizer in KINDS.map(trained) {
            fs::write(&path, tokenizer.to_json()).unwrap();
            let plain = tokenizers::Tokenizer::from_file(&path).unwrap();
            let loaded = Tokenizer::load(&path).unwrap();
            assert_eq!(loaded.to_json(), tokenizer.to_json());
            for line in TEXT.into_iter().chain(["an unseen 漢 xylophone"]) {
                let ids = tokenizer.encode(line);
                assert_eq!(plain.encode(line, false).unwrap().get_ids(), ids);
                assert_eq!(loaded.encode(line), ids);
            }
        }
    }

    /// Characters that a tokenizer treats in its own way, and such that others do.
    const ODD: &str = "aB.,'\"<>&_-/\u{2581}\u{2582}\u{2583}\u{2584}\u{a0}\u{ad}\u{200b}\u{200d}\u{feff}\
        \u{308}\u{301}\u{323}\u{1f600}\u{1f1e9}\u{fe0f}\
        \u{0}\u{1}\u{7f}\u{1c}\u{9b}\u{85}\t \u{3000}\u{2028}\u{e000}\u{fdd0}\u{10ffff}\u{df}\u{130}\u{3a3}\u{fb01}\
        \u{1100}\u{1161}\u{11a8}\u{2126}\u{5d0}\u{202e}ก漢";

    /// What comes back is the text in the form that the tokenizer writes, and nothing is lost on the way there but
    /// white space's kind, and case.
    #[test]
    fn odd_text_comes_back() {
        let odd: Vec<char> = ODD.chars().collect();
        let mut random = SplitMix64::new(1);
        let mut text: Vec<String> = lines(&[
            "\u{2581}",
            "\u{2582}",
            "\u{2582}\u{2583}",
            "\u{2582}\u{2584}",
            "\u{2581}a \u{2581} b\u{2581}",
            "a\u{308}\u{2581}\u{308}",
        ]);
        for length in 1..400 {
            text.push((0..length % 24).map(|_| *random.pick(&odd).unwrap()).collect());
        }
        for kind in [TokenizerKind::Word, TokenizerKind::Bpe] {
            for lowercase in [false, true] {
                let settings = TokenizerSettings { kind, lowercase, vocabulary: 5000, min_frequency: 1 };
                let tokenizer = Tokenizer::train(&text, &settings, &mut ()).unwrap();
                let plain: tokenizers::Tokenizer = tokenizer.to_json().parse().unwrap();
                for line in &text {
                    let ids = tokenizer.encode(line);
                    assert!(!ids.contains(&UNK), "{line:?}");
                    let back = tokenizer.decode(&ids);
                    assert_eq!(back, tokenizer.normalize(line), "{line:?}");
                    assert_eq!(plain.decode(&ids, true).unwrap(), back, "{line:?}");
                    // Lower case may take another order of marks.
                    assert!(lowercase || tokenizer.encode(&back) == ids, "{line:?}");
                    let spaced: String = back.split_whitespace().collect();
                    let marks = |line: &str| {
                        line.chars().filter(|character| ('\u{2581}'..='\u{2584}').contains(character)).count()
                    };
                    assert_eq!(marks(&spaced), marks(line), "{line:?}");
                }
            }
        }
        let bpe = trained(TokenizerKind::Bpe);
        for line in ["\u{2581}", "a\u{2581}b", "\u{2582}\u{2583} \u{2581}"] {
            assert_eq!(bpe.normalize(line), line);
        }
    }
}
