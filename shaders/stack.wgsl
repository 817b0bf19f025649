// y[offset + i] = x[i]: one part of a joined tensor, i counts vectors
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // vectors of x
    offset: u32, // where they go
}
// Bits, so that ids are copied as they are.
@group(0) @binding(0) var<storage, read> x: array<Words>;
@group(0) @binding(1) var<storage, read_write> y: array<Words>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = elements(group, groups, local, parameters.len);
    for (var i = e.first; i < e.end; i += LANES) {
        y[parameters.offset + i] = x[i];
    }
}
