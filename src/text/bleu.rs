//! Corpus BLEU (Papineni et al. 2002) exactly as sacreBLEU computes it (Post 2018, "A Call for Clarity in Reporting
//! BLEU Scores"), so that scores can be compared with published ones.
//!
//! One reference, n-grams up to 4, n-gram precisions without a match smoothed exponentially (Chen and Cherry 2014,
//! method 3). What counts as a word, and whether case does, is a [`BleuKind`]: sacreBLEU's default is
//! `nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp`. Both sides are plain text, not tokens.

use std::collections::HashMap;
use std::fmt;

pub use words::BleuTokenizer;

mod words;

/// Longest n-grams that count.
const MAX_ORDER: usize = 4;

/// Which of the scores called BLEU: two of them must not be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BleuKind {
    pub tokenizer: BleuTokenizer,
    /// Whether upper and lower case are the same.
    pub lowercase: bool,
}

/// sacreBLEU's signature, without its version: `nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp`.
impl fmt::Display for BleuKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = if self.lowercase { "lc" } else { "mixed" };
        write!(f, "nrefs:1|case:{case}|eff:no|tok:{}|smooth:exp", self.tokenizer)
    }
}

/// A corpus BLEU score and what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Bleu {
    pub kind: BleuKind,
    /// 0 to 100: the brevity penalty times the geometric mean of the precisions.
    pub score: f64,
    /// Percentage of the hypotheses' n-grams, n = 1 to 4, that their references have; after smoothing.
    pub precisions: [f64; MAX_ORDER],
    /// 1, or less where the hypotheses are shorter than the references.
    pub brevity_penalty: f64,
    /// Words of all hypotheses.
    pub hypothesis_length: usize,
    /// Words of all references.
    pub reference_length: usize,
}

/// The score of `hypotheses`, where `references[n]` is the right translation for `hypotheses[n]`.
///
/// # Panics
///
/// If the two differ in length.
pub fn corpus_bleu(hypotheses: &[impl AsRef<str>], references: &[impl AsRef<str>], kind: BleuKind) -> Bleu {
    assert_eq!(hypotheses.len(), references.len(), "every hypothesis needs a reference");
    let (mut hypothesis_length, mut reference_length) = (0, 0);
    let (mut matches, mut totals) = ([0; MAX_ORDER], [0; MAX_ORDER]);
    for (hypothesis, reference) in hypotheses.iter().zip(references) {
        let [hypothesis, reference] = [hypothesis.as_ref(), reference.as_ref()].map(|line| kind.words(line));
        hypothesis_length += hypothesis.len();
        reference_length += reference.len();
        for order in 1..=MAX_ORDER {
            let expected = count_ngrams(&reference, order);
            for (ngram, count) in count_ngrams(&hypothesis, order) {
                matches[order - 1] += count.min(expected.get(ngram).copied().unwrap_or(0));
                totals[order - 1] += count;
            }
        }
    }
    let brevity_penalty = match hypothesis_length {
        0 if reference_length > 0 => 0.0,
        length if length < reference_length => (1.0 - reference_length as f64 / length as f64).exp(),
        _ => 1.0,
    };
    let precisions = smoothed_precisions(matches, totals);
    // The logarithm of a precision of zero, which smoothing leaves where there are no n-grams at all, makes the score
    // exp(-inf) = 0.
    let mean_log = precisions.iter().map(|precision| precision.ln()).sum::<f64>() / MAX_ORDER as f64;
    let score = brevity_penalty * mean_log.exp();
    Bleu { kind, score, precisions, brevity_penalty, hypothesis_length, reference_length }
}

impl BleuKind {
    fn words(self, line: &str) -> Vec<String> {
        if self.lowercase { self.tokenizer.words(&line.to_lowercase()) } else { self.tokenizer.words(line) }
    }
}

