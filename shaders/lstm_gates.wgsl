// One time step of an LSTM layer, between two matrix products (see lstm.wgsl for the whole sequence at once, and the equations)
//
// One invocation a unit and row. The step form pays 2 launches a time step and wins where a layer's weights exceed what one workgroup reads
// quickly: from 512 units on by design.md's arithmetic, taken from 257 on, where a workgroup runs out of invocations. Not measured on hardware.
#import shared/grid
#import shared/activation
#import shared/vector1

struct Parameters {
    t: u32,
    previous: u32, // backward: the step whose product `through` holds; NONE at the first
    batch: u32,
    hidden: u32,
    before: u32, // first element in states of the state that the step reads
    after: u32, // and of the state that it leaves
}
const NONE: u32 = 0xffffffffu;

// start: states[before..] = h and cell = c, or zeros
@group(0) @binding(0) var<storage, read> h_initial: array<f32>; // [B, H], read where bit 0 of PRESENT is set
@group(0) @binding(1) var<storage, read> c_initial: array<f32>; // [B, H], bit 1
@group(0) @binding(2) var<storage, read_write> start_states: array<f32>; // [T + 1, B, H]
@group(0) @binding(3) var<storage, read_write> start_cell: array<f32>; // [B, H]
@group(0) @binding(4) var<uniform> start_p: Parameters;

@compute @workgroup_size(WORKGROUP)
fn start(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let i = linear_element(group, groups, local);
    if i >= start_p.batch * start_p.hidden {
        return;
    }
    var h = 0.0;
    var c = 0.0;
    if (PRESENT & 1u) != 0u {
        h = h_initial[i];
    }
    if (PRESENT & 2u) != 0u {
        c = c_initial[i];
    }
    start_states[start_p.before + i] = h;
    start_cell[i] = c;
}

// forward: the gates of step t from xw, h·W_hhᵀ and the biases
@group(0) @binding(0) var<storage, read> xw: array<f32>; // [T, B, 4·H]
@group(0) @binding(1) var<storage, read> hw: array<f32>; // [B, 4·H]
@group(0) @binding(2) var<storage, read> b_ih: array<f32>; // [4·H]
@group(0) @binding(3) var<storage, read> b_hh: array<f32>; // [4·H]
@group(0) @binding(4) var<storage, read> lengths: array<u32>; // [B]
@group(0) @binding(5) var<storage, read_write> states: array<f32>; // [T + 1, B, H]
@group(0) @binding(6) var<storage, read_write> cell: array<f32>; // [B, H]
@group(0) @binding(7) var<storage, read_write> saved: array<f32>; // [T, B, 5, H]
@group(0) @binding(8) var<uniform> p: Parameters;

fn preactivation(position: u32, row: u32, unit: u32, gate: u32) -> f32 {
    let at = gate * p.hidden + unit;
    return xw[position * 4u * p.hidden + at] + hw[row * 4u * p.hidden + at] + b_ih[at] + b_hh[at];
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let i = linear_element(group, groups, local);
    if i >= p.batch * p.hidden {
        return;
    }
    let row = i / p.hidden;
    let unit = i % p.hidden;
    let position = p.t * p.batch + row;
    var gates = vec4f();
    var before = 0.0;
    var state = states[p.before + i];
    if p.t < lengths[row] {
        gates = vec4f(
            sigmoid(preactivation(position, row, unit, 0u)),
            sigmoid(preactivation(position, row, unit, 1u)),
            stable_tanh(preactivation(position, row, unit, 2u)),
            sigmoid(preactivation(position, row, unit, 3u)),
        );
        before = cell[i];
        let c = gates.y * before + gates.x * gates.z;
        cell[i] = c;
        state = gates.w * stable_tanh(c);
    }
    states[p.after + i] = state;
    let at = position * SAVED * p.hidden + unit;
    for (var gate = 0u; gate < 4u; gate++) {
        saved[at + gate * p.hidden] = gates[gate];
    }
    saved[at + 4u * p.hidden] = before;
}

