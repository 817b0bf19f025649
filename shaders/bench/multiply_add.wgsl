// y[i] = a number that takes ROUNDS · 64 multiply-adds, for the arithmetic rate that kernels are measured by
//
// Eight independent chains hide the latency of an addition. Factor and addend come at run time: with 1 and 1, for which
// no compiler can then know, a chain counts its own multiply-adds, exactly.
#import shared/grid

struct Parameters {
    factor: f32,
    addend: f32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // one number an invocation
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> p: Parameters;

fn advance(v: array<f32, 8>, factor: f32, addend: f32) -> array<f32, 8> {
    var w = v;
    for (var i = 0u; i < 8u; i++) {
        w[i] = w[i] * factor + addend;
    }
    return w;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_element(group, groups, local);
    let start = x[i];
    var v = array<f32, 8>(
        start, start + 1.0, start + 2.0, start + 3.0,
        start + 4.0, start + 5.0, start + 6.0, start + 7.0,
    );
    for (var round = 0u; round < ROUNDS; round++) {
        for (var step = 0u; step < 8u; step++) {
            v = advance(v, p.factor, p.addend);
        }
    }
    y[i] = v[0] + v[1] + v[2] + v[3] + v[4] + v[5] + v[6] + v[7];
}
