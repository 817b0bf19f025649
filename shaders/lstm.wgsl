// An LSTM layer over a whole sequence in one dispatch:
//   i, f, g, o = σ, σ, tanh, σ of xw[t] + h·W_hhᵀ + b_ih + b_hh;  c ← f·c + i·g;  h ← o·tanh c
//
// Rows of a batch are independent, so a workgroup runs ROWS of them through all time steps, one invocation a unit: h lives in workgroup memory,
// c in registers, and a weight read serves ROWS rows. The weights are packed first to [j][unit] of vec4(i, f, g, o), so that neighbouring units read
// neighbouring vec4s. One dispatch instead of 2·T saves 2·T latencies of some 30 µs. Past a row's length its state is carried along.
// Widths over 256 units take lstm_gates.wgsl.
#import shared/grid
#import shared/activation
#import shared/vector1

struct Parameters {
    time: u32,
    batch: u32,
    hidden: u32,
    reverse: u32, // 1 walks each row from its end to its start
    present: u32, // forward: 1 where there is an initial state; backward: one bit for each upstream gradient that is there
}

// pack: packed[j][u] = (W_hh[u, j], W_hh[H + u, j], W_hh[2H + u, j], W_hh[3H + u, j]); row j = H holds b_ih + b_hh
@group(0) @binding(0) var<storage, read> w_hh: array<f32>; // [4·H, H]
@group(0) @binding(1) var<storage, read> b_ih: array<f32>; // [4·H]
@group(0) @binding(2) var<storage, read> b_hh: array<f32>; // [4·H]
@group(0) @binding(3) var<storage, read_write> packed: array<vec4f>; // [H + 1, H]
@group(0) @binding(4) var<uniform> pack_parameters: Parameters;

@compute @workgroup_size(64)
fn pack(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let hidden = pack_parameters.hidden;
    let i = linear_group(group, groups) * 64u + local;
    let j = i / hidden;
    let u = i % hidden;
    if j > hidden {
        return;
    }
    var gates: vec4f;
    for (var gate = 0u; gate < 4u; gate++) {
        let row = gate * hidden + u;
        if j < hidden {
            gates[gate] = w_hh[row * hidden + j];
        } else {
            gates[gate] = b_ih[row] + b_hh[row];
        }
    }
    packed[i] = gates;
}

@group(0) @binding(0) var<storage, read> xw: array<f32>; // [T, B, 4·H]
@group(0) @binding(1) var<storage, read> weights: array<vec4f>; // packed
@group(0) @binding(2) var<storage, read> lengths: array<u32>; // [B]
@group(0) @binding(3) var<storage, read> h_initial: array<f32>; // [B, H], read where present
@group(0) @binding(4) var<storage, read> c_initial: array<f32>; // [B, H]
@group(0) @binding(5) var<storage, read_write> states: array<f32>; // [T + 1, B, H]
@group(0) @binding(6) var<storage, read_write> cell: array<f32>; // [B, H], after the last step
@group(0) @binding(7) var<storage, read_write> saved: array<f32>; // [T, B, 5, H]: i, f, g, o and the cell before the step
@group(0) @binding(8) var<uniform> p: Parameters;

var<workgroup> h: array<f32, ROWS * THREADS>; // [unit][row], so that one address feeds all rows of a weight

@compute @workgroup_size(THREADS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) u: u32) {
    let first = linear_group(group, groups) * ROWS;
    let hidden = p.hidden;
    let active_unit = u < hidden;
    var c: array<f32, ROWS>;
    let start = p.reverse * p.time * p.batch * hidden;
    for (var r = 0u; r < ROWS; r++) {
        let row = first + r;
        c[r] = 0.0;
        var state = 0.0;
        if active_unit && row < p.batch {
            if p.present == 1u {
                state = h_initial[row * hidden + u];
                c[r] = c_initial[row * hidden + u];
            }
            states[start + row * hidden + u] = state;
        }
        h[u * ROWS + r] = state;
    }
    workgroupBarrier();
    for (var s = 0u; s < p.time; s++) {
        let t = select(s, p.time - 1u - s, p.reverse == 1u);
        var sums: array<vec4f, ROWS>;
        if active_unit {
            let bias = weights[hidden * hidden + u];
            for (var r = 0u; r < ROWS; r++) {
                sums[r] = bias;
            }
            for (var j = 0u; j < hidden; j++) {
                let w = weights[j * hidden + u];
                for (var r = 0u; r < ROWS; r++) {
                    sums[r] += w * h[j * ROWS + r];
                }
            }
        }
        workgroupBarrier(); // all have read h
        if active_unit {
            for (var r = 0u; r < ROWS; r++) {
                let row = first + r;
                if row >= p.batch {
                    continue;
                }
                let position = t * p.batch + row;
                var gates = vec4f();
                var before = 0.0;
                if t < lengths[row] {
                    let x = position * 4u * hidden + u;
                    let z = sums[r] + vec4f(xw[x], xw[x + hidden], xw[x + 2u * hidden], xw[x + 3u * hidden]);
                    gates = vec4f(sigmoid(z.x), sigmoid(z.y), stable_tanh(z.z), sigmoid(z.w));
                    before = c[r];
                    c[r] = gates.y * before + gates.x * gates.z;
                    h[u * ROWS + r] = gates.w * stable_tanh(c[r]);
                }
                let at = position * 5u * hidden + u;
                saved[at] = gates.x;
                saved[at + hidden] = gates.y;
                saved[at + 2u * hidden] = gates.z;
                saved[at + 3u * hidden] = gates.w;
                saved[at + 4u * hidden] = before;
                states[(position + (1u - p.reverse) * p.batch) * hidden + u] = h[u * ROWS + r];
            }
        }
        workgroupBarrier(); // all have written h
    }
    if active_unit {
        for (var r = 0u; r < ROWS; r++) {
            if first + r < p.batch {
                cell[(first + r) * hidden + u] = c[r];
            }
        }
    }
}

