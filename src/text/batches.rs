//! Which sentences share a step, and how long that step is.
//!
//! A step computes on full rectangles, `sentences × source` and `sentences × target` token ids, so every sentence
//! shorter than its batch costs padding. And the graph of a step is built once for each shape, so shapes should be few.
//! [`Batcher`] therefore rounds lengths up to a multiple of `bucket` and gathers the sentences of each rounded shape.
//! Sentences that do not fill a batch of their shape move on to the next larger shape, where they are padded a little
//! more; only the largest shape has a batch that is not full, at most one an epoch. How many batches each shape has
//! depends on the lengths alone: epochs differ in which sentences meet, never in their shapes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text::SOS;
use crate::text::random::SplitMix64;

/// Shape of a batch: the graph is built once for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchShape {
    /// Rows: sentence pairs of a full batch, at most those of the corpus.
    pub sentences: usize,
    /// Tokens of each source row, padding included.
    pub source: usize,
    /// Tokens of each target row, padding included.
    pub target: usize,
}

/// The sentence pairs of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub shape: BatchShape,
    /// Indices into the corpus, at most `shape.sentences`; fewer only in the last batch of a plan.
    pub sentences: Vec<u32>,
}

/// How many sentences a full batch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchSize {
    /// So many sentence pairs, however long.
    Sentences(usize),
    /// As many pairs as make up so many tokens, padding included, on the longer side. From 8 pairs on, a multiple of 8,
    /// which suits the tiles of a matrix product. Never less than one pair.
    Tokens(usize),
}

impl BatchSize {
    fn sentences(self, source: usize, target: usize) -> usize {
        match self {
            Self::Sentences(sentences) => sentences,
            Self::Tokens(tokens) => match tokens / source.max(target) {
                0 => 1,
                few @ 1..8 => few,
                many => many - many % 8,
            },
        }
    }
}

/// Which special tokens stand around a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frame {
    /// The source ends with `<eos>`; the decoder reads `<sos>` and the target, and says the target and `<eos>`.
    Target,
    /// Both sides are `<sos> … <eos>`; the decoder reads one more `<sos>` and has to say the target's `<sos>` too, as
    /// some course materials do.
    Both,
}

impl Frame {
    /// What stands before a source sentence.
    pub fn source_start(self) -> &'static [u32] {
        if self == Frame::Both { &[SOS] } else { &[] }
    }

    /// What stands before a target sentence: the decoder's first input, and in `Both` its first label.
    pub fn target_start(self) -> &'static [u32] {
        if self == Frame::Both { &[SOS, SOS] } else { &[SOS] }
    }

    /// Positions of a sentence of `tokens` tokens, on the source side and among the labels.
    pub fn positions(self, tokens: usize) -> usize {
        tokens + if self == Frame::Both { 2 } else { 1 }
    }
}

/// Plans batches for a corpus, given the lengths of its sentences.
#[derive(Clone, Debug)]
pub struct Batcher {
    /// Ascending by area; every sentence fits the last.
    groups: Vec<Group>,
    /// Whether epochs differ in the order of their sentences.
    shuffled: bool,
}

/// The sentences whose lengths round up to one shape.
#[derive(Clone, Debug)]
struct Group {
    shape: BatchShape,
    members: Vec<u32>,
    /// Index of the larger group that takes the sentences that do not fill a batch; `None` for the last group.
    next: Option<usize>,
}

