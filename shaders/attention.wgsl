// y_h[t] = Σ_s m·p_h[t, s]·v_h[s], p_h[t, s] = e^(score − logsumexp_h[t]), score = scale·q_h[t]·k_h[s], logsumexp =
// ln Σ_s e^score, over the visible s; m is dropout's factor, 0 or 1/(1 − p), and 1 without dropout. logsumexp is saved
// for the backward pass, as in FlashAttention.
//
// One team of TEAM invocations a query (forward, weights, backward_delta, backward_queries) or a key (backward_keys) of
// a head of a sentence, 64 invocations a workgroup; a team walks its keys or queries, four at a time, and adds up right
// in the result, each of its invocations every TEAM-th vector of the head's numbers. No T × S matrix, any width. Scores
// are computed twice in the forward pass: once for logsumexp, once for y.
//
// Four at a time, since each number of a query and of the result is then read and written once for four keys, and a
// block of four random words serves them; vectors of a head's numbers where its sizes allow. On llvmpipe, 2 cores, 2
// heads of 96, 20 tokens, batch 128, one key and one number at a time and so: 17.7 and 6.7 ms forward, 43.3 and 17.2
// backward.
//
// Teams of eight on hardware: neighbouring positions lie batch·width numbers apart, so that an invocation a query reads
// a cache line of its own at each load, and 2 heads of 20 tokens, batch 128, are 5,120 of them, one or two subgroups a
// processor. Eight read 128 bytes in a row, and are eight times as many; for that they meet at two barriers for every
// four keys. By arithmetic, 25 µs forward become 5; not measured. Teams of one on software adapters, to which barriers
// cost most.
// A tile of keys in workgroup memory should pay on hardware from some dozens of positions on; not measured.
#import shared/attention
#import shared/vec4_reduce
#import shared/grid
#import shared/team_of_{TEAM 1:one 8:eight}
#import shared/threefry
#import shared/vector{VECTOR}

@group(0) @binding(4) var<storage, read_write> y: array<Numbers>; // [queries, batch, heads·value]
@group(0) @binding(5) var<storage, read_write> logsumexp: array<f32>; // [batch, heads, queries]
@group(0) @binding(6) var<uniform> p: Parameters;

// Four keys (or queries) from `first` on: those from `end` on repeat the last one, and count for nothing.
fn four_places(first: u32, end: u32) -> vec4u {
    return min(first + vec4u(0u, 1u, 2u, 3u), vec4u(max(end, 1u) - 1u));
}

// A team's query or key, with the first of the numbers that this invocation takes
struct Place {
    row: u32, // [batch, heads, positions]; the last one again past the end
    is_there: bool,
    lane: u32,
}

fn place_of(group: vec3u, groups: vec3u, local: u32, count: u32) -> Place {
    let row = (linear_group(group, groups) * 64u + local) / TEAM;
    return Place(min(row, count - 1u), row < count, local % TEAM);
}

// Scores of the query at q_at with the keys at k_at
fn scores(parameters: Parameters, q_at: u32, k_at: vec4u, local: u32) -> vec4f {
    var x = Numbers();
    var y = Numbers();
    var z = Numbers();
    var w = Numbers();
    for (var c = local % TEAM; c < parameters.key; c += TEAM) {
        let query = q[q_at + c];
        x += query * kv[k_at.x + c];
        y += query * kv[k_at.y + c];
        z += query * kv[k_at.z + c];
        w += query * kv[k_at.w + c];
    }
    return team_sum(vec4f(sum_of(x), sum_of(y), sum_of(z), sum_of(w)), local) * parameters.scale;
}

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let place = place_of(group, groups, local, p.count);
    let row = place.row;
    let t = row % p.queries;
    let h = row / p.queries % p.heads;
    let b = row / p.queries / p.heads;
    let end = select(0u, visible(p, b, t), place.is_there);
    let steps = common_end(end, p.keys);
    let q_at = (t * p.batch + b) * p.q_width + h * p.key;
    let y_at = ((t * p.batch + b) * p.heads + h) * p.value;
    let step = p.batch * p.kv_width;
    let k_at = b * p.kv_width + p.k_start + h * p.key;
    let drop_key = dropout_key(p);
    let v_at = b * p.kv_width + p.v_start + h * p.value;
    // The sum follows the largest score so far (Milakov and Gimelshein 2018).
    var largest = LOWEST;
    var sum = 0.0;
    for (var s = 0u; s < steps; s += 4u) {
        let next = select(vec4f(LOWEST), scores(p, q_at, k_at + step * four_places(s, end), local), are_before(s, end));
        let larger = max(largest, largest_of_four(next));
        sum = sum * exp(largest - larger) + sum_of_four(exp(next - larger));
        largest = larger;
    }
    var lse = 0.0;
    if end > 0u {
        lse = largest + log(sum);
    }
    if place.is_there {
        if place.lane == 0u {
            logsumexp[row] = lse;
        }
        for (var c = place.lane; c < p.value; c += TEAM) {
            y[y_at + c] = Numbers();
        }
    }
    for (var s = 0u; s < steps; s += 4u) {
        let places = four_places(s, end);
        var weight = select(vec4f(0.0), exp(scores(p, q_at, k_at + step * places, local) - lse), are_before(s, end));
        if s < end {
            weight *= dropout_factors(p, row, s / 4u, drop_key);
            let at = v_at + step * places;
            for (var c = place.lane; c < p.value; c += TEAM) {
                y[y_at + c] += (weight.x * kv[at.x + c] + weight.y * kv[at.y + c])
                    + (weight.z * kv[at.z + c] + weight.w * kv[at.w + c]);
            }
        }
    }
}

