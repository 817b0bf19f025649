// y[i] = a number that takes ROUNDS · 128 multiply-adds in f16, for that arithmetic rate
//
// As multiply_add.wgsl, in pairs: hardware that is faster in f16 than in f32 mostly computes two at a time. Not
// measured on hardware.
enable f16;
#import shared/grid

struct Parameters {
    factor: f32,
    addend: f32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // one number an invocation
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> p: Parameters;

fn advance(v: array<vec2h, 8>, factor: vec2h, addend: vec2h) -> array<vec2h, 8> {
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
    let factor = vec2h(f16(p.factor));
    let addend = vec2h(f16(p.addend));
    var v: array<vec2h, 8>;
    for (var chain = 0u; chain < 8u; chain++) {
        v[chain] = vec2h(vec2f(x[i] + f32(chain), x[i] + f32(chain + 8u)));
    }
    for (var round = 0u; round < ROUNDS; round++) {
        for (var step = 0u; step < 8u; step++) {
            v = advance(v, factor, addend);
        }
    }
    var sum = vec2f();
    for (var chain = 0u; chain < 8u; chain++) {
        sum += vec2f(v[chain]);
    }
    y[i] = sum.x + sum.y;
}