impl Batcher {
    /// `source_lengths[n]` and `target_lengths[n]` are the tokens that a step holds for pair n, with what the caller
    /// adds (`<sos>`, `<eos>`). The lengths of batches are multiples of `bucket`: larger means fewer shapes and more
    /// padding.
    ///
    /// # Panics
    ///
    /// If the lengths differ in number, or if `size` or `bucket` is 0.
    pub fn new(source_lengths: &[usize], target_lengths: &[usize], size: BatchSize, bucket: usize) -> Self {
        assert_eq!(source_lengths.len(), target_lengths.len(), "every source sentence needs a target sentence");
        assert!(bucket > 0, "lengths must be rounded up to a multiple of at least 1");
        assert!(!matches!(size, BatchSize::Sentences(0) | BatchSize::Tokens(0)), "a batch needs at least one sentence");
        let longest = |lengths: &[usize]| lengths.iter().copied().max().unwrap_or(1).max(1);
        // No longer than the longest: a table of positions may end there.
        let rounded = |length: usize, longest| length.max(1).next_multiple_of(bucket).min(longest);
        let (most_source, most_target) = (longest(source_lengths), longest(target_lengths));
        // Keyed by area first: a group's next group has a larger area, so one pass in this order fills all batches.
        let mut members = BTreeMap::<(usize, usize, usize), Vec<u32>>::new();
        let (mut longest_source, mut longest_target) = (0, 0);
        for (index, (&source, &target)) in source_lengths.iter().zip(target_lengths).enumerate() {
            let (source, target) = (rounded(source, most_source), rounded(target, most_target));
            longest_source = longest_source.max(source);
            longest_target = longest_target.max(target);
            members.entry((source * target, source, target)).or_default().push(index as u32);
        }
        if !members.is_empty() {
            members.entry((longest_source * longest_target, longest_source, longest_target)).or_default();
        }
        let mut groups: Vec<Group> = members
            .into_iter()
            .map(|((_, source, target), members)| {
                // Rows that no epoch could fill would be computed all the same.
                let sentences = size.sentences(source, target).min(source_lengths.len());
                let shape = BatchShape { sentences, source, target };
                Group { shape, members, next: None }
            })
            .collect();
        for index in 0..groups.len() {
            groups[index].next = next_group(&groups, index);
        }
        Self { groups, shuffled: true }
    }

    /// Batches of neighbours in the order of the corpus, all `length` positions long on both sides.
    ///
    /// # Panics
    ///
    /// If `sentences` is 0.
    pub fn sequential(count: usize, sentences: usize, length: usize) -> Self {
        assert!(sentences > 0, "a batch needs at least one sentence");
        let shape = BatchShape { sentences: sentences.min(count), source: length, target: length };
        let group = Group { shape, members: (0..count as u32).collect(), next: None };
        Self { groups: if count > 0 { vec![group] } else { vec![] }, shuffled: false }
    }

    /// The batches of an epoch in the order of training: a function of `seed` and `epoch` only, so that a resumed run
    /// needs no state.
    pub fn epoch(&self, seed: u64, epoch: usize) -> Vec<Batch> {
        if !self.shuffled {
            return self.in_order();
        }
        let mut random = SplitMix64::of_epoch(seed, epoch as u64);
        let mut batches = self.plan(|members| random.shuffle(members));
        random.shuffle(&mut batches);
        batches
    }

    /// Every sentence once and always in the same batches, short sentences first. For validation and test sets.
    pub fn in_order(&self) -> Vec<Batch> {
        self.plan(|_| ())
    }

    /// Every shape that a batch can have, the largest area first.
    pub fn shapes(&self) -> Vec<BatchShape> {
        let mut shapes: Vec<BatchShape> = self.in_order().into_iter().map(|batch| batch.shape).collect();
        shapes.dedup();
        shapes.reverse();
        shapes
    }

    /// Cuts the groups into batches, smallest shape first, after `arrange` has put the sentences of each in order.
    fn plan(&self, mut arrange: impl FnMut(&mut [u32])) -> Vec<Batch> {
        let mut waiting: Vec<Vec<u32>> = self.groups.iter().map(|group| group.members.clone()).collect();
        let mut batches = Vec::new();
        for (index, &Group { shape, next, .. }) in self.groups.iter().enumerate() {
            let mut members = std::mem::take(&mut waiting[index]);
            arrange(&mut members);
            if let Some(next) = next {
                let full_batches = members.len() - members.len() % shape.sentences;
                waiting[next].extend(members.drain(full_batches..));
            }
            batches.extend(
                members.chunks(shape.sentences).map(|sentences| Batch { shape, sentences: sentences.to_vec() }),
            );
        }
        batches
    }
}

/// Of the groups that are at least as long on both sides, the one that adds the least padding to a pair; among equals
/// the one with the most sentences, where the newcomers most likely complete a batch.
fn next_group(groups: &[Group], index: usize) -> Option<usize> {
    let BatchShape { source, target, .. } = groups[index].shape;
    (index + 1..groups.len())
        .filter(|&next| groups[next].shape.source >= source && groups[next].shape.target >= target)
        .min_by_key(|&next| {
            let Group { shape, members, .. } = &groups[next];
            (shape.source + shape.target, std::cmp::Reverse(members.len()))
        })
}

