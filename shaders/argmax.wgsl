// y[r] = the first column with the largest x[r, c]
//
// One workgroup a row: each invocation keeps the best of its columns, then halves in workgroup memory; of equals the lower column wins.
#import shared/grid

struct Parameters {
    rows: u32,
    columns: u32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read_write> y: array<u32>; // [rows]
@group(0) @binding(2) var<uniform> parameters: Parameters;

var<workgroup> best_value: array<f32, LANES>;
var<workgroup> best_column: array<u32, LANES>;

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let row = linear_group(group, groups);
    let columns = parameters.columns;
    // Invocations without a column repeat column 0, which changes nothing.
    var column = select(0u, local, local < columns);
    var value = x[min(row, parameters.rows - 1u) * columns + column];
    for (var c = local + LANES; c < columns; c += LANES) {
        let candidate = x[min(row, parameters.rows - 1u) * columns + c];
        if candidate > value {
            value = candidate;
            column = c;
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
