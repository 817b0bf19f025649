// For software/matmul.wgsl: columns `column` to `column + 3` of B, numbers read one by one. The constant B_ALONG
// chooses this file (0), operand_b_k_major.wgsl (1: vectors along k) or operand_b_n_major.wgsl (2: along n). Past the
// end of k stand zeros.

@group(0) @binding(1) var<storage, read> b: array<f32>;

var<private> b_at: vec4u;

fn find_b(start: u32, column: u32) {
    b_at = start + min(column + vec4u(0u, 1u, 2u, 3u), vec4u(p.n - 1u)) * p.b_column;
}

fn row_of_b(k: u32) -> vec4f {
    let at = b_at + min(k, p.k - 1u) * p.b_row;
    return select(vec4f(0.0), vec4f(b[at.x], b[at.y], b[at.z], b[at.w]), k < p.k);
}

fn load_b(k: u32) -> array<vec4f, 4> {
    return array<vec4f, 4>(row_of_b(k), row_of_b(k + 1u), row_of_b(k + 2u), row_of_b(k + 3u));
}
