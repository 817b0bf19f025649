// y[o, i] = x[o, offset + i]: part of x along one axis, both tensors seen as [outer, inner]
#import shared/grid

struct Parameters {
    len: u32, // elements of the output
    wide: u32, // elements of a row of the whole tensor
    narrow: u32, // elements of a row of the slice
    offset: u32,
}
// Bits, so that ids are copied as they are.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let i = linear_element(group, groups, local);
    if i < parameters.len {
        y[i] = x[i / parameters.narrow * parameters.wide + parameters.offset + i % parameters.narrow];
    }
}

// dx = dy in the slice, 0 outside
@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let i = linear_element(group, groups, local);
    if i < parameters.len {
        let inner = i % parameters.wide - parameters.offset; // wraps to a large number before the slice
        var value = 0u;
        if inner < parameters.narrow {
            value = x[i / parameters.wide * parameters.narrow + inner];
        }
        y[i] = value;
    }
}
