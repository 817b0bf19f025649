// y[r, c] = e^(x[r, c] − max) / Σ_c' e^(x[r, c'] − max) over the valid columns of row r, 0 elsewhere
//
// `short`: one invocation a row, held in HELD registers, for rows of at most 32 columns (attention over a sentence), where a workgroup would mostly idle.
// On llvmpipe, 2 cores, 25,600 rows of 20: 0.72 ms where the row is read twice, 0.54 so; backward 0.65 and 0.50.
// `wide`: one workgroup a row; each invocation takes four columns at a time, LANES apart, so that neighbours read neighbours whatever the row's length.
// It reads a row twice: the sum follows the largest number so far (Milakov and Gimelshein 2018), each slot of an invocation by itself. On llvmpipe,
// 1280 × 6191: 15.9 ms with a pass for the largest, one for the sum and one column at a time; 12.4 with four; 9.9 so; 7.7 with reduce2.wgsl.
// On hardware not measured.
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

@compute @workgroup_size(LANES)
fn forward_short(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let columns = parameters.columns;
    let rows = elements(group, groups, local, parameters.rows);
    for (var row = rows.first; row < rows.end; row += LANES) {
        let start = row * columns;
        let valid = Words(valid_columns(row, WIDTH * columns));
        var held: array<Numbers, HELD>;
        var largest = Numbers(LOWEST);
        for (var c = 0u; c < HELD; c++) {
            if c < columns {
                held[c] = select(Numbers(LOWEST), short_x[start + c], places_of(c) < valid);
                largest = max(largest, held[c]);
            }
        }
        let row_largest = largest_of(largest);
        var sums = Numbers();
        for (var c = 0u; c < HELD; c++) {
            if c < columns {
                held[c] = select(Numbers(), exp(held[c] - row_largest), places_of(c) < valid);
                sums += held[c];
            }
        }
        // At least 1, but in a row without valid columns, which gets zeros.
        let sum = max(sum_of(sums), 1.0);
        for (var c = 0u; c < HELD; c++) {
            if c < columns {
                short_y[start + c] = held[c] / sum;
            }
        }
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

@compute @workgroup_size(LANES)
fn backward_short(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let columns = parameters.columns;
    let rows = elements(group, groups, local, parameters.rows);
    for (var row = rows.first; row < rows.end; row += LANES) {
        let start = row * columns;
        var held: array<Numbers, HELD>;
        var upstream: array<Numbers, HELD>;
        var products = Numbers();
        for (var c = 0u; c < HELD; c++) {
            if c < columns {
                held[c] = short_x[start + c];
                upstream[c] = short_dy[start + c];
                products += held[c] * upstream[c];
            }
        }
        let dot = sum_of(products);
        for (var c = 0u; c < HELD; c++) {
            if c < columns {
                short_y[start + c] = held[c] * (upstream[c] - dot);
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
