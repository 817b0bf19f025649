// y[r, c] = x[r, c] − max − ln Σ_c' e^(x[r, c'] − max)
//
// As softmax.wgsl. `short`: one invocation a row, held in HELD registers, for rows of at most 32 columns, where a workgroup would mostly idle.
// `wide`: one workgroup a row, which it reads twice.
#import shared/elements
#import shared/four
#import shared/grid
#import shared/log_sum_exp
#import shared/reduce{SUBGROUPS}
#import shared/strided
#import shared/vector{VECTOR}

struct Parameters {
    rows: u32,
    columns: u32, // `short`: vectors
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [rows, columns]
@group(0) @binding(2) var<uniform> parameters: Parameters;

@group(0) @binding(0) var<storage, read> short_x: array<Numbers>; // as x
@group(0) @binding(1) var<storage, read_write> short_y: array<Numbers>; // as y

@compute @workgroup_size(LANES)
fn forward_short(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let columns = parameters.columns;
    let rows = elements(group, groups, local, parameters.rows);
    for (var row = rows.first; row < rows.end; row += LANES) {
        let start = row * columns;
        var held: array<Numbers, HELD>;
        var largest = Numbers(LOWEST);
        for (var c = 0u; c < HELD; c++) {
            if c < columns {
                held[c] = short_x[start + c];
                largest = max(largest, held[c]);
            }
        }
        let row_largest = largest_of(largest);
        var sums = Numbers();
        for (var c = 0u; c < HELD; c++) {
            if c < columns {
                sums += exp(held[c] - row_largest);
            }
        }
        let log_sum = log(sum_of(sums));
        for (var c = 0u; c < HELD; c++) {
            if c < columns {
                short_y[start + c] = held[c] - row_largest - log_sum;
            }
        }
    }
}

fn four_of_x(at: u32) -> vec4f {
    return vec4f(x[at], x[at + LANES], x[at + 2u * LANES], x[at + 3u * LANES]);
}

@compute @workgroup_size(LANES)
fn forward_wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups);
    // A workgroup past the end walks no columns, but takes part in the reductions.
    let columns = select(0u, parameters.columns, row < parameters.rows);
    let body = in_strides(columns);
    let start = row * parameters.columns;
    var sums = nothing();
    for (var c = local; c < body; c += STRIDE) {
        sums = with_four(sums, four_of_x(start + c));
    }
    for (var c = body + local; c < columns; c += LANES) {
        sums = with_one(sums, x[start + c]);
    }
    let of_row = of_workgroup(sums, local);
    let row_largest = of_row.x;
    let log_sum = log(of_row.y);
    for (var c = local; c < body; c += STRIDE) {
        let value = four_of_x(start + c) - row_largest - log_sum;
        y[start + c] = value.x;
        y[start + c + LANES] = value.y;
        y[start + c + 2u * LANES] = value.z;
        y[start + c + 3u * LANES] = value.w;
    }
    for (var c = body + local; c < columns; c += LANES) {
        y[start + c] = x[start + c] - row_largest - log_sum;
    }
}

// dx = dy − e^y · Σ_c dy; the bindings x hold y
@group(0) @binding(1) var<storage, read> dy: array<f32>; // [rows, columns]
@group(0) @binding(2) var<storage, read_write> dx: array<f32>; // [rows, columns]
@group(0) @binding(3) var<uniform> backward_parameters: Parameters;

@group(0) @binding(1) var<storage, read> short_dy: array<Numbers>; // as dy
@group(0) @binding(2) var<storage, read_write> short_dx: array<Numbers>; // as dx

@compute @workgroup_size(LANES)
fn backward_short(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let columns = backward_parameters.columns;
    let rows = elements(group, groups, local, backward_parameters.rows);
    for (var row = rows.first; row < rows.end; row += LANES) {
        let start = row * columns;
        var upstream: array<Numbers, HELD>;
        var sums = Numbers();
        for (var c = 0u; c < HELD; c++) {
            if c < columns {
                upstream[c] = short_dy[start + c];
                sums += upstream[c];
            }
        }
        let sum = sum_of(sums);
        for (var c = 0u; c < HELD; c++) {
            if c < columns {
                short_dx[start + c] = upstream[c] - exp(short_x[start + c]) * sum;
            }
        }
    }
}

fn four_of_dy(at: u32) -> vec4f {
    return vec4f(dy[at], dy[at + LANES], dy[at + 2u * LANES], dy[at + 3u * LANES]);
}

@compute @workgroup_size(LANES)
fn backward_wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups);
    let start = row * backward_parameters.columns;
    let columns = select(0u, backward_parameters.columns, row < backward_parameters.rows);
    let body = in_strides(columns);
    var sums = vec4f();
    for (var c = local; c < body; c += STRIDE) {
        sums += four_of_dy(start + c);
    }
    for (var c = body + local; c < columns; c += LANES) {
        sums.x += dy[start + c];
    }
    let sum = reduce_sum(sum_of_four(sums), local);
    for (var c = local; c < body; c += STRIDE) {
        let value = four_of_dy(start + c) - exp(four_of_x(start + c)) * sum;
        dx[start + c] = value.x;
        dx[start + c + LANES] = value.y;
        dx[start + c + 2u * LANES] = value.z;
        dx[start + c + 3u * LANES] = value.w;
    }
    for (var c = body + local; c < columns; c += LANES) {
        dx[start + c] = dy[start + c] - exp(x[start + c]) * sum;
    }
}
