// y = x, for the copy bandwidth that kernels are measured by
#import shared/elements
#import shared/grid

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> len: u32;

// One element at a time.
@compute @workgroup_size(LANES)
fn one(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = elements(group, groups, local, len);
    for (var i = e.first; i < e.end; i += LANES) {
        y[i] = x[i];
    }
}

// Four elements at a time; len counts the vectors.
@group(0) @binding(0) var<storage, read> x4: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y4: array<vec4f>;

@compute @workgroup_size(LANES)
fn four(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = elements(group, groups, local, len);
    for (var i = e.first; i < e.end; i += LANES) {
        y4[i] = x4[i];
    }
}
