// c = [a; b] along the last axis
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // vectors of c
    a_columns: u32, // vectors of a row of a
    b_columns: u32,
}
@group(0) @binding(0) var<storage, read> a: array<Numbers>; // [rows, a_columns]
@group(0) @binding(1) var<storage, read> b: array<Numbers>; // [rows, b_columns]
@group(0) @binding(2) var<storage, read_write> c: array<Numbers>; // [rows, a_columns + b_columns]
@group(0) @binding(3) var<uniform> parameters: Parameters;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let columns = parameters.a_columns + parameters.b_columns;
    let e = elements(group, groups, local, parameters.len);
    let step = cell_of(LANES, columns);
    var cell = cell_of(e.first, columns);
    for (var i = e.first; i < e.end; i += LANES) {
        if cell.column < parameters.a_columns {
            c[i] = a[cell.row * parameters.a_columns + cell.column];
        } else {
            c[i] = b[cell.row * parameters.b_columns + cell.column - parameters.a_columns];
        }
        cell = walk_on(cell, step, columns);
    }
}

// da and db: the two parts of dc
@group(0) @binding(0) var<storage, read> dc: array<Numbers>;
@group(0) @binding(1) var<storage, read_write> da: array<Numbers>;
@group(0) @binding(2) var<storage, read_write> db: array<Numbers>;

@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let columns = parameters.a_columns + parameters.b_columns;
    let e = elements(group, groups, local, parameters.len);
    let step = cell_of(LANES, columns);
    var cell = cell_of(e.first, columns);
    for (var i = e.first; i < e.end; i += LANES) {
        if cell.column < parameters.a_columns {
            da[cell.row * parameters.a_columns + cell.column] = dc[i];
        } else {
            db[cell.row * parameters.b_columns + cell.column - parameters.a_columns] = dc[i];
        }
        cell = walk_on(cell, step, columns);
    }
}
