//! Tokenizers: text to token ids and back, one for each language, learned from the training text.
//!
//! `word` and `bpe` cut a line the same way. Runs of white space become one space, a space becomes the mark `▁` of the word
//! that follows it (Kudo and Richardson 2018, "SentencePiece"), and every punctuation character stands alone:
//! `Er ruft: "Halt!"` becomes `▁Er ▁ruft : ▁ " Halt ! "`. The marks make decoding exact: joining the tokens and turning
//! `▁` into spaces restores the text. A word-level vocabulary holds these pieces themselves; byte-pair encoding
//! (Sennrich et al. 2016) builds them from characters by merging the most frequent pairs.
//!
//! The work is done by the `tokenizers` library, and a saved tokenizer is a plain `tokenizer.json` that it reads.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokenizers::decoders::DecoderWrapper;
use tokenizers::pre_tokenizers::metaspace::Metaspace;
use tokenizers::{Decoder, ModelWrapper, NormalizedString, Normalizer};

use crate::text::TextError;
pub use training::TokenizerSettings;

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
    /// The matches of the regular expression `\b\w+\b`, where `\w` is Unicode's (UTS #18, annex C): letters, marks, digits and underscores.
    /// Punctuation is lost, and a line may have no token at all. Not for use, but for comparison with published experiments.
    WordsOnly,
    /// Byte-pair encoding: words are put together from subwords, only unknown characters are `<unk>`.
    Bpe,
}

/// Turns lines of one language into token ids and back.
#[derive(Clone, Debug)]
pub struct Tokenizer(tokenizers::Tokenizer);

impl Tokenizer {
    fn new(mut tokenizer: tokenizers::Tokenizer) -> Self {
        // A line of text that says "<eos>" is text: it must not end the sentence.
        tokenizer.set_encode_special_tokens(true);
        Self(tokenizer)
    }

