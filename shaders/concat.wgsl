// c = [a; b] along the last axis
#import shared/grid

struct Parameters {
    len: u32, // elements of c
    a_columns: u32,
    b_columns: u32,
}
@group(0) @binding(0) var<storage, read> a: array<f32>; // [rows, a_columns]
@group(0) @binding(1) var<storage, read> b: array<f32>; // [rows, b_columns]
@group(0) @binding(2) var<storage, read_write> c: array<f32>; // [rows, a_columns + b_columns]
@group(0) @binding(3) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let i = linear_element(group, groups, local);
    if i >= parameters.len {
        return;
    }
    let columns = parameters.a_columns + parameters.b_columns;
    let row = i / columns;
    let column = i % columns;
    if column < parameters.a_columns {
        c[i] = a[row * parameters.a_columns + column];
    } else {
        c[i] = b[row * parameters.b_columns + column - parameters.a_columns];
    }
}

// da and db: the two parts of dc
@group(0) @binding(0) var<storage, read> dc: array<f32>;
@group(0) @binding(1) var<storage, read_write> da: array<f32>;
@group(0) @binding(2) var<storage, read_write> db: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let i = linear_element(group, groups, local);
    if i >= parameters.len {
        return;
    }
    let columns = parameters.a_columns + parameters.b_columns;
    let row = i / columns;
    let column = i % columns;
    if column < parameters.a_columns {
        da[row * parameters.a_columns + column] = dc[i];
    } else {
        db[row * parameters.b_columns + column - parameters.a_columns] = dc[i];
    }
}
