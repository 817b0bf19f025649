// For matmul.wgsl: four numbers of A, `step` apart, of which `count` are there, and the last one again. The constant READ chooses this file (1)
// or left_of_tile4.wgsl, for both matrices at once: a kernel for each of the four combinations would be one more to compile than they bring.

@group(0) @binding(0) var<storage, read> a: array<f32>;

fn four_of_a(at: u32, step: u32, count: u32) -> vec4f {
    let all = at + min(vec4u(0u, 1u, 2u, 3u), vec4u(count - 1u)) * step;
    return vec4f(a[all.x], a[all.y], a[all.z], a[all.w]);
}
