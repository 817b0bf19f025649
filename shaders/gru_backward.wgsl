// The steps of a gated recurrent layer walked back, with dh of the state after the step: dn = dh·(1 − z)·(1 − n²), dz =
// dh·(h − n)·z·(1 − z), dr = dn·q·r·(1 − r), dq = dn·r; dh ← dh·z + [dr, dz, dq]·W_hh
//
// A workgroup runs ROWS rows, one invocation a unit, with the three gates' gradients of the present step in workgroup
// memory. W_hh is read along its rows, as it is, they and what the next step reads ahead, as in lstm.wgsl. Widths over
// 256 units take gru_gates.wgsl.
#import shared/grid
#import shared/recurrence_sequence

struct Parameters {
    time: u32,
    batch: u32,
    hidden: u32,
    reverse: u32, // 1 where the forward pass walked each row from its end to its start
    present: u32, // one bit for each upstream gradient that is there
}
@group(0) @binding(0) var<storage, read> states: array<f32>; // [T + 1, B, H]
@group(0) @binding(1) var<storage, read> saved: array<f32>; // [T, B, 4, H]: r, z, n, q
@group(0) @binding(2) var<storage, read> weight: array<f32>; // W_hh [3·H, H]
@group(0) @binding(3) var<storage, read> lengths: array<u32>; // [B]
@group(0) @binding(4) var<storage, read> doutputs: array<f32>; // [T, B, H], read where bit 0 of present is set
@group(0) @binding(5) var<storage, read> dhidden: array<f32>; // [B, H], bit 1
// [2, T, B, 3·H]: dr, dz, dn of xw, then dr, dz, dq of h·W_hhᵀ
@group(0) @binding(6) var<storage, read_write> dgates: array<f32>;
@group(0) @binding(7) var<storage, read_write> dinitial: array<f32>; // [B, H]
@group(0) @binding(8) var<uniform> p: Parameters;

var<workgroup> step_gates: array<vec4f, 3u * THREADS>; // [gate·H + unit], a number a row

// What a step reads of a unit and row
struct Kept {
    gates: vec4f, // r, z, n, q
    before: f32, // the state
    doutput: f32,
}

fn kept_of(row: u32, t: u32, u: u32) -> Kept {
    let position = t * p.batch + row;
    let at = position * 4u * p.hidden + u;
    let gates = vec4f(saved[at], saved[at + p.hidden], saved[at + 2u * p.hidden], saved[at + 3u * p.hidden]);
    var doutput = 0.0;
    if (p.present & 1u) != 0u {
        doutput = doutputs[position * p.hidden + u];
    }
    return Kept(gates, states[(position + p.reverse * p.batch) * p.hidden + u], doutput);
}

@compute @workgroup_size(THREADS)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) u: u32,
) {
    let hidden = p.hidden;
    let first = linear_group(group, groups) * ROWS;
    let of_h = p.time * p.batch * 3u * hidden;
    var ends: array<u32, ROWS>;
    var kept: array<Kept, ROWS>; // for the step that comes next
    var dh: array<f32, ROWS>; // of this unit
    for (var r = 0u; r < ROWS; r++) {
        if u < hidden && first + r < p.batch {
            if (p.present & 2u) != 0u {
                dh[r] = dhidden[(first + r) * hidden + u];
            }
            ends[r] = lengths[first + r];
            kept[r] = kept_of(first + r, time_of_step(p.time - 1u, p.time, p.reverse), u);
        }
    }
    // Zeros for the rows of W_hh past the last
    for (var at = 3u * hidden + u; at < 3u * THREADS; at += THREADS) {
        step_gates[at] = vec4f(0.0);
    }
    var w: array<f32, AHEAD>; // of the rows that come next
    for (var i = 0u; i < AHEAD; i++) {
        w[i] = weight[min(i, 3u * hidden - 1u) * hidden + min(u, hidden - 1u)];
    }
    for (var s = p.time; s > 0u; s--) {
        let t = time_of_step(s - 1u, p.time, p.reverse);
        if u < hidden {
            var d_reset = array<f32, ROWS>();
            var d_keep = array<f32, ROWS>();
            var d_q = array<f32, ROWS>();
            for (var r = 0u; r < ROWS; r++) {
                let row = first + r;
                var d = vec4f(0.0); // dr, dz, dn, dq
                if row < p.batch {
                    let position = t * p.batch + row;
                    var upstream = dh[r] + kept[r].doutput;
                    if t < ends[r] {
                        let reset = kept[r].gates.x;
                        let keep = kept[r].gates.y;
                        let n = kept[r].gates.z;
                        let q = kept[r].gates.w;
                        let dn = upstream * (1.0 - keep) * (1.0 - n * n);
                        d = vec4f(
                            dn * q * reset * (1.0 - reset),
                            upstream * (kept[r].before - n) * keep * (1.0 - keep),
                            dn, dn * reset,
                        );
                        upstream = upstream * keep;
                    }
                    dh[r] = upstream;
                    let at = position * 3u * hidden + u;
                    dgates[at] = d.x;
                    dgates[at + hidden] = d.y;
                    dgates[at + 2u * hidden] = d.z;
                    dgates[of_h + at] = d.x;
                    dgates[of_h + at + hidden] = d.y;
                    dgates[of_h + at + 2u * hidden] = d.w;
                }
                d_reset[r] = d.x;
                d_keep[r] = d.y;
                d_q[r] = d.w;
            }
            step_gates[u] = vec4f(d_reset[0], d_reset[1], d_reset[2], d_reset[3]);
            step_gates[hidden + u] = vec4f(d_keep[0], d_keep[1], d_keep[2], d_keep[3]);
            step_gates[2u * hidden + u] = vec4f(d_q[0], d_q[1], d_q[2], d_q[3]);
        }
        workgroupBarrier();
        if u < hidden {
            var sums = array<f32, ROWS>();
            for (var r = 0u; r < ROWS; r++) {
                kept[r] = kept_of(min(first + r, p.batch - 1u), time_of_step(max(s, 2u) - 2u, p.time, p.reverse), u);
            }
            for (var j = 0u; j < 3u * hidden; j += AHEAD) {
                for (var i = 0u; i < AHEAD; i++) {
                    let of_unit = w[i];
                    w[i] = weight[row_ahead(j + i, 3u * hidden) * hidden + u];
                    let of_rows = step_gates[j + i];
                    for (var r = 0u; r < ROWS; r++) {
                        sums[r] += of_unit * of_rows[r];
                    }
                }
            }
            for (var r = 0u; r < ROWS; r++) {
                dh[r] += sums[r];
            }
        }
        workgroupBarrier();
    }
    if u < hidden {
        for (var r = 0u; r < ROWS; r++) {
            if first + r < p.batch {
                dinitial[(first + r) * hidden + u] = dh[r];
            }
        }
    }
}
