// y = Σ x
//
// Each workgroup leaves the sum of a block; where there are several, a second launch of the same kernel adds theirs.
#import shared/elements
#import shared/grid
#import shared/reduce_{SUBGROUPS 0:workgroup 1:subgroup 2:broadcast}
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // vectors
}
@group(0) @binding(0) var<storage, read> x: array<Numbers>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [workgroups]
@group(0) @binding(2) var<uniform> parameters: Parameters;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let block = block_of(group, groups, parameters.len, LANES);
    var sum = Numbers();
    for (var i = block.x + local; i < block.y; i += LANES) {
        sum += x[i];
    }
    let total = reduce_sum(sum_of(sum), local);
    if local == 0u {
        y[group.x] = total;
    }
}

// dx = dy everywhere
@group(0) @binding(0) var<storage, read> dy: array<f32>; // [1]
@group(0) @binding(1) var<storage, read_write> dx: array<Numbers>;

@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = elements(group, groups, local, parameters.len);
    for (var i = e.first; i < e.end; i += LANES) {
        dx[i] = Numbers(dy[0]);
    }
}
