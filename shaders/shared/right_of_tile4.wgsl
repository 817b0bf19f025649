// The same as right_of_tile1.wgsl where four numbers are a whole vector: what it holds past those that are there is somebody else's.

@group(0) @binding(1) var<storage, read> b: array<vec4f>;

fn four_of_b(at: u32, step: u32, count: u32) -> vec4f {
    return b[at / 4u];
}
