//! Translations beside references: the best, the middle and the worst by chrF, with the words that match.

use std::fmt::Write;

use super::{Run, Translation};
use crate::markup::escape;

/// Sentences of each kind.
const EACH: usize = 3;
/// Longest n-grams that are marked, as BLEU counts them.
const ORDERS: usize = 4;

pub fn section(runs: &[Run]) -> String {
    let mut out = String::from(
        "<p>Words that the reference has too are marked, the stronger the longer the n-gram is that they match in, up \
         to four words.</p>",
    );
    for run in runs {
        let name = escape(&run.name);
        if run.translations.is_empty() {
            let _ = write!(out, "<p class=\"note\"><strong>{name}</strong> has no translations to show.</p>");
            continue;
        }
        let mut sorted: Vec<&Translation> = run.translations.iter().collect();
        sorted.sort_by(|a, b| b.chrf.total_cmp(&a.chrf));
        let middle = (sorted.len() / 2).saturating_sub(EACH / 2);
        let last = sorted.len().saturating_sub(EACH);
        let _ = write!(out, "<h3>{name}: {}</h3>", escape(&run.translated));
        for (kind, from) in [("Best", 0), ("Middle", middle), ("Worst", last)] {
            let _ = write!(out, "<h4>{kind}</h4>");
            for translation in sorted.iter().skip(from).take(EACH) {
                let _ = write!(
                    out,
                    "<dl class=\"translation\"><dt>source</dt><dd>{}</dd><dt>wgrad</dt><dd>{}</dd>\
                     <dt>reference</dt><dd>{}</dd><dt>chrF</dt><dd>{:.1}</dd></dl>",
                    escape(&translation.source),
                    marked(&translation.hypothesis, &translation.reference),
                    escape(&translation.reference),
                    translation.chrf
                );
            }
        }
    }
    out
}

/// The hypothesis with a mark on each word that matches.
fn marked(hypothesis: &str, reference: &str) -> String {
    let [words, expected] = [hypothesis, reference].map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut longest = vec![0; words.len()];
    for order in 1..=ORDERS {
        for (at, ngram) in words.windows(order).enumerate() {
            if expected.windows(order).any(|other| other == ngram) {
                longest[at..at + order].fill(order);
            }
        }
    }
    let mark = |(word, order): (&&str, &usize)| match order {
        0 => escape(word),
        order => format!("<mark class=\"m{order}\">{}</mark>", escape(word)),
    };
    words.iter().zip(&longest).map(mark).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_marked_by_their_longest_match() {
        let marked = marked("a <b> dog runs", "the <b> dog");
        assert_eq!(marked, "a <mark class=\"m2\">&lt;b&gt;</mark> <mark class=\"m2\">dog</mark> runs");
        assert_eq!(super::marked("", "x"), "");
    }
}
