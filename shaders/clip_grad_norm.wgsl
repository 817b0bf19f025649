// result = (min(1, max_norm / (‖g‖ + 1e-6)), ‖g‖)
//
// Two passes: 256 workgroups (64 on software adapters) sum the squares of a block each, one workgroup adds their
// partial sums. The order is fixed.
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}
#import shared/reduce_{SUBGROUPS 0:workgroup 1:subgroup 2:broadcast}

struct Parameters {
    len: u32, // vectors
    max_norm: f32,
}
@group(0) @binding(0) var<storage, read> x: array<Numbers>; // gradients; in `total`, the partial sums
@group(0) @binding(1) var<storage, read_write> result: array<f32>; // [workgroups]; in `total`, [2]
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(LANES)
fn partial(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let block = block_of(group, groups, p.len, LANES);
    var sum = Numbers();
    for (var i = block.x + local; i < block.y; i += LANES) {
        sum += x[i] * x[i];
    }
    let total = reduce_sum(sum_of(sum), local);
    if local == 0u {
        result[group.x] = total;
    }
}

@compute @workgroup_size(LANES)
fn total(@builtin(local_invocation_index) local: u32) {
    var sum = Numbers();
    for (var i = local; i < p.len; i += LANES) {
        sum += x[i];
    }
    let norm = sqrt(reduce_sum(sum_of(sum), local));
    if local == 0u {
        result[0] = min(1.0, p.max_norm / (norm + 1e-6));
        result[1] = norm;
    }
}
