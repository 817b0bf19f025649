// y = max(x, 0), and NaN where x is
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}

@group(0) @binding(0) var<storage, read> x: array<Numbers>; // forward: x; backward: y, the forward's result
@group(0) @binding(1) var<storage, read_write> y: array<Numbers>;
@group(0) @binding(2) var<uniform> len: u32;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = elements(group, groups, local, len);
    for (var i = e.first; i < e.end; i += LANES) {
        y[i] = select(x[i], Numbers(), x[i] < Numbers());
    }
}

// dx = dy where y > 0, else 0.
@group(0) @binding(1) var<storage, read> dy: array<Numbers>;
@group(0) @binding(2) var<storage, read_write> dx: array<Numbers>;
@group(0) @binding(3) var<uniform> backward_len: u32;

@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = elements(group, groups, local, backward_len);
    for (var i = e.first; i < e.end; i += LANES) {
        dx[i] = select(Numbers(), dy[i], x[i] > Numbers());
    }
}
