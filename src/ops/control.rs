//! The one small upload of a step: `control`, u32[SENTENCES + batch].

/// Words 0 and 1: the seed of all randomness.
pub const SEED: usize = 0;
/// Word 2: number of the step, the counter of all randomness.
pub const STEP: usize = 2;
/// Word 3: learning rate, as the bits of an f32.
pub const LEARNING_RATE: usize = 3;
/// Words 4 and 5: 1 − β₁ᵗ and 1 − β₂ᵗ, as the bits of f32s.
pub const BIAS_CORRECTION: usize = 4;
/// From word 8 on: which sentences the batch holds; [`NO_SENTENCE`] where it has fewer than its shape allows.
pub const SENTENCES: usize = 8;
/// Marks an empty row of a batch.
pub const NO_SENTENCE: u32 = u32::MAX;
