//! Learning a vocabulary.

use std::collections::HashMap;

use rayon::prelude::*;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::{
    AddedToken, ModelWrapper, NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString,
    PreTokenizer,
};

use super::file::MOST_TOKENS;
use super::form::Form;
use super::{SPECIAL_TOKENS, Tokenizer, TokenizerKind, UNK, library};
use crate::text::TextError;

/// How [`Tokenizer::train`] builds a vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenizerSettings {
    pub kind: TokenizerKind,
    /// Most tokens the vocabulary may have, the four special ones included; never more than [`MOST_TOKENS`].
    pub vocabulary: usize,
    /// Words (for BPE: characters and merges) that occur less often stay out of the vocabulary.
    pub min_frequency: u32,
    /// Whether to learn and encode all text in lower case; decoded text is then in lower case too.
    pub lowercase: bool,
}

/// Is told how far the learning of a vocabulary is. `()` is told and says nothing.
pub trait Learning {
    /// So many of all lines have been read.
    fn read(&mut self, lines: usize, of: usize);

    /// All have, and the vocabulary is made of so many different words. So many more that occur are longer than
    /// [`LONGEST_WORD`] and teach nothing.
    fn learn(&mut self, words: usize, too_long: u64);
}

impl Learning for () {
    fn read(&mut self, _lines: usize, _of: usize) {}
    fn learn(&mut self, _words: usize, _too_long: u64) {}
}

/// Characters of the longest word that teaches a tokenizer. Learning BPE takes the square of a word's length: a word of
/// 300,000 characters, a picture in base 64 say, took from a minute to forever and filled the vocabulary with its
/// pieces. The longest words of natural languages have under 200 letters, and what languages without spaces write
/// between two marks of punctuation is shorter.
pub const LONGEST_WORD: usize = 256;

/// Lines between two calls of [`Learning::read`]: 5 ms of one core.
const CHUNK: usize = 1024;

impl Tokenizer {
    /// Learns a vocabulary from `lines`, of one language or, for a joint vocabulary, of both. The same lines and
    /// settings give the same vocabulary, byte for byte: words by falling frequency, equally frequent ones in the order
    /// of their text. Words longer than [`LONGEST_WORD`] are passed over: a word vocabulary never has them, BPE may
    /// still be able to spell them.
    ///
    /// # Errors
    ///
    /// No word reaches `min_frequency`, or `vocabulary` is too small.
    pub fn train(lines: &[String], settings: &TokenizerSettings, watch: &mut dyn Learning) -> Result<Self, TextError> {
        let settings = &TokenizerSettings { vocabulary: settings.vocabulary.min(MOST_TOKENS), ..settings.clone() };
        let form = Form::new(settings.kind, settings.lowercase);
        let words = Words::of(lines, form, watch);
        let alphabet = match settings.kind {
            TokenizerKind::Word | TokenizerKind::WordsOnly => 0,
            TokenizerKind::Bpe => words.frequent_characters(settings.min_frequency),
        };
        let needed = SPECIAL_TOKENS.len() + alphabet.max(1);
        if settings.vocabulary < needed {
            return Err(TextError::VocabularyTooSmall { limit: settings.vocabulary, needed });
        }
        watch.learn(words.counts.len(), words.too_long);
        let model = match settings.kind {
            TokenizerKind::Word | TokenizerKind::WordsOnly => word_model(words, settings),
            TokenizerKind::Bpe => subword_model(words, settings, alphabet),
        };
        let tokenizer = form.with(model);
        if tokenizer.vocabulary_size() == SPECIAL_TOKENS.len() {
            return Err(TextError::EmptyVocabulary { lines: lines.len(), min_frequency: settings.min_frequency });
        }
        Ok(tokenizer)
    }
}

/// The words of a text and how often each occurs.
struct Words {
    counts: HashMap<String, u64>,
    /// Occurrences of words that are longer than [`LONGEST_WORD`].
    too_long: u64,
}

impl Words {
    fn of(lines: &[String], form: Form, watch: &mut dyn Learning) -> Self {
        let (normalizer, pre_tokenizer) = (form.normalizer(), form.pre_tokenizer());
        let mut words = Self { counts: HashMap::new(), too_long: 0 };
        let mut read = 0;
        for chunk in lines.chunks(CHUNK) {
            let cut: Vec<Vec<Option<String>>> = chunk
                .par_iter()
                .map(|line| {
                    let mut line = NormalizedString::from(line.as_str());
                    library(normalizer.normalize(&mut line));
                    let mut pieces = PreTokenizedString::from(line);
                    library(pre_tokenizer.pre_tokenize(&mut pieces));
                    let pieces = pieces.get_splits(OffsetReferential::Normalized, OffsetType::Byte).into_iter();
                    pieces.map(|(word, ..)| (word.chars().count() <= LONGEST_WORD).then(|| word.to_owned())).collect()
                })
                .collect();
            for word in cut.into_iter().flatten() {
                match word {
                    Some(word) => *words.counts.entry(word).or_default() += 1,
                    None => words.too_long += 1,
                }
            }
            read += chunk.len();
            watch.read(read, lines.len());
        }
        words
    }

