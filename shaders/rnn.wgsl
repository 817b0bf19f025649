// An Elman layer over a whole sequence in one dispatch: h ← tanh(xw[t] + h·W_hhᵀ + b_ih + b_hh)
//
// As lstm.wgsl: a workgroup runs ROWS rows through all time steps, one invocation a unit, with h in workgroup memory,
// twice, so that a step reads the old states while it writes the new ones. The weights are packed to [j][unit] first;
// they and what the next step reads are read ahead.
// Widths over 256 units take rnn_gates.wgsl.
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

// pack: packed[j][u] = W_hh[u, j]; row j = H holds b_ih + b_hh
@group(0) @binding(0) var<storage, read> w_hh: array<f32>; // [H, H]
@group(0) @binding(1) var<storage, read> b_ih: array<f32>; // [H]
@group(0) @binding(2) var<storage, read> b_hh: array<f32>; // [H]
@group(0) @binding(3) var<storage, read_write> packed: array<f32>; // [H + 1, H]
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
    if j < hidden {
        packed[i] = w_hh[u * hidden + j];
    } else if j == hidden {
        packed[i] = b_ih[u] + b_hh[u];
    }
}

@group(0) @binding(0) var<storage, read> xw: array<f32>; // [T, B, H]
@group(0) @binding(1) var<storage, read> weights: array<f32>; // packed
@group(0) @binding(2) var<storage, read> lengths: array<u32>; // [B]
@group(0) @binding(3) var<storage, read> h_initial: array<f32>; // [B, H], read where present
@group(0) @binding(4) var<storage, read_write> states: array<f32>; // [T + 1, B, H]
@group(0) @binding(5) var<uniform> p: Parameters;

var<workgroup> h: array<vec4f, 2u * THREADS>; // [old or new][unit], a number a row

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
    var inputs: array<f32, ROWS>; // of the step that comes next
    var own: array<f32, ROWS>; // h of this unit
    for (var r = 0u; r < ROWS; r++) {
        if u < hidden && first + r < p.batch {
            if p.present == 1u {
                own[r] = h_initial[(first + r) * hidden + u];
            }
            states[start + (first + r) * hidden + u] = own[r];
            ends[r] = lengths[first + r];
            inputs[r] = xw[(time_of_step(0u, p.time, p.reverse) * p.batch + first + r) * hidden + u];
        }
    }
    // Zeros in both halves for the units past the last
    h[u] = vec4f(own[0], own[1], own[2], own[3]);
    h[THREADS + u] = vec4f(0.0);
    var w: array<f32, AHEAD>; // of the units that come next
    for (var i = 0u; i < AHEAD; i++) {
        w[i] = weights[min(i, hidden - 1u) * hidden + min(u, hidden - 1u)];
    }
    workgroupBarrier();
    for (var s = 0u; s < p.time; s++) {
        let t = time_of_step(s, p.time, p.reverse);
        let old = (s % 2u) * THREADS;
        let new_states = ((s + 1u) % 2u) * THREADS;
        if u < hidden {
            var sums = array<f32, ROWS>();
            for (var r = 0u; r < ROWS; r++) {
                sums[r] = weights[hidden * hidden + u] + inputs[r];
                inputs[r] = xw[
                    (time_of_step(min(s + 1u, p.time - 1u), p.time, p.reverse) * p.batch
                        + min(first + r, p.batch - 1u)) * hidden + u
                ];
            }
            for (var j = 0u; j < hidden; j += AHEAD) {
                for (var i = 0u; i < AHEAD; i++) {
                    let of_unit = w[i];
                    w[i] = weights[row_ahead(j + i, hidden) * hidden + u];
                    let of_rows = h[old + j + i];
                    for (var r = 0u; r < ROWS; r++) {
                        sums[r] += of_unit * of_rows[r];
                    }
                }
            }
            for (var r = 0u; r < ROWS; r++) {
                let row = first + r;
                if row < p.batch {
                    let position = t * p.batch + row;
                    if t < ends[r] {
                        own[r] = stable_tanh(sums[r]);
                    }
                    states[(position + (1u - p.reverse) * p.batch) * hidden + u] = own[r];
                }
            }
            h[new_states + u] = vec4f(own[0], own[1], own[2], own[3]);
        }
        workgroupBarrier();
    }
}

