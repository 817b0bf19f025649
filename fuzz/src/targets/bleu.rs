//! BLEU of any two files of lines.

use arbitrary::Arbitrary;
use wgrad::text::{BleuKind, BleuTokenizer, corpus_bleu};

use super::Fuzzed;
use crate::mutate::{Edits, Fragment};
use crate::parts;
use crate::seeds::TEXT;

#[derive(Arbitrary, Debug)]
struct Line {
    text: u8,
    other: u8,
    hypothesis: Edits,
    reference: Edits,
    strange: Option<Fragment>,
    same: bool,
}

#[derive(Arbitrary, Debug)]
pub struct Lines {
    count: u8,
    lines: [Line; 3],
}

impl Fuzzed for Lines {
    fn case(&self) -> Vec<u8> {
        let (mut hypotheses, mut references) = (String::new(), String::new());
        for line in self.lines.iter().take(1 + usize::from(self.count % 3)) {
            let one = |which: u8| &TEXT.target[usize::from(which) % TEXT.target.len()];
            let of = if line.same { line.text } else { line.other };
            let mut hypothesis = line.hypothesis.apply_to_text(one(of));
            hypothesis += &line.strange.map_or(String::new(), Fragment::text);
            let reference = line.reference.apply_to_text(one(line.text));
            for (side, text) in [(&mut hypotheses, hypothesis), (&mut references, reference)] {
                *side += &(text.replace('\n', "\u{2028}") + "\n");
            }
        }
        parts::join(&[("hypotheses", hypotheses.as_bytes()), ("references", references.as_bytes())])
    }

    fn judge(case: &[u8]) -> bool {
        let parts = parts::split(case);
        let text = |part: usize| String::from_utf8_lossy(parts[part].1).into_owned();
        let (hypotheses, references) = (text(0), text(1));
        let lines = |text: &str| text.split_terminator('\n').map(str::to_string).collect::<Vec<_>>();
        let (hypotheses, references) = (lines(&hypotheses), lines(&references));
        let languages = ["en", "zh", "ja", "ko"];
        let language = languages[hypotheses.concat().len() % languages.len()];
        let kind = BleuKind { tokenizer: BleuTokenizer::for_language(language), lowercase: references.len() == 2 };
        let bleu = corpus_bleu(&hypotheses, &references, kind);
        let percentage = |number: f64| (0.0..=100.0 + 1e-9).contains(&number);
        assert!(percentage(bleu.score), "{bleu:?}");
        assert!(bleu.precisions.iter().all(|precision| percentage(*precision)), "{bleu:?}");
        assert!((0.0..=1.0).contains(&bleu.brevity_penalty), "{bleu:?}");
        let swapped = corpus_bleu(&references, &hypotheses, kind);
        assert_eq!(
            [bleu.hypothesis_length, bleu.reference_length],
            [swapped.reference_length, swapped.hypothesis_length],
            "a side has as many words on either side"
        );
        let itself = corpus_bleu(&references, &references, kind);
        // Without a single 4-gram there is no score.
        assert!(itself.score == 0.0 || (itself.score - 100.0).abs() < 1e-9, "{itself:?}");
        assert!(bleu.to_string().starts_with("BLEU"), "{bleu}");
        bleu.score > 0.0
    }
}
