// What lstm.wgsl, gru.wgsl, gru_backward.wgsl and rnn.wgsl share, which run whole sequences in one launch: how many a
// workgroup runs, and in which direction

const ROWS: u32 = 4u; // a vec4f of them: one load from workgroup memory feeds all rows of a weight

// The time of step s of a forward walk over `time` steps; `reverse` 1 walks from the end to the start.
fn time_of_step(s: u32, time: u32, reverse: u32) -> u32 {
    return select(s, time - 1u - s, reverse == 1u);
}

// The row of weights that is read while row `j` of them is used: AHEAD rows on, and after the last one the first ones
// again, for the next step. Those past the last of all `rows` are that one, and meet zeros.
fn row_ahead(j: u32, rows: u32) -> u32 {
    let end = (rows + AHEAD - 1u) / AHEAD * AHEAD;
    let next = j + AHEAD;
    return min(select(next, next - end, next >= end), rows - 1u);
}
