// The K best continuations of the K hypotheses of a sentence, by rank = score / length^α; score = scores[row] + logits[row, v] − ln Σ e^logits[row]
//
// One workgroup a sentence, in two passes over its logits: one for the rows' logarithms of sums, one in which each invocation keeps the K best candidates that
// it meets, in the order (rank down, row and token up). Then K times the best of the invocations' best is the next winner. A hypothesis that has ended
// is one candidate, itself. On llvmpipe, 2 cores, 12 sentences, a beam of 5, 6,191 tokens: 4.3 ms with K passes instead of the second one, 1.1 so. Not
// measured on hardware.
#import shared/grid
#import shared/log_sum_exp
#import shared/reduce{SUBGROUPS}
#import shared/strided
#import shared/vector4

struct Parameters {
    sentences: u32,
    vocabulary: u32,
    length: u32, // tokens of a continued hypothesis
    end: u32,
    penalty: f32, // α
}
@group(0) @binding(0) var<storage, read> logits: array<f32>; // [sentences·K, vocabulary]
@group(0) @binding(1) var<storage, read> scores: array<f32>; // [sentences·K]
@group(0) @binding(2) var<storage, read> lengths: array<u32>; // [sentences·K]
@group(0) @binding(3) var<storage, read> ids: array<u32>; // [sentences·K]
@group(0) @binding(4) var<storage, read_write> new_scores: array<f32>;
@group(0) @binding(5) var<storage, read_write> new_lengths: array<u32>;
@group(0) @binding(6) var<storage, read_write> parents: array<u32>;
@group(0) @binding(7) var<storage, read_write> new_ids: array<u32>;
@group(0) @binding(8) var<uniform> p: Parameters;

const NOBODY: u32 = 0xffffffffu;

var<workgroup> best_rank: array<f32, LANES>;
var<workgroup> best_at: array<u32, LANES>;

// An invocation's best candidates, the best first, and their places: row of the sentence · vocabulary + token.
var<private> ranks: array<f32, BEAM>;
var<private> places: array<u32, BEAM>;

fn insert(rank: f32, place: u32) {
    if rank <= ranks[BEAM - 1u] && places[BEAM - 1u] != NOBODY {
        return;
    }
    var carried_rank = rank;
    var carried_place = place;
    for (var i = 0u; i < BEAM; i++) {
        let other_rank = ranks[i];
        let other_place = places[i];
        // Places come in rising order, so that of equals the first stays before the later one.
        let before = carried_rank > other_rank || other_place == NOBODY;
        ranks[i] = select(other_rank, carried_rank, before);
        places[i] = select(other_place, carried_place, before);
        carried_rank = select(carried_rank, other_rank, before);
        carried_place = select(carried_place, other_place, before);
    }
}

fn four_logits(at: u32) -> vec4f {
    return vec4f(logits[at], logits[at + LANES], logits[at + 2u * LANES], logits[at + 3u * LANES]);
}

// ln Σ e^logits over a row
fn log_total(start: u32, local: u32) -> f32 {
    let body = in_strides(p.vocabulary);
    var sums = sums_from(LOWEST);
    for (var v = local; v < body; v += STRIDE) {
        sums = with_numbers(sums, four_logits(start + v));
    }
    for (var v = body + local; v < p.vocabulary; v += LANES) {
        sums = with_numbers(sums, vec4f(logits[start + v], vec3f(LOWEST)));
    }
    let of_row = of_workgroup(sums, local);
    return log(of_row.y) + of_row.x;
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let sentence = linear_group(group, groups);
    let inside = sentence < p.sentences;
    let first = select(0u, sentence * BEAM, inside);
    let divisor = pow(f32(p.length), p.penalty);
    var log_totals: array<f32, BEAM>;
    for (var i = 0u; i < BEAM; i++) {
        ranks[i] = LOWEST;
        places[i] = NOBODY;
    }
    for (var k = 0u; k < BEAM; k++) {
        let row = first + k;
        let start = row * p.vocabulary;
        log_totals[k] = log_total(start, local);
        if ids[row] == p.end {
            if local == 0u {
                insert(scores[row] / pow(f32(lengths[row]), p.penalty), k * p.vocabulary + p.end);
            }
        } else {
            for (var v = local; v < p.vocabulary; v += LANES) {
                insert((scores[row] + (logits[start + v] - log_totals[k])) / divisor, k * p.vocabulary + v);
            }
        }
    }
    for (var winner = 0u; winner < BEAM; winner++) {
        best_rank[local] = ranks[0];
        best_at[local] = places[0];
        for (var half = LANES / 2u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if local < half {
                let other_rank = best_rank[local + half];
                let other_at = best_at[local + half];
                let better = other_rank > best_rank[local] || (other_rank == best_rank[local] && other_at < best_at[local]);
                if other_at != NOBODY && (best_at[local] == NOBODY || better) {
                    best_rank[local] = other_rank;
                    best_at[local] = other_at;
                }
            }
        }
        workgroupBarrier();
        let at = best_at[0];
        workgroupBarrier(); // before the next winner overwrites it
        if places[0] == at {
            for (var i = 1u; i < BEAM; i++) {
                ranks[i - 1u] = ranks[i];
                places[i - 1u] = places[i];
            }
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
                new_scores[out] = scores[row] + (logits[row * p.vocabulary + token] - log_totals[k]);
                new_lengths[out] = p.length;
                new_ids[out] = token;
            }
        }
    }
}
