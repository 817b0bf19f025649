// ln Σ e^x of a row in one pass: the sum follows the largest number so far (Milakov and Gimelshein 2018). Four slots, each by itself; a slot that holds
// nothing yet has the largest LOWEST, against which its sum counts for nothing at the end.

const LOWEST: f32 = -3.4e38;

struct LogSumExp {
    largest: vec4f,
    sum: vec4f, // Σ e^(x − largest)
}

fn nothing() -> LogSumExp {
    return LogSumExp(vec4f(LOWEST), vec4f());
}

// Of e^(largest so far − largest) and e^(x − largest) one is 1: an exponential of the distance is all that is missing.
fn with_four(s: LogSumExp, x: vec4f) -> LogSumExp {
    let factor = exp(-abs(x - s.largest));
    return LogSumExp(max(s.largest, x), select(s.sum + factor, s.sum * factor + 1.0, x > s.largest));
}

fn with_one(s: LogSumExp, x: f32) -> LogSumExp {
    let factor = exp(-abs(x - s.largest.x));
    let sum = select(s.sum.x + factor, s.sum.x * factor + 1.0, x > s.largest.x);
    return LogSumExp(vec4f(max(s.largest.x, x), s.largest.yzw), vec4f(sum, s.sum.yzw));
}

// Largest number and Σ e^(x − largest) of the whole workgroup
fn of_workgroup(s: LogSumExp, local: u32) -> vec2f {
    let largest = reduce_max(largest_of_four(s.largest), local);
    return vec2f(largest, reduce_sum(sum_of_four(s.sum * exp(s.largest - largest)), local));
}
