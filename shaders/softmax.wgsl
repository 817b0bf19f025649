// y[r, c] = e^(x[r, c] − max) / Σ_c' e^(x[r, c'] − max) over the valid columns of row r, 0 elsewhere
//
// `short`: one invocation a row, for rows of at most 64 columns (attention over a sentence), where a workgroup would mostly idle.
// `wide`: one workgroup a row, each invocation every LANES-th column.
#import shared/grid
#import shared/reduce

struct Parameters {
    rows: u32,
    columns: u32,
    rows_per_sequence: u32, // row r belongs to sequence r / rows_per_sequence
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, columns]; backward: y
@group(0) @binding(1) var<storage, read> lengths: array<u32>; // [sequences], read where MASKED
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [rows, columns]
@group(0) @binding(3) var<uniform> parameters: Parameters;

fn valid_columns(row: u32) -> u32 {
    if MASKED == 1u {
        return min(lengths[row / parameters.rows_per_sequence], parameters.columns);
    }
    return parameters.columns;
}

@compute @workgroup_size(64)
fn forward_short(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= parameters.rows {
        return;
    }
    let start = row * parameters.columns;
    let valid = valid_columns(row);
    var largest = -3.4e38;
    for (var c = 0u; c < valid; c++) {
        largest = max(largest, x[start + c]);
    }
    var sum = 0.0;
    for (var c = 0u; c < valid; c++) {
        let e = exp(x[start + c] - largest);
        y[start + c] = e;
        sum += e;
    }
    for (var c = 0u; c < parameters.columns; c++) {
        if c < valid {
            y[start + c] = y[start + c] / sum;
        } else {
            y[start + c] = 0.0;
        }
    }
}

@compute @workgroup_size(LANES)
fn forward_wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups);
    let inside = row < parameters.rows;
    let start = row * parameters.columns;
    var valid = 0u;
    if inside {
        valid = valid_columns(row);
    }
    var largest = -3.4e38;
    for (var c = local; c < valid; c += LANES) {
        largest = max(largest, x[start + c]);
    }
    largest = reduce_max(largest, local);
    var sum = 0.0;
    for (var c = local; c < valid; c += LANES) {
        sum += exp(x[start + c] - largest);
    }
    sum = reduce_sum(sum, local);
    if inside {
        for (var c = local; c < parameters.columns; c += LANES) {
            if c < valid {
                y[start + c] = exp(x[start + c] - largest) / sum;
            } else {
                y[start + c] = 0.0;
            }
        }
    }
}

// dx = y · (dy − Σ_c y·dy); the `x` binding holds y
@group(0) @binding(1) var<storage, read> dy: array<f32>; // [rows, columns]

@compute @workgroup_size(64)
fn backward_short(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= parameters.rows {
        return;
    }
    let start = row * parameters.columns;
    var dot = 0.0;
    for (var c = 0u; c < parameters.columns; c++) {
        dot += x[start + c] * dy[start + c];
    }
    for (var c = 0u; c < parameters.columns; c++) {
        y[start + c] = x[start + c] * (dy[start + c] - dot);
    }
}

@compute @workgroup_size(LANES)
fn backward_wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups);
    let inside = row < parameters.rows;
    let start = row * parameters.columns;
    var dot = 0.0;
    if inside {
        for (var c = local; c < parameters.columns; c += LANES) {
            dot += x[start + c] * dy[start + c];
        }
    }
    dot = reduce_sum(dot, local);
    if inside {
        for (var c = local; c < parameters.columns; c += LANES) {
            y[start + c] = x[start + c] * (dy[start + c] - dot);
        }
    }
}
