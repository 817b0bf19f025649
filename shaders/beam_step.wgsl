// The K best continuations of the K hypotheses of a sentence, by rank = score / length^α; score = scores[row] + logits[row, v] − ln Σ e^logits[row]
//
// One workgroup a sentence. It finds the rows' logarithms of sums, then K times the best candidate that comes after the last winner in the order (rank
// down, row and token up). A hypothesis that has ended is one candidate, itself. K passes over K·V ranks: 150,000 for a beam of 5 and 6,000 tokens,
// 600 an invocation. Not measured on hardware.
#import shared/grid
#import shared/reduce{SUBGROUPS}

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

const LOWEST: f32 = -3.4e38;
const NOBODY: u32 = 0xffffffffu;

var<workgroup> best_rank: array<f32, LANES>;
var<workgroup> best_at: array<u32, LANES>; // row · vocabulary + token

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let sentence = linear_group(group, groups);
    let inside = sentence < p.sentences;
    let first = select(0u, sentence * BEAM, inside);
    var log_totals: array<f32, BEAM>;
    for (var k = 0u; k < BEAM; k++) {
        let start = (first + k) * p.vocabulary;
        var largest = LOWEST;
        for (var v = local; v < p.vocabulary; v += LANES) {
            largest = max(largest, logits[start + v]);
        }
        largest = reduce_max(largest, local);
        var sum = 0.0;
        for (var v = local; v < p.vocabulary; v += LANES) {
            sum += exp(logits[start + v] - largest);
        }
        log_totals[k] = log(reduce_sum(sum, local)) + largest;
    }
    let divisor = pow(f32(p.length), p.penalty);
    var last_rank = 3.4e38;
    var last_at = 0u;
    for (var winner = 0u; winner < BEAM; winner++) {
        var rank = LOWEST;
        var at = NOBODY;
        for (var k = 0u; k < BEAM; k++) {
            let row = first + k;
            let ended = ids[row] == p.end;
            for (var v = local; v < p.vocabulary; v += LANES) {
                var candidate = (scores[row] + (logits[row * p.vocabulary + v] - log_totals[k])) / divisor;
                if ended {
                    candidate = scores[row] / pow(f32(lengths[row]), p.penalty);
                }
                let place = k * p.vocabulary + v;
                let open = !ended || v == p.end;
                let follows = candidate < last_rank || (candidate == last_rank && (winner == 0u || place > last_at));
                if open && follows && (candidate > rank || at == NOBODY) {
                    rank = candidate;
                    at = place;
                }
            }
        }
        best_rank[local] = rank;
        best_at[local] = at;
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
        last_rank = best_rank[0];
        last_at = best_at[0];
        workgroupBarrier(); // before the next pass overwrites them
        if inside && local == 0u {
            let k = min(last_at / p.vocabulary, BEAM - 1u);
            let row = first + k;
            let token = last_at % p.vocabulary;
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
