// attention.wgsl for software adapters whose subgroups have at least eight invocations, as llvmpipe's
//
// llvmpipe runs eight invocations as one vector of the CPU and reads memory for each of them by itself, some 10
// instructions a number. So a workgroup is one such vector and has eight neighbouring queries (backward_keys: keys) of
// a head of a sentence; of the keys that they look at (backward_keys: queries) each lane reads one of eight, four
// numbers at a time, and tells the others, at an instruction a number. It looks at 8 · EIGHTS at a time, since so many
// scores stay in registers; where there are not MORE, the forward pass computes them once. 2 cores of a Zen 5, 2 heads
// of 96, 20 tokens, batch 128: 6.6 ms with attention.wgsl, 1.8 so; backward 16.6 and 6.2.
enable subgroups;
#import shared/attention
#import shared/vec4_reduce
#import shared/grid
#import shared/threefry
#import shared/vector{VECTOR}

const AT_ONCE: u32 = 8u * EIGHTS;

// A number for each of eight others
struct Eight {
    low: vec4f,
    high: vec4f,
}
alias Row = array<Eight, EIGHTS>;

// Where this lane reads: a position of each eight.
alias Places = array<u32, EIGHTS>;

// Positions `first`, `first` + 8 and so on; what is not before `end` is the last one again, and counts for nothing.
fn places(start: u32, step: u32, first: u32, end: u32) -> Places {
    var all: Places;
    for (var e = 0u; e < EIGHTS; e++) {
        all[e] = start + step * min(first + 8u * e, end - 1u);
    }
    return all;
}

// What lane i has of the others times this lane's own, for every i. The lane of a broadcast must be a constant.
fn plus_products(sums: Eight, own: Numbers, other: Numbers) -> Eight {
    let low = vec4f(
        sum_of(own * subgroupBroadcast(other, 0u)),
        sum_of(own * subgroupBroadcast(other, 1u)),
        sum_of(own * subgroupBroadcast(other, 2u)),
        sum_of(own * subgroupBroadcast(other, 3u)),
    );
    let high = vec4f(
        sum_of(own * subgroupBroadcast(other, 4u)),
        sum_of(own * subgroupBroadcast(other, 5u)),
        sum_of(own * subgroupBroadcast(other, 6u)),
        sum_of(own * subgroupBroadcast(other, 7u)),
    );
    return Eight(sums.low + low, sums.high + high);
}

// Σ_i weights[i] · what lane i has
fn weighted(weights: Eight, other: Numbers) -> Numbers {
    let a = weights.low.x * subgroupBroadcast(other, 0u) + weights.low.y * subgroupBroadcast(other, 1u);
    let b = weights.low.z * subgroupBroadcast(other, 2u) + weights.low.w * subgroupBroadcast(other, 3u);
    let c = weights.high.x * subgroupBroadcast(other, 4u) + weights.high.y * subgroupBroadcast(other, 5u);
    let d = weights.high.z * subgroupBroadcast(other, 6u) + weights.high.w * subgroupBroadcast(other, 7u);
    return (a + b) + (c + d);
}

// Scores of the query at q_at with the keys at k_at, which begin with key `first`; those from `end` on have the lowest.
fn query_scores(o: Parameters, q_at: u32, k_at: Places, first: u32, end: u32) -> Row {
    var sums: Row;
    for (var c = 0u; c < o.key; c++) {
        let own = q[q_at + c];
        for (var e = 0u; e < EIGHTS; e++) {
            sums[e] = plus_products(sums[e], own, kv[k_at[e] + c]);
        }
    }
    for (var e = 0u; e < EIGHTS; e++) {
        sums[e].low = select(vec4f(LOWEST), sums[e].low * o.scale, are_before(first + 8u * e, end));
        sums[e].high = select(vec4f(LOWEST), sums[e].high * o.scale, are_before(first + 8u * e + 4u, end));
    }
    return sums;
}

// Eight neighbouring positions of a head of a sentence. What differs between lanes stands apart from it: by WGSL one
// such number makes the whole struct differ, and no broadcast may lie in a loop that ends at a number of it.
struct Group {
    b: u32,
    h: u32,
    first: u32,
}

fn group_of(index: u32, heads: u32, positions: u32) -> Group {
    let groups = (positions + 7u) / 8u;
    let head = index / groups;
    return Group(head / heads, head % heads, 8u * (index % groups));
}

