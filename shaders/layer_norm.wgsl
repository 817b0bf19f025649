// y[r, c] = (s[r, c] − mean)·scale·weight[c] + bias[c], s = x or x + residual, mean and 1/scale² − ε = variance over the columns of row r
//
// Two passes over a row, mean first: the mean square minus the squared mean cancels where the mean is large. `rows` and `add_rows` (software
// adapters): one invocation a row, a vector of columns at a time, so that weight and bias are the same for all. `wide` and `add_wide`: one workgroup a row, each invocation four
// columns at a time. Not measured on hardware.
#import shared/four
#import shared/grid
#import shared/reduce{SUBGROUPS}
#import shared/strided
#import shared/vector{VECTOR}

struct Parameters {
    rows: u32,
    columns: u32, // `rows`, `add_rows`: vectors
    epsilon: f32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read> weight: array<f32>; // [columns]
@group(0) @binding(2) var<storage, read> bias: array<f32>; // [columns]
@group(0) @binding(3) var<storage, read> residual: array<f32>; // [rows, columns]
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // [rows, columns]
@group(0) @binding(5) var<storage, read_write> moments: array<f32>; // [rows, 2]: mean, scale
@group(0) @binding(6) var<uniform> parameters: Parameters;

// The same in vectors
@group(0) @binding(0) var<storage, read> x_vectors: array<Numbers>;
@group(0) @binding(1) var<storage, read> weight_vectors: array<Numbers>;
@group(0) @binding(2) var<storage, read> bias_vectors: array<Numbers>;
@group(0) @binding(3) var<storage, read> residual_vectors: array<Numbers>;
@group(0) @binding(4) var<storage, read_write> y_vectors: array<Numbers>;

fn keep(row: u32, mean: f32, scale: f32) {
    moments[2u * row] = mean;
    moments[2u * row + 1u] = scale;
}

fn scale_of(squares: f32, columns: u32, epsilon: f32) -> f32 {
    return 1.0 / sqrt(squares / f32(columns) + epsilon);
}

@compute @workgroup_size(64)
fn rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups) * 64u + local;
    let columns = parameters.columns;
    if row >= parameters.rows {
        return;
    }
    let start = row * columns;
    var sum = Numbers();
    for (var c = 0u; c < columns; c++) {
        sum += x_vectors[start + c];
    }
    let mean = sum_of(sum) / f32(WIDTH * columns);
    var squares = Numbers();
    for (var c = 0u; c < columns; c++) {
        let distance = x_vectors[start + c] - mean;
        squares += distance * distance;
    }
    let scale = scale_of(sum_of(squares), WIDTH * columns, parameters.epsilon);
    keep(row, mean, scale);
    for (var c = 0u; c < columns; c++) {
        y_vectors[start + c] = (x_vectors[start + c] - mean) * scale * weight_vectors[c] + bias_vectors[c];
    }
}

fn four_of_x(at: u32) -> vec4f {
    return vec4f(x[at], x[at + LANES], x[at + 2u * LANES], x[at + 3u * LANES]);
}

fn four_of_weight(at: u32) -> vec4f {
    return vec4f(weight[at], weight[at + LANES], weight[at + 2u * LANES], weight[at + 3u * LANES]);
}

fn four_of_bias(at: u32) -> vec4f {
    return vec4f(bias[at], bias[at + LANES], bias[at + 2u * LANES], bias[at + 3u * LANES]);
}

fn put(at: u32, four: vec4f) {
    y[at] = four.x;
    y[at + LANES] = four.y;
    y[at + 2u * LANES] = four.z;
    y[at + 3u * LANES] = four.w;
}

