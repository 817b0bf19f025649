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
    /// Learns a vocabulary from `lines`, of one language or, for a joint vocabulary, of both. The same lines and settings give the same
    /// vocabulary, byte for byte: words by falling frequency, equally frequent ones in the order of their text.
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
    use super::super::tests::{KINDS, TEXT, lines, settings};
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

    /// Python's `re.findall(r"\b\w+\b", line.lower())` gives the same words of these lines in NFC.
    #[test]
    fn words_only_are_the_matches_of_the_regular_expression() {
        let cases = [
            (" A man, who is 'old' -- on a T-shirt. ", "a man who is old on a t shirt"),
            ("$1,000.50 U.S.A. don’t", "1 000 50 u s a don t"),
            ("snake_case _ __x__", "snake_case _ __x__"),
            ("ÄRGER: Straße, CAFE\u{301}; Москва/東京 №5", "ärger straße café москва 東京 5"),
            ("\u{2581}mark\u{2581}\u{a0}of\tspace\u{ad}\u{1f600}here", "mark of space here"),
        ];
        let text: Vec<String> = cases.iter().map(|&(line, _)| line.to_owned()).collect();
        let settings = TokenizerSettings { lowercase: true, ..settings(TokenizerKind::WordsOnly) };
        let tokenizer = Tokenizer::train(&text, &settings).unwrap();
        for (line, words) in cases {
            assert_eq!(tokenizer.decode(&tokenizer.encode(line)), words);
            assert_eq!(tokenizer.encode(line).len(), words.split(' ').count());
        }
        let wordless = lines(&["", " \t", "?!", " -- . "]);
        assert_eq!(tokenizer.encode_all(&wordless), vec![Vec::<u32>::new(); 4]);
        assert_eq!(tokenizer.decode(&[]), "");
        // Lines without words add no token of their own: the vocabulary is that of the others.
        let among_wordless = Tokenizer::train(&[&wordless[..], &text].concat(), &settings).unwrap();
        assert_eq!(among_wordless.to_json(), tokenizer.to_json());
    }

    #[test]
    fn frequent_words_come_first_and_equals_in_the_order_of_their_text() {
        let text = lines(&["b c! a, d", "c (d) b c", "É e"]);
        let tokenizer = Tokenizer::train(&text, &settings(TokenizerKind::WordsOnly)).unwrap();
        assert_eq!(tokenizer.encode("c b d a e É"), [4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_joint_vocabulary_encodes_both_sides() {
        let source = lines(&["Zwei Männer größer als Häuser in Rom", "Ein Mann sitzt in Rom."]);
        let target = lines(&["Two men by the quay, in Rom", "A jolly man sits in Rom."]);
        let joint = Tokenizer::train(&[&source[..], &target].concat(), &settings(TokenizerKind::Bpe)).unwrap();
        for line in source.iter().chain(&target) {
            assert!(!joint.encode(line).contains(&UNK));
            assert_eq!(joint.decode(&joint.encode(line)), *line);
        }
        // "▁in" and "▁Rom" stand four times among both sides' lines and are one subword each.
        assert_eq!(joint.encode("in Rom").len(), 2);
        for (side, other) in [(&source, "jolly"), (&target, "größer")] {
            let apart = Tokenizer::train(side, &settings(TokenizerKind::Bpe)).unwrap();
            assert!(apart.encode(other).contains(&UNK), "{other} has letters of its own");
        }
    }

    #[test]
    fn lower_case_merges_words() {
        for kind in KINDS {
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
        for kind in KINDS {
            let json = || Tokenizer::train(&text, &settings(kind)).unwrap().to_json();
            let first = json();
            assert!((0..5).all(|_| json() == first), "{kind:?}");
        }
    }

    #[test]
    fn text_without_a_vocabulary_is_refused() {
        for kind in KINDS {
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
