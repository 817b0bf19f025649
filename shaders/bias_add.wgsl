// y[r, c] = x[r, c] + bias[c]
#import shared/grid

struct Parameters {
    len: u32,
    columns: u32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read> bias: array<f32>; // [columns]
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let i = linear_element(group, groups, local);
    if i < parameters.len {
        y[i] = x[i] + bias[i % parameters.columns];
    }
}
