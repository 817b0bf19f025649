// y = factor · Σ x
//
// One workgroup: wgrad sums losses and other small tensors; large reductions live in the ops that need them.
#import shared/grid
#import shared/reduce

struct Parameters {
    len: u32,
    factor: f32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [1]
@group(0) @binding(2) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(local_invocation_index) local: u32) {
    var sum = 0.0;
    for (var i = local; i < parameters.len; i += WORKGROUP) {
        sum += x[i];
    }
    let total = reduce_sum(sum, local);
    if local == 0u {
        y[0] = total * parameters.factor;
    }
}

// dx = factor · dy everywhere
@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let i = linear_element(group, groups, local);
    if i < parameters.len {
        y[i] = x[0] * parameters.factor;
    }
}
