// One time step of a gated recurrent layer, between two matrix products (see gru.wgsl for the whole sequence at once,
// and the equations)
#import shared/activation
#import shared/elements
#import shared/grid
#import shared/recurrence_step
#import shared/vector{VECTOR}

@group(0) @binding(0) var<storage, read> xw: array<Numbers>; // [T, B, 3·H]
@group(0) @binding(1) var<storage, read> hw: array<Numbers>; // [B, 3·H], h·W_hhᵀ
@group(0) @binding(2) var<storage, read> b_ih: array<Numbers>; // [3·H]
@group(0) @binding(3) var<storage, read> b_hh: array<Numbers>; // [3·H]
@group(0) @binding(4) var<storage, read> lengths: array<u32>; // [B]
@group(0) @binding(5) var<storage, read_write> states: array<Numbers>; // [T + 1, B, H]
@group(0) @binding(6) var<storage, read_write> saved: array<Numbers>; // [T, B, 4, H]: r, z, n, q
@group(0) @binding(7) var<uniform> p: Step;

fn of_x(position: u32, gate: u32, unit: u32) -> Numbers {
    let at = gate * p.hidden + unit;
    return xw[position * 3u * p.hidden + at] + b_ih[at];
}

fn of_h(row: u32, gate: u32, unit: u32) -> Numbers {
    let at = gate * p.hidden + unit;
    return hw[row * 3u * p.hidden + at] + b_hh[at];
}

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
        let row = cell.row;
        let unit = cell.column;
        let position = p.t * p.batch + row;
        var reset = Numbers();
        var keep = Numbers();
        var n = Numbers();
        var q = Numbers();
        var state = states[p.before + i];
        if p.t < lengths[row] {
            reset = sigmoid(of_x(position, 0u, unit) + of_h(row, 0u, unit));
            keep = sigmoid(of_x(position, 1u, unit) + of_h(row, 1u, unit));
            q = of_h(row, 2u, unit);
            n = stable_tanh(of_x(position, 2u, unit) + reset * q);
            state = (1.0 - keep) * n + keep * state;
        }
        states[p.after + i] = state;
        let at = position * 4u * p.hidden + unit;
        saved[at] = reset;
        saved[at + p.hidden] = keep;
        saved[at + 2u * p.hidden] = n;
        saved[at + 3u * p.hidden] = q;
        cell = walk_on(cell, step, p.hidden);
    }
}

// The step walked back, as gru_backward.wgsl: of dh the gates' gradients and dh·z, to which the product then adds [dr,
// dz, dq]·W_hh
@group(0) @binding(0) var<storage, read> states_in: array<Numbers>; // [T + 1, B, H]
@group(0) @binding(1) var<storage, read> saved_in: array<Numbers>; // [T, B, 4, H]
@group(0) @binding(2) var<storage, read> lengths_in: array<u32>; // [B]
@group(0) @binding(3) var<storage, read> doutputs: array<Numbers>; // [T, B, H]
@group(0) @binding(4) var<storage, read_write> dh: array<Numbers>; // [B, H]
// [2, T, B, 3·H]: dr, dz, dn of xw, then dr, dz, dq of h·W_hhᵀ
@group(0) @binding(5) var<storage, read_write> dgates: array<Numbers>;
@group(0) @binding(6) var<uniform> backward_p: Step;

@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let hidden = backward_p.hidden;
    let second = backward_p.time * backward_p.batch * 3u * hidden;
    let e = elements(group, groups, local, backward_p.batch * hidden);
    let step = cell_of(LANES, hidden);
    var cell = cell_of(e.first, hidden);
    for (var i = e.first; i < e.end; i += LANES) {
        let position = backward_p.t * backward_p.batch + cell.row;
        var d = dh[i];
        if backward_p.upstream == 1u {
            d += doutputs[position * hidden + cell.column];
        }
        var dr = Numbers();
        var dz = Numbers();
        var dn = Numbers();
        var dq = Numbers();
        if backward_p.t < lengths_in[cell.row] {
            let kept = position * 4u * hidden + cell.column;
            let reset = saved_in[kept];
            let keep = saved_in[kept + hidden];
            let n = saved_in[kept + 2u * hidden];
            let q = saved_in[kept + 3u * hidden];
            dn = d * (1.0 - keep) * (1.0 - n * n);
            dr = dn * q * reset * (1.0 - reset);
            dz = d * (states_in[backward_p.before + i] - n) * keep * (1.0 - keep);
            dq = dn * reset;
            d *= keep;
        }
        dh[i] = d;
        let at = position * 3u * hidden + cell.column;
        dgates[at] = dr;
        dgates[at + hidden] = dz;
        dgates[at + 2u * hidden] = dn;
        dgates[second + at] = dr;
        dgates[second + at + hidden] = dz;
        dgates[second + at + 2u * hidden] = dq;
        cell = walk_on(cell, step, hidden);
    }
}
