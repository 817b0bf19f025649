// y[t, r, c] = x[t, rows[r], c], one invocation an element
#import shared/grid

struct Parameters {
    len: u32, // elements of y
    batch: u32, // rows of a step of x
    width: u32, // elements of a row
    rows: u32, // rows of a step of y
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // [T, batch, width]
@group(0) @binding(1) var<storage, read> rows: array<u32>; // [rows]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [T, rows, width]
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let i = linear_element(group, groups, local);
    if i < p.len {
        let row = i / p.width;
        let source = min(rows[row % p.rows], p.batch - 1u);
        y[i] = x[(row / p.rows * p.batch + source) * p.width + i % p.width];
    }
}
