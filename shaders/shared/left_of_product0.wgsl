// For matmul_broadcast.wgsl: rows `row` and `row + 8` of A, numbers read one by one. The constant A_ALONG_K chooses this file or left_of_product1.wgsl. Past the
// end of k stand zeros, here and in B: the last k is read again there, and it may be infinite.

@group(0) @binding(0) var<storage, read> a: array<f32>;

var<private> a_at: vec2u;

fn find_left(start: u32, row: u32) {
    a_at = start + min(row + vec2u(0u, 8u), vec2u(p.m - 1u)) * p.a_row;
}

fn four_of_a(start: u32, k: u32) -> vec4f {
    let places = k + vec4u(0u, 1u, 2u, 3u);
    let at = start + min(places, vec4u(p.k - 1u)) * p.a_column;
    return select(vec4f(), vec4f(a[at.x], a[at.y], a[at.z], a[at.w]), places < vec4u(p.k));
}

fn left_at(k: u32) -> array<vec4f, 2> {
    return array<vec4f, 2>(four_of_a(a_at.x, k), four_of_a(a_at.y, k));
}
