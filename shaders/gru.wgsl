// A gated recurrent layer over a whole sequence in one dispatch: r, z = σ(xw + b_ih + h·W_hhᵀ + b_hh); q = W_hn·h +
// b_hn; n = tanh(xw_n + b_in + r·q); h ← (1 − z)·n + z·h
//
// As rnn.wgsl: a workgroup runs ROWS rows through all time steps, one invocation a unit, with h in workgroup memory,
// twice. The weights are packed to [j][gate][unit] first, so that neighbouring invocations read neighbouring addresses;
// they and the next step's inputs are read ahead, as in lstm.wgsl. Widths over 256 units take gru_gates.wgsl.
#import shared/grid
#import shared/activation
#import shared/vector1
#import shared/recurrence_sequence

struct Parameters {
    time: u32,
    batch: u32,
    hidden: u32,
    reverse: u32, // 1 walks each row from its end to its start
    present: u32, // 1 where there is an initial state
}

// pack: packed[j][g][u] = W_hh[g·H + u, j]; row j = H holds b_ih, plus b_hh for r and z; row j = H + 1 holds b_hn in
// place of n, else 0
@group(0) @binding(0) var<storage, read> w_hh: array<f32>; // [3·H, H]
@group(0) @binding(1) var<storage, read> b_ih: array<f32>; // [3·H]
@group(0) @binding(2) var<storage, read> b_hh: array<f32>; // [3·H]
@group(0) @binding(3) var<storage, read_write> packed: array<f32>; // [H + 2, 3, H]
@group(0) @binding(4) var<uniform> pack_parameters: Parameters;

@compute @workgroup_size(64)
fn pack(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let hidden = pack_parameters.hidden;
    let i = linear_group(group, groups) * 64u + local;
    let j = i / (3u * hidden);
    let row = i % (3u * hidden);
    if j < hidden {
        packed[i] = w_hh[row * hidden + j];
    } else if j == hidden {
        packed[i] = b_ih[row] + select(0.0, b_hh[row], row < 2u * hidden);
    } else if j == hidden + 1u {
        packed[i] = select(0.0, b_hh[row], row >= 2u * hidden);
    }
}

@group(0) @binding(0) var<storage, read> xw: array<f32>; // [T, B, 3·H]
@group(0) @binding(1) var<storage, read> weights: array<f32>; // packed
@group(0) @binding(2) var<storage, read> lengths: array<u32>; // [B]
@group(0) @binding(3) var<storage, read> h_initial: array<f32>; // [B, H], read where present
@group(0) @binding(4) var<storage, read_write> states: array<f32>; // [T + 1, B, H]
@group(0) @binding(5) var<storage, read_write> saved: array<f32>; // [T, B, 4, H]: r, z, n, q
@group(0) @binding(6) var<uniform> p: Parameters;

var<workgroup> h: array<vec4f, 2u * THREADS>; // [old or new][unit], a number a row

// xw of a unit's gates
fn inputs_of(row: u32, t: u32, u: u32) -> vec3f {
    let at = (t * p.batch + row) * 3u * p.hidden + u;
    return vec3f(xw[at], xw[at + p.hidden], xw[at + 2u * p.hidden]);
}

fn weight_of(j: u32, u: u32) -> vec3f {
    let at = j * 3u * p.hidden + u;
    return vec3f(weights[at], weights[at + p.hidden], weights[at + 2u * p.hidden]);
}

@compute @workgroup_size(THREADS)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) u: u32,
) {
    let hidden = p.hidden;
    let first = linear_group(group, groups) * ROWS;
    let start = p.reverse * p.time * p.batch * hidden;
    var ends: array<u32, ROWS>;
    var inputs: array<vec3f, ROWS>; // of the step that comes next
    var own: array<f32, ROWS>; // h of this unit
    for (var r = 0u; r < ROWS; r++) {
        if u < hidden && first + r < p.batch {
            if p.present == 1u {
                own[r] = h_initial[(first + r) * hidden + u];
            }
            states[start + (first + r) * hidden + u] = own[r];
            ends[r] = lengths[first + r];
            inputs[r] = inputs_of(first + r, time_of_step(0u, p.time, p.reverse), u);
        }
    }
    // Zeros in both halves for the units past the last
    h[u] = vec4f(own[0], own[1], own[2], own[3]);
    h[THREADS + u] = vec4f(0.0);
    var w: array<vec3f, AHEAD>; // of the units that come next
    for (var i = 0u; i < AHEAD; i++) {
        w[i] = weight_of(min(i, hidden - 1u), min(u, hidden - 1u));
    }
    workgroupBarrier();
    for (var s = 0u; s < p.time; s++) {
        let t = time_of_step(s, p.time, p.reverse);
        let old = (s % 2u) * THREADS;
        let new_states = ((s + 1u) % 2u) * THREADS;
        if u < hidden {
            var sums = array<vec3f, ROWS>();
            var x = array<vec3f, ROWS>();
            for (var r = 0u; r < ROWS; r++) {
                x[r] = inputs[r];
                inputs[r] = inputs_of(
                    min(first + r, p.batch - 1u),
                    time_of_step(min(s + 1u, p.time - 1u), p.time, p.reverse),
                    u,
                );
            }
            for (var j = 0u; j < hidden; j += AHEAD) {
                for (var i = 0u; i < AHEAD; i++) {
                    let of_unit = w[i];
                    w[i] = weight_of(row_ahead(j + i, hidden), u);
                    let of_rows = h[old + j + i];
                    for (var r = 0u; r < ROWS; r++) {
                        sums[r] += of_unit * of_rows[r];
                    }
                }
            }
            let biases = hidden * 3u * hidden + u;
            for (var r = 0u; r < ROWS; r++) {
                let row = first + r;
                if row < p.batch {
                    let position = t * p.batch + row;
                    let kept = position * 4u * hidden + u;
                    var gates = vec4f(0.0);
                    if t < ends[r] {
                        let reset = sigmoid(sums[r].x + x[r].x + weights[biases]);
                        let keep = sigmoid(sums[r].y + x[r].y + weights[biases + hidden]);
                        let q = sums[r].z + weights[biases + 5u * hidden];
                        let n = stable_tanh(x[r].z + weights[biases + 2u * hidden] + reset * q);
                        gates = vec4f(reset, keep, n, q);
                        own[r] = (1.0 - keep) * n + keep * own[r];
                    }
                    saved[kept] = gates.x;
                    saved[kept + hidden] = gates.y;
                    saved[kept + 2u * hidden] = gates.z;
                    saved[kept + 3u * hidden] = gates.w;
                    states[(position + (1u - p.reverse) * p.batch) * hidden + u] = own[r];
                }
            }
            h[new_states + u] = vec4f(own[0], own[1], own[2], own[3]);
        }
        workgroupBarrier();
    }
}
