// One time step of a recurrence taken step by step, between two matrix products: an element-wise kernel over [B, H].
// Sizes and places count vectors.

struct Step {
    t: u32,
    time: u32,
    batch: u32,
    hidden: u32,
    before: u32, // where the state that the step reads begins in states
    after: u32, // and the one that it leaves
    upstream: u32, // backward: 1 where the outputs have an upstream gradient
}
