// With n = (s − mean)·scale and g = dy·weight: ds = scale·(g − mean g − n·mean(g·n)), plus dsum where PASSED_ON
//
// Mean and scale are computed again from s, and kept for `backward_parameters`. One invocation a row (`backward_rows`, software adapters) or one
// workgroup a row (`backward_wide`). Not measured on hardware.
#import shared/grid
#import shared/reduce

struct Parameters {
    rows: u32,
    columns: u32,
    epsilon: f32,
}
@group(0) @binding(0) var<storage, read> s: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read> weight: array<f32>; // [columns]
@group(0) @binding(2) var<storage, read> dy: array<f32>; // [rows, columns]
@group(0) @binding(3) var<storage, read> dsum: array<f32>; // [rows, columns]
@group(0) @binding(4) var<storage, read_write> ds: array<f32>; // [rows, columns]
@group(0) @binding(5) var<storage, read_write> moments: array<f32>; // [rows, 2]: mean, scale
@group(0) @binding(6) var<uniform> parameters: Parameters;

@compute @workgroup_size(64)
fn backward_rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = parameters;
    let row = linear_group(group, groups) * 64u + local;
    if row >= p.rows {
        return;
    }
    let start = row * p.columns;
    let count = f32(p.columns);
    var sum = 0.0;
    for (var c = 0u; c < p.columns; c++) {
        sum += s[start + c];
    }
    let mean = sum / count;
    var squares = 0.0;
    for (var c = 0u; c < p.columns; c++) {
        let distance = s[start + c] - mean;
        squares += distance * distance;
    }
    let scale = 1.0 / sqrt(squares / count + p.epsilon);
    var sum_g = 0.0;
    var sum_gn = 0.0;
    for (var c = 0u; c < p.columns; c++) {
        let g = dy[start + c] * weight[c];
        sum_g += g;
        sum_gn += g * ((s[start + c] - mean) * scale);
    }
    for (var c = 0u; c < p.columns; c++) {
        let n = (s[start + c] - mean) * scale;
        var value = scale * (dy[start + c] * weight[c] - sum_g / count - n * (sum_gn / count));
        if PASSED_ON == 1u {
            value += dsum[start + c];
        }
        ds[start + c] = value;
    }
    moments[2u * row] = mean;
    moments[2u * row + 1u] = scale;
}

@compute @workgroup_size(WORKGROUP)
fn backward_wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = parameters;
    let row = linear_group(group, groups);
    let start = row * p.columns;
    let count = f32(p.columns);
    // Workgroups past the last row walk no columns.
    let end = select(0u, p.columns, row < p.rows);
    var sum = 0.0;
    for (var c = local; c < end; c += WORKGROUP) {
        sum += s[start + c];
    }
    let mean = reduce_sum(sum, local) / count;
    var squares = 0.0;
    for (var c = local; c < end; c += WORKGROUP) {
        let distance = s[start + c] - mean;
        squares += distance * distance;
    }
    let scale = 1.0 / sqrt(reduce_sum(squares, local) / count + p.epsilon);
    var sum_g = 0.0;
    var sum_gn = 0.0;
    for (var c = local; c < end; c += WORKGROUP) {
        let g = dy[start + c] * weight[c];
        sum_g += g;
        sum_gn += g * ((s[start + c] - mean) * scale);
    }
    sum_g = reduce_sum(sum_g, local);
    sum_gn = reduce_sum(sum_gn, local);
    for (var c = local; c < end; c += WORKGROUP) {
        let n = (s[start + c] - mean) * scale;
        var value = scale * (dy[start + c] * weight[c] - sum_g / count - n * (sum_gn / count));
        if PASSED_ON == 1u {
            value += dsum[start + c];
        }
        ds[start + c] = value;
    }
    if local == 0u && end > 0u {
        moments[2u * row] = mean;
        moments[2u * row + 1u] = scale;
    }
}

// dweight[c] = Σ_r dy·n, dbias[c] = Σ_r dy. A workgroup adds 32 columns, 8 lanes walk the rows side by side, as in sum_rows.wgsl.
@group(0) @binding(1) var<storage, read> dy_of_parameters: array<f32>; // [rows, columns]
@group(0) @binding(2) var<storage, read> known_moments: array<f32>; // [rows, 2]
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>; // [columns]
@group(0) @binding(4) var<storage, read_write> dbias: array<f32>; // [columns]
@group(0) @binding(5) var<uniform> sizes: Parameters;

const COLUMNS: u32 = 32u;
const LANES: u32 = 8u;
var<workgroup> partial: array<vec2f, COLUMNS * LANES>;

@compute @workgroup_size(256)
fn backward_parameters(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let column = linear_group(group, groups) * COLUMNS + local % COLUMNS;
    var sums = vec2f(0.0);
    if column < sizes.columns {
        for (var r = local / COLUMNS; r < sizes.rows; r += LANES) {
            let at = r * sizes.columns + column;
            let n = (s[at] - known_moments[2u * r]) * known_moments[2u * r + 1u];
            sums += vec2f(dy_of_parameters[at] * n, dy_of_parameters[at]);
        }
    }
    partial[local] = sums;
    workgroupBarrier();
    if local < COLUMNS && column < sizes.columns {
        var total = vec2f(0.0);
        for (var lane = 0u; lane < LANES; lane++) {
            total += partial[lane * COLUMNS + local];
        }
        dweight[column] = total.x;
        dbias[column] = total.y;
    }
}
