//! Random orders that depend on a seed only.

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", figure 16). Ours rather
/// than a crate's, so that the batches of a run never change under an update.
pub(super) struct SplitMix64(u64);

impl SplitMix64 {
    /// An independent stream for every `(seed, epoch)`.
    pub(super) fn new(seed: u64, epoch: u64) -> Self {
        // One mixing step between the two keeps (1, 0) and (0, 1) apart, and neighbouring seeds out of each other's
        // sequence.
        let mixed_seed = Self(seed).next();
        Self(mixed_seed ^ Self(!epoch).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Puts `items` in a random order (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            // Multiplying by the range instead of taking the remainder (Lemire 2019): the bias is below 2^-32 for any
            // corpus that fits in memory.
            let chosen = (u128::from(self.next()) * (last as u128 + 1)) >> 64;
            items.swap(last, chosen as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs for seed 1234567 that <https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64> lists.
    #[test]
    fn agrees_with_the_published_sequence() {
        let mut random = SplitMix64(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_depends_on_seed_and_epoch() {
        let order = |seed, epoch| {
            let mut items: Vec<u32> = (0..100).collect();
            SplitMix64::new(seed, epoch).shuffle(&mut items);
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
            SplitMix64::new(7, epoch).shuffle(&mut items);
            items.iter().enumerate().for_each(|(place, &item)| counts[item][place] += 1);
        }
        assert!(counts.as_flattened().iter().all(|count| (count - 1000).abs() < 137), "{counts:?}");
    }
}
