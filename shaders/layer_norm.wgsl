// y[r, c] = (s[r, c] − mean)·scale·weight[c] + bias[c], s = x or x + residual, mean and 1/scale² − ε = variance over the columns of row r
//
// Two passes over a row, mean first: the mean square minus the squared mean cancels where the mean is large. `rows` and `add_rows` (rows of at most 256
// columns on software adapters): one invocation a row, a vector of columns at a time. `wide` and `add_wide`: one workgroup a row, each invocation four
// columns at a time. Not measured on hardware.
#import shared/grid
#import shared/reduce
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

// Those of four columns that lie before `end`; the others repeat the last one.
fn four_of_x(start: u32, columns: vec4u, end: u32) -> vec4f {
    let at = start + min(columns, vec4u(end - 1u));
    return vec4f(x[at.x], x[at.y], x[at.z], x[at.w]);
}

fn normalized(value: f32, mean: f32, scale: f32, column: u32) -> f32 {
    return (value - mean) * scale * weight[column] + bias[column];
}

@compute @workgroup_size(LANES)
fn wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups);
    let start = row * parameters.columns;
    // A workgroup past the end walks no columns, but takes part in the reductions.
    let columns = select(0u, parameters.columns, row < parameters.rows);
    var sums = vec4f();
    for (var c = local; c < columns; c += STRIDE) {
        let four = strided(c);
        sums += select(vec4f(), four_of_x(start, four, columns), four < vec4u(columns));
    }
    let mean = reduce_sum(sum_of_four(sums), local) / f32(parameters.columns);
    var squares = vec4f();
    for (var c = local; c < columns; c += STRIDE) {
        let four = strided(c);
        let distance = select(vec4f(), four_of_x(start, four, columns) - mean, four < vec4u(columns));
        squares += distance * distance;
    }
    let scale = scale_of(reduce_sum(sum_of_four(squares), local), parameters.columns, parameters.epsilon);
    if columns > 0u && local == 0u {
        keep(row, mean, scale);
    }
    for (var c = local; c < columns; c += STRIDE) {
        let four = strided(c);
        let value = four_of_x(start, four, columns);
        for (var i = 0u; i < 4u; i++) {
            if four[i] < columns {
                y[start + four[i]] = normalized(value[i], mean, scale, four[i]);
            }
        }
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

@compute @workgroup_size(LANES)
fn add_wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = add_parameters;
    let row = linear_group(group, groups);
    let start = row * p.columns;
    let columns = select(0u, p.columns, row < p.rows);
    // An invocation reads back only what it wrote itself, so that s needs no barrier.
    var sum = 0.0;
    for (var c = local; c < columns; c += STRIDE) {
        let four = strided(c);
        for (var i = 0u; i < 4u; i++) {
            if four[i] < columns {
                let added = x[start + four[i]] + residual[start + four[i]];
                s[start + four[i]] = added;
                sum += added;
            }
        }
    }
    let mean = reduce_sum(sum, local) / f32(p.columns);
    var squares = 0.0;
    for (var c = local; c < columns; c += STRIDE) {
        let four = strided(c);
        for (var i = 0u; i < 4u; i++) {
            if four[i] < columns {
                let distance = s[start + four[i]] - mean;
                squares += distance * distance;
            }
        }
    }
    let scale = scale_of(reduce_sum(squares, local), p.columns, p.epsilon);
    if columns > 0u && local == 0u {
        keep(row, mean, scale);
    }
    for (var c = local; c < columns; c += STRIDE) {
        let four = strided(c);
        for (var i = 0u; i < 4u; i++) {
            if four[i] < columns {
                y[start + four[i]] = normalized(s[start + four[i]], mean, scale, four[i]);
            }
        }
    }
}