// This lane's position of a group; past the end the last one again, which is not stored
struct Own {
    position: u32,
    is_there: bool,
}

fn own_of(g: Group, local: u32, positions: u32) -> Own {
    return Own(min(g.first + local, positions - 1u), g.first + local < positions);
}

// The keys that the queries of a group look at, where they and their values lie
struct Keys {
    last: u32, // end of those that any of the eight queries sees
    k_at: u32, // key 0; the next is `step` further
    v_at: u32,
    step: u32,
}

fn keys_of(g: Group, o: Parameters) -> Keys {
    let last = visible(o, g.b, min(g.first + 7u, o.queries - 1u));
    let at = g.b * o.kv_width;
    return Keys(last, at + o.k_start + g.h * o.key, at + o.v_start + g.h * o.value, o.batch * o.kv_width);
}

// This lane's query, where it and what belongs to it lie
struct Query {
    is_there: bool,
    row: u32, // of [batch, heads, queries]
    end: u32, // of the keys that it sees
    q_at: u32,
    y_at: u32,
}

fn query_of(g: Group, local: u32, o: Parameters) -> Query {
    let own = own_of(g, local, o.queries);
    let at = own.position * o.batch + g.b;
    return Query(
        own.is_there,
        (g.b * o.heads + g.h) * o.queries + own.position,
        visible(o, g.b, own.position),
        at * o.q_width + g.h * o.key,
        (at * o.heads + g.h) * o.value,
    );
}

@group(0) @binding(4) var<storage, read_write> y: array<Numbers>; // [queries, batch, heads·value]
@group(0) @binding(5) var<storage, read_write> logsumexp: array<f32>; // [batch, heads, queries]
@group(0) @binding(6) var<uniform> p: Parameters;

@compute @workgroup_size(8)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let index = linear_group(group, groups);
    if index >= p.count {
        return;
    }
    let g = group_of(index, p.heads, p.queries);
    let keys = keys_of(g, p);
    let t = query_of(g, local, p);
    let drop_key = dropout_key(p);
    // The sum follows the largest score so far (Milakov and Gimelshein 2018).
    var largest = LOWEST;
    var sum = 0.0;
    var scores: Row;
    for (var s = 0u; s < keys.last; s += AT_ONCE) {
        scores = query_scores(p, t.q_at, places(keys.k_at, keys.step, s + local, keys.last), s, t.end);
        var larger = largest;
        for (var e = 0u; e < EIGHTS; e++) {
            larger = max(larger, max(largest_of_four(scores[e].low), largest_of_four(scores[e].high)));
        }
        var more = 0.0;
        for (var e = 0u; e < EIGHTS; e++) {
            more += sum_of_four(exp(scores[e].low - larger) + exp(scores[e].high - larger));
        }
        sum = sum * exp(largest - larger) + more;
        largest = larger;
    }
    var lse = 0.0;
    if t.end > 0u {
        lse = largest + log(sum);
    }
    if t.is_there {
        logsumexp[t.row] = lse;
    }
    // Of a sentence without keys; the loop below writes everyone else's.
    for (var c = select(p.value, 0u, keys.last == 0u && t.is_there); c < p.value; c++) {
        y[t.y_at + c] = Numbers();
    }
    for (var s = 0u; s < keys.last; s += AT_ONCE) {
        if MORE == 1u {
            scores = query_scores(p, t.q_at, places(keys.k_at, keys.step, s + local, keys.last), s, t.end);
        }
        var weights = Row();
        for (var e = 0u; e < EIGHTS; e++) {
            let block = (s + 8u * e) / 4u;
            weights[e].low = exp(scores[e].low - lse) * dropout_factors(p, t.row, block, drop_key);
            weights[e].high = exp(scores[e].high - lse) * dropout_factors(p, t.row, block + 1u, drop_key);
        }
        let at = places(keys.v_at, keys.step, s + local, keys.last);
        for (var c = 0u; c < p.value; c++) {
            var result = Numbers();
            for (var e = 0u; e < EIGHTS; e++) {
                result += weighted(weights[e], kv[at[e] + c]);
            }
            if MORE == 1u {
                if s > 0u {
                    result += y[t.y_at + c];
                }
            }
            if t.is_there {
                y[t.y_at + c] = result;
            }
        }
    }
}

