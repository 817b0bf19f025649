//! Validation's BLEU: how near a model's words come to the references, in the form that the model writes.
//!
//! A model that learns lower-cased text in Unicode's composed form (NFC) cannot write otherwise. Held to references as
//! they lie in the file, a perfect one would read 91 on cased text and 8 on decomposed text. So the references go
//! through the target tokenizer's normalization first, and the score says so. `wgrad evaluate` scores against the file
//! as it is, as sacreBLEU does.

use crate::text::{BleuKind, BleuTokenizer, Tokenizer, TokenizerKind, corpus_bleu};

use super::config::DataConfig;

/// Holds translations of the validation set to its references.
#[derive(Clone, Debug)]
pub struct ValidationScore {
    /// Normalized as the target's tokenizer does.
    references: Vec<String>,
    kind: BleuKind,
}

impl ValidationScore {
    /// For the validation text in the target language, with sacreBLEU's tokenizer for that language.
    pub fn new(data: &DataConfig, target: &Tokenizer, references: &[String]) -> Self {
        let tokenizer = BleuTokenizer::for_language(&data.target);
        // The references are lower-cased by the tokenizer where the model writes no other case.
        let kind = BleuKind { tokenizer, lowercase: false };
        Self { references: references.iter().map(|line| target.normalize(line)).collect(), kind }
    }

    /// 0 to 100, of one translation for each reference.
    ///
    /// # Panics
    /// If there are more or fewer translations than references.
    pub fn of(&self, hypotheses: &[String]) -> f64 {
        corpus_bleu(hypotheses, &self.references, self.kind).score
    }
}

/// What a run's validation calls its score: `BLEU (lower-cased, 13a)`.
pub fn score_name(data: &DataConfig) -> String {
    let case = if data.lowercase { "lower-cased, " } else { "" };
    let words = if data.tokenizer == TokenizerKind::WordsOnly { "without punctuation, " } else { "" };
    format!("BLEU ({case}{words}{})", BleuTokenizer::for_language(&data.target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::TokenizerSettings;
    use crate::train::config::Config;

    /// The second line is decomposed (NFD), as files from macOS are.
    const REFERENCES: [&str; 4] = [
        "A man, who is 'old', sits on his T-Shirt.",
        "Zwei Ma\u{308}nner gro\u{308}\u{df}er als Ha\u{308}user; ein Cafe\u{301} in Rom!",
        "\u{1e0a}\u{323} the  same\u{a0}marks\tin another order: q\u{307}\u{323} and q\u{323}\u{307}",
        "\u{2581}\u{2582}\u{2583} lines \u{2581} that mark spaces \u{2581}and\u{2581} others",
    ];

    #[test]
    fn who_repeats_the_references_has_100() {
        let references = REFERENCES.map(str::to_owned);
        for kind in [TokenizerKind::Word, TokenizerKind::WordsOnly, TokenizerKind::Bpe] {
            for (lowercase, language) in [(false, "en"), (true, "en"), (false, "zh"), (true, "ja")] {
                let settings = TokenizerSettings { kind, vocabulary: 300, min_frequency: 1, lowercase };
                let tokenizer = Tokenizer::train(&references, &settings, &mut ()).unwrap();
                let data = DataConfig { target: language.into(), tokenizer: kind, lowercase, ..Config::default().data };
                let score = ValidationScore::new(&data, &tokenizer, &references);
                let written = |line: &String| tokenizer.decode(&tokenizer.encode(line));
                let perfect = score.of(&references.each_ref().map(written));
                assert!((perfect - 100.0).abs() < 1e-9, "{kind:?} {lowercase} {language}: {perfect}");
                let worse = vec![written(&references[0]); references.len()];
                assert!(score.of(&worse) < 60.0, "{kind:?} {lowercase} {language}");
            }
        }
    }

    #[test]
    fn the_name_says_what_was_scored() {
        let name = |tokenizer, lowercase, target: &str| {
            score_name(&DataConfig { tokenizer, lowercase, target: target.into(), ..Config::default().data })
        };
        assert_eq!(name(TokenizerKind::Bpe, false, "en"), "BLEU (13a)");
        assert_eq!(name(TokenizerKind::Word, true, "en"), "BLEU (lower-cased, 13a)");
        assert_eq!(name(TokenizerKind::WordsOnly, true, "zh_Hant"), "BLEU (lower-cased, without punctuation, zh)");
    }
}
