//! What a tokenizer does besides looking words up: the form that it gives a line, where it cuts, and the way back.
//!
//! A space becomes `▁` (U+2581), so a `▁` of the text must become something else, or it would come back as a space. It
//! becomes `▂▃`, and since the text may say that too, `▂` becomes `▂▄`. After that every `▂` is followed by one of the
//! two, which is why the way back is exact. These are steps of the library's normalizer and decoder, written into the
//! file; a file from before them has none, and goes on as it did.

use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{self, Lowercase, NFC, NormalizerWrapper, Replace, Strip};
use tokenizers::pre_tokenizers::metaspace::Metaspace;
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::{self, PreTokenizerWrapper};
use tokenizers::{AddedToken, ModelWrapper, decoders};

use super::{SPECIAL_TOKENS, Tokenizer, TokenizerKind, library};

/// Characters of the text and what stands for them, in the order in which they are put in place; the way back goes from
/// the last to the first.
const ESCAPES: [(&str, &str); 2] = [("▂", "▂▄"), ("▁", "▂▃")];

/// All of a tokenizer but its vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub kind: TokenizerKind,
    pub lowercase: bool,
    /// Whether `▁` comes back as it was. `words-only` drops it, as all that is no word.
    pub escapes: bool,
}

impl Form {
    /// Of a tokenizer that is yet to learn its vocabulary.
    pub fn new(kind: TokenizerKind, lowercase: bool) -> Self {
        Self { kind, lowercase, escapes: kind != TokenizerKind::WordsOnly }
    }

    /// A tokenizer of this form that looks words up in `model`, where the special tokens have their ids.
    pub fn with(self, model: ModelWrapper) -> Tokenizer {
        let mut library = tokenizers::Tokenizer::new(model);
        library
            .with_normalizer(Some(self.normalizer()))
            .with_pre_tokenizer(Some(self.pre_tokenizer()))
            .with_decoder(Some(self.decoder()));
        library.add_special_tokens(&SPECIAL_TOKENS.map(|token| AddedToken::from(token, true)));
        // A line of text that says "<eos>" is text: it must not end the sentence.
        library.set_encode_special_tokens(true);
        Tokenizer { library, form: self }
    }

    /// One form for each character (NFC), one space between words, none around the line. For `words-only`, all that is
    /// no word is space.
    pub fn normalizer(self) -> NormalizerWrapper {
        let space = if self.kind == TokenizerKind::WordsOnly { r"\W+" } else { r"\s+" };
        let white_space = library(Replace::new(ReplacePattern::Regex(space.to_owned()), " "));
        let mut steps: Vec<NormalizerWrapper> = vec![NFC.into(), white_space.into(), Strip::new(true, true).into()];
        if self.lowercase {
            steps.push(Lowercase.into());
        }
        if self.escapes {
            steps.extend(ESCAPES.map(|(plain, escaped)| library(Replace::new(plain, escaped)).into()));
        }
        normalizers::Sequence::new(steps).into()
    }

    /// Cuts before each space, which becomes `▁`, and around each punctuation character, of which `words-only` has left
    /// the underscore.
    pub fn pre_tokenizer(self) -> PreTokenizerWrapper {
        if self.kind == TokenizerKind::WordsOnly {
            return Metaspace::default().into();
        }
        pre_tokenizers::sequence::Sequence::new(vec![Metaspace::default().into(), Punctuation::default().into()]).into()
    }

    /// What [`Tokenizer::decode`] does, for the library alone.
    pub fn decoder(self) -> DecoderWrapper {
        if !self.escapes {
            return Metaspace::default().into();
        }
        // A subword may end within an escape.
        let mut steps: Vec<DecoderWrapper> = vec![Metaspace::default().into(), Fuse::new().into()];
        steps.extend(ESCAPES.iter().rev().map(|&(plain, escaped)| library(Replace::new(escaped, plain)).into()));
        decoders::sequence::Sequence::new(steps).into()
    }

    /// Puts back what the normalizer escaped.
    pub fn unescape(self, mut text: String) -> String {
        if self.escapes && text.contains(ESCAPES[0].0) {
            for (plain, escaped) in ESCAPES.iter().rev() {
                text = text.replace(escaped, plain);
            }
        }
        text
    }
}