// The steps walked back: from dh and dc the gates' gradients, then dh ← dgates·W_hh, dc ← dc·f.
// dgates is the gradient of xw; the gradients of the weights are products of it, outside.
@group(0) @binding(0) var<storage, read> saved_in: array<f32>; // [T, B, 5, H]
@group(0) @binding(1) var<storage, read> weight: array<f32>; // W_hh [4·H, H]
@group(0) @binding(3) var<storage, read> doutputs: array<f32>; // [T, B, H], read where bit 0 of present is set
@group(0) @binding(4) var<storage, read> dhidden: array<f32>; // [B, H], bit 1
@group(0) @binding(5) var<storage, read> dcell: array<f32>; // [B, H], bit 2
@group(0) @binding(6) var<storage, read_write> dgates: array<f32>; // [T, B, 4·H]
@group(0) @binding(7) var<storage, read_write> dinitial: array<f32>; // [2, B, H]: dh, dc

var<workgroup> gate_gradients: array<vec4f, ROWS * THREADS>; // [unit][row]

@compute @workgroup_size(THREADS)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) u: u32) {
    let first = linear_group(group, groups) * ROWS;
    let hidden = p.hidden;
    let active_unit = u < hidden;
    var dh: array<f32, ROWS>;
    var dc: array<f32, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        dh[r] = 0.0;
        dc[r] = 0.0;
        if active_unit && first + r < p.batch {
            let at = (first + r) * hidden + u;
            if (p.present & 2u) != 0u {
                dh[r] = dhidden[at];
            }
            if (p.present & 4u) != 0u {
                dc[r] = dcell[at];
            }
        }
    }
    for (var s = 0u; s < p.time; s++) {
        let t = select(p.time - 1u - s, s, p.reverse == 1u);
        for (var r = 0u; r < ROWS; r++) {
            let row = first + r;
            var gradients = vec4f();
            if active_unit && row < p.batch {
                let position = t * p.batch + row;
                if (p.present & 1u) != 0u {
                    dh[r] += doutputs[position * hidden + u];
                }
                if t < lengths[row] {
                    let at = position * 5u * hidden + u;
                    let i = saved_in[at];
                    let f = saved_in[at + hidden];
                    let g = saved_in[at + 2u * hidden];
                    let o = saved_in[at + 3u * hidden];
                    let before = saved_in[at + 4u * hidden];
                    let th = stable_tanh(f * before + i * g);
                    let d = dc[r] + dh[r] * o * (1.0 - th * th);
                    gradients = vec4f(d * g * (i * (1.0 - i)), d * before * (f * (1.0 - f)), d * i * (1.0 - g * g), dh[r] * th * (o * (1.0 - o)));
                    dc[r] = d * f;
                }
                let at = position * 4u * hidden + u;
                dgates[at] = gradients.x;
                dgates[at + hidden] = gradients.y;
                dgates[at + 2u * hidden] = gradients.z;
                dgates[at + 3u * hidden] = gradients.w;
            }
            gate_gradients[u * ROWS + r] = gradients;
        }
        workgroupBarrier(); // all gates' gradients are there
        if active_unit {
            var sums: array<f32, ROWS>;
            for (var j = 0u; j < hidden; j++) {
                let at = j * hidden + u;
                let square = hidden * hidden;
                let w = vec4f(weight[at], weight[at + square], weight[at + 2u * square], weight[at + 3u * square]);
                for (var r = 0u; r < ROWS; r++) {
                    sums[r] += dot(w, gate_gradients[j * ROWS + r]);
                }
            }
            for (var r = 0u; r < ROWS; r++) {
                if first + r < p.batch && t < lengths[first + r] {
                    dh[r] = sums[r];
                }
            }
        }
        workgroupBarrier(); // all have read them
    }
    if active_unit {
        for (var r = 0u; r < ROWS; r++) {
            if first + r < p.batch {
                let at = (first + r) * hidden + u;
                dinitial[at] = dh[r];
                dinitial[p.batch * hidden + at] = dc[r];
            }
        }
    }
}
