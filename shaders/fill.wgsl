// y = one value everywhere
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // vectors
    bits: u32, // an id, or a number's bits
}
// Bits: as a number, a small id would be a subnormal, which may be flushed to zero.
@group(0) @binding(0) var<storage, read_write> y: array<Words>;
@group(0) @binding(1) var<uniform> parameters: Parameters;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = elements(group, groups, local, parameters.len);
    for (var i = e.first; i < e.end; i += LANES) {
        y[i] = Words(parameters.bits);
    }
}
