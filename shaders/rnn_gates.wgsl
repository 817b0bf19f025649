// One time step of an Elman layer, between two matrix products (see rnn.wgsl for the whole sequence at once, and the
// equation)
#import shared/activation
#import shared/elements
#import shared/grid
#import shared/recurrence_step
#import shared/vector{VECTOR}

@group(0) @binding(0) var<storage, read> xw: array<Numbers>; // [T, B, H]
@group(0) @binding(1) var<storage, read> hw: array<Numbers>; // [B, H], h·W_hhᵀ
@group(0) @binding(2) var<storage, read> b_ih: array<Numbers>; // [H]
@group(0) @binding(3) var<storage, read> b_hh: array<Numbers>; // [H]
@group(0) @binding(4) var<storage, read> lengths: array<u32>; // [B]
@group(0) @binding(5) var<storage, read_write> states: array<Numbers>; // [T + 1, B, H]
@group(0) @binding(6) var<uniform> p: Step;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = elements(group, groups, local, p.batch * p.hidden);
    let step = cell_of(LANES, p.hidden);
    var cell = cell_of(e.first, p.hidden);
    for (var i = e.first; i < e.end; i += LANES) {
        var state = states[p.before + i];
        if p.t < lengths[cell.row] {
            state = stable_tanh(xw[p.t * p.batch * p.hidden + i] + hw[i] + b_ih[cell.column] + b_hh[cell.column]);
        }
        states[p.after + i] = state;
        cell = walk_on(cell, step, p.hidden);
    }
}

// The step walked back: dz = dh·(1 − h²); the product then adds dz·W_hh to dh, of which nothing else is left.
@group(0) @binding(0) var<storage, read> states_in: array<Numbers>; // [T + 1, B, H]
@group(0) @binding(1) var<storage, read> lengths_in: array<u32>; // [B]
@group(0) @binding(2) var<storage, read> doutputs: array<Numbers>; // [T, B, H]
@group(0) @binding(3) var<storage, read_write> dh: array<Numbers>; // [B, H]
@group(0) @binding(4) var<storage, read_write> dz: array<Numbers>; // [T, B, H]
@group(0) @binding(5) var<uniform> backward_p: Step;

@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let hidden = backward_p.hidden;
    let e = elements(group, groups, local, backward_p.batch * hidden);
    let step = cell_of(LANES, hidden);
    var cell = cell_of(e.first, hidden);
    for (var i = e.first; i < e.end; i += LANES) {
        let at = backward_p.t * backward_p.batch * hidden + i;
        var d = dh[i];
        if backward_p.upstream == 1u {
            d += doutputs[at];
        }
        var z = Numbers();
        if backward_p.t < lengths_in[cell.row] {
            let state = states_in[backward_p.after + i];
            z = d * (1.0 - state * state);
            d = Numbers();
        }
        dh[i] = d;
        dz[at] = z;
        cell = walk_on(cell, step, hidden);
    }
}
