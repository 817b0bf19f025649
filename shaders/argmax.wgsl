// y[r] = the first column with the largest x[r, c]
//
// One workgroup a row: each invocation keeps the best of its columns, four at a time, then halves in workgroup memory; of equals the lower column wins.
#import shared/grid
#import shared/strided

struct Parameters {
    rows: u32,
    columns: u32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read_write> y: array<u32>; // [rows]
@group(0) @binding(2) var<uniform> parameters: Parameters;

fn four_of_x(at: u32) -> vec4f {
    return vec4f(x[at], x[at + LANES], x[at + 2u * LANES], x[at + 3u * LANES]);
}

var<workgroup> best_value: array<f32, LANES>;
var<workgroup> best_column: array<u32, LANES>;

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups);
    let start = min(row, parameters.rows - 1u) * parameters.columns;
    // Column 0, until something larger is found.
    var columns = vec4u();
    var values = vec4f(x[start]);
    let body = in_strides(parameters.columns);
    for (var c = local; c < body; c += STRIDE) {
        let candidates = four_of_x(start + c);
        let better = candidates > values;
        values = select(values, candidates, better);
        columns = select(columns, c + vec4u(0u, LANES, 2u * LANES, 3u * LANES), better);
    }
    for (var c = body + local; c < parameters.columns; c += LANES) {
        if x[start + c] > values.x {
            values.x = x[start + c];
            columns.x = c;
        }
    }
    var value = values.x;
    var column = columns.x;
    for (var i = 1u; i < 4u; i++) {
        if values[i] > value || (values[i] == value && columns[i] < column) {
            value = values[i];
            column = columns[i];
        }
    }
    best_value[local] = value;
    best_column[local] = column;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            let other = best_value[local + half];
            let other_column = best_column[local + half];
            if other > best_value[local] || (other == best_value[local] && other_column < best_column[local]) {
                best_value[local] = other;
                best_column[local] = other_column;
            }
        }
    }
    if local == 0u && row < parameters.rows {
        y[row] = best_column[0];
    }
}