// The steps walked back: dz = dh·(1 − h²), then dh ← dz·W_hh. dz is the gradient of xw.
@group(0) @binding(0) var<storage, read> states_in: array<f32>; // [T + 1, B, H]
@group(0) @binding(1) var<storage, read> weight: array<f32>; // W_hh [H, H]
@group(0) @binding(3) var<storage, read> doutputs: array<f32>; // [T, B, H], read where bit 0 of present is set
@group(0) @binding(4) var<storage, read> dhidden: array<f32>; // [B, H], bit 1
@group(0) @binding(5) var<storage, read_write> dz: array<f32>; // [T, B, H]
@group(0) @binding(6) var<storage, read_write> dinitial: array<f32>; // [B, H]
@group(0) @binding(7) var<uniform> backward_p: Parameters;

// What a step of the backward walk reads of a unit and row: the state that it left, and the gradient of that as an
// output
fn kept_of(row: u32, t: u32, u: u32) -> vec2f {
    let o = backward_p;
    let position = t * o.batch + row;
    var kept = vec2f(states_in[(position + (1u - o.reverse) * o.batch) * o.hidden + u], 0.0);
    if (o.present & 1u) != 0u {
        kept.y = doutputs[position * o.hidden + u];
    }
    return kept;
}

@compute @workgroup_size(THREADS)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) u: u32,
) {
    let hidden = backward_p.hidden;
    let first = linear_group(group, groups) * ROWS;
    let batch = backward_p.batch;
    var ends: array<u32, ROWS>;
    var kept: array<vec2f, ROWS>; // for the step that comes next
    var dh: array<f32, ROWS>; // of this unit
    for (var r = 0u; r < ROWS; r++) {
        if u < hidden && first + r < batch {
            if (backward_p.present & 2u) != 0u {
                dh[r] = dhidden[(first + r) * hidden + u];
            }
            ends[r] = lengths[first + r];
            kept[r] = kept_of(first + r, time_of_step(backward_p.time - 1u, backward_p.time, backward_p.reverse), u);
        }
    }
    // The first half of `h` holds dz of the present step, zeros for the units past the last.
    h[u] = vec4f(0.0);
    var w: array<f32, AHEAD>; // of the units that come next
    for (var i = 0u; i < AHEAD; i++) {
        w[i] = weight[min(i, hidden - 1u) * hidden + min(u, hidden - 1u)];
    }
    for (var s = backward_p.time; s > 0u; s--) {
        let t = time_of_step(s - 1u, backward_p.time, backward_p.reverse);
        if u < hidden {
            var z = array<f32, ROWS>();
            for (var r = 0u; r < ROWS; r++) {
                let row = first + r;
                if row < batch {
                    let position = t * batch + row;
                    dh[r] += kept[r].y;
                    if t < ends[r] {
                        z[r] = dh[r] * (1.0 - kept[r].x * kept[r].x);
                    }
                    dz[position * hidden + u] = z[r];
                }
            }
            h[u] = vec4f(z[0], z[1], z[2], z[3]);
        }
        workgroupBarrier();
        if u < hidden {
            var sums = array<f32, ROWS>();
            for (var r = 0u; r < ROWS; r++) {
                kept[r] = kept_of(
                    min(first + r, batch - 1u),
                    time_of_step(max(s, 2u) - 2u, backward_p.time, backward_p.reverse),
                    u,
                );
            }
            for (var j = 0u; j < hidden; j += AHEAD) {
                for (var i = 0u; i < AHEAD; i++) {
                    let of_unit = w[i];
                    w[i] = weight[row_ahead(j + i, hidden) * hidden + u];
                    let of_rows = h[j + i];
                    for (var r = 0u; r < ROWS; r++) {
                        sums[r] += of_unit * of_rows[r];
                    }
                }
            }
            for (var r = 0u; r < ROWS; r++) {
                if t < ends[r] {
                    dh[r] = sums[r];
                }
            }
        }
        workgroupBarrier();
    }
    if u < hidden {
        for (var r = 0u; r < ROWS; r++) {
            if first + r < batch {
                dinitial[(first + r) * hidden + u] = dh[r];
            }
        }
    }
}
