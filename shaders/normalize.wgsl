// y[r, c] = x[r, c] / max(√Σ_c x[r, c]², ε)
//
// One invocation a row, a vector of its columns at a time, 64 invocations a workgroup: a batch has hundreds of rows of a few hundred numbers. Not measured on hardware.
#import shared/grid
#import shared/vector{VECTOR}

struct Parameters {
    rows: u32,
    columns: u32, // vectors
    epsilon: f32,
}
@group(0) @binding(0) var<storage, read> x: array<Numbers>; // [rows, columns]
@group(0) @binding(1) var<storage, read_write> y: array<Numbers>; // [rows, columns]
@group(0) @binding(2) var<uniform> parameters: Parameters;

fn length_of_row(start: u32, columns: u32) -> f32 {
    var products = Numbers();
    for (var c = 0u; c < columns; c++) {
        products += x[start + c] * x[start + c];
    }
    let squares = sum_of(products);
    // WGSL derives sqrt from 1 / inverseSqrt, which is infinite at 0; what an infinity becomes is up to the driver.
    if squares > 0.0 {
        return sqrt(squares);
    }
    return 0.0;
}

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= parameters.rows {
        return;
    }
    let start = row * parameters.columns;
    let norm = max(length_of_row(start, parameters.columns), parameters.epsilon);
    for (var c = 0u; c < parameters.columns; c++) {
        y[start + c] = x[start + c] / norm;
    }
}

// dx = (dy − y·Σ_c y·dy) / ‖x‖ with y = x / ‖x‖; dy / ε where ‖x‖ < ε
@group(0) @binding(1) var<storage, read> dy: array<Numbers>; // [rows, columns]
@group(0) @binding(2) var<storage, read_write> dx: array<Numbers>; // [rows, columns]
@group(0) @binding(3) var<uniform> backward_parameters: Parameters;

@compute @workgroup_size(64)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = backward_parameters;
    let row = linear_group(group, groups) * 64u + local;
    if row >= p.rows {
        return;
    }
    let start = row * p.columns;
    let norm = length_of_row(start, p.columns);
    var products = Numbers();
    if norm >= p.epsilon {
        for (var c = 0u; c < p.columns; c++) {
            products += x[start + c] / norm * dy[start + c];
        }
    }
    let dot = sum_of(products);
    for (var c = 0u; c < p.columns; c++) {
        if norm < p.epsilon {
            dx[start + c] = dy[start + c] / p.epsilon;
        } else {
            dx[start + c] = (dy[start + c] - x[start + c] / norm * dot) / norm;
        }
    }
}
