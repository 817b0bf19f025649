// A gated recurrent layer over a whole sequence in one dispatch: r, z = σ(xw + b_ih + h·W_hhᵀ + b_hh); q = W_hn·h + b_hn;
// n = tanh(xw_n + b_in + r·q); h ← (1 − z)·n + z·h
//
// As rnn.wgsl: a workgroup runs ROWS rows through all time steps, one invocation a unit, with h in workgroup memory, twice. The weights are packed to
// [j][gate][unit] first, so that neighbouring invocations read neighbouring addresses. Widths over 256 units take gru_gates.wgsl.
#import shared/grid
#import shared/activation
#import shared/vector1

struct Parameters {
    time: u32,
    batch: u32,
    hidden: u32,
    reverse: u32, // 1 walks each row from its end to its start
    present: u32, // 1 where there is an initial state
}

// pack: packed[j][g][u] = W_hh[g·H + u, j]; row j = H holds b_ih, plus b_hh for r and z; row j = H + 1 holds b_hn in place of n, else 0
@group(0) @binding(0) var<storage, read> w_hh: array<f32>; // [3·H, H]
@group(0) @binding(1) var<storage, read> b_ih: array<f32>; // [3·H]
@group(0) @binding(2) var<storage, read> b_hh: array<f32>; // [3·H]
@group(0) @binding(3) var<storage, read_write> packed: array<f32>; // [H + 2, 3, H]
@group(0) @binding(4) var<uniform> pack_parameters: Parameters;

@compute @workgroup_size(64)
fn pack(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
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

var<workgroup> h: array<f32, 2u * ROWS * THREADS>; // [old or new][unit][row]

@compute @workgroup_size(THREADS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) u: u32) {
    let hidden = p.hidden;
    let first = linear_group(group, groups) * ROWS;
    let start = p.reverse * p.time * p.batch * hidden;
    if u < hidden {
        for (var r = 0u; r < ROWS; r++) {
            var state = 0.0;
            if first + r < p.batch {
                if p.present == 1u {
                    state = h_initial[(first + r) * hidden + u];
                }
                states[start + (first + r) * hidden + u] = state;
            }
            h[u * ROWS + r] = state;
        }
    }
    workgroupBarrier();
    for (var s = 0u; s < p.time; s++) {
        let t = select(s, p.time - 1u - s, p.reverse == 1u);
        let old = (s % 2u) * hidden * ROWS;
        let new_states = ((s + 1u) % 2u) * hidden * ROWS;
        if u < hidden {
            var sums: array<vec3f, ROWS>;
            for (var j = 0u; j < hidden; j++) {
                let at = j * 3u * hidden + u;
                let w = vec3f(weights[at], weights[at + hidden], weights[at + 2u * hidden]);
                for (var r = 0u; r < ROWS; r++) {
                    sums[r] += w * h[old + j * ROWS + r];
                }
            }
            let biases = hidden * 3u * hidden + u;
            for (var r = 0u; r < ROWS; r++) {
                let row = first + r;
                var state = h[old + u * ROWS + r];
                if row < p.batch {
                    let position = t * p.batch + row;
                    let x = position * 3u * hidden + u;
                    let kept = position * 4u * hidden + u;
                    var gates = vec4f(0.0);
                    if t < lengths[row] {
                        let reset = sigmoid(sums[r].x + xw[x] + weights[biases]);
                        let keep = sigmoid(sums[r].y + xw[x + hidden] + weights[biases + hidden]);
                        let q = sums[r].z + weights[biases + 5u * hidden];
                        let n = stable_tanh(xw[x + 2u * hidden] + weights[biases + 2u * hidden] + reset * q);
                        gates = vec4f(reset, keep, n, q);
                        state = (1.0 - keep) * n + keep * state;
                    }
                    saved[kept] = gates.x;
                    saved[kept + hidden] = gates.y;
                    saved[kept + 2u * hidden] = gates.z;
                    saved[kept + 3u * hidden] = gates.w;
                    states[(position + (1u - p.reverse) * p.batch) * hidden + u] = state;
                }
                h[new_states + u * ROWS + r] = state;
            }
        }
        workgroupBarrier();
    }
}
