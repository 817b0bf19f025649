// y = s · x, s one number on the device
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}

@group(0) @binding(0) var<storage, read> x: array<Numbers>;
@group(0) @binding(1) var<storage, read> s: array<f32>; // [1]
@group(0) @binding(2) var<storage, read_write> y: array<Numbers>;
@group(0) @binding(3) var<uniform> len: u32;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = elements(group, groups, local, len);
    for (var i = e.first; i < e.end; i += LANES) {
        y[i] = s[0] * x[i];
    }
}
