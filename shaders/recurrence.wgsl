// What recurrences share that take their steps one by one: the initial state, or its gradient, at its place
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // vectors
    offset: u32,
    present: u32, // 1: x; 0: zeros
}
@group(0) @binding(0) var<storage, read> x: array<Numbers>; // [B, H]
@group(0) @binding(1) var<storage, read_write> y: array<Numbers>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(LANES)
fn start(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = elements(group, groups, local, p.len);
    for (var i = e.first; i < e.end; i += LANES) {
        var value = Numbers();
        if p.present == 1u {
            value = x[i];
        }
        y[p.offset + i] = value;
    }
}
