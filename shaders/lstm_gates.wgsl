// One time step of an LSTM layer, between two matrix products (see lstm.wgsl for the whole sequence at once, and the
// equations)
#import shared/activation
#import shared/elements
#import shared/grid
#import shared/recurrence_step
#import shared/vector{VECTOR}

@group(0) @binding(0) var<storage, read> xw: array<Numbers>; // [T, B, 4·H]
@group(0) @binding(1) var<storage, read> hw: array<Numbers>; // [B, 4·H], h·W_hhᵀ
@group(0) @binding(2) var<storage, read> b_ih: array<Numbers>; // [4·H]
@group(0) @binding(3) var<storage, read> b_hh: array<Numbers>; // [4·H]
@group(0) @binding(4) var<storage, read> lengths: array<u32>; // [B]
@group(0) @binding(5) var<storage, read_write> states: array<Numbers>; // [T + 1, B, H]
@group(0) @binding(6) var<storage, read_write> c: array<Numbers>; // [B, H]
// [T, B, 5, H]: i, f, g, o and the cell before the step
@group(0) @binding(7) var<storage, read_write> saved: array<Numbers>;
@group(0) @binding(8) var<uniform> p: Step;

fn preactivation(position: u32, row: u32, gate: u32, unit: u32) -> Numbers {
    let at = gate * p.hidden + unit;
    return xw[position * 4u * p.hidden + at] + hw[row * 4u * p.hidden + at] + b_ih[at] + b_hh[at];
}

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let len = p.batch * p.hidden;
    let e = elements(group, groups, local, len);
    let step = cell_of(LANES, p.hidden);
    var cell = cell_of(e.first, p.hidden);
    for (var n = e.first; n < e.end; n += LANES) {
        let row = cell.row;
        let unit = cell.column;
        let position = p.t * p.batch + row;
        var i = Numbers();
        var f = Numbers();
        var g = Numbers();
        var o = Numbers();
        var before = Numbers();
        var state = states[p.before + n];
        if p.t < lengths[row] {
            i = sigmoid(preactivation(position, row, 0u, unit));
            f = sigmoid(preactivation(position, row, 1u, unit));
            g = stable_tanh(preactivation(position, row, 2u, unit));
            o = sigmoid(preactivation(position, row, 3u, unit));
            before = c[n];
            let after = f * before + i * g;
            c[n] = after;
            state = o * stable_tanh(after);
        }
        states[p.after + n] = state;
        let at = position * 5u * p.hidden + unit;
        saved[at] = i;
        saved[at + p.hidden] = f;
        saved[at + 2u * p.hidden] = g;
        saved[at + 3u * p.hidden] = o;
        saved[at + 4u * p.hidden] = before;
        cell = walk_on(cell, step, p.hidden);
    }
}

// The step walked back: of dh and dc the gates' gradients and the new dc; the product then adds dgates·W_hh to dh, of
// which nothing else is left.
@group(0) @binding(0) var<storage, read> saved_in: array<Numbers>; // [T, B, 5, H]
@group(0) @binding(1) var<storage, read> lengths_in: array<u32>; // [B]
@group(0) @binding(2) var<storage, read> doutputs: array<Numbers>; // [T, B, H]
@group(0) @binding(3) var<storage, read_write> gradients: array<Numbers>; // [2, B, H]: dh, dc
@group(0) @binding(4) var<storage, read_write> dgates: array<Numbers>; // [T, B, 4·H]
@group(0) @binding(5) var<uniform> backward_p: Step;

@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let hidden = backward_p.hidden;
    let half = backward_p.batch * hidden;
    let e = elements(group, groups, local, half);
    let step = cell_of(LANES, hidden);
    var cell = cell_of(e.first, hidden);
    for (var n = e.first; n < e.end; n += LANES) {
        let position = backward_p.t * backward_p.batch + cell.row;
        var dh = gradients[n];
        if backward_p.upstream == 1u {
            dh += doutputs[position * hidden + cell.column];
        }
        var di = Numbers();
        var df = Numbers();
        var dg = Numbers();
        var d_o = Numbers();
        if backward_p.t < lengths_in[cell.row] {
            let kept = position * 5u * hidden + cell.column;
            let i = saved_in[kept];
            let f = saved_in[kept + hidden];
            let g = saved_in[kept + 2u * hidden];
            let o = saved_in[kept + 3u * hidden];
            let before = saved_in[kept + 4u * hidden];
            let th = stable_tanh(f * before + i * g);
            let dc = gradients[half + n] + dh * o * (1.0 - th * th);
            di = dc * g * (i * (1.0 - i));
            df = dc * before * (f * (1.0 - f));
            dg = dc * i * (1.0 - g * g);
            d_o = dh * th * (o * (1.0 - o));
            gradients[half + n] = dc * f;
            dh = Numbers();
        }
        gradients[n] = dh;
        let at = position * 4u * hidden + cell.column;
        dgates[at] = di;
        dgates[at + hidden] = df;
        dgates[at + 2u * hidden] = dg;
        dgates[at + 3u * hidden] = d_o;
        cell = walk_on(cell, step, hidden);
    }
}
