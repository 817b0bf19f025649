// The K best continuations of the K hypotheses of a sentence, by rank = score / length^α; score = scores[row] + logits[row, v] − ln Σ e^logits[row]
//
// One workgroup a sentence, in one pass over its logits, which gives the rows' logarithms of sums and the largest number of each chunk of an invocation's numbers.
// An invocation's K best candidates, in the order (rank down, row and token up), lie in its K best chunks, which it reads again. Then K times the best of the
// invocations' best is the next winner. A hypothesis that has ended is one candidate, itself. A row need not begin with a vector, as in argmax.wgsl.
// On llvmpipe, 2 cores, 6,191 tokens: 12 sentences took 0.70 ms with a second pass that kept the best of all candidates; 120 take 2.18 ms so with a vector in hand, 1.9 with
// four, whose sums share a factor: five exponentials in place of four times one, but no absolute value, comparison and choice for each. Not measured on hardware.
#import shared/four
#import shared/grid
#import shared/log_sum_exp
#import shared/reduce{SUBGROUPS}
#import shared/vector{VECTOR}

struct Parameters {
    sentences: u32,
    vocabulary: u32,
    length: u32, // tokens of a continued hypothesis
    end: u32,
    penalty: f32, // α
}
@group(0) @binding(0) var<storage, read> logits: array<Numbers>; // [sentences·K, vocabulary]
@group(0) @binding(1) var<storage, read> scores: array<f32>; // [sentences·K]
@group(0) @binding(2) var<storage, read> lengths: array<u32>; // [sentences·K]
@group(0) @binding(3) var<storage, read> ids: array<u32>; // [sentences·K]
@group(0) @binding(4) var<storage, read_write> new_scores: array<f32>;
@group(0) @binding(5) var<storage, read_write> new_lengths: array<u32>;
@group(0) @binding(6) var<storage, read_write> parents: array<u32>;
@group(0) @binding(7) var<storage, read_write> new_ids: array<u32>;
@group(0) @binding(8) var<uniform> p: Parameters;

const NOBODY: u32 = 0xffffffffu;

// Chunks of a row at most, and vectors that an invocation has in hand at a time.
const CHUNKS: u32 = 16u;
const HELD: u32 = 4u;

// The best candidates or chunks that an invocation has met, the best first, and their places: row of the sentence · vocabulary + token, or row · CHUNKS + chunk.
var<private> ranks: array<f32, BEAM>;
var<private> places: array<u32, BEAM>;

fn forget() {
    for (var i = 0u; i < BEAM; i++) {
        ranks[i] = LOWEST;
        places[i] = NOBODY;
    }
}

fn insert(rank: f32, place: u32) {
    var carried_rank = max(rank, LOWEST);
    var carried_place = place;
    for (var i = 0u; i < BEAM; i++) {
        let other_rank = ranks[i];
        let other_place = places[i];
        let before = carried_rank > other_rank || (carried_rank == other_rank && carried_place < other_place);
        ranks[i] = select(other_rank, carried_rank, before);
        places[i] = select(other_place, carried_place, before);
        carried_rank = select(carried_rank, other_rank, before);
        carried_place = select(carried_place, other_place, before);
    }
}

// A row's whole vectors, of which an invocation has every LANES-th, `chunk` after `chunk`; what lies before the first and behind the last is read by itself.
struct Row {
    start: u32, // elements
    end: u32,
    first: u32, // vectors
    last: u32,
    chunk: u32, // vectors of a chunk, of all invocations
}

fn row_at(row: u32) -> Row {
    let start = row * p.vocabulary;
    let end = start + p.vocabulary;
    let first = (start + WIDTH - 1u) / WIDTH;
    let last = max(end / WIDTH, first);
    let steps = (last - first + LANES - 1u) / LANES;
    return Row(start, end, first, last, (steps + HELD * CHUNKS - 1u) / (HELD * CHUNKS) * HELD * LANES);
}

fn logit(i: u32) -> f32 {
    return number_at(logits[i / WIDTH], i);
}

// The numbers of a vector, and LOWEST in place of those that it has not.
fn four_logits(i: u32) -> vec4f {
    let x = logits[i];
    let four = vec4f(number_at(x, 0u), number_at(x, 1u), number_at(x, 2u), number_at(x, 3u));
    return select(vec4f(LOWEST), four, vec4u(0u, 1u, 2u, 3u) < vec4u(WIDTH));
}

// Where an invocation finds elements that are in no whole vector: one before the first, and one behind the last.
fn head_of(row: Row, local: u32) -> u32 {
    return select(NOBODY, row.start + local, row.start + local < min(WIDTH * row.first, row.end));
}

fn tail_of(row: Row, local: u32) -> u32 {
    let tail = max(WIDTH * row.last, row.start) + local;
    return select(NOBODY, tail, tail < row.end && tail >= WIDTH * row.first);
}

var<private> largest: array<f32, CHUNKS>;

