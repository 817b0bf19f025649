//! Learning a vocabulary.

use std::collections::HashMap;

use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::wordlevel::{WordLevel, WordLevelTrainer};
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{self, Lowercase, NFC, NormalizerWrapper, Replace, Strip};
use tokenizers::pre_tokenizers::metaspace::Metaspace;
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::{self, PreTokenizerWrapper};
use tokenizers::{
    AddedToken, ModelWrapper, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer,
};

use super::{SPECIAL_TOKENS, Tokenizer, TokenizerKind, UNK, library};
use crate::text::TextError;

/// How [`Tokenizer::train`] builds a vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenizerSettings {
    pub kind: TokenizerKind,
    /// Most tokens the vocabulary may have, the four special ones included.
    pub vocabulary: usize,
    /// Words (for BPE: characters and merges) that occur less often stay out of the vocabulary.
    pub min_frequency: u32,
    /// Whether to learn and encode all text in lower case; decoded text is then in lower case too.
    pub lowercase: bool,
}

impl Tokenizer {
    /// Learns a vocabulary from `lines`. The same lines and settings give the same vocabulary, byte for byte.
    ///
    /// # Errors
    ///
    /// No word reaches `min_frequency`, or `vocabulary` is too small.
    pub fn train(lines: &[String], settings: &TokenizerSettings) -> Result<Self, TextError> {
        let unknown = SPECIAL_TOKENS[UNK as usize].to_owned();
        let model: ModelWrapper = match settings.kind {
            TokenizerKind::Word | TokenizerKind::WordsOnly => {
                library(WordLevel::builder().unk_token(unknown).build()).into()
            }
            TokenizerKind::Bpe => library(BPE::builder().unk_token(unknown).build()).into(),
        };
        let mut tokenizer = tokenizers::Tokenizer::new(model);
        tokenizer
            .with_normalizer(Some(normalizer(settings)))
            .with_pre_tokenizer(Some(pre_tokenizer(settings.kind)))
            .with_decoder(Some(Metaspace::default()));

        let alphabet = match settings.kind {
            TokenizerKind::Word | TokenizerKind::WordsOnly => 0,
            TokenizerKind::Bpe => frequent_characters(lines, settings),
        };
        let needed = SPECIAL_TOKENS.len() + alphabet.max(1);
        if settings.vocabulary < needed {
            return Err(TextError::VocabularyTooSmall { limit: settings.vocabulary, needed });
        }
        let min_frequency = settings.min_frequency.into();
        let special_tokens = SPECIAL_TOKENS.map(|token| AddedToken::from(token, true)).to_vec();
        let mut trainer: TrainerWrapper = match settings.kind {
            TokenizerKind::Word | TokenizerKind::WordsOnly => WordLevelTrainer::builder()
                .vocab_size(settings.vocabulary)
                .min_frequency(min_frequency)
                .special_tokens(special_tokens)
                .show_progress(false)
                .build()
                .expect("every field of the builder has a default")
                .into(),
            TokenizerKind::Bpe => BpeTrainer::builder()
                .vocab_size(settings.vocabulary)
                .min_frequency(min_frequency)
                .limit_alphabet(alphabet)
                .special_tokens(special_tokens)
                .show_progress(false)
                .build()
                .into(),
        };
        library(tokenizer.train(&mut trainer, lines.iter()));
        if tokenizer.get_vocab_size(true) == SPECIAL_TOKENS.len() {
            return Err(TextError::EmptyVocabulary { lines: lines.len(), min_frequency: settings.min_frequency });
        }
        Ok(Self::new(tokenizer))
    }
}

/// One form for each character (NFC), one space between words, none around the line. For `words-only`, all that is no word is space.
fn normalizer(settings: &TokenizerSettings) -> NormalizerWrapper {
    let space = if settings.kind == TokenizerKind::WordsOnly { r"\W+" } else { r"\s+" };
    let white_space = library(Replace::new(ReplacePattern::Regex(space.to_owned()), " "));
    let mut steps: Vec<NormalizerWrapper> = vec![NFC.into(), white_space.into(), Strip::new(true, true).into()];
    if settings.lowercase {
        steps.push(Lowercase.into());
    }
    normalizers::Sequence::new(steps).into()
}

/// Cuts before each space, which becomes `▁`, and around each punctuation character, of which `words-only` has left the underscore.
fn pre_tokenizer(kind: TokenizerKind) -> PreTokenizerWrapper {
    if kind == TokenizerKind::WordsOnly {
        return Metaspace::default().into();
    }
    pre_tokenizers::sequence::Sequence::new(vec![Metaspace::default().into(), Punctuation::default().into()]).into()
}