// The probabilities themselves, for people to look at.
@group(0) @binding(4) var<storage, read> known_logsumexp: array<f32>; // [batch, heads, queries]
@group(0) @binding(5) var<storage, read_write> probabilities: array<f32>; // [batch, heads, queries, keys]

@compute @workgroup_size(64)
fn weights(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let place = place_of(group, groups, local, p.count);
    let row = place.row;
    let t = row % p.queries;
    let h = row / p.queries % p.heads;
    let b = row / p.queries / p.heads;
    let end = visible(p, b, t);
    let q_at = (t * p.batch + b) * p.q_width + h * p.key;
    let k_at = b * p.kv_width + p.k_start + h * p.key;
    let drop_key = dropout_key(p);
    for (var s = 0u; s < p.keys; s += 4u) {
        let score = scores(p, q_at, k_at + p.batch * p.kv_width * four_places(s, end), local);
        var weight = select(vec4f(0.0), exp(score - known_logsumexp[row]), are_before(s, end));
        weight *= dropout_factors(p, row, s / 4u, drop_key);
        if place.is_there && place.lane == 0u {
            for (var i = 0u; i < min(4u, p.keys - s); i++) {
                probabilities[row * p.keys + s + i] = weight[i];
            }
        }
    }
}

// delta[t] = dy·y, apart, so that backward_queries and backward_keys bind no more than 8 buffers
@group(0) @binding(0) var<storage, read> dy_alone: array<Numbers>; // [queries, batch, heads·value]
@group(0) @binding(1) var<storage, read> known_y: array<Numbers>; // [queries, batch, heads·value]
@group(0) @binding(2) var<storage, read_write> delta: array<f32>; // [batch, heads, queries]
@group(0) @binding(3) var<uniform> of_delta: Parameters;

@compute @workgroup_size(64)
fn backward_delta(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let o = of_delta;
    let place = place_of(group, groups, local, o.count);
    let row = place.row;
    let y_at = ((row % o.queries * o.batch + row / o.queries / o.heads) * o.heads + row / o.queries % o.heads)
        * o.value;
    var products = Numbers();
    for (var c = place.lane; c < o.value; c += TEAM) {
        products += dy_alone[y_at + c] * known_y[y_at + c];
    }
    let dot = team_sum(vec4f(sum_of(products), vec3f()), local).x;
    if place.is_there && place.lane == 0u {
        delta[row] = dot;
    }
}

// dq = Σ_s ds·k with ds = p·(m·(dy·v) − delta)·scale
@group(0) @binding(5) var<storage, read> dy: array<Numbers>; // [queries, batch, heads·value]
@group(0) @binding(6) var<storage, read> known_delta: array<f32>; // [batch, heads, queries]
@group(0) @binding(7) var<storage, read_write> dq: array<Numbers>; // [queries, batch, q_width]
@group(0) @binding(8) var<uniform> of_gradients: Parameters;

// Four times dy·v
fn value_dots(parameters: Parameters, y_at: vec4u, v_at: vec4u, local: u32) -> vec4f {
    var x = Numbers();
    var y = Numbers();
    var z = Numbers();
    var w = Numbers();
    for (var c = local % TEAM; c < parameters.value; c += TEAM) {
        x += dy[y_at.x + c] * kv[v_at.x + c];
        y += dy[y_at.y + c] * kv[v_at.y + c];
        z += dy[y_at.z + c] * kv[v_at.z + c];
        w += dy[y_at.w + c] * kv[v_at.w + c];
    }
    return team_sum(vec4f(sum_of(x), sum_of(y), sum_of(z), sum_of(w)), local);
}

