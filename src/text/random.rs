//! Random numbers and orders that depend on a seed only.

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", figure 16). Ours rather
/// than a crate's: integer arithmetic only, so that the batches of a run and the captions of a seed are the same on
/// every platform and never change under an update.
pub struct SplitMix64(u64);

impl SplitMix64 {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// An independent stream for every `(seed, epoch)`.
    pub fn of_epoch(seed: u64, epoch: u64) -> Self {
        // One mixing step between the two keeps (1, 0) and (0, 1) apart, and neighbouring seeds out of each other's
        // sequence.
        let mixed_seed = Self(seed).next_u64();
        Self(mixed_seed ^ Self(!epoch).next_u64())
    }

    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound` (0 if `bound` is 0), by the high half of a product instead of the remainder (Lemire
    /// 2019): the bias is below 2^-32 for all that fits in memory.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of the items, all equally likely.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// One of the items that `fits` accepts, all equally likely.
    pub fn pick_where<'a, T>(&mut self, items: &'a [T], fits: impl Fn(&T) -> bool) -> Option<&'a T> {
        let fitting = items.iter().filter(|&item| fits(item)).count();
        let chosen = self.below(fitting);
        items.iter().filter(|&item| fits(item)).nth(chosen)
    }

    /// Puts `items` in a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let chosen = self.below(last + 1);
            items.swap(last, chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs for seed 1234567 that <https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64> lists.
    #[test]
    fn agrees_with_the_published_sequence() {
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!([random.next_u64(), random.next_u64()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_depends_on_seed_and_epoch() {
        let order = |seed, epoch| {
            let mut items: Vec<u32> = (0..100).collect();
            SplitMix64::of_epoch(seed, epoch).shuffle(&mut items);
            items
        };
        let mut sorted = order(1, 2);
        sorted.sort();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(order(1, 2), order(1, 2));
        assert_ne!(order(1, 2), order(1, 3));
        assert_ne!(order(1, 2), order(2, 1));
    }

    /// Each of four items lands on each of four places 1000 times in 4000 shuffles, give or take 5 standard deviations.
    #[test]
    fn every_place_is_equally_likely() {
        let mut counts = [[0_i32; 4]; 4];
        for epoch in 0..4000 {
            let mut items = [0, 1, 2, 3];
            SplitMix64::of_epoch(7, epoch).shuffle(&mut items);
            items.iter().enumerate().for_each(|(place, &item)| counts[item][place] += 1);
        }
        assert!(counts.as_flattened().iter().all(|count| (count - 1000).abs() < 137), "{counts:?}");
    }
}
