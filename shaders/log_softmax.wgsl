// y[r, c] = x[r, c] − max − ln Σ_c' e^(x[r, c'] − max)
//
// As softmax.wgsl. `short`: one invocation a row, for rows of at most 64 columns, where a workgroup would mostly idle. `wide`: one workgroup
// a row, each invocation every LANES-th column.
#import shared/grid
#import shared/reduce

struct Parameters {
    rows: u32,
    columns: u32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [rows, columns]
@group(0) @binding(2) var<uniform> parameters: Parameters;

@compute @workgroup_size(64)
fn forward_short(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= parameters.rows {
        return;
    }
    let start = row * parameters.columns;
    var largest = -3.4e38;
    for (var c = 0u; c < parameters.columns; c++) {
        largest = max(largest, x[start + c]);
    }
    var sum = 0.0;
    for (var c = 0u; c < parameters.columns; c++) {
        sum += exp(x[start + c] - largest);
    }
    for (var c = 0u; c < parameters.columns; c++) {
        y[start + c] = x[start + c] - largest - log(sum);
    }
}

@compute @workgroup_size(LANES)
fn forward_wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups);
    // A workgroup past the end walks no columns, but takes part in the reductions.
    let columns = select(0u, parameters.columns, row < parameters.rows);
    let start = row * parameters.columns;
    var largest = -3.4e38;
    for (var c = local; c < columns; c += LANES) {
        largest = max(largest, x[start + c]);
    }
    largest = reduce_max(largest, local);
    var sum = 0.0;
    for (var c = local; c < columns; c += LANES) {
        sum += exp(x[start + c] - largest);
    }
    sum = reduce_sum(sum, local);
    for (var c = local; c < columns; c += LANES) {
        y[start + c] = x[start + c] - largest - log(sum);
    }
}

// dx = dy − e^y · Σ_c dy
@group(0) @binding(0) var<storage, read> result: array<f32>; // y [rows, columns]
@group(0) @binding(1) var<storage, read> dy: array<f32>; // [rows, columns]
@group(0) @binding(2) var<storage, read_write> dx: array<f32>; // [rows, columns]
@group(0) @binding(3) var<uniform> backward_parameters: Parameters;

@compute @workgroup_size(64)
fn backward_short(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups) * 64u + local;
    let columns = backward_parameters.columns;
    if row >= backward_parameters.rows {
        return;
    }
    var sum = 0.0;
    for (var i = row * columns; i < (row + 1u) * columns; i++) {
        sum += dy[i];
    }
    for (var i = row * columns; i < (row + 1u) * columns; i++) {
        dx[i] = dy[i] - exp(result[i]) * sum;
    }
}

@compute @workgroup_size(LANES)
fn backward_wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups);
    let start = row * backward_parameters.columns;
    let columns = select(0u, backward_parameters.columns, row < backward_parameters.rows);
    var sum = 0.0;
    for (var c = local; c < columns; c += LANES) {
        sum += dy[start + c];
    }
    sum = reduce_sum(sum, local);
    for (var c = local; c < columns; c += LANES) {
        dx[start + c] = dy[start + c] - exp(result[start + c]) * sum;
    }
}
