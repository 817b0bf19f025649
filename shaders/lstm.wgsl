// An LSTM layer over a whole sequence in one dispatch:
//   i, f, g, o = σ, σ, tanh, σ of xw[t] + h·W_hhᵀ + b_ih + b_hh;  c ← f·c + i·g;  h ← o·tanh c
//
// Rows of a batch are independent, so a workgroup runs ROWS of them through all time steps, one invocation a unit: h
// lives in workgroup memory, c in registers, and a weight read serves ROWS rows. The weights are packed first to
// [j][unit] of vec4(i, f, g, o), so that neighbouring units read neighbouring vec4s. One dispatch instead of 2·T saves
// 2·T latencies of some 30 µs. Past a row's length its state is carried along.
// While a weight is used, that of AHEAD units on is read in its place: a load takes some hundreds of cycles, and a
// processor has no more than four subgroups of this to hide it behind. For the same reason what a step reads of its
// own, its inputs or in the backward pass what was saved, is read before the product of the step that comes first.
// Widths over 256 units take lstm_gates.wgsl.
#import shared/grid
#import shared/activation
#import shared/vector1
#import shared/recurrence_sequence

struct Parameters {
    time: u32,
    batch: u32,
    hidden: u32,
    reverse: u32, // 1 walks each row from its end to its start
    // forward: 1 where there is an initial state; backward: one bit for each upstream gradient that is there
    present: u32,
}

// pack: packed[j][u] = (W_hh[u, j], W_hh[H + u, j], W_hh[2H + u, j], W_hh[3H + u, j]); row j = H holds b_ih + b_hh
@group(0) @binding(0) var<storage, read> w_hh: array<f32>; // [4·H, H]
@group(0) @binding(1) var<storage, read> b_ih: array<f32>; // [4·H]
@group(0) @binding(2) var<storage, read> b_hh: array<f32>; // [4·H]
@group(0) @binding(3) var<storage, read_write> packed: array<vec4f>; // [H + 1, H]
@group(0) @binding(4) var<uniform> pack_parameters: Parameters;

@compute @workgroup_size(64)
fn pack(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let hidden = pack_parameters.hidden;
    let i = linear_group(group, groups) * 64u + local;
    let j = i / hidden;
    let u = i % hidden;
    if j > hidden {
        return;
    }
    let rows = vec4u(u, hidden + u, 2u * hidden + u, 3u * hidden + u); // of the gates
    if j < hidden {
        let at = rows * hidden + j;
        packed[i] = vec4f(w_hh[at.x], w_hh[at.y], w_hh[at.z], w_hh[at.w]);
    } else {
        packed[i] = vec4f(b_ih[rows.x], b_ih[rows.y], b_ih[rows.z], b_ih[rows.w])
            + vec4f(b_hh[rows.x], b_hh[rows.y], b_hh[rows.z], b_hh[rows.w]);
    }
}

@group(0) @binding(0) var<storage, read> xw: array<f32>; // [T, B, 4·H]
@group(0) @binding(1) var<storage, read> weights: array<vec4f>; // packed
@group(0) @binding(2) var<storage, read> lengths: array<u32>; // [B]
@group(0) @binding(3) var<storage, read> h_initial: array<f32>; // [B, H], read where present
@group(0) @binding(4) var<storage, read> c_initial: array<f32>; // [B, H]
@group(0) @binding(5) var<storage, read_write> states: array<f32>; // [T + 1, B, H]
@group(0) @binding(6) var<storage, read_write> cell: array<f32>; // [B, H], after the last step
// [T, B, 5, H]: i, f, g, o and the cell before the step
@group(0) @binding(7) var<storage, read_write> saved: array<f32>;
@group(0) @binding(8) var<uniform> p: Parameters;

var<workgroup> h: array<vec4f, THREADS>; // [unit], a number a row

// xw of a unit's gates
fn inputs_of(row: u32, t: u32, u: u32) -> vec4f {
    let at = (t * p.batch + row) * 4u * p.hidden + u;
    return vec4f(xw[at], xw[at + p.hidden], xw[at + 2u * p.hidden], xw[at + 3u * p.hidden]);
}