    /// Reads a file that holds what [`to_json`](Self::to_json) gave.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not such a tokenizer.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, TextError> {
        let path = path.as_ref();
        let json = fs::read_to_string(path).map_err(|error| TextError::Read { path: path.into(), error })?;
        Self::from_json(&json, path)
    }

    /// The tokenizer in the format of the `tokenizers` library.
    pub fn to_json(&self) -> String {
        library(self.0.to_string(true))
    }

    /// The tokenizer that [`to_json`](Self::to_json) described. `origin` is the file to name in errors.
    ///
    /// # Errors
    ///
    /// `json` is damaged, or describes a tokenizer whose special tokens or decoder are not those of this module.
    pub fn from_json(json: &str, origin: &Path) -> Result<Self, TextError> {
        let error = |reason| TextError::TokenizerFile { path: origin.into(), reason };
        let tokenizer: tokenizers::Tokenizer =
            json.parse().map_err(|parse: tokenizers::Error| error(parse.to_string()))?;
        let tokenizer = Self::new(tokenizer);
        tokenizer.check().map_err(error)?;
        Ok(tokenizer)
    }

    /// Whether [`encode`](Self::encode) and [`decode`](Self::decode) can rely on this tokenizer.
    fn check(&self) -> Result<(), String> {
        for (id, token) in SPECIAL_TOKENS.iter().enumerate() {
            let found = self.0.token_to_id(token);
            if found != Some(id as u32) {
                let found = found.map_or("missing".to_owned(), |found| format!("token {found}"));
                return Err(format!("{token} must be token {id} but is {found}"));
            }
        }
        let largest = self.0.get_vocab(true).into_values().max().unwrap_or(0) as usize;
        if largest >= self.vocabulary_size() {
            return Err(format!(
                "token ids must count up from 0, but {} tokens reach {largest}",
                self.vocabulary_size()
            ));
        }
        if !matches!(self.0.get_decoder(), Some(DecoderWrapper::Metaspace(_))) {
            return Err("its decoder must be Metaspace".to_owned());
        }
        // A noncharacter of Unicode, which no text holds, and a word of three scripts, for `words-only` drops what is no letter, find out whether
        // the model knows what is unknown.
        match self.0.encode_fast("\u{10ffff} \u{12031}\u{1f04}\u{16a0}", false) {
            Ok(encoding) if encoding.get_ids().contains(&UNK) => Ok(()),
            Ok(_) => Err("its model must encode unknown text as <unk>".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The token ids of a line, without `<sos>` and `<eos>`. A blank line has none.
    pub fn encode(&self, line: &str) -> Vec<u32> {
        library(self.0.encode_fast(line, false)).get_ids().to_vec()
    }

    /// [`encode`](Self::encode) for many lines, on all cores.
    pub fn encode_all(&self, lines: &[String]) -> Vec<Vec<u32>> {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let encodings = library(self.0.encode_batch_fast(lines, false));
        encodings.iter().map(|encoding| encoding.get_ids().to_vec()).collect()
    }

    /// A line as [`decode`](Self::decode) gives it back where no word is unknown: in NFC, with one space between words, for some tokenizers in lower case
    /// or without punctuation.
    pub fn normalize(&self, line: &str) -> String {
        let mut line = NormalizedString::from(line);
        library(self.0.get_normalizer().map_or(Ok(()), |normalizer| normalizer.normalize(&mut line)));
        line.get().to_owned()
    }

    /// The text of token ids. `<pad>`, `<sos>` and `<eos>` are left out; [`UNK`] and ids outside the vocabulary appear
    /// as `<unk>`.
    pub fn decode(&self, ids: &[u32]) -> String {
        // An unknown word of a word-level vocabulary most likely had a space before it. In BPE the space is a known
        // character of its own.
        let unknown = match self.0.get_model() {
            ModelWrapper::WordLevel(_) => "▁<unk>",
            _ => "<unk>",
        };
        let tokens = ids.iter().filter(|&id| ![PAD, SOS, EOS].contains(id));
        let tokens = tokens.map(|&id| match self.0.id_to_token(id) {
            Some(token) if id != UNK => token,
            _ => unknown.to_owned(),
        });
        library(Metaspace::default().decode(tokens.collect()))
    }

    /// Number of tokens, the special ones included: every id is smaller.
    pub fn vocabulary_size(&self) -> usize {
        self.0.get_vocab_size(true)
    }
}

/// Unwraps a result of the library. Its functions can fail for settings that this module never uses (files, caches,
/// models without `<unk>`); [`Tokenizer::check`] covers what a file can bring in.
fn library<T>(result: tokenizers::Result<T>) -> T {
    result.expect("a tokenizer of this module neither reads files nor lacks <unk>")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

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

    fn trained(kind: TokenizerKind) -> Tokenizer {
        Tokenizer::train(&lines(&TEXT), &settings(kind)).unwrap()
    }

    fn tokens(tokenizer: &Tokenizer, line: &str) -> Vec<String> {
        tokenizer.encode(line).into_iter().map(|id| tokenizer.0.id_to_token(id).unwrap()).collect()
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

    #[test]
    fn foreign_and_damaged_files_are_refused() {
        let reason = |json: &str| Tokenizer::from_json(json, Path::new("run/de.json")).unwrap_err().to_string();
        for tokenizer in KINDS.map(trained) {
            let json = tokenizer.to_json();
            let truncated = reason(&json[..json.len() / 2]);
            assert!(truncated.contains("run/de.json is not a tokenizer") && truncated.contains("line"), "{truncated}");
            let renamed = reason(&json.replace("<sos>", "<bos>"));
            assert!(renamed.contains("<sos> must be token 2 but is missing"), "{renamed}");
            let no_unknown = reason(&json.replace(r#""unk_token": "<unk>""#, r#""unk_token": "[UNK]""#));
            assert!(no_unknown.contains("run/de.json is not a tokenizer"), "{no_unknown}");
        }
    }
}
