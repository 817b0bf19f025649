// s[b, t, τ] = Σ_a v[a]·tanh(q[t, b, a] + k[τ, b, a])
//
// One invocation a score, and in the backward passes one a vector of q or k: no sum crosses invocations, so the order
// is fixed. tanh is recomputed, never stored: T·S·B·A numbers would not fit.
#import shared/grid
#import shared/activation
#import shared/vector{VECTOR}

struct Parameters {
    time: u32,
    source: u32,
    batch: u32,
    width: u32, // vectors
}
@group(0) @binding(0) var<storage, read> q: array<Numbers>; // [T, B, A]
@group(0) @binding(1) var<storage, read> k: array<Numbers>; // [S, B, A]
@group(0) @binding(2) var<storage, read> v: array<Numbers>; // [A]
@group(0) @binding(3) var<storage, read_write> scores: array<f32>; // [B, T, S]
@group(0) @binding(4) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    if i >= p.batch * p.time * p.source {
        return;
    }
    let s = i % p.source;
    let t = i / p.source % p.time;
    let b = i / (p.source * p.time);
    let query = (t * p.batch + b) * p.width;
    let key = (s * p.batch + b) * p.width;
    var sum = Numbers();
    for (var a = 0u; a < p.width; a++) {
        sum += v[a] * stable_tanh(q[query + a] + k[key + a]);
    }
    scores[i] = sum_of(sum);
}

// dq[t, b, a] = Σ_τ ds·v[a]·(1 − h²), and this query's part of dv: Σ_τ ds·h
@group(0) @binding(3) var<storage, read> ds: array<f32>; // [B, T, S]
@group(0) @binding(4) var<storage, read_write> gradient: array<Numbers>; // dq [T, B, A], or dk [S, B, A]
@group(0) @binding(5) var<storage, read_write> dv: array<Numbers>; // [T, B, A]
@group(0) @binding(6) var<uniform> query_p: Parameters;

@compute @workgroup_size(64)
fn backward_query(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    if i >= query_p.time * query_p.batch * query_p.width {
        return;
    }
    let a = i % query_p.width;
    let b = i / query_p.width % query_p.batch;
    let t = i / (query_p.width * query_p.batch);
    var dq_sum = Numbers();
    var dv_sum = Numbers();
    for (var s = 0u; s < query_p.source; s++) {
        let h = stable_tanh(q[i] + k[(s * query_p.batch + b) * query_p.width + a]);
        let upstream = ds[(b * query_p.time + t) * query_p.source + s];
        dq_sum += upstream * v[a] * (1.0 - h * h);
        dv_sum += upstream * h;
    }
    gradient[i] = dq_sum;
    dv[i] = dv_sum;
}

// dk[τ, b, a] = Σ_t ds·v[a]·(1 − h²)
@group(0) @binding(5) var<uniform> key_p: Parameters;

@compute @workgroup_size(64)
fn backward_key(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    if i >= key_p.source * key_p.batch * key_p.width {
        return;
    }
    let a = i % key_p.width;
    let b = i / key_p.width % key_p.batch;
    let s = i / (key_p.width * key_p.batch);
    var sum = Numbers();
    for (var t = 0u; t < key_p.time; t++) {
        let h = stable_tanh(q[(t * key_p.batch + b) * key_p.width + a] + k[i]);
        sum += ds[(b * key_p.time + t) * key_p.source + s] * v[a] * (1.0 - h * h);
    }
    gradient[i] = sum;
}
