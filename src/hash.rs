//! The hash of checkpoints, text and tokenizers: files of today's runs hold it, so that it stays as it is.

/// Continues a hash: 64-bit FNV-1a (Fowler, Noll and Vo 1991) over words of 32 bits instead of bytes, which is four
/// times as fast. Each step is invertible, so a change within one word is always noticed.
pub(crate) fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.chunks(4).fold(hash, |hash, chunk| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        (hash ^ u64::from(u32::from_le_bytes(word))).wrapping_mul(0x0100_0000_01b3)
    })
}
