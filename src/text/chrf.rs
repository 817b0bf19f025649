//! chrF (Popović 2015) of one sentence, as sacreBLEU computes it: for single sentences BLEU says little, since most
//! have no four words in a row right.
//!
//! F-score with β = 2 of the mean precision and recall of character n-grams, n = 1 to 6, spaces left out; sacreBLEU's
//! `chrF2|case:mixed|eff:yes|nc:6|nw:0|space:no`.

use std::collections::HashMap;

const ORDERS: usize = 6;
const BETA: f64 = 2.0;

/// 0 to 100.
pub fn sentence_chrf(hypothesis: &str, reference: &str) -> f64 {
    let [hypothesis, reference] =
        [hypothesis, reference].map(|line| line.chars().filter(|c| !c.is_whitespace()).collect::<Vec<char>>());
    let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0);
    for order in 1..=ORDERS {
        let [said, expected] = [&hypothesis, &reference].map(|line| line.len().saturating_sub(order - 1));
        if said == 0 || expected == 0 {
            continue;
        }
        let mut left: HashMap<&[char], usize> = HashMap::new();
        for ngram in reference.windows(order) {
            *left.entry(ngram).or_default() += 1;
        }
        let mut matches = 0;
        for ngram in hypothesis.windows(order) {
            if let Some(count) = left.get_mut(ngram).filter(|count| **count > 0) {
                *count -= 1;
                matches += 1;
            }
        }
        precision += matches as f64 / said as f64;
        recall += matches as f64 / expected as f64;
        orders += 1;
    }
    if precision + recall == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (precision / orders as f64, recall / orders as f64);
    let factor = BETA * BETA;
    100.0 * (1.0 + factor) * precision * recall / (factor * precision + recall)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From sacreBLEU 2.5: `CHRF().sentence_score(hypothesis, [reference]).score`.
    #[test]
    fn scores_are_sacrebleus() {
        for (hypothesis, reference, score) in [
            ("a man in a blue shirt", "a man in a blue shirt", 100.0),
            ("a dog runs", "the dog is running", 16.74780133119172),
            ("two men are standing on a street", "Two men stand in the street .", 51.027078809569716),
            ("ein Haus", "Ein Häuschen", 17.275353295978686),
            ("ab", "ab", 100.0),
            ("x", "abc def", 0.0),
            ("", "abc", 0.0),
            ("abc", "", 0.0),
        ] {
            let found = sentence_chrf(hypothesis, reference);
            assert!((found - score).abs() < 1e-9, "{hypothesis:?} {reference:?}: {found}, expected {score}");
        }
    }
}