@compute @workgroup_size(LANES)
fn wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups);
    let start = row * parameters.columns;
    // A workgroup past the end walks no columns, but takes part in the reductions.
    let columns = select(0u, parameters.columns, row < parameters.rows);
    let body = in_strides(columns);
    var sums = vec4f();
    for (var c = local; c < body; c += STRIDE) {
        sums += four_of_x(start + c);
    }
    for (var c = body + local; c < columns; c += LANES) {
        sums.x += x[start + c];
    }
    let mean = reduce_sum(sum_of_four(sums), local) / f32(parameters.columns);
    var squares = vec4f();
    for (var c = local; c < body; c += STRIDE) {
        let distance = four_of_x(start + c) - mean;
        squares += distance * distance;
    }
    for (var c = body + local; c < columns; c += LANES) {
        let distance = x[start + c] - mean;
        squares.x += distance * distance;
    }
    let scale = scale_of(reduce_sum(sum_of_four(squares), local), parameters.columns, parameters.epsilon);
    if columns > 0u && local == 0u {
        keep(row, mean, scale);
    }
    for (var c = local; c < body; c += STRIDE) {
        put(start + c, (four_of_x(start + c) - mean) * scale * four_of_weight(c) + four_of_bias(c));
    }
    for (var c = body + local; c < columns; c += LANES) {
        y[start + c] = (x[start + c] - mean) * scale * weight[c] + bias[c];
    }
}

// The same with a residual; s is kept for the backward pass and for norm-first layers.
@group(0) @binding(6) var<storage, read_write> s: array<f32>; // [rows, columns]
@group(0) @binding(6) var<storage, read_write> s_vectors: array<Numbers>;
@group(0) @binding(7) var<uniform> add_parameters: Parameters;

@compute @workgroup_size(64)
fn add_rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = add_parameters;
    let row = linear_group(group, groups) * 64u + local;
    if row >= p.rows {
        return;
    }
    let start = row * p.columns;
    var sum = Numbers();
    for (var c = 0u; c < p.columns; c++) {
        let added = x_vectors[start + c] + residual_vectors[start + c];
        s_vectors[start + c] = added;
        sum += added;
    }
    let mean = sum_of(sum) / f32(WIDTH * p.columns);
    var squares = Numbers();
    for (var c = 0u; c < p.columns; c++) {
        let distance = s_vectors[start + c] - mean;
        squares += distance * distance;
    }
    let scale = scale_of(sum_of(squares), WIDTH * p.columns, p.epsilon);
    keep(row, mean, scale);
    for (var c = 0u; c < p.columns; c++) {
        y_vectors[start + c] = (s_vectors[start + c] - mean) * scale * weight_vectors[c] + bias_vectors[c];
    }
}

fn four_of_residual(at: u32) -> vec4f {
    return vec4f(residual[at], residual[at + LANES], residual[at + 2u * LANES], residual[at + 3u * LANES]);
}

fn four_of_s(at: u32) -> vec4f {
    return vec4f(s[at], s[at + LANES], s[at + 2u * LANES], s[at + 3u * LANES]);
}

@compute @workgroup_size(LANES)
fn add_wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = add_parameters;
    let row = linear_group(group, groups);
    let start = row * p.columns;
    let columns = select(0u, p.columns, row < p.rows);
    let body = in_strides(columns);
    // An invocation reads back only what it wrote itself, so that s needs no barrier.
    var sums = vec4f();
    for (var c = local; c < body; c += STRIDE) {
        let added = four_of_x(start + c) + four_of_residual(start + c);
        s[start + c] = added.x;
        s[start + c + LANES] = added.y;
        s[start + c + 2u * LANES] = added.z;
        s[start + c + 3u * LANES] = added.w;
        sums += added;
    }
    for (var c = body + local; c < columns; c += LANES) {
        let added = x[start + c] + residual[start + c];
        s[start + c] = added;
        sums.x += added;
    }
    let mean = reduce_sum(sum_of_four(sums), local) / f32(p.columns);
    var squares = vec4f();
    for (var c = local; c < body; c += STRIDE) {
        let distance = four_of_s(start + c) - mean;
        squares += distance * distance;
    }
    for (var c = body + local; c < columns; c += LANES) {
        let distance = s[start + c] - mean;
        squares.x += distance * distance;
    }
    let scale = scale_of(reduce_sum(sum_of_four(squares), local), p.columns, p.epsilon);
    if columns > 0u && local == 0u {
        keep(row, mean, scale);
    }
    for (var c = local; c < body; c += STRIDE) {
        put(start + c, (four_of_s(start + c) - mean) * scale * four_of_weight(c) + four_of_bias(c));
    }
    for (var c = body + local; c < columns; c += LANES) {
        y[start + c] = (s[start + c] - mean) * scale * weight[c] + bias[c];
    }
}
