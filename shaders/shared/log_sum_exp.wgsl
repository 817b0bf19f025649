// ln Σ e^x of a row in one pass: the sum follows the largest number so far (Milakov and Gimelshein 2018), in each slot
// of a vector by itself. A slot that holds nothing yet has the largest LOWEST, against which its sum counts for nothing
// at the end.

const LOWEST: f32 = -3.4e38;

struct LogSumExp {
    largest: Numbers,
    sum: Numbers, // Σ e^(x − largest)
}

// Of one number, shared out over the slots; of LOWEST it is the sum of nothing.
fn sums_from(x: f32) -> LogSumExp {
    return LogSumExp(Numbers(x), Numbers(1.0 / f32(WIDTH)));
}

// Of e^(largest so far − largest) and e^(x − largest) one is 1: an exponential of the distance is all that is missing.
fn with_numbers(s: LogSumExp, x: Numbers) -> LogSumExp {
    let factor = exp(-abs(x - s.largest));
    return LogSumExp(max(s.largest, x), select(s.sum + factor, s.sum * factor + 1.0, x > s.largest));
}

// Largest number and Σ e^(x − largest) of the whole workgroup
fn of_workgroup(s: LogSumExp, local: u32) -> vec2f {
    let largest = reduce_max(largest_of(s.largest), local);
    return vec2f(largest, reduce_sum(sum_of(s.sum * exp(s.largest - largest)), local));
}