/// Number of different characters that occur at least `min_frequency` times in the pieces of `lines`.
///
/// As the limit of the trainer's alphabet it keeps exactly these characters. (A limit that cuts among equally frequent
/// characters would leave the choice to the order of a hash map.)
fn frequent_characters(lines: &[String], settings: &TokenizerSettings) -> usize {
    let (normalizer, pre_tokenizer) = (normalizer(settings), pre_tokenizer(settings.kind));
    let mut counts = HashMap::<char, u32>::new();
    for line in lines {
        let mut line = NormalizedString::from(line.as_str());
        library(normalizer.normalize(&mut line));
        let mut pieces = PreTokenizedString::from(line);
        library(pre_tokenizer.pre_tokenize(&mut pieces));
        for (piece, ..) in pieces.get_splits(OffsetReferential::Normalized, OffsetType::Byte) {
            piece.chars().for_each(|character| *counts.entry(character).or_default() += 1);
        }
    }
    counts.values().filter(|&&count| count >= settings.min_frequency).count()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TEXT, lines, settings};
    use super::*;

    #[test]
    fn vocabulary_keeps_to_its_limits() {
        let count = |kind, vocabulary, min_frequency| {
            let settings = TokenizerSettings { vocabulary, min_frequency, ..settings(kind) };
            Tokenizer::train(&lines(&TEXT), &settings).unwrap().vocabulary_size()
        };
        assert_eq!(count(TokenizerKind::Word, 10, 1), 10);
        assert_eq!(count(TokenizerKind::Bpe, 60, 1), 60);
        // Four or more times occur "▁man", ".", "-" and the "▁" before punctuation.
        assert_eq!(count(TokenizerKind::Word, 100, 4), 4 + 4);
        let rare = TokenizerSettings { min_frequency: 2, ..settings(TokenizerKind::Bpe) };
        let bpe = Tokenizer::train(&lines(&TEXT), &rare).unwrap();
        assert_eq!(bpe.decode(&bpe.encode("mané")), "man<unk>", "é occurs once");
    }

    #[test]
    fn words_only_drops_punctuation() {
        let settings = TokenizerSettings { lowercase: true, ..settings(TokenizerKind::WordsOnly) };
        let tokenizer = Tokenizer::train(&lines(&TEXT), &settings).unwrap();
        let ids = tokenizer.encode(" A man, who is 'old' -- on a T-shirt. ");
        assert_eq!(tokenizer.decode(&ids), "a man who is old on a t shirt");
        assert!(tokenizer.encode(" -- !").is_empty());
        let again = Tokenizer::from_json(&tokenizer.to_json(), std::path::Path::new("a.json")).unwrap();
        assert_eq!(again.encode(TEXT[5]), tokenizer.encode(TEXT[5]));
    }

    #[test]
    fn lower_case_merges_words() {
        for kind in [TokenizerKind::Word, TokenizerKind::Bpe] {
            let settings = TokenizerSettings { lowercase: true, ..settings(kind) };
            let tokenizer = Tokenizer::train(&lines(&TEXT), &settings).unwrap();
            assert_eq!(tokenizer.encode("MÄNNER"), tokenizer.encode("männer"));
            assert_eq!(tokenizer.decode(&tokenizer.encode("The Old MAN")), "the old man");
        }
    }

    /// The trainers of the library count in randomly seeded hash maps and on several threads.
    #[test]
    fn training_is_deterministic() {
        let text: Vec<String> = (0..400).map(|n| format!("word{} {} ababab, {}", n % 97, n * 7919 % 1009, n)).collect();
        for kind in [TokenizerKind::Word, TokenizerKind::Bpe] {
            let json = || Tokenizer::train(&text, &settings(kind)).unwrap().to_json();
            let first = json();
            assert!((0..5).all(|_| json() == first), "{kind:?}");
        }
    }

    #[test]
    fn text_without_a_vocabulary_is_refused() {
        for kind in [TokenizerKind::Word, TokenizerKind::Bpe] {
            let blank = Tokenizer::train(&lines(&["", "  "]), &settings(kind)).unwrap_err();
            assert!(matches!(blank, TextError::EmptyVocabulary { lines: 2, .. }), "{blank}");
            let rare = TokenizerSettings { min_frequency: 100, ..settings(kind) };
            let rare = Tokenizer::train(&lines(&TEXT), &rare).unwrap_err().to_string();
            assert!(rare.contains("at least 100 times") && rare.contains("--set data.min_frequency=1"), "{rare}");
            let small = TokenizerSettings { vocabulary: 4, ..settings(kind) };
            let small = Tokenizer::train(&lines(&TEXT), &small).unwrap_err();
            assert!(matches!(small, TextError::VocabularyTooSmall { limit: 4, needed: 5.. }), "{small}");
        }
    }
}