// ln Σ e^logits over a row; `largest` of its chunks
fn log_total(row: Row, local: u32) -> f32 {
    var sums = nothing();
    var i = row.first + local;
    for (var c = 0u; c < CHUNKS; c++) {
        let end = min(row.first + (c + 1u) * row.chunk, row.last);
        var most = vec4f(LOWEST);
        loop {
            var four: array<vec4f, HELD>;
            for (var v = 0u; v < HELD; v++) {
                four[v] = vec4f(LOWEST);
                if i + v * LANES < end {
                    four[v] = four_logits(i + v * LANES);
                }
            }
            let highest = max(max(four[0], four[1]), max(four[2], four[3]));
            let top = max(sums.largest, highest);
            let more = (exp(four[0] - top) + exp(four[1] - top)) + (exp(four[2] - top) + exp(four[3] - top));
            sums = LogSumExp(top, sums.sum * exp(sums.largest - top) + more);
            most = max(most, highest);
            i += HELD * LANES;
            continuing {
                break if i >= end;
            }
        }
        i = row.first + (c + 1u) * row.chunk + local;
        largest[c] = largest_of_four(most);
    }
    let head = head_of(row, local);
    if head != NOBODY {
        sums = with_one(sums, logit(head));
    }
    let tail = tail_of(row, local);
    if tail != NOBODY {
        sums = with_one(sums, logit(tail));
    }
    let of_row = of_workgroup(sums, local);
    return log(of_row.y) + of_row.x;
}

// The first of the places that invocations have whose candidates are `best`, in halves, which f32 holds exactly.
fn first_place(best: bool, place: u32, local: u32) -> u32 {
    let high = -reduce_max(select(-65536.0, -f32(place >> 16u), best), local);
    let low = -reduce_max(select(-65536.0, -f32(place & 0xffffu), best && f32(place >> 16u) == high), local);
    return (u32(high) << 16u) | (u32(low) & 0xffffu);
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let sentence = linear_group(group, groups);
    let inside = sentence < p.sentences;
    let first = select(0u, sentence * BEAM, inside);
    let divisor = pow(f32(p.length), p.penalty);
    var log_totals: array<f32, BEAM>;
    forget();
    for (var k = 0u; k < BEAM; k++) {
        let row = row_at(first + k);
        log_totals[k] = log_total(row, local);
        if ids[first + k] != p.end {
            let score = scores[first + k];
            for (var c = 0u; c < CHUNKS; c++) {
                if row.first + c * row.chunk + local < row.last {
                    insert((score + (largest[c] - log_totals[k])) / divisor, k * CHUNKS + c);
                }
            }
        }
    }
    let chunks = places;
    forget();
    for (var i = 0u; i < BEAM; i++) {
        if chunks[i] != NOBODY {
            let k = chunks[i] / CHUNKS;
            let row = row_at(first + k);
            let score = scores[first + k];
            let total = log_totals[k];
            let begin = row.first + chunks[i] % CHUNKS * row.chunk;
            for (var v = begin + local; v < min(begin + row.chunk, row.last); v += LANES) {
                let four = logits[v];
                for (var e = 0u; e < WIDTH; e++) {
                    let token = v * WIDTH + e - row.start;
                    insert((score + (number_at(four, e) - total)) / divisor, k * p.vocabulary + token);
                }
            }
        }
    }
    for (var k = 0u; k < BEAM; k++) {
        let row = row_at(first + k);
        if ids[first + k] == p.end {
            if local == 0u {
                insert(scores[first + k] / pow(f32(lengths[first + k]), p.penalty), k * p.vocabulary + p.end);
            }
        } else {
            let head = head_of(row, local);
            if head != NOBODY {
                insert((scores[first + k] + (logit(head) - log_totals[k])) / divisor, k * p.vocabulary + head - row.start);
            }
            let tail = tail_of(row, local);
            if tail != NOBODY {
                insert((scores[first + k] + (logit(tail) - log_totals[k])) / divisor, k * p.vocabulary + tail - row.start);
            }
        }
    }
    for (var winner = 0u; winner < BEAM; winner++) {
        let at = first_place(ranks[0] == reduce_max(ranks[0], local), places[0], local);
        if places[0] == at {
            for (var i = 1u; i < BEAM; i++) {
                ranks[i - 1u] = ranks[i];
                places[i - 1u] = places[i];
            }
            ranks[BEAM - 1u] = LOWEST;
            places[BEAM - 1u] = NOBODY;
        }
        if inside && local == 0u {
            let k = min(at / p.vocabulary, BEAM - 1u);
            let row = first + k;
            let token = at % p.vocabulary;
            let out = first + winner;
            parents[out] = row;
            if ids[row] == p.end {
                new_scores[out] = scores[row];
                new_lengths[out] = lengths[row];
                new_ids[out] = p.end;
            } else {
                new_scores[out] = scores[row] + (logit(row * p.vocabulary + token) - log_totals[k]);
                new_lengths[out] = p.length;
                new_ids[out] = token;
            }
        }
    }
}
