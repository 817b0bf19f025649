// The same as left_of_tile1.wgsl where four numbers are a whole vector: what it holds past those that are there is somebody else's.

@group(0) @binding(0) var<storage, read> a: array<vec4f>;

fn four_of_a(at: u32, step: u32, count: u32) -> vec4f {
    return a[at / 4u];
}