    /// Number of different characters that occur at least `min_frequency` times.
    ///
    /// As the limit of the trainer's alphabet it keeps exactly these characters. (A limit that cuts among equally
    /// frequent characters would leave the choice to the order of a hash map.)
    fn frequent_characters(&self, min_frequency: u32) -> usize {
        let mut counts = HashMap::<char, u64>::new();
        for (word, count) in &self.counts {
            word.chars().for_each(|character| *counts.entry(character).or_default() += count);
        }
        counts.values().filter(|&&count| count >= min_frequency.into()).count()
    }
}

/// The special tokens, then the most frequent words.
fn word_model(words: Words, settings: &TokenizerSettings) -> ModelWrapper {
    let frequent = words.counts.into_iter().filter(|(_, count)| *count >= settings.min_frequency.into());
    let mut frequent: Vec<_> = frequent.collect();
    frequent.sort_unstable_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then_with(|| a.cmp(b)));
    let tokens = SPECIAL_TOKENS.into_iter().map(str::to_owned).chain(frequent.into_iter().map(|(word, _)| word));
    let vocabulary = tokens.take(settings.vocabulary).zip(0..).collect();
    let unknown = SPECIAL_TOKENS[UNK as usize].to_owned();
    library(WordLevel::builder().vocab(vocabulary).unk_token(unknown).build()).into()
}

