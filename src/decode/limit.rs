//! How long a translation may become.

use serde::{Deserialize, Serialize};

/// Lengths of the pairs that a model was trained on, in tokens without special ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lengths {
    /// The longest source.
    pub source: usize,
    /// The longest target.
    pub target: usize,
    /// The most target tokens for one of the source.
    pub ratio: f64,
}

impl Lengths {
    /// Of pairs (source, target).
    pub fn of(pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let none = Self { source: 0, target: 0, ratio: 0.0 };
        pairs.into_iter().fold(none, |seen, (source, target)| Self {
            source: seen.source.max(source),
            target: seen.target.max(target),
            ratio: seen.ratio.max(target as f64 / source.max(1) as f64),
        })
    }
}

/// The most tokens of a translation, special ones not counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Of a source of s tokens 1.5·s + 10. For models that do not tell what they were trained on.
    Usual,
    /// 1.5·max(s, min(ratio·s, target)) + 10: what training took, with a margin, and never less than the usual.
    Trained(Lengths),
    /// The same for every sentence.
    Tokens(usize),
}

impl Limit {
    /// For a source of so many tokens.
    pub fn of(self, source: usize) -> usize {
        let with_margin = |tokens: usize| tokens.saturating_add(tokens / 2).saturating_add(10);
        match self {
            Self::Usual => with_margin(source),
            Self::Trained(seen) => {
                let likely = ((source.max(1) as f64 * seen.ratio).ceil() as usize).min(seen.target);
                with_margin(source.max(likely))
            }
            Self::Tokens(tokens) => tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_training_is_covered() {
        let pairs = [(1, 40), (3, 2), (50, 60), (0, 1)];
        let seen = Lengths::of(pairs);
        assert_eq!(seen, Lengths { source: 50, target: 60, ratio: 40.0 });
        for (source, target) in pairs {
            assert!(Limit::Trained(seen).of(source) >= target + 10, "{source} {target}");
        }
        // Far beyond training a translation grows with its source.
        assert_eq!(Limit::Trained(seen).of(1000), Limit::Usual.of(1000));
        assert_eq!((Limit::Usual.of(7), Limit::Tokens(3).of(7)), (20, 3));
    }
}
