// For matmul_broadcast.wgsl: columns `column` to `column + 3` of B, numbers read one by one. The constant B_ALONG
// chooses this file (0), right_of_product1.wgsl (1: vectors along k) or right_of_product2.wgsl (2: along n). Past the
// end of k stand zeros.

@group(0) @binding(1) var<storage, read> b: array<f32>;

var<private> b_at: vec4u;

fn find_right(start: u32, column: u32) {
    b_at = start + min(column + vec4u(0u, 1u, 2u, 3u), vec4u(p.n - 1u)) * p.b_column;
}

fn row_of_b(k: u32) -> vec4f {
    let at = b_at + min(k, p.k - 1u) * p.b_row;
    return select(vec4f(0.0), vec4f(b[at.x], b[at.y], b[at.z], b[at.w]), k < p.k);
}

fn right_at(k: u32) -> array<vec4f, 4> {
    return array<vec4f, 4>(row_of_b(k), row_of_b(k + 1u), row_of_b(k + 2u), row_of_b(k + 3u));
}