/// The special tokens, the characters of `alphabet`, then what the merges make of them.
fn subword_model(words: Words, settings: &TokenizerSettings, alphabet: usize) -> ModelWrapper {
    let trainer: BpeTrainer = BpeTrainer::builder()
        .vocab_size(settings.vocabulary)
        .min_frequency(settings.min_frequency.into())
        .limit_alphabet(alphabet)
        .special_tokens(SPECIAL_TOKENS.map(|token| AddedToken::from(token, true)).to_vec())
        .show_progress(false)
        .build();
    let mut model = library(BPE::builder().unk_token(SPECIAL_TOKENS[UNK as usize].to_owned()).build());
    let counts = words.counts.into_iter().map(|(word, count)| (word.into(), count)).collect();
    library(trainer.do_train(&counts, &mut model));
    model.into()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::tests::{KINDS, TEXT, lines, settings};
    use super::*;

    #[test]
    fn vocabulary_keeps_to_its_limits() {
        let count = |kind, vocabulary, min_frequency| {
            let settings = TokenizerSettings { vocabulary, min_frequency, ..settings(kind) };
            Tokenizer::train(&lines(&TEXT), &settings, &mut ()).unwrap().vocabulary_size()
        };
        assert_eq!(count(TokenizerKind::Word, 10, 1), 10);
        assert_eq!(count(TokenizerKind::Bpe, 60, 1), 60);
        // Four or more times occur "▁man", ".", "-" and the "▁" before punctuation.
        assert_eq!(count(TokenizerKind::Word, 100, 4), 4 + 4);
        let rare = TokenizerSettings { min_frequency: 2, ..settings(TokenizerKind::Bpe) };
        let bpe = Tokenizer::train(&lines(&TEXT), &rare, &mut ()).unwrap();
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
        let tokenizer = Tokenizer::train(&text, &settings, &mut ()).unwrap();
        for (line, words) in cases {
            assert_eq!(tokenizer.decode(&tokenizer.encode(line)), words);
            assert_eq!(tokenizer.encode(line).len(), words.split(' ').count());
        }
        let wordless = lines(&["", " \t", "?!", " -- . "]);
        assert_eq!(tokenizer.encode_all(&wordless), vec![Vec::<u32>::new(); 4]);
        assert_eq!(tokenizer.decode(&[]), "");
        // Lines without words add no token of their own: the vocabulary is that of the others.
        let among_wordless = Tokenizer::train(&[&wordless[..], &text].concat(), &settings, &mut ()).unwrap();
        assert_eq!(among_wordless.to_json(), tokenizer.to_json());
    }

    #[test]
    fn frequent_words_come_first_and_equals_in_the_order_of_their_text() {
        let text = lines(&["b c! a, d", "c (d) b c", "É e"]);
        let tokenizer = Tokenizer::train(&text, &settings(TokenizerKind::WordsOnly), &mut ()).unwrap();
        assert_eq!(tokenizer.encode("c b d a e É"), [4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_joint_vocabulary_encodes_both_sides() {
        let source = lines(&["Zwei Männer größer als Häuser in Rom", "Ein Mann sitzt in Rom."]);
        let target = lines(&["Two men by the quay, in Rom", "A jolly man sits in Rom."]);
        let joint = Tokenizer::train(&[&source[..], &target].concat(), &settings(TokenizerKind::Bpe), &mut ()).unwrap();
        for line in source.iter().chain(&target) {
            assert!(!joint.encode(line).contains(&UNK));
            assert_eq!(joint.decode(&joint.encode(line)), *line);
        }
        // "▁in" and "▁Rom" stand four times among both sides' lines and are one subword each.
        assert_eq!(joint.encode("in Rom").len(), 2);
        for (side, other) in [(&source, "jolly"), (&target, "größer")] {
            let apart = Tokenizer::train(side, &settings(TokenizerKind::Bpe), &mut ()).unwrap();
            assert!(apart.encode(other).contains(&UNK), "{other} has letters of its own");
        }
    }

    #[test]
    fn lower_case_merges_words() {
        for kind in KINDS {
            let settings = TokenizerSettings { lowercase: true, ..settings(kind) };
            let tokenizer = Tokenizer::train(&lines(&TEXT), &settings, &mut ()).unwrap();
            assert_eq!(tokenizer.encode("MÄNNER"), tokenizer.encode("männer"));
            assert_eq!(tokenizer.decode(&tokenizer.encode("The Old MAN")), "the old man");
        }
    }

    /// The trainers of the library count in randomly seeded hash maps and on several threads.
    #[test]
    fn training_is_deterministic() {
        let text: Vec<String> = (0..400).map(|n| format!("word{} {} ababab, {}", n % 97, n * 7919 % 1009, n)).collect();
        for kind in KINDS {
            let json = || Tokenizer::train(&text, &settings(kind), &mut ()).unwrap().to_json();
            let first = json();
            assert!((0..5).all(|_| json() == first), "{kind:?}");
        }
    }

    #[test]
    fn text_without_a_vocabulary_is_refused() {
        for kind in KINDS {
            let blank = Tokenizer::train(&lines(&["", "  "]), &settings(kind), &mut ()).unwrap_err();
            assert!(matches!(blank, TextError::EmptyVocabulary { lines: 2, .. }), "{blank}");
            let rare = TokenizerSettings { min_frequency: 100, ..settings(kind) };
            let rare = Tokenizer::train(&lines(&TEXT), &rare, &mut ()).unwrap_err().to_string();
            assert!(rare.contains("at least 100 times") && rare.contains("lower data.min_frequency"), "{rare}");
            let small = TokenizerSettings { vocabulary: 4, ..settings(kind) };
            let small = Tokenizer::train(&lines(&TEXT), &small, &mut ()).unwrap_err();
            assert!(matches!(small, TextError::VocabularyTooSmall { limit: 4, needed: 5.. }), "{small}");
        }
    }

    /// Its time is that of the text without it, and the vocabulary too.
    #[test]
    fn a_word_without_end_teaches_nothing() {
        let blob: String =
            (0..300_000).map(|n: u32| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 26)).collect();
        let text = lines(&TEXT);
        let longest = "x".repeat(LONGEST_WORD - 1);
        for kind in KINDS {
            let start = Instant::now();
            let mut told = Told::default();
            let with_blob =
                [&text[..], &[format!("A man {blob} sits"), longest.clone(), format!("{longest}x")]].concat();
            let settings = TokenizerSettings { vocabulary: 1000, ..settings(kind) };
            let tokenizer = Tokenizer::train(&with_blob, &settings, &mut told).unwrap();
            assert_eq!((told.read, told.too_long), (text.len() + 3, 2), "the mark of the space counts");
            let without = [&text[..], &["A man sits".to_owned(), longest.clone()]].concat();
            assert_eq!(tokenizer.to_json(), Tokenizer::train(&without, &settings, &mut ()).unwrap().to_json());
            // A word of the text that is cut for the translation's length is encoded before.
            let ids = tokenizer.encode(&format!("man {blob}"));
            match kind {
                TokenizerKind::Bpe => assert!(ids.len() > 100_000, "{}", ids.len()),
                _ => assert_eq!(ids.len(), 2),
            }
            assert!(start.elapsed().as_secs() < 20, "{kind:?}: {:?}", start.elapsed());
        }
    }

    #[derive(Default)]
    struct Told {
        read: usize,
        too_long: u64,
    }

    impl Learning for Told {
        fn read(&mut self, lines: usize, of: usize) {
            assert!(lines > self.read && lines <= of);
            self.read = lines;
        }

        fn learn(&mut self, words: usize, too_long: u64) {
            assert!(words > 10);
            self.too_long = too_long;
        }
    }
}
