//! The random numbers behind the corpus.

/// SplitMix64 (Steele, Lea and Flood, 2014): integer arithmetic only, so that a seed means the
/// same corpus on every platform and in every release of any library.
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound` (0 if `bound` is 0), by taking the high half of a product.
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
}