/// The indices of the pairs with at most `limit` tokens on both sides, and the number of pairs that are longer.
///
/// # Panics
///
/// If the lengths differ in number.
pub fn within_limit(source_lengths: &[usize], target_lengths: &[usize], limit: usize) -> (Vec<u32>, usize) {
    assert_eq!(source_lengths.len(), target_lengths.len(), "every source sentence needs a target sentence");
    let pairs = source_lengths.iter().zip(target_lengths).enumerate();
    let kept: Vec<u32> =
        pairs.filter(|&(_, (&source, &target))| source.max(target) <= limit).map(|(index, _)| index as u32).collect();
    let too_long = source_lengths.len() - kept.len();
    (kept, too_long)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Lengths like those of image captions: 4 to about 40 tokens, mostly 9 to 18, target close to source.
    fn captions(pairs: usize) -> (Vec<usize>, Vec<usize>) {
        let mut dice: Vec<usize> = (0..pairs * 8).map(|n| n % 7).collect();
        SplitMix64::of_epoch(3, 0).shuffle(&mut dice);
        let lengths = dice.chunks(8).enumerate().map(|(n, dice)| {
            let common = dice[..4].iter().sum::<usize>() * if n % 20 == 0 { 2 } else { 1 };
            (4 + common * 2 / 3 + dice[4] / 2 + dice[5] / 2, 4 + common * 2 / 3 + dice[6] / 2 + dice[7] / 2)
        });
        lengths.unzip()
    }

    /// Fraction of the tokens of all batches that is padding, on the source and on the target side.
    fn padding(batches: &[Batch], lengths: &(Vec<usize>, Vec<usize>)) -> (f64, f64) {
        let held = |side: fn(&BatchShape) -> usize| -> f64 {
            batches.iter().map(|batch| (batch.shape.sentences * side(&batch.shape)) as f64).sum()
        };
        let share = |lengths: &[usize], held: f64| 1.0 - lengths.iter().sum::<usize>() as f64 / held;
        (share(&lengths.0, held(|shape| shape.source)), share(&lengths.1, held(|shape| shape.target)))
    }

    fn assert_holds_every_pair_once(batches: &[Batch], lengths: &(Vec<usize>, Vec<usize>)) {
        let mut sentences: Vec<u32> = batches.iter().flat_map(|batch| batch.sentences.clone()).collect();
        sentences.sort();
        assert_eq!(sentences, (0..lengths.0.len() as u32).collect::<Vec<_>>());
        for Batch { shape, sentences } in batches {
            assert!((1..=shape.sentences).contains(&sentences.len()));
            assert!(sentences.iter().all(|&n| lengths.0[n as usize] <= shape.source));
            assert!(sentences.iter().all(|&n| lengths.1[n as usize] <= shape.target));
        }
        assert!(batches.iter().filter(|batch| batch.sentences.len() < batch.shape.sentences).count() <= 1);
    }

    #[test]
    fn few_shapes_and_little_padding() {
        let lengths = captions(29_000);
        let batcher = Batcher::new(&lengths.0, &lengths.1, BatchSize::Sentences(128), 4);
        let batches = batcher.epoch(1, 0);
        assert_holds_every_pair_once(&batches, &lengths);
        let (source, target) = padding(&batches, &lengths);
        assert!(source < 0.15 && target < 0.15, "{source} {target}");
        assert!((8..=40).contains(&batcher.shapes().len()), "{}", batcher.shapes().len());
        assert_eq!(batches.len(), 29_000_usize.div_ceil(128));
    }

    #[test]
    fn every_size_and_bucket_holds_every_pair() {
        let lengths = captions(500);
        for size in [1, 7, 64, 1000].map(BatchSize::Sentences).into_iter().chain([1, 60, 999].map(BatchSize::Tokens)) {
            for bucket in [1, 4, 64] {
                let batcher = Batcher::new(&lengths.0, &lengths.1, size, bucket);
                assert_holds_every_pair_once(&batcher.epoch(9, 9), &lengths);
                assert_holds_every_pair_once(&batcher.in_order(), &lengths);
            }
        }
    }

    #[test]
    fn an_epoch_depends_on_seed_and_number_only() {
        let lengths = captions(2000);
        let batcher = Batcher::new(&lengths.0, &lengths.1, BatchSize::Sentences(32), 4);
        assert_eq!(batcher.epoch(5, 3), batcher.clone().epoch(5, 3));
        // Which sentences meet must change too, not only the order of the batches.
        let sets = |batches: Vec<Batch>| -> HashSet<Vec<u32>> {
            let sorted = batches.into_iter().map(|mut batch| {
                batch.sentences.sort();
                batch.sentences
            });
            sorted.collect()
        };
        let first = sets(batcher.epoch(5, 3));
        for other in [batcher.epoch(5, 4), batcher.epoch(6, 3), batcher.in_order()] {
            assert!(first.intersection(&sets(other)).count() <= 1);
        }
        let shapes = |batches: Vec<Batch>| batches.into_iter().map(|batch| batch.shape).collect::<Vec<_>>();
        assert_ne!(shapes(batcher.epoch(5, 3)), shapes(batcher.in_order()), "long and short batches take turns");
    }

    #[test]
    fn shapes_are_known_before_training() {
        let lengths = captions(3000);
        for size in [BatchSize::Sentences(32), BatchSize::Tokens(600)] {
            let batcher = Batcher::new(&lengths.0, &lengths.1, size, 4);
            let shapes = batcher.shapes();
            assert!(shapes.windows(2).all(|pair| pair[0].source * pair[0].target >= pair[1].source * pair[1].target));
            for epoch in 0..5 {
                let used: HashSet<BatchShape> = batcher.epoch(1, epoch).iter().map(|batch| batch.shape).collect();
                assert_eq!(used, shapes.iter().copied().collect());
            }
        }
    }

    #[test]
    fn token_batches_hold_about_that_many_tokens() {
        let sentences = |source, target| BatchSize::Tokens(1000).sentences(source, target);
        assert_eq!(sentences(12, 8), 80, "1000 / 12 = 83, rounded down to a multiple of 8");
        assert_eq!(sentences(8, 12), 80);
        assert_eq!((sentences(120, 4), sentences(140, 4), sentences(2000, 4)), (8, 7, 1));
    }

    #[test]
    fn a_batch_has_no_more_rows_than_the_corpus_has_pairs() {
        let (source, target) = captions(32);
        let whole = Batcher::new(&source, &target, BatchSize::Sentences(32), 4);
        for size in [BatchSize::Sentences(8192), BatchSize::Tokens(1 << 40)] {
            let larger = Batcher::new(&source, &target, size, 4);
            assert_eq!((larger.shapes(), larger.epoch(7, 2)), (whole.shapes(), whole.epoch(7, 2)));
        }
        assert_eq!(Batcher::sequential(32, 8192, 20).epoch(7, 2), Batcher::sequential(32, 32, 20).epoch(7, 2));
    }

    #[test]
    fn sentences_that_fill_no_batch_move_to_the_next_larger_shape() {
        // Five pairs of (4, 4), two of up to (6, 4), none of (4, 6): the fifth pair joins the two.
        let batcher = Batcher::new(&[4, 4, 4, 4, 4, 5, 6], &[4; 7], BatchSize::Sentences(2), 4);
        let batches = batcher.in_order();
        let shape = |source| BatchShape { sentences: 2, source, target: 4 };
        // Not 8: nothing is longer than 6.
        let expected = [(4, vec![0, 1]), (4, vec![2, 3]), (6, vec![5, 6]), (6, vec![4])];
        assert_eq!(batches, expected.map(|(source, sentences)| Batch { shape: shape(source), sentences }));
        assert_eq!(batcher.shapes(), [shape(6), shape(4)]);
    }

    #[test]
    fn a_sequential_corpus_keeps_its_order() {
        for (count, batches) in
            [(5, vec![vec![0, 1], vec![2, 3], vec![4]]), (4, vec![vec![0, 1], vec![2, 3]]), (1, vec![vec![0]])]
        {
            let shape = BatchShape { sentences: count.min(2), source: 20, target: 20 };
            let batches: Vec<Batch> = batches.into_iter().map(|sentences| Batch { shape, sentences }).collect();
            let batcher = Batcher::sequential(count, 2, 20);
            for (seed, epoch) in [(0, 0), (3, 1), (7, 20)] {
                assert_eq!(batcher.epoch(seed, epoch), batches);
            }
            assert_eq!(batcher.in_order(), batches);
            assert_eq!(batcher.shapes(), [shape]);
        }
    }

    #[test]
    fn an_empty_corpus_has_no_batches() {
        for batcher in [Batcher::new(&[], &[], BatchSize::Sentences(2), 4), Batcher::sequential(0, 2, 20)] {
            assert!(batcher.epoch(0, 0).is_empty() && batcher.in_order().is_empty() && batcher.shapes().is_empty());
        }
    }

    #[test]
    fn long_pairs_are_counted() {
        assert_eq!(within_limit(&[3, 9, 4, 5], &[5, 1, 6, 5], 5), (vec![0, 3], 2));
    }
}
