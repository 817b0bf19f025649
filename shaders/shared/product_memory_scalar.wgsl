// For matmul.wgsl: its three matrices in memory, number by number. The constant VECTOR chooses this file (1) or
// product_memory_vec4.wgsl (4), for all three at once: a kernel for each of the eight combinations would be more to
// compile than they bring.

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;

// Four numbers of A, `step` apart, of which `count` are there, and the last one again
fn four_of_a(at: u32, step: u32, count: u32) -> vec4f {
    let all = at + min(vec4u(0u, 1u, 2u, 3u), vec4u(count - 1u)) * step;
    return vec4f(a[all.x], a[all.y], a[all.z], a[all.w]);
}

// And of B
fn four_of_b(at: u32, step: u32, count: u32) -> vec4f {
    let all = at + min(vec4u(0u, 1u, 2u, 3u), vec4u(count - 1u)) * step;
    return vec4f(b[all.x], b[all.y], b[all.z], b[all.w]);
}

// Four sums beside each other, of which `count` are elements of C
fn store_four(batch: u32, row: u32, column: u32, sums: vec4f, count: u32) {
    for (var i = 0u; i < 4u; i++) {
        if i < count {
            store(batch, row, column + i, sums[i]);
        }
    }
}