@compute @workgroup_size(THREADS)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) u: u32,
) {
    let first = linear_group(group, groups) * ROWS;
    let hidden = p.hidden;
    let active_unit = u < hidden;
    var c: array<f32, ROWS>;
    var ends: array<u32, ROWS>;
    var inputs: array<vec4f, ROWS>; // of the step that comes next
    var own: array<f32, ROWS>; // h of this unit
    let start = p.reverse * p.time * p.batch * hidden;
    for (var r = 0u; r < ROWS; r++) {
        let row = first + r;
        if active_unit && row < p.batch {
            if p.present == 1u {
                own[r] = h_initial[row * hidden + u];
                c[r] = c_initial[row * hidden + u];
            }
            states[start + row * hidden + u] = own[r];
            ends[r] = lengths[row];
            inputs[r] = inputs_of(row, time_of_step(0u, p.time, p.reverse), u);
        }
    }
    h[u] = vec4f(own[0], own[1], own[2], own[3]);
    var w: array<vec4f, AHEAD>; // of the units that come next
    for (var i = 0u; i < AHEAD; i++) {
        w[i] = weights[min(i, hidden - 1u) * hidden + min(u, hidden - 1u)];
    }
    workgroupBarrier();
    for (var s = 0u; s < p.time; s++) {
        let t = time_of_step(s, p.time, p.reverse);
        var sums = array<vec4f, ROWS>();
        if active_unit {
            let bias = weights[hidden * hidden + u];
            for (var r = 0u; r < ROWS; r++) {
                sums[r] = bias + inputs[r];
                inputs[r] = inputs_of(
                    min(first + r, p.batch - 1u),
                    time_of_step(min(s + 1u, p.time - 1u), p.time, p.reverse),
                    u,
                );
            }
            for (var j = 0u; j < hidden; j += AHEAD) {
                for (var i = 0u; i < AHEAD; i++) {
                    let of_unit = w[i];
                    w[i] = weights[row_ahead(j + i, hidden) * hidden + u];
                    let of_rows = h[j + i];
                    for (var r = 0u; r < ROWS; r++) {
                        sums[r] += of_unit * of_rows[r];
                    }
                }
            }
        }
        workgroupBarrier(); // all have read h
        if active_unit {
            for (var r = 0u; r < ROWS; r++) {
                let row = first + r;
                if row < p.batch {
                    let position = t * p.batch + row;
                    var gates = vec4f(0.0);
                    var before = 0.0;
                    if t < ends[r] {
                        let z = sums[r];
                        gates = vec4f(sigmoid(z.x), sigmoid(z.y), stable_tanh(z.z), sigmoid(z.w));
                        before = c[r];
                        c[r] = gates.y * before + gates.x * gates.z;
                        own[r] = gates.w * stable_tanh(c[r]);
                    }
                    let at = position * 5u * hidden + u;
                    saved[at] = gates.x;
                    saved[at + hidden] = gates.y;
                    saved[at + 2u * hidden] = gates.z;
                    saved[at + 3u * hidden] = gates.w;
                    saved[at + 4u * hidden] = before;
                    states[(position + (1u - p.reverse) * p.batch) * hidden + u] = own[r];
                }
            }
            h[u] = vec4f(own[0], own[1], own[2], own[3]);
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

// What a step of the backward walk reads of a unit and row
struct Kept {
    gates: vec4f, // i, f, g, o
    before: f32, // the cell
    doutput: f32,
}

fn kept_of(row: u32, t: u32, u: u32) -> Kept {
    let position = t * p.batch + row;
    let at = position * 5u * p.hidden + u;
    let gates = vec4f(
        saved_in[at], saved_in[at + p.hidden],
        saved_in[at + 2u * p.hidden], saved_in[at + 3u * p.hidden],
    );
    var doutput = 0.0;
    if (p.present & 1u) != 0u {
        doutput = doutputs[position * p.hidden + u];
    }
    return Kept(gates, saved_in[at + 4u * p.hidden], doutput);
}

// W_hh[j, u] of the four gates
fn weight_of(j: u32, u: u32) -> vec4f {
    let square = p.hidden * p.hidden;
    let at = j * p.hidden + u;
    return vec4f(weight[at], weight[at + square], weight[at + 2u * square], weight[at + 3u * square]);
}

@compute @workgroup_size(THREADS)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) u: u32,
) {
    let first = linear_group(group, groups) * ROWS;
    let hidden = p.hidden;
    let active_unit = u < hidden;
    var dh: array<f32, ROWS>;
    var dc: array<f32, ROWS>;
    var ends: array<u32, ROWS>;
    var kept: array<Kept, ROWS>; // for the step that comes next
    for (var r = 0u; r < ROWS; r++) {
        if active_unit && first + r < p.batch {
            let at = (first + r) * hidden + u;
            if (p.present & 2u) != 0u {
                dh[r] = dhidden[at];
            }
            if (p.present & 4u) != 0u {
                dc[r] = dcell[at];
            }
            ends[r] = lengths[first + r];
            kept[r] = kept_of(first + r, time_of_step(p.time - 1u, p.time, p.reverse), u);
        }
    }
    var w: array<vec4f, AHEAD>; // of the units that come next
    for (var i = 0u; i < AHEAD; i++) {
        w[i] = weight_of(min(i, hidden - 1u), min(u, hidden - 1u));
    }
    for (var s = p.time; s > 0u; s--) {
        let t = time_of_step(s - 1u, p.time, p.reverse);
        for (var r = 0u; r < ROWS; r++) {
            let row = first + r;
            var gradients = vec4f(0.0);
            if active_unit && row < p.batch {
                let position = t * p.batch + row;
                dh[r] += kept[r].doutput;
                if t < ends[r] {
                    let i = kept[r].gates.x;
                    let f = kept[r].gates.y;
                    let g = kept[r].gates.z;
                    let o = kept[r].gates.w;
                    let before = kept[r].before;
                    let th = stable_tanh(f * before + i * g);
                    let d = dc[r] + dh[r] * o * (1.0 - th * th);
                    gradients = vec4f(
                        d * g * (i * (1.0 - i)), d * before * (f * (1.0 - f)),
                        d * i * (1.0 - g * g), dh[r] * th * (o * (1.0 - o)),
                    );
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
            var sums = array<f32, ROWS>();
            for (var r = 0u; r < ROWS; r++) {
                kept[r] = kept_of(min(first + r, p.batch - 1u), time_of_step(max(s, 2u) - 2u, p.time, p.reverse), u);
            }
            for (var j = 0u; j < hidden; j += AHEAD) {
                for (var i = 0u; i < AHEAD; i++) {
                    let of_unit = w[i];
                    w[i] = weight_of(row_ahead(j + i, hidden), u);
                    for (var r = 0u; r < ROWS; r++) {
                        sums[r] += dot(of_unit, gate_gradients[(j + i) * ROWS + r]);
                    }
                }
            }
            for (var r = 0u; r < ROWS; r++) {
                if t < ends[r] {
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