@compute @workgroup_size(64)
fn backward_queries(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let o = of_gradients;
    let place = place_of(group, groups, local, o.count);
    let row = place.row;
    let t = row % o.queries;
    let h = row / o.queries % o.heads;
    let b = row / o.queries / o.heads;
    let end = select(0u, visible(o, b, t), place.is_there);
    let steps = common_end(end, o.keys);
    let q_at = (t * o.batch + b) * o.q_width + h * o.key;
    let y_at = ((t * o.batch + b) * o.heads + h) * o.value;
    let step = o.batch * o.kv_width;
    let k_at = b * o.kv_width + o.k_start + h * o.key;
    let drop_key = dropout_key(o);
    let v_at = b * o.kv_width + o.v_start + h * o.value;
    if place.is_there {
        for (var c = place.lane; c < o.key; c += TEAM) {
            dq[q_at + c] = Numbers();
        }
    }
    for (var s = 0u; s < steps; s += 4u) {
        let places = four_places(s, end);
        let at = k_at + step * places;
        let of_values = value_dots(o, vec4u(y_at), v_at + step * places, local);
        let of_keys = scores(o, q_at, at, local);
        if s < end {
            let dp = of_values * dropout_factors(o, row, s / 4u, drop_key);
            let ds = exp(of_keys - known_logsumexp[row]) * (dp - known_delta[row]) * o.scale;
            let d = select(vec4f(0.0), ds, are_before(s, end));
            for (var c = place.lane; c < o.key; c += TEAM) {
                dq[q_at + c] += (d.x * kv[at.x + c] + d.y * kv[at.y + c]) + (d.z * kv[at.z + c] + d.w * kv[at.w + c]);
            }
        }
    }
}

// dk = Σ_t ds·q, dv = Σ_t m·p·dy, over the queries that see the key
@group(0) @binding(7) var<storage, read_write> dkv: array<Numbers>; // [keys, batch, kv_width]

// Scores of the queries at q_at with the key at k_at
fn key_scores(parameters: Parameters, q_at: vec4u, k_at: u32, local: u32) -> vec4f {
    var x = Numbers();
    var y = Numbers();
    var z = Numbers();
    var w = Numbers();
    for (var c = local % TEAM; c < parameters.key; c += TEAM) {
        let key = kv[k_at + c];
        x += q[q_at.x + c] * key;
        y += q[q_at.y + c] * key;
        z += q[q_at.z + c] * key;
        w += q[q_at.w + c] * key;
    }
    return team_sum(vec4f(sum_of(x), sum_of(y), sum_of(z), sum_of(w)), local) * parameters.scale;
}

@compute @workgroup_size(64)
fn backward_keys(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let o = of_gradients;
    let place = place_of(group, groups, local, o.count);
    let index = place.row;
    let s = index % o.keys;
    let h = index / o.keys % o.heads;
    let b = index / o.keys / o.heads;
    let drop_key = dropout_key(o);
    let k_at = (s * o.batch + b) * o.kv_width + o.k_start + h * o.key;
    let v_at = (s * o.batch + b) * o.kv_width + o.v_start + h * o.value;
    if place.is_there {
        for (var c = place.lane; c < o.key; c += TEAM) {
            dkv[k_at + c] = Numbers();
        }
        for (var c = place.lane; c < o.value; c += TEAM) {
            dkv[v_at + c] = Numbers();
        }
    }
    // The first query that sees the key, if any does.
    var first = 0u;
    if o.causal == 1u {
        first = s;
    }
    if s >= visible(o, b, o.queries - 1u) || !place.is_there {
        first = o.queries;
    }
    let row = (b * o.heads + h) * o.queries;
    for (var t = common_start(first); t < o.queries; t += 4u) {
        let places = four_places(t, o.queries);
        let rows = row + places;
        let positions = places * o.batch + b;
        let q_at = positions * o.q_width + h * o.key;
        let y_at = (positions * o.heads + h) * o.value;
        let lse_of_rows = vec4f(
            known_logsumexp[rows.x], known_logsumexp[rows.y],
            known_logsumexp[rows.z], known_logsumexp[rows.w],
        );
        let delta_of_rows = vec4f(known_delta[rows.x], known_delta[rows.y], known_delta[rows.z], known_delta[rows.w]);
        let of_keys = key_scores(o, q_at, k_at, local);
        let of_values = value_dots(o, y_at, vec4u(v_at), local);
        // A team past the last key has that key's places, and adds nothing there.
        if place.is_there && t + 4u > first {
            let looks = are_before(t, o.queries) & (t + vec4u(0u, 1u, 2u, 3u) >= vec4u(first));
            let weight = select(vec4f(0.0), exp(of_keys - lse_of_rows), looks);
            let factor = vec4f(
                dropout_factors(o, rows.x, s / 4u, drop_key)[s % 4u],
                dropout_factors(o, rows.y, s / 4u, drop_key)[s % 4u],
                dropout_factors(o, rows.z, s / 4u, drop_key)[s % 4u],
                dropout_factors(o, rows.w, s / 4u, drop_key)[s % 4u],
            );
            let d = weight * (factor * of_values - delta_of_rows) * o.scale;
            let e = factor * weight;
            for (var c = place.lane; c < o.key; c += TEAM) {
                dkv[k_at + c] += (d.x * q[q_at.x + c] + d.y * q[q_at.y + c])
                    + (d.z * q[q_at.z + c] + d.w * q[q_at.w + c]);
            }
            for (var c = place.lane; c < o.value; c += TEAM) {
                dkv[v_at + c] += (e.x * dy[y_at.x + c] + e.y * dy[y_at.y + c])
                    + (e.z * dy[y_at.z + c] + e.w * dy[y_at.w + c]);
            }
        }
    }
}
