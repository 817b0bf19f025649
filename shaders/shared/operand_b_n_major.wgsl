// The same as operand_b_scalar.wgsl where B's rows are whole vectors along n.

@group(0) @binding(1) var<storage, read> b: array<vec4f>;

var<private> b_at: u32;

fn find_b(start: u32, column: u32) {
    b_at = start + min(column, p.n - 4u);
}

fn row_of_b(k: u32) -> vec4f {
    return select(vec4f(0.0), b[(b_at + min(k, p.k - 1u) * p.b_row) / 4u], k < p.k);
}

fn load_b(k: u32) -> array<vec4f, 4> {
    return array<vec4f, 4>(row_of_b(k), row_of_b(k + 1u), row_of_b(k + 2u), row_of_b(k + 3u));
}
