// The K best continuations of the K hypotheses of a sentence, by rank = score / length^α; score = scores[row] +
// logits[row, v] − ln Σ e^logits[row]. A hypothesis whose score is NaN comes first.
//
// `find`: one workgroup a row, whose K best tokens it writes down, the best first. One pass gives the logarithm of the
// sum and, of each part of the row, the largest logit and where it stands first. A part is what one slot of an
// invocation's vectors meets: LANES · WIDTH of them stay in registers, and one is some 190 of 6,191 numbers for 8
// lanes, 6 for 256. Then the best of all parts is K times the next token, and only the part that it came from is read
// again, by all invocations, for what comes after it. A hypothesis that has ended is one candidate, itself; its logits
// are not read.
// `choose`: one invocation a candidate, whose place among the sentence's is the number of those before it.
//
// On llvmpipe, 2 cores, 120 sentences, a beam of 5, 6,191 tokens: 7.4 ms when a workgroup took a sentence, and each
// invocation kept the K best that it met in a private array; 2.2 so, on the same machine in the same minute. Not
// measured on hardware.
#import shared/aligned
#import shared/best
#import shared/best_{SUBGROUPS 0:workgroup 1:subgroup 2:broadcast}
#import shared/elements
#import shared/grid
#import shared/log_sum_exp
#import shared/reduce_{SUBGROUPS 0:workgroup 1:subgroup 2:broadcast}
#import shared/vector{VECTOR}

struct Parameters {
    rows: u32, // sentences · K
    vocabulary: u32,
    beam: u32, // K
    length: u32, // tokens of a continued hypothesis
    end: u32,
    penalty: f32, // α
}
@group(0) @binding(0) var<storage, read> vectors: array<Numbers>; // [rows, vocabulary]: the logits
@group(0) @binding(1) var<storage, read> logits: array<f32>; // the same, one by one
@group(0) @binding(2) var<storage, read> scores: array<f32>; // [rows]
@group(0) @binding(3) var<storage, read> ids: array<u32>; // [rows]
@group(0) @binding(4) var<storage, read_write> found_scores: array<f32>; // [rows, K]
@group(0) @binding(5) var<storage, read_write> found_ids: array<u32>; // [rows, K]
@group(0) @binding(6) var<uniform> p: Parameters;

// The key of NaN and −∞, so that they come after every number and yet before nobody.
const LEAST: f32 = -3.4028232635611926e38; // the next above NO_KEY
// The rank of hypotheses whose score is NaN: they come first, so that whoever reads the scores sees it.
const MOST: f32 = 3.4028234663852886e38;

// By its bits: a compiler may take it that no number is NaN.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn key_of(x: f32) -> f32 {
    return select(LEAST, x, x > LEAST);
}

// What an invocation knows of its vectors: their sums, and in each slot the largest number and where it stands first.
struct Parts {
    sums: LogSumExp,
    keys: Numbers,
    places: Words,
}

fn with_vector(parts: Parts, x: Numbers, i: u32) -> Parts {
    let larger = x > parts.keys;
    return Parts(
        with_numbers(parts.sums, x),
        select(parts.keys, x, larger),
        select(parts.places, places_of(i), larger),
    );
}