// start_backward: state = (dh, dc) from the upstream gradients of the last states, or zeros
@group(0) @binding(2) var<storage, read_write> start_gradients: array<f32>; // [2, B, H]
@group(0) @binding(3) var<uniform> start_backward_p: Parameters;

@compute @workgroup_size(WORKGROUP)
fn start_backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let i = linear_element(group, groups, local);
    let half = start_backward_p.batch * start_backward_p.hidden;
    if i >= half {
        return;
    }
    var dh = 0.0;
    var dc = 0.0;
    if (PRESENT & 2u) != 0u {
        dh = h_initial[i]; // the binding holds dhidden
    }
    if (PRESENT & 4u) != 0u {
        dc = c_initial[i]; // and dcell
    }
    start_gradients[i] = dh;
    start_gradients[half + i] = dc;
}

// backward: the gates' gradients of step t; first dh takes over what the product of the previous step made
@group(0) @binding(0) var<storage, read> saved_in: array<f32>; // [T, B, 5, H]
@group(0) @binding(1) var<storage, read> lengths_in: array<u32>; // [B]
@group(0) @binding(2) var<storage, read> doutputs: array<f32>; // [T, B, H], bit 0
@group(0) @binding(3) var<storage, read> through: array<f32>; // [B, H], dgates·W_hh of the previous step
@group(0) @binding(4) var<storage, read_write> gradients: array<f32>; // [2, B, H]: dh, dc
@group(0) @binding(5) var<storage, read_write> dgates: array<f32>; // [T, B, 4·H]
@group(0) @binding(6) var<uniform> backward_p: Parameters;

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let i = linear_element(group, groups, local);
    let hidden = backward_p.hidden;
    let half = backward_p.batch * hidden;
    if i >= half {
        return;
    }
    let row = i / hidden;
    let unit = i % hidden;
    let position = backward_p.t * backward_p.batch + row;
    let length = lengths_in[row];
    var dh = gradients[i];
    if backward_p.previous != NONE && backward_p.previous < length {
        dh = through[i];
    }
    if (PRESENT & 1u) != 0u {
        dh += doutputs[position * hidden + unit];
    }
    gradients[i] = dh;
    var d_gates = vec4f();
    if backward_p.t < length {
        let at = position * SAVED * hidden + unit;
        let i_gate = saved_in[at];
        let f = saved_in[at + hidden];
        let g = saved_in[at + 2u * hidden];
        let o = saved_in[at + 3u * hidden];
        let before = saved_in[at + 4u * hidden];
        let th = stable_tanh(f * before + i_gate * g);
        let d = gradients[half + i] + dh * o * (1.0 - th * th);
        d_gates = vec4f(
            d * g * (i_gate * (1.0 - i_gate)),
            d * before * (f * (1.0 - f)),
            d * i_gate * (1.0 - g * g),
            dh * th * (o * (1.0 - o)),
        );
        gradients[half + i] = d * f;
    }
    for (var gate = 0u; gate < 4u; gate++) {
        dgates[(position * 4u + gate) * hidden + unit] = d_gates[gate];
    }
}

// finish: dh of the initial state takes over the last product
@group(0) @binding(0) var<storage, read> finish_lengths: array<u32>; // [B]
@group(0) @binding(1) var<storage, read> finish_through: array<f32>; // [B, H]
@group(0) @binding(2) var<storage, read_write> finish_gradients: array<f32>; // [2, B, H]
@group(0) @binding(3) var<uniform> finish_p: Parameters;

@compute @workgroup_size(WORKGROUP)
fn finish(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let i = linear_element(group, groups, local);
    if i < finish_p.batch * finish_p.hidden && finish_p.previous < finish_lengths[i / finish_p.hidden] {
        finish_gradients[i] = finish_through[i];
    }
}
