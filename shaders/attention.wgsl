// y_h[t] = Σ_s m·p_h[t, s]·v_h[s], p_h[t, s] = e^(score − kept_h[t]), score = scale·q_h[t]·k_h[s], kept = ln Σ_s e^score, over the visible s;
// m is dropout's factor, 0 or 1/(1 − p), and 1 without dropout
//
// One invocation a query (forward, weights, backward_queries) or a key (backward_keys) of a head of a sentence, 64 a workgroup; each walks its keys
// or queries and adds up right in the result. No T × S matrix, no workgroup memory, any width. Scores are computed twice in the forward pass: once
// for kept, once for y. Neighbouring invocations are neighbouring positions of one head, so that they read the same keys at the same time.
// A tile of keys in workgroup memory should pay on hardware from some dozens of positions on; not measured.
#import shared/grid
#import shared/philox

struct Parameters {
    count: u32, // invocations that have work
    batch: u32,
    heads: u32,
    queries: u32,
    keys: u32,
    key: u32, // numbers of a head's query and key
    value: u32,
    q_width: u32, // numbers of a position in q
    kv_width: u32, // and in kv
    k_start: u32, // first column of the keys in kv
    v_start: u32,
    scale: f32, // 1/√key
    threshold: u32, // where DROPPED: (1 − p)·(2³² − 1)
    stream: u32, // which dropout of the model
    factor: f32, // 1/(1 − p)
}
@group(0) @binding(0) var<storage, read> q: array<f32>; // [queries, batch, q_width]
@group(0) @binding(1) var<storage, read> kv: array<f32>; // [keys, batch, kv_width], q again where a sequence looks at itself
@group(0) @binding(2) var<storage, read> lengths: array<u32>; // [batch], read where MASKED
@group(0) @binding(3) var<storage, read> control: array<u32>; // seed in words 0 and 1, step in word 2; read where DROPPED
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // [queries, batch, heads·value]
@group(0) @binding(5) var<storage, read_write> kept: array<f32>; // [batch, heads, queries]
@group(0) @binding(6) var<uniform> p: Parameters;

// Keys of sentence b that query t sees.
fn visible(parameters: Parameters, b: u32, t: u32) -> u32 {
    var end = parameters.keys;
    if MASKED == 1u {
        end = min(end, lengths[b]);
    }
    if CAUSAL == 1u {
        end = min(end, t + 1u);
    }
    return end;
}

fn score(parameters: Parameters, q_at: u32, k_at: u32) -> f32 {
    var dot = 0.0;
    for (var c = 0u; c < parameters.key; c++) {
        dot += q[q_at + c] * kv[k_at + c];
    }
    return dot * parameters.scale;
}

// The random words of keys 4·block to 4·block + 3 in a row of the probabilities.
fn random(parameters: Parameters, row: u32, block: u32) -> vec4u {
    let blocks = (parameters.keys + 3u) / 4u;
    return philox(vec4u(row * blocks + block, parameters.stream, control[2], 0u), vec2u(control[0], control[1]));
}

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= p.count {
        return;
    }
    let t = row % p.queries;
    let h = row / p.queries % p.heads;
    let b = row / p.queries / p.heads;
    let end = visible(p, b, t);
    let q_at = (t * p.batch + b) * p.q_width + h * p.key;
    let y_at = ((t * p.batch + b) * p.heads + h) * p.value;
    let step = p.batch * p.kv_width;
    let k_at = b * p.kv_width + p.k_start + h * p.key;
    let v_at = b * p.kv_width + p.v_start + h * p.value;
    // The sum follows the largest score so far (Milakov and Gimelshein 2018).
    var largest = -3.4e38;
    var sum = 0.0;
    for (var s = 0u; s < end; s++) {
        let next = score(p, q_at, k_at + s * step);
        let larger = max(largest, next);
        sum = sum * exp(largest - larger) + exp(next - larger);
        largest = larger;
    }
    var total = 0.0;
    if end > 0u {
        total = largest + log(sum);
    }
    kept[row] = total;
    for (var c = 0u; c < p.value; c++) {
        y[y_at + c] = 0.0;
    }
    var words = vec4u();
    for (var s = 0u; s < end; s++) {
        var probability = exp(score(p, q_at, k_at + s * step) - total);
        if DROPPED == 1u {
            if s % 4u == 0u {
                words = random(p, row, s / 4u);
            }
            probability *= select(0.0, p.factor, words[s % 4u] < p.threshold);
        }
        for (var c = 0u; c < p.value; c++) {
            y[y_at + c] += probability * kv[v_at + s * step + c];
        }
    }
}

// The probabilities themselves, for people to look at.
@group(0) @binding(4) var<storage, read> known: array<f32>; // [batch, heads, queries]: kept
@group(0) @binding(5) var<storage, read_write> probabilities: array<f32>; // [batch, heads, queries, keys]

@compute @workgroup_size(64)
fn weights(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= p.count {
        return;
    }
    let t = row % p.queries;
    let h = row / p.queries % p.heads;
    let b = row / p.queries / p.heads;
    let end = visible(p, b, t);
    let q_at = (t * p.batch + b) * p.q_width + h * p.key;
    let k_at = b * p.kv_width + p.k_start + h * p.key;
    for (var s = 0u; s < p.keys; s++) {
        var probability = 0.0;
        if s < end {
            probability = exp(score(p, q_at, k_at + s * p.batch * p.kv_width) - known[row]);
            if DROPPED == 1u {
                probability *= select(0.0, p.factor, random(p, row, s / 4u)[s % 4u] < p.threshold);
            }
        }
        probabilities[row * p.keys + s] = probability;
    }
}

