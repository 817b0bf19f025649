// An Elman layer over a whole sequence in one dispatch: h ← tanh(xw[t] + h·W_hhᵀ + b_ih + b_hh)
//
// As lstm.wgsl: a workgroup runs ROWS rows through all time steps, one invocation a unit, with h in workgroup memory, twice, so that a step reads the old
// states while it writes the new ones. The weights are packed to [j][unit] first. Widths over 256 units take rnn_gates.wgsl.
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

// pack: packed[j][u] = W_hh[u, j]; row j = H holds b_ih + b_hh
@group(0) @binding(0) var<storage, read> w_hh: array<f32>; // [H, H]
@group(0) @binding(1) var<storage, read> b_ih: array<f32>; // [H]
@group(0) @binding(2) var<storage, read> b_hh: array<f32>; // [H]
@group(0) @binding(3) var<storage, read_write> packed: array<f32>; // [H + 1, H]
@group(0) @binding(4) var<uniform> pack_parameters: Parameters;

@compute @workgroup_size(64)
fn pack(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
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
            var sums: array<f32, ROWS>;
            for (var r = 0u; r < ROWS; r++) {
                sums[r] = weights[hidden * hidden + u];
            }
            for (var j = 0u; j < hidden; j++) {
                let w = weights[j * hidden + u];
                for (var r = 0u; r < ROWS; r++) {
                    sums[r] += w * h[old + j * ROWS + r];
                }
            }
            for (var r = 0u; r < ROWS; r++) {
                let row = first + r;
                var state = h[old + u * ROWS + r];
                if row < p.batch {
                    let position = t * p.batch + row;
                    if t < lengths[row] {
                        state = stable_tanh(sums[r] + xw[position * hidden + u]);
                    }
                    states[(position + (1u - p.reverse) * p.batch) * hidden + u] = state;
                }
                h[new_states + u * ROWS + r] = state;
            }
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

@compute @workgroup_size(THREADS)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) u: u32) {
    let hidden = backward_p.hidden;
    // The first half of `h` holds dh, the second dz of the present step.
    let second = hidden * ROWS;
    let first = linear_group(group, groups) * ROWS;
    let batch = backward_p.batch;
    if u < hidden {
        for (var r = 0u; r < ROWS; r++) {
            var dh = 0.0;
            if (backward_p.present & 2u) != 0u && first + r < batch {
                dh = dhidden[(first + r) * hidden + u];
            }
            h[u * ROWS + r] = dh;
        }
    }
    for (var s = 0u; s < backward_p.time; s++) {
        let t = select(backward_p.time - 1u - s, s, backward_p.reverse == 1u);
        if u < hidden {
            for (var r = 0u; r < ROWS; r++) {
                let row = first + r;
                var z = 0.0;
                if row < batch {
                    let position = t * batch + row;
                    var dh = h[u * ROWS + r];
                    if (backward_p.present & 1u) != 0u {
                        dh += doutputs[position * hidden + u];
                        h[u * ROWS + r] = dh;
                    }
                    if t < lengths[row] {
                        let state = states_in[(position + (1u - backward_p.reverse) * batch) * hidden + u];
                        z = dh * (1.0 - state * state);
                    }
                    dz[position * hidden + u] = z;
                }
                h[second + u * ROWS + r] = z;
            }
        }
        workgroupBarrier();
        if u < hidden {
            var sums: array<f32, ROWS>;
            for (var j = 0u; j < hidden; j++) {
                let w = weight[j * hidden + u];
                for (var r = 0u; r < ROWS; r++) {
                    sums[r] += w * h[second + j * ROWS + r];
                }
            }
            for (var r = 0u; r < ROWS; r++) {
                if first + r < batch && t < lengths[first + r] {
                    h[u * ROWS + r] = sums[r];
                }
            }
        }
        workgroupBarrier();
    }
    if u < hidden {
        for (var r = 0u; r < ROWS; r++) {
            if first + r < batch {
                dinitial[(first + r) * hidden + u] = h[u * ROWS + r];
            }
        }
    }
}
