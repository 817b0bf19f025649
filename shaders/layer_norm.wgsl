// y[r, c] = (s[r, c] − mean)·scale·weight[c] + bias[c], s = x or x + residual, mean and 1/scale² − ε = variance over the columns of row r
//
// Two passes over a row, mean first: the mean square minus the squared mean cancels where the mean is large. `rows` and `add_rows` (software
// adapters): one invocation a row. `wide` and `add_wide` (hardware): one workgroup a row, each invocation every LANES-th column. Not measured on
// hardware.
#import shared/grid
#import shared/reduce

struct Parameters {
    rows: u32,
    columns: u32,
    epsilon: f32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read> weight: array<f32>; // [columns]
@group(0) @binding(2) var<storage, read> bias: array<f32>; // [columns]
@group(0) @binding(3) var<storage, read> residual: array<f32>; // [rows, columns]
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // [rows, columns]
@group(0) @binding(5) var<storage, read_write> moments: array<f32>; // [rows, 2]: mean, scale
@group(0) @binding(6) var<uniform> parameters: Parameters;

fn keep(row: u32, mean: f32, scale: f32) {
    moments[2u * row] = mean;
    moments[2u * row + 1u] = scale;
}

fn mean_of_row(start: u32, columns: u32) -> f32 {
    var sum = 0.0;
    for (var c = 0u; c < columns; c++) {
        sum += x[start + c];
    }
    return sum / f32(columns);
}

fn scale_of_row(start: u32, columns: u32, mean: f32, epsilon: f32) -> f32 {
    var sum = 0.0;
    for (var c = 0u; c < columns; c++) {
        let distance = x[start + c] - mean;
        sum += distance * distance;
    }
    return 1.0 / sqrt(sum / f32(columns) + epsilon);
}

@compute @workgroup_size(64)
fn rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= parameters.rows {
        return;
    }
    let start = row * parameters.columns;
    let mean = mean_of_row(start, parameters.columns);
    let scale = scale_of_row(start, parameters.columns, mean, parameters.epsilon);
    keep(row, mean, scale);
    for (var c = 0u; c < parameters.columns; c++) {
        y[start + c] = (x[start + c] - mean) * scale * weight[c] + bias[c];
    }
}

fn mean_of_wide(inside: bool, start: u32, columns: u32, local: u32) -> f32 {
    var sum = 0.0;
    if inside {
        for (var c = local; c < columns; c += LANES) {
            sum += x[start + c];
        }
    }
    return reduce_sum(sum, local) / f32(columns);
}

fn scale_of_wide(inside: bool, start: u32, columns: u32, local: u32, mean: f32, epsilon: f32) -> f32 {
    var sum = 0.0;
    if inside {
        for (var c = local; c < columns; c += LANES) {
            let distance = x[start + c] - mean;
            sum += distance * distance;
        }
    }
    return 1.0 / sqrt(reduce_sum(sum, local) / f32(columns) + epsilon);
}

@compute @workgroup_size(LANES)
fn wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups);
    let inside = row < parameters.rows;
    let start = row * parameters.columns;
    let mean = mean_of_wide(inside, start, parameters.columns, local);
    let scale = scale_of_wide(inside, start, parameters.columns, local, mean, parameters.epsilon);
    if inside && local == 0u {
        keep(row, mean, scale);
    }
    if inside {
        for (var c = local; c < parameters.columns; c += LANES) {
            y[start + c] = (x[start + c] - mean) * scale * weight[c] + bias[c];
        }
    }
}

// The same with a residual; s is kept for the backward pass and for norm-first layers.
@group(0) @binding(6) var<storage, read_write> s: array<f32>; // [rows, columns]
@group(0) @binding(7) var<uniform> add_parameters: Parameters;

@compute @workgroup_size(64)
fn add_rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = add_parameters;
    let row = linear_group(group, groups) * 64u + local;
    if row >= p.rows {
        return;
    }
    let start = row * p.columns;
    var sum = 0.0;
    for (var c = 0u; c < p.columns; c++) {
        let added = x[start + c] + residual[start + c];
        s[start + c] = added;
        sum += added;
    }
    let mean = sum / f32(p.columns);
    var squares = 0.0;
    for (var c = 0u; c < p.columns; c++) {
        let distance = s[start + c] - mean;
        squares += distance * distance;
    }
    let scale = 1.0 / sqrt(squares / f32(p.columns) + p.epsilon);
    keep(row, mean, scale);
    for (var c = 0u; c < p.columns; c++) {
        y[start + c] = (s[start + c] - mean) * scale * weight[c] + bias[c];
    }
}

@compute @workgroup_size(LANES)
fn add_wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = add_parameters;
    let row = linear_group(group, groups);
    let inside = row < p.rows;
    let start = row * p.columns;
    // An invocation reads back only what it wrote itself, so that s needs no barrier.
    var sum = 0.0;
    if inside {
        for (var c = local; c < p.columns; c += LANES) {
            let added = x[start + c] + residual[start + c];
            s[start + c] = added;
            sum += added;
        }
    }
    let mean = reduce_sum(sum, local) / f32(p.columns);
    var squares = 0.0;
    if inside {
        for (var c = local; c < p.columns; c += LANES) {
            let distance = s[start + c] - mean;
            squares += distance * distance;
        }
    }
    let scale = 1.0 / sqrt(reduce_sum(squares, local) / f32(p.columns) + p.epsilon);
    if inside && local == 0u {
        keep(row, mean, scale);
    }
    if inside {
        for (var c = local; c < p.columns; c += LANES) {
            y[start + c] = (s[start + c] - mean) * scale * weight[c] + bias[c];
        }
    }
}