// dq = Σ_s ds·k with ds = p·(m·(dy·v) − delta)·scale; delta: attention.wgsl
@group(0) @binding(4) var<storage, read> known_logsumexp: array<f32>; // [batch, heads, queries]
@group(0) @binding(5) var<storage, read> dy: array<Numbers>; // [queries, batch, heads·value]
@group(0) @binding(6) var<storage, read> known_delta: array<f32>; // [batch, heads, queries]
@group(0) @binding(7) var<storage, read_write> dq: array<Numbers>; // [queries, batch, q_width]
@group(0) @binding(8) var<uniform> of_gradients: Parameters;

fn upstream_times_values(o: Parameters, y_at: u32, v_at: Places) -> Row {
    var sums: Row;
    for (var c = 0u; c < o.value; c++) {
        let own = dy[y_at + c];
        for (var e = 0u; e < EIGHTS; e++) {
            sums[e] = plus_products(sums[e], own, kv[v_at[e] + c]);
        }
    }
    return sums;
}

@compute @workgroup_size(8)
fn backward_queries(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let o = of_gradients;
    let index = linear_group(group, groups);
    if index >= o.count {
        return;
    }
    let g = group_of(index, o.heads, o.queries);
    let keys = keys_of(g, o);
    let t = query_of(g, local, o);
    let drop_key = dropout_key(o);
    let lse = known_logsumexp[t.row];
    let delta = known_delta[t.row];
    for (var c = select(o.key, 0u, keys.last == 0u && t.is_there); c < o.key; c++) {
        dq[t.q_at + c] = Numbers();
    }
    for (var s = 0u; s < keys.last; s += AT_ONCE) {
        let at = places(keys.k_at, keys.step, s + local, keys.last);
        let scores = query_scores(o, t.q_at, at, s, t.end);
        let products = upstream_times_values(o, t.y_at, places(keys.v_at, keys.step, s + local, keys.last));
        var d = Row();
        for (var e = 0u; e < EIGHTS; e++) {
            let block = (s + 8u * e) / 4u;
            let low = dropout_factors(o, t.row, block, drop_key) * products[e].low - delta;
            let high = dropout_factors(o, t.row, block + 1u, drop_key) * products[e].high - delta;
            d[e] = Eight(exp(scores[e].low - lse) * low * o.scale, exp(scores[e].high - lse) * high * o.scale);
        }
        for (var c = 0u; c < o.key; c++) {
            var result = Numbers();
            for (var e = 0u; e < EIGHTS; e++) {
                result += weighted(d[e], kv[at[e] + c]);
            }
            if MORE == 1u {
                if s > 0u {
                    result += dq[t.q_at + c];
                }
            }
            if t.is_there {
                dq[t.q_at + c] = result;
            }
        }
    }
}

// dk = Σ_t ds·q, dv = Σ_t m·p·dy, over the queries that see the key: this lane's own position is a key, the eight
// others are queries
@group(0) @binding(7) var<storage, read_write> dkv: array<Numbers>; // [keys, batch, kv_width]

fn key_times_queries(o: Parameters, k_at: u32, q_at: Places) -> Row {
    var sums: Row;
    for (var c = 0u; c < o.key; c++) {
        let own = kv[k_at + c];
        for (var e = 0u; e < EIGHTS; e++) {
            sums[e] = plus_products(sums[e], own, q[q_at[e] + c]);
        }
    }
    return sums;
}

fn value_times_upstreams(o: Parameters, v_at: u32, y_at: Places) -> Row {
    var sums: Row;
    for (var c = 0u; c < o.value; c++) {
        let own = kv[v_at + c];
        for (var e = 0u; e < EIGHTS; e++) {
            sums[e] = plus_products(sums[e], own, dy[y_at[e] + c]);
        }
    }
    return sums;
}

// What eight lanes have, for all of them
fn told(value: f32) -> Eight {
    let low = vec4f(
        subgroupBroadcast(value, 0u), subgroupBroadcast(value, 1u),
        subgroupBroadcast(value, 2u), subgroupBroadcast(value, 3u),
    );
    let high = vec4f(
        subgroupBroadcast(value, 4u), subgroupBroadcast(value, 5u),
        subgroupBroadcast(value, 6u), subgroupBroadcast(value, 7u),
    );
    return Eight(low, high);
}

