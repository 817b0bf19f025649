// For software/matmul.wgsl: this lane's part of a tile's 16 rows of A at four steps of k. The constant A_ALONG chooses
// this file (0: numbers read one by one), operand_a_k_major.wgsl (1: vectors along k) or operand_a_m_major.wgsl (2:
// along m). Past the end of k stand zeros, here and in B: the last k is read again there, and it may be infinite.

@group(0) @binding(0) var<storage, read> a: array<f32>;

var<private> a_at: vec4u;
var<private> a_step: u32;

fn find_a(start: u32, first_row: u32, local: u32) {
    let rows = first_row + 4u * (local % 4u) + vec4u(0u, 1u, 2u, 3u);
    a_at = start + min(rows, vec4u(p.m - 1u)) * p.a_row;
    a_step = local / 4u;
}

fn four_of_a(k: u32) -> vec4f {
    let at = a_at + min(k, p.k - 1u) * p.a_column;
    return select(vec4f(0.0), vec4f(a[at.x], a[at.y], a[at.z], a[at.w]), k < p.k);
}

fn load_a(k: u32) -> array<vec4f, 2> {
    return array<vec4f, 2>(four_of_a(k + a_step), four_of_a(k + a_step + 2u));
}
