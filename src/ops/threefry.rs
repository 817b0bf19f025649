//! Threefry4x32-12 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"), the counter-based generator of
//! all randomness on devices: the same bits on CPU and GPU, recomputed where needed instead of stored.
//!
//! It adds, rotates and xors words of 32 bits, about 90 operations for four words. Philox4x32-10 of the same paper
//! wants products of 64 bits, which WGSL has not: made of products of 16 bits it takes some 340. 12 rounds are the
//! fewest for which its authors know of no statistical flaw (Random123, threefry.h); their default of 20 keeps a margin
//! that dropout does not need.

/// What [`threefry`] does.
const ROUNDS: usize = 12;

/// By how far words are rotated in rounds 0 to 3 and 4 to 7 of every eight: the words that meet words 0 and 2.
const LEFT: [[[u32; 2]; 4]; 2] = [[[10, 26], [11, 21], [13, 27], [23, 5]], [[6, 20], [17, 11], [25, 10], [18, 20]]];

/// Four random words from a counter and a key.
pub fn threefry(counter: [u32; 4], key: [u32; 4]) -> [u32; 4] {
    lanes::<1>(ROUNDS, counter, key).map(|word| word[0])
}

/// [`threefry`] of `N` counters at once that differ in their first word only, `first`, `first + 1`, …, the others being
/// 0: word w of counter i is `[w][i]`. Written for vector units.
#[inline(always)]
pub fn threefry_lanes<const N: usize>(first: u32, key: [u32; 4]) -> [[u32; N]; 4] {
    lanes(ROUNDS, [first, 0, 0, 0], key)
}

#[inline(always)]
fn lanes<const N: usize>(rounds: usize, counter: [u32; 4], key: [u32; 4]) -> [[u32; N]; 4] {
    let schedule = [key[0], key[1], key[2], key[3], key.iter().fold(0x1BD1_1BDA, |all, word| all ^ word)];
    let mut x: [[u32; N]; 4] = std::array::from_fn(|word| [counter[word].wrapping_add(key[word]); N]);
    x[0].iter_mut().enumerate().for_each(|(i, x)| *x = x.wrapping_add(i as u32));
    for turn in 0..rounds / 4 {
        let left = LEFT[turn % 2];
        // Written out, so that LLVM keeps every word in registers.
        mix(&mut x, false, left[0]);
        mix(&mut x, true, left[1]);
        mix(&mut x, false, left[2]);
        mix(&mut x, true, left[3]);
        for (word, x) in x.iter_mut().enumerate() {
            let count = if word == 3 { turn as u32 + 1 } else { 0 };
            let add = schedule[(turn + 1 + word) % 5].wrapping_add(count);
            x.iter_mut().for_each(|x| *x = x.wrapping_add(add));
        }
    }
    x
}

/// One round: words 0 and 2 meet words 1 and 3, or 3 and 1 where `swapped`, which are rotated by `left`.
#[inline(always)]
fn mix<const N: usize>(x: &mut [[u32; N]; 4], swapped: bool, left: [u32; 2]) {
    let [x0, x1, x2, x3] = x;
    let (one, other) = if swapped { (x3, x1) } else { (x1, x3) };
    for (even, odd, left) in [(x0, one, left[0]), (x2, other, left[1])] {
        for (even, odd) in even.iter_mut().zip(odd) {
            *even = even.wrapping_add(*odd);
            *odd = odd.rotate_left(left) ^ *even;
        }
    }
}

/// A number in [0, 1) from the upper 24 bits, so that every value is exact in f32.
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / (1 << 24) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers published with the generator (Random123, kat_vectors), for 20 rounds, which use all that 12 use.
    #[test]
    fn known_answers() {
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let more_pi = [0xa409_3822, 0x299f_31d0, 0x082e_fa98, 0xec4e_6c89];
        let answers = [
            ([0; 4], [0; 4], [0x9c6c_a96a, 0xe17e_ae66, 0xfc10_ecd4, 0x5256_a7d8]),
            ([u32::MAX; 4], [u32::MAX; 4], [0x2a88_1696, 0x5701_2287, 0xf6c7_446e, 0xa16a_6732]),
            (pi, more_pi, [0x59cd_1dbb, 0xb887_9579, 0x86b5_d00c, 0xac8b_6d84]),
        ];
        for (counter, key, answer) in answers {
            assert_eq!(lanes::<1>(20, counter, key).map(|word| word[0]), answer);
        }
    }

    #[test]
    fn lanes_are_the_same_generator() {
        let lanes = threefry_lanes::<16>(u32::MAX - 2, [6, 7, 8, 9]);
        for i in 0..16 {
            let counter = [(u32::MAX - 2).wrapping_add(i as u32), 0, 0, 0];
            assert_eq!(lanes.map(|word| word[i]), threefry(counter, [6, 7, 8, 9]));
        }
    }
}
