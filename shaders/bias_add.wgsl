// y[r, c] = x[r, c] + bias[c]
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // vectors
    columns: u32, // vectors of a row
}
@group(0) @binding(0) var<storage, read> x: array<Numbers>; // [rows, columns]
@group(0) @binding(1) var<storage, read> bias: array<Numbers>; // [columns]
@group(0) @binding(2) var<storage, read_write> y: array<Numbers>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let columns = parameters.columns;
    let e = elements(group, groups, local, parameters.len);
    let step = cell_of(LANES, columns);
    var cell = cell_of(e.first, columns);
    for (var i = e.first; i < e.end; i += LANES) {
        y[i] = x[i] + bias[cell.column];
        cell = walk_on(cell, step, columns);
    }
}