// dots[t] = dy·y
@group(0) @binding(0) var<storage, read> dy_alone: array<f32>; // [queries, batch, heads·value]
@group(0) @binding(1) var<storage, read> known_y: array<f32>; // [queries, batch, heads·value]
@group(0) @binding(2) var<storage, read_write> dots: array<f32>; // [batch, heads, queries]
@group(0) @binding(3) var<uniform> of_dots: Parameters;

@compute @workgroup_size(64)
fn backward_dots(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let o = of_dots;
    let row = linear_group(group, groups) * 64u + local;
    if row >= o.count {
        return;
    }
    let y_at = ((row % o.queries * o.batch + row / o.queries / o.heads) * o.heads + row / o.queries % o.heads) * o.value;
    var sum = 0.0;
    for (var c = 0u; c < o.value; c++) {
        sum += dy_alone[y_at + c] * known_y[y_at + c];
    }
    dots[row] = sum;
}

// dq = Σ_s ds·k with ds = p·(m·(dy·v) − dots)·scale
@group(0) @binding(5) var<storage, read> dy: array<f32>; // [queries, batch, heads·value]
@group(0) @binding(6) var<storage, read> known_dots: array<f32>; // [batch, heads, queries]
@group(0) @binding(7) var<storage, read_write> dq: array<f32>; // [queries, batch, q_width]
@group(0) @binding(8) var<uniform> of_gradients: Parameters;

fn value_dot(parameters: Parameters, y_at: u32, v_at: u32) -> f32 {
    var dot = 0.0;
    for (var c = 0u; c < parameters.value; c++) {
        dot += dy[y_at + c] * kv[v_at + c];
    }
    return dot;
}

@compute @workgroup_size(64)
fn backward_queries(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let o = of_gradients;
    let row = linear_group(group, groups) * 64u + local;
    if row >= o.count {
        return;
    }
    let t = row % o.queries;
    let h = row / o.queries % o.heads;
    let b = row / o.queries / o.heads;
    let end = visible(o, b, t);
    let q_at = (t * o.batch + b) * o.q_width + h * o.key;
    let y_at = ((t * o.batch + b) * o.heads + h) * o.value;
    let step = o.batch * o.kv_width;
    let k_at = b * o.kv_width + o.k_start + h * o.key;
    let v_at = b * o.kv_width + o.v_start + h * o.value;
    for (var c = 0u; c < o.key; c++) {
        dq[q_at + c] = 0.0;
    }
    var words = vec4u();
    for (var s = 0u; s < end; s++) {
        let probability = exp(score(o, q_at, k_at + s * step) - known[row]);
        var dp = value_dot(o, y_at, v_at + s * step);
        if DROPPED == 1u {
            if s % 4u == 0u {
                words = random(o, row, s / 4u);
            }
            dp *= select(0.0, o.factor, words[s % 4u] < o.threshold);
        }
        let ds = probability * (dp - known_dots[row]) * o.scale;
        for (var c = 0u; c < o.key; c++) {
            dq[q_at + c] += ds * kv[k_at + s * step + c];
        }
    }
}

// dk = Σ_t ds·q, dv = Σ_t m·p·dy, over the queries that see the key
@group(0) @binding(7) var<storage, read_write> dkv: array<f32>; // [keys, batch, kv_width]

@compute @workgroup_size(64)
fn backward_keys(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let o = of_gradients;
    let index = linear_group(group, groups) * 64u + local;
    if index >= o.count {
        return;
    }
    let s = index % o.keys;
    let h = index / o.keys % o.heads;
    let b = index / o.keys / o.heads;
    let k_at = (s * o.batch + b) * o.kv_width + o.k_start + h * o.key;
    let v_at = (s * o.batch + b) * o.kv_width + o.v_start + h * o.value;
    for (var c = 0u; c < o.key; c++) {
        dkv[k_at + c] = 0.0;
    }
    for (var c = 0u; c < o.value; c++) {
        dkv[v_at + c] = 0.0;
    }
    for (var t = 0u; t < o.queries; t++) {
        if s >= visible(o, b, t) {
            continue;
        }
        let row = (b * o.heads + h) * o.queries + t;
        let q_at = (t * o.batch + b) * o.q_width + h * o.key;
        let y_at = ((t * o.batch + b) * o.heads + h) * o.value;
        let probability = exp(score(o, q_at, k_at) - known[row]);
        var factor = 1.0;
        if DROPPED == 1u {
            factor = select(0.0, o.factor, random(o, row, s / 4u)[s % 4u] < o.threshold);
        }
        let ds = probability * (factor * value_dot(o, y_at, v_at) - known_dots[row]) * o.scale;
        for (var c = 0u; c < o.key; c++) {
            dkv[k_at + c] += ds * q[q_at + c];
        }
        for (var c = 0u; c < o.value; c++) {
            dkv[v_at + c] += factor * probability * dy[y_at + c];
        }
    }
}