/// `100 * matches / totals`, where the k-th precision without a match counts as `1 / 2^k` matches.
fn smoothed_precisions(matches: [usize; MAX_ORDER], totals: [usize; MAX_ORDER]) -> [f64; MAX_ORDER] {
    let mut precisions = [0.0; MAX_ORDER];
    if matches == [0; MAX_ORDER] {
        return precisions;
    }
    let mut divisor = 1.0;
    for (precision, (matches, total)) in precisions.iter_mut().zip(matches.into_iter().zip(totals)) {
        if total == 0 {
            break;
        }
        *precision = if matches == 0 {
            divisor *= 2.0;
            100.0 / (divisor * total as f64)
        } else {
            100.0 * matches as f64 / total as f64
        };
    }
    precisions
}

fn count_ngrams(words: &[String], order: usize) -> HashMap<&[String], usize> {
    let mut counts = HashMap::new();
    for ngram in words.windows(order) {
        *counts.entry(ngram).or_default() += 1;
    }
    counts
}

/// As sacreBLEU prints it: `BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp = 35.12 68.0/42.5/28.1/19.0 (BP = 0.998
/// ratio = 0.998 hyp_len = 12 ref_len = 13)`.
impl fmt::Display for Bleu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p1, p2, p3, p4] = self.precisions;
        let ratio = match self.reference_length {
            0 => 0.0,
            length => self.hypothesis_length as f64 / length as f64,
        };
        write!(
            f,
            "BLEU|{} = {:.2} {p1:.1}/{p2:.1}/{p3:.1}/{p4:.1} (BP = {:.3} ratio = {ratio:.3} hyp_len = {} ref_len = {})",
            self.kind, self.score, self.brevity_penalty, self.hypothesis_length, self.reference_length
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIXED_13A: BleuKind = BleuKind { tokenizer: BleuTokenizer::V13a, lowercase: false };

    /// Hypothesis, reference, and the score that sacreBLEU 2.6.0 gives the pair as a corpus of its own.
    const PAIRS: [(&str, &str, f64); 8] = [
        (
            "The quick brown fox jumps over the lazy dog .",
            "The quick brown fox jumped over the lazy dog.",
            65.80370064762461,
        ),
        (
            "A boat costs $1,000.5, they say: \"too much\"!",
            "The boat costs $1,000.5, they said: \"much too much\"!",
            53.36129799268556,
        ),
        ("", "Nobody is here.", 0.0),
        (
            "Two friends aren't talking; it's 3-2 (again).",
            "Two friends are not talking; it is 3-2 (again).",
            48.521510296503514,
        ),
        (
            "Caf&eacute; &quot;Zürich&quot; opens at 10.30, closes at 5 p.m.",
            "Café \"Zürich\" opens at 10.30 and closes at 5 p.m.",
            59.1815015254445,
        ),
        // Without a 4-gram, and without a match, there is no score; with some matches, smoothing gives one.
        ("a red kite", "a red kite", 0.0),
        ("green ideas sleep", "nothing in common here", 0.0),
        ("one two three four five six", "one 2 two three 4 five six seven eight", 14.723282228934908),
    ];

    #[test]
    fn agrees_with_sacrebleu_on_single_sentences() {
        for (hypothesis, reference, score) in PAIRS {
            let bleu = corpus_bleu(&[hypothesis], &[reference], MIXED_13A);
            assert!((bleu.score - score).abs() < 1e-9, "{hypothesis}: {bleu} instead of {score}");
        }
    }

    /// A corpus score sums n-gram counts over sentences; it is not the mean of sentence scores.
    #[test]
    fn agrees_with_sacrebleu_on_a_corpus() {
        let (hypotheses, references): (Vec<_>, Vec<_>) = PAIRS[..5].iter().map(|pair| (pair.0, pair.1)).unzip();
        let bleu = corpus_bleu(&hypotheses, &references, MIXED_13A);
        assert!((bleu.score - 55.29214267149344).abs() < 1e-9, "{bleu}");
        assert_eq!(
            bleu.to_string(),
            "BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp = 55.29 81.8/68.6/53.2/41.9 (BP = 0.930 ratio = 0.932 \
             hyp_len = 55 ref_len = 59)"
        );
    }

    #[test]
    fn a_corpus_without_text_scores_zero() {
        assert_eq!(corpus_bleu(&[""], &[""], MIXED_13A).score, 0.0);
        assert_eq!(
            corpus_bleu(&[""; 0], &[""; 0], MIXED_13A).to_string(),
            "BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp = 0.00 0.0/0.0/0.0/0.0 (BP = 1.000 ratio = 0.000 \
             hyp_len = 0 ref_len = 0)"
        );
    }

    /// Hypothesis, reference, and the scores that sacreBLEU 2.6.0 gives the pair with `--tokenize 13a`, `zh`, `char`
    /// and `none`.
    const UNSPACED: [(&str, &str, [f64; 4]); 7] = [
        (
            "两只狗在草地上奔跑，旁边有一个孩子。",
            "两只狗在草地上追逐，旁边站着一个孩子。",
            [0.0, 57.056605184324425, 57.056605184324425, 0.0],
        ),
        ("他花了3.5美元买了2本书。", "他花了 3.5 美元，买了2本书。", [0.0, 76.7733168433653, 80.52253761904356, 0.0]),
        (
            "小さな犬が川のそばで走っている。",
            "小さい犬が川辺を走っています。",
            [0.0, 18.88588859215946, 25.33654946448646, 0.0],
        ),
        (
            "iPhone 15 的价格是1,299元（含税）——“太贵了”！",
            "iPhone 15 售价1,299元（含税）——“太贵了！”",
            [0.0, 63.036474133592904, 75.51130474243965, 0.0],
        ),
        (
            "𠀀𠀁 说：.5 × €6 ‘好’",
            "𠀀𠀂 说：.5 × €7 ‘好’",
            [43.47208719449914, 58.77283725105324, 54.52469119630866, 23.643540225079384],
        ),
        (
            "  .NET 和 C# 的区别;\u{3000}见第3-5页 ",
            ".NET 与 C# 的区别；见第 3-5 页",
            [12.549310621989482, 61.04735835807847, 64.22727797927409, 10.400597689005304],
        ),
        ("ＡＢＣ　１２３ ☃ ok", "ＡＢＣ１２３☃ok!", [0.0, 88.24969025845958, 89.483931681437, 0.0]),
    ];

    #[test]
    fn agrees_with_sacrebleu_on_text_without_spaces() {
        let corpus = [19.304869754804482, 62.3798869514607, 66.45079077381854, 11.058928411810843];
        for (index, tokenizer) in BleuTokenizer::ALL.into_iter().enumerate() {
            let kind = BleuKind { tokenizer, lowercase: false };
            for (hypothesis, reference, scores) in UNSPACED {
                let bleu = corpus_bleu(&[hypothesis], &[reference], kind);
                assert!((bleu.score - scores[index]).abs() < 1e-9, "{tokenizer}: {hypothesis}: {bleu}");
            }
            let (hypotheses, references): (Vec<_>, Vec<_>) = UNSPACED.iter().map(|pair| (pair.0, pair.1)).unzip();
            let bleu = corpus_bleu(&hypotheses, &references, kind);
            assert!((bleu.score - corpus[index]).abs() < 1e-9, "{tokenizer}: {bleu}");
        }
    }

    #[test]
    fn case_counts_unless_it_does_not() {
        let (hypothesis, reference) = (["A DOG runs across THE meadow ."], ["a dog runs across the Meadow."]);
        let lowercase = BleuKind { lowercase: true, ..MIXED_13A };
        assert_eq!(corpus_bleu(&hypothesis, &reference, lowercase).score, 100.00000000000004);
        assert!(corpus_bleu(&hypothesis, &reference, MIXED_13A).score < 40.0);
        assert_eq!(lowercase.to_string(), "nrefs:1|case:lc|eff:no|tok:13a|smooth:exp");
    }
}
