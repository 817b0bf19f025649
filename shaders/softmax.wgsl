// y[r, c] = e^(x[r, c] − max) / Σ_c' e^(x[r, c'] − max) over the valid columns of row r, 0 elsewhere
//
// `short`: one invocation a row, a vector of its columns at a time, for rows of at most 64 columns (attention over a sentence), where a workgroup would
// mostly idle.
// `wide`: one workgroup a row; each invocation takes four columns at a time, LANES apart, so that neighbours read neighbours whatever the row's length.
//
// Both read a row twice: the sum follows the largest number so far (Milakov and Gimelshein 2018), each slot of an invocation by itself. On llvmpipe, 2
// cores, 1280 × 6191: 15.9 ms with a pass for the largest, one for the sum and one column at a time; 12.4 with four; 9.9 so.
// On hardware not measured.
#import shared/four
#import shared/grid
#import shared/log_sum_exp
#import shared/reduce{SUBGROUPS}
#import shared/strided
#import shared/vector{VECTOR}

struct Parameters {
    rows: u32,
    columns: u32, // `short`: vectors
    rows_per_sequence: u32, // row r belongs to sequence r / rows_per_sequence
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, columns]; backward: y
@group(0) @binding(1) var<storage, read> lengths: array<u32>; // [sequences], read where MASKED
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [rows, columns]
@group(0) @binding(3) var<uniform> parameters: Parameters;

@group(0) @binding(0) var<storage, read> short_x: array<Numbers>; // as x
@group(0) @binding(2) var<storage, read_write> short_y: array<Numbers>; // as y

fn valid_columns(row: u32, columns: u32) -> u32 {
    if MASKED == 1u {
        return min(lengths[row / parameters.rows_per_sequence], columns);
    }
    return columns;
}

@compute @workgroup_size(64)
fn forward_short(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= parameters.rows {
        return;
    }
    let start = row * parameters.columns;
    let valid = valid_columns(row, WIDTH * parameters.columns);
    var largest = Numbers(LOWEST);
    var sum = Numbers();
    for (var c = 0u; WIDTH * c < valid; c++) {
        let value = select(Numbers(LOWEST), short_x[start + c], places_of(c) < Words(valid));
        let factor = exp(-abs(value - largest)); // as in log_sum_exp.wgsl
        sum = select(sum + factor, sum * factor + 1.0, value > largest);
        largest = max(largest, value);
    }
    let row_largest = largest_of(largest);
    let row_sum = sum_of(sum * exp(largest - row_largest));
    for (var c = 0u; c < parameters.columns; c++) {
        let inside = places_of(c) < Words(valid);
        short_y[start + c] = select(Numbers(), exp(short_x[start + c] - row_largest) / row_sum, inside);
    }
}

fn four_of_x(at: u32) -> vec4f {
    return vec4f(x[at], x[at + LANES], x[at + 2u * LANES], x[at + 3u * LANES]);
}

fn put(at: u32, four: vec4f) {
    y[at] = four.x;
    y[at + LANES] = four.y;
    y[at + 2u * LANES] = four.z;
    y[at + 3u * LANES] = four.w;
}

@compute @workgroup_size(LANES)
fn forward_wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups);
    let start = row * parameters.columns;
    // A workgroup past the end walks no columns, but takes part in the reductions.
    var columns = 0u;
    var valid = 0u;
    if row < parameters.rows {
        columns = parameters.columns;
        valid = valid_columns(row, columns);
    }
    let body = in_strides(valid);
    var sums = nothing();
    for (var c = local; c < body; c += STRIDE) {
        sums = with_four(sums, four_of_x(start + c));
    }
    for (var c = body + local; c < valid; c += LANES) {
        sums = with_one(sums, x[start + c]);
    }
    let of_row = of_workgroup(sums, local);
    let row_largest = of_row.x;
    let row_sum = of_row.y;
    for (var c = local; c < body; c += STRIDE) {
        put(start + c, exp(four_of_x(start + c) - row_largest) / row_sum);
    }
    for (var c = body + local; c < columns; c += LANES) {
        y[start + c] = select(0.0, exp(x[start + c] - row_largest) / row_sum, c < valid);
    }
}

// dx = y · (dy − Σ_c y·dy); the bindings x hold y
@group(0) @binding(1) var<storage, read> dy: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read> short_dy: array<Numbers>; // as dy

@compute @workgroup_size(64)
fn backward_short(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= parameters.rows {
        return;
    }
    let start = row * parameters.columns;
    var products = Numbers();
    for (var c = 0u; c < parameters.columns; c++) {
        products += short_x[start + c] * short_dy[start + c];
    }
    let dot = sum_of(products);
    for (var c = 0u; c < parameters.columns; c++) {
        short_y[start + c] = short_x[start + c] * (short_dy[start + c] - dot);
    }
}

fn four_of_dy(at: u32) -> vec4f {
    return vec4f(dy[at], dy[at + LANES], dy[at + 2u * LANES], dy[at + 3u * LANES]);
}

@compute @workgroup_size(LANES)
fn backward_wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups);
    let start = row * parameters.columns;
    let columns = select(0u, parameters.columns, row < parameters.rows);
    let body = in_strides(columns);
    var products = vec4f();
    for (var c = local; c < body; c += STRIDE) {
        products += four_of_x(start + c) * four_of_dy(start + c);
    }
    for (var c = body + local; c < columns; c += LANES) {
        products.x += x[start + c] * dy[start + c];
    }
    let dot = reduce_sum(sum_of_four(products), local);
    for (var c = local; c < body; c += STRIDE) {
        put(start + c, four_of_x(start + c) * (four_of_dy(start + c) - dot));
    }
    for (var c = body + local; c < columns; c += LANES) {
        y[start + c] = x[start + c] * (dy[start + c] - dot);
    }
}