// Dropout's factors of this lane's key, one of `keys` to `keys` + 7, for eight queries; `row` is the row of the
// probabilities of this lane's query. Random words belong to four keys of a query: each lane draws its query's for all
// eight keys, two blocks in place of eight, and tells which keys are left.
fn factors_of_queries(o: Parameters, row: u32, keys: u32, local: u32, drop_key: vec4u) -> Eight {
    if DROPPED == 0u {
        return Eight(vec4f(1.0), vec4f(1.0));
    }
    let low = select(vec4u(), vec4u(1u, 2u, 4u, 8u), are_left(o, row, keys / 4u, drop_key));
    let high = select(vec4u(), vec4u(16u, 32u, 64u, 128u), are_left(o, row, keys / 4u + 1u, drop_key));
    let bits = low | high;
    let left = told(f32(bits.x | bits.y | bits.z | bits.w));
    let own = vec4u(1u << local);
    let is_left_low = (vec4u(left.low) & own) == own;
    let is_left_high = (vec4u(left.high) & own) == own;
    return Eight(select(vec4f(0.0), vec4f(o.factor), is_left_low), select(vec4f(0.0), vec4f(o.factor), is_left_high));
}

@compute @workgroup_size(8)
fn backward_keys(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let o = of_gradients;
    let index = linear_group(group, groups);
    if index >= o.count {
        return;
    }
    let g = group_of(index, o.heads, o.keys);
    let own = own_of(g, local, o.keys);
    let seen = visible(o, g.b, o.queries - 1u);
    let k_at = (own.position * o.batch + g.b) * o.kv_width + o.k_start + g.h * o.key;
    let v_at = (own.position * o.batch + g.b) * o.kv_width + o.v_start + g.h * o.value;
    let row = (g.b * o.heads + g.h) * o.queries;
    let drop_key = dropout_key(o);
    // The first query that sees any of these keys, if one does, and the first that sees this lane's.
    var start = 0u;
    var first = 0u;
    if o.causal == 1u {
        start = g.first;
        first = own.position;
    }
    if g.first >= seen {
        start = o.queries;
    }
    if own.position >= seen {
        first = o.queries;
    }
    let nobody = start >= o.queries && own.is_there;
    for (var c = select(o.key, 0u, nobody); c < o.key; c++) {
        dkv[k_at + c] = Numbers();
    }
    for (var c = select(o.value, 0u, nobody); c < o.value; c++) {
        dkv[v_at + c] = Numbers();
    }
    for (var t = start; t < o.queries; t += AT_ONCE) {
        let q_at = places(g.b * o.q_width + g.h * o.key, o.batch * o.q_width, t + local, o.queries);
        let y_at = places((g.b * o.heads + g.h) * o.value, o.batch * o.heads * o.value, t + local, o.queries);
        let scores = key_times_queries(o, k_at, q_at);
        let products = value_times_upstreams(o, v_at, y_at);
        var d = Row();
        var weights = Row();
        for (var e = 0u; e < EIGHTS; e++) {
            let from_here = t + 8u * e;
            let place = row + min(from_here + local, o.queries - 1u);
            let lse = told(known_logsumexp[place]);
            let delta = told(known_delta[place]);
            let sees_low = are_before(from_here, o.queries) & !are_before(from_here, first);
            let sees_high = are_before(from_here + 4u, o.queries) & !are_before(from_here + 4u, first);
            let low = select(vec4f(0.0), exp(scores[e].low * o.scale - lse.low), sees_low);
            let high = select(vec4f(0.0), exp(scores[e].high * o.scale - lse.high), sees_high);
            let factors = factors_of_queries(o, place, g.first, local, drop_key);
            weights[e] = Eight(low * factors.low, high * factors.high);
            d[e].low = select(vec4f(0.0), low * (factors.low * products[e].low - delta.low) * o.scale, sees_low);
            d[e].high = select(vec4f(0.0), high * (factors.high * products[e].high - delta.high) * o.scale, sees_high);
        }
        for (var c = 0u; c < o.key; c++) {
            var result = Numbers();
            for (var e = 0u; e < EIGHTS; e++) {
                result += weighted(d[e], q[q_at[e] + c]);
            }
            if MORE == 1u {
                if t > start {
                    result += dkv[k_at + c];
                }
            }
            if own.is_there {
                dkv[k_at + c] = result;
            }
        }
        for (var c = 0u; c < o.value; c++) {
            var result = Numbers();
            for (var e = 0u; e < EIGHTS; e++) {
                result += weighted(weights[e], dy[y_at[e] + c]);
            }
            if MORE == 1u {
                if t > start {
                    result += dkv[v_at + c];
                }
            }
            if own.is_there {
                dkv[v_at + c] = result;
            }
        }
    }
}
