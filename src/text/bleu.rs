//! Corpus BLEU (Papineni et al. 2002) exactly as sacreBLEU computes it (Post 2018, "A Call for Clarity in Reporting
//! BLEU Scores"), so that scores can be compared with published ones.
//!
//! The signature is sacreBLEU's default, `nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp`: one reference, case counts,
//! n-grams up to 4, the tokenization of NIST's mteval-v13a, and n-gram precisions without a match smoothed
//! exponentially (Chen and Cherry 2014, method 3). Both sides are plain text, not tokens.

use std::collections::HashMap;
use std::fmt;

/// Longest n-grams that count.
const MAX_ORDER: usize = 4;

/// A corpus BLEU score and what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Bleu {
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
pub fn corpus_bleu(hypotheses: &[impl AsRef<str>], references: &[impl AsRef<str>]) -> Bleu {
    assert_eq!(hypotheses.len(), references.len(), "every hypothesis needs a reference");
    let (mut hypothesis_length, mut reference_length) = (0, 0);
    let (mut matches, mut totals) = ([0; MAX_ORDER], [0; MAX_ORDER]);
    for (hypothesis, reference) in hypotheses.iter().zip(references) {
        let (hypothesis, reference) = (tokenize_13a(hypothesis.as_ref()), tokenize_13a(reference.as_ref()));
        let (hypothesis, reference) = (words(&hypothesis), words(&reference));
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
    Bleu { score, precisions, brevity_penalty, hypothesis_length, reference_length }
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

fn count_ngrams<'a, 'b>(words: &'a [&'b str], order: usize) -> HashMap<&'a [&'b str], usize> {
    let mut counts = HashMap::new();
    for ngram in words.windows(order) {
        *counts.entry(ngram).or_default() += 1;
    }
    counts
}

fn words(text: &str) -> Vec<&str> {
    text.split(is_space).filter(|word| !word.is_empty()).collect()
}

/// What Python's `str.split()` splits at: Unicode white space and four ASCII separators.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

/// Sets punctuation apart by spaces as mteval-v13a does, up to the amount of white space.
fn tokenize_13a(line: &str) -> String {
    let line = line.trim_end_matches(is_space);
    let line = line.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    let line = line.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    let mut text = String::from(" ");
    for character in line.chars() {
        match character {
            '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/' => text.extend([' ', character, ' ']),
            _ => text.push(character),
        }
    }
    text.push(' ');
    let digit = |character: char| character.is_ascii_digit();
    let point = |character: char| matches!(character, '.' | ',');
    // A period or comma stands alone unless digits are on both sides of it; a dash stands alone after a digit.
    let text = space_pairs(&text, |left, right| !digit(left) && point(right), ["", " ", " "]);
    let text = space_pairs(&text, |left, right| point(left) && !digit(right), [" ", " ", ""]);
    space_pairs(&text, |left, right| digit(left) && right == '-', ["", " ", " "])
}

/// Puts `spaces` before, between and after each pair of neighbouring characters that matches. Like a regular expression
/// of two characters, it goes from left to right and never uses a character for two pairs.
fn space_pairs(text: &str, matches: impl Fn(char, char) -> bool, spaces: [&str; 3]) -> String {
    let [before, between, after] = spaces;
    let mut spaced = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(left) = characters.next() {
        match characters.next_if(|&right| matches(left, right)) {
            Some(right) => {
                spaced.push_str(before);
                spaced.push(left);
                spaced.push_str(between);
                spaced.push(right);
                spaced.push_str(after);
            }
            None => spaced.push(left),
        }
    }
    spaced
}

/// As sacreBLEU prints it: `BLEU = 35.12 68.0/42.5/28.1/19.0 (BP = 0.998 ratio = 0.998 hyp_len = 12 ref_len = 13)`.
impl fmt::Display for Bleu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p1, p2, p3, p4] = self.precisions;
        let ratio = match self.reference_length {
            0 => 0.0,
            length => self.hypothesis_length as f64 / length as f64,
        };
        write!(
            f,
            "BLEU = {:.2} {p1:.1}/{p2:.1}/{p3:.1}/{p4:.1} (BP = {:.3} ratio = {ratio:.3} hyp_len = {} ref_len = {})",
            self.score, self.brevity_penalty, self.hypothesis_length, self.reference_length
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let bleu = corpus_bleu(&[hypothesis], &[reference]);
            assert!((bleu.score - score).abs() < 1e-9, "{hypothesis}: {bleu} instead of {score}");
        }
    }

    /// A corpus score sums n-gram counts over sentences; it is not the mean of sentence scores.
    #[test]
    fn agrees_with_sacrebleu_on_a_corpus() {
        let (hypotheses, references): (Vec<_>, Vec<_>) = PAIRS[..5].iter().map(|pair| (pair.0, pair.1)).unzip();
        let bleu = corpus_bleu(&hypotheses, &references);
        assert!((bleu.score - 55.29214267149344).abs() < 1e-9, "{bleu}");
        assert_eq!(
            bleu.to_string(),
            "BLEU = 55.29 81.8/68.6/53.2/41.9 (BP = 0.930 ratio = 0.932 hyp_len = 55 ref_len = 59)"
        );
    }

    #[test]
    fn a_corpus_without_text_scores_zero() {
        assert_eq!(corpus_bleu(&[""], &[""]).score, 0.0);
        assert_eq!(
            corpus_bleu(&[""; 0], &[""; 0]).to_string(),
            "BLEU = 0.00 0.0/0.0/0.0/0.0 (BP = 1.000 ratio = 0.000 hyp_len = 0 ref_len = 0)"
        );
    }

    /// The expected words are those of sacreBLEU's `Tokenizer13a`.
    #[test]
    fn tokenization_13a() {
        for (line, expected) in [
            (
                "Wait... 1,000.5 km, 3.-4. of May; 10-20, e.g.,x",
                "Wait . . . 1,000.5 km , 3 . -4 . of May ; 10 - 20 , e . g . , x",
            ),
            ("&quot;A &amp;lt; B&quot; <skipped>{x}", "\" A < B \" { x }"),
            ("..,,.5.,", ". . , , . 5 . ,"),
            ("it's a `test' – really—$5/€6 #1", "it's a ` test' – really— $ 5 / €6 # 1"),
            ("1--2 a-b 3-d", "1 - -2 a-b 3 - d"),
            ("a.b,c 5.b b.5", "a . b , c 5 . b b . 5"),
            ("\u{a0}x\u{2028}y\u{1c}z", "x y z"),
        ] {
            assert_eq!(words(&tokenize_13a(line)).join(" "), expected);
        }
    }
}