@compute @workgroup_size(LANES)
fn find(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    let inside = row < p.rows;
    let ended = ids[min(row, p.rows - 1u)] == p.end;
    // A workgroup without anything to read takes part in the reductions.
    let reads = inside && !ended;
    let start = select(0u, row * p.vocabulary, reads);
    let span = span_of(start, select(0u, p.vocabulary, reads), local);
    let edge = logits[span.edge];
    var edge_key = select(NO_KEY, key_of(edge), span.has_edge);
    let edge_place = select(NOBODY, span.edge, span.has_edge);
    var i = span.first + local;
    let has_vector = i < span.last;
    var parts = Parts(
        sums_from(select(LOWEST, edge, span.has_edge)),
        select(Numbers(NO_KEY), Numbers(LEAST), has_vector),
        select(Words(NOBODY), places_of(i), has_vector),
    );
    for (; i + LANES < span.last; i += 2u * LANES) {
        let a = vectors[i];
        let b = vectors[i + LANES];
        parts = with_vector(with_vector(parts, a, i), b, i + LANES);
    }
    if i < span.last {
        parts = with_vector(parts, vectors[i], i);
    }
    let of_row = of_workgroup(parts.sums, local);
    let log_sum = log(of_row.y);
    var keys = parts.keys;
    var places = parts.places;
    var taken_key = NO_KEY;
    var taken = NOBODY;
    for (var order = 0u; order < min(p.beam, p.vocabulary); order++) {
        // First slot: the best of all parts but the one that the last token came from. Second slot: what comes after
        // that token in its part, of which each invocation reads its share. An edge is a part of its own; its place
        // leads to another part, where nothing after it is better than that part's best.
        var bests = Bests(vec2f(edge_key, NO_KEY), vec2u(edge_place, NOBODY));
        for (var slot = 0u; slot < WIDTH; slot++) {
            bests = better(bests, Bests(vec2f(number_at(keys, slot), NO_KEY), vec2u(word_at(places, slot), NOBODY)));
        }
        if order > 0u {
            let owner = (taken / WIDTH - span.first) % LANES;
            for (var i = span.first + owner + LANES * local; i < span.last; i += LANES * LANES) {
                let place = WIDTH * i + taken % WIDTH;
                let key = key_of(logits[place]);
                if key < taken_key || (key == taken_key && place > taken) {
                    bests = better(bests, Bests(vec2f(NO_KEY, key), vec2u(NOBODY, place)));
                }
            }
        }
        bests = best_of_workgroup(bests, local);
        let is_part = places == Words(taken);
        keys = select(keys, Numbers(bests.keys.y), is_part);
        places = select(places, Words(bests.places.y), is_part);
        let best = better(bests, Bests(bests.keys.yx, bests.places.yx));
        taken_key = best.keys.x;
        taken = best.places.x;
        keys = select(keys, Numbers(NO_KEY), places == Words(taken));
        edge_key = select(edge_key, NO_KEY, edge_place == taken);
        if inside && local == 0u {
            let at = row * p.beam + order;
            if ended {
                found_scores[at] = scores[row];
                found_ids[at] = p.end;
            } else {
                // Within the row even if NaN, which a driver may take to be no number's equal nor less, leaves nobody.
                let best_place = min(taken, start + p.vocabulary - 1u);
                // The largest first: beside it the logarithm would lose its last bits.
                found_scores[at] = scores[row] + ((logits[best_place] - of_row.x) - log_sum);
                found_ids[at] = best_place - start;
            }
        }
    }
}

@group(0) @binding(0) var<storage, read> candidate_scores: array<f32>; // [rows, K]
@group(0) @binding(1) var<storage, read> candidate_ids: array<u32>; // [rows, K]
@group(0) @binding(2) var<storage, read> lengths: array<u32>; // [rows]
@group(0) @binding(3) var<storage, read> newest: array<u32>; // [rows]: ids
@group(0) @binding(4) var<storage, read_write> new_scores: array<f32>; // [rows]
@group(0) @binding(5) var<storage, read_write> new_lengths: array<u32>; // [rows]
@group(0) @binding(6) var<storage, read_write> parents: array<u32>; // [rows]
@group(0) @binding(7) var<storage, read_write> new_ids: array<u32>; // [rows]
@group(0) @binding(8) var<uniform> q: Parameters;

struct Candidates {
    count: u32,
    length: u32,
    factor: f32, // length^−α
    is_nan: bool, // NaN among a row's logits makes all its scores so
}

fn candidates_of(row: u32) -> Candidates {
    let ended = newest[row] == q.end;
    let length = select(q.length, lengths[row], ended);
    let count = select(min(q.beam, q.vocabulary), 1u, ended);
    return Candidates(count, length, pow(f32(length), -q.penalty), is_nan(candidate_scores[row * q.beam]));
}

// By a product, which rounding leaves in order, so that a row's candidates are.
fn rank_of(candidate: u32, of_row: Candidates) -> f32 {
    return select(key_of(candidate_scores[candidate] * of_row.factor), MOST, of_row.is_nan);
}

@compute @workgroup_size(LANES)
fn choose(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let all = elements(group, groups, local, q.rows * q.beam);
    for (var i = all.first; i < all.end; i += LANES) {
        let row = i / q.beam;
        let own = candidates_of(row);
        let rank = rank_of(i, own);
        let order = i - row * q.beam;
        let first = row / q.beam * q.beam;
        var place = select(q.beam, order, order < own.count);
        for (var other = first; other < first + q.beam && place < q.beam; other++) {
            let others = candidates_of(other);
            let start = other * q.beam;
            let end = start + select(others.count, 0u, other == row);
            for (var j = start; j < end; j++) {
                let other_rank = rank_of(j, others);
                if other_rank < rank || (other_rank == rank && other > row) {
                    break;
                }
                place++;
            }
        }
        if place < q.beam {
            let out = first + place;
            new_scores[out] = candidate_scores[i];
            new_lengths[out] = own.length;
            parents[out] = row;
            new_ids[out] = candidate_ids[i];
        }
    }
}
