// The same as operand_b_scalar.wgsl where B's columns are whole vectors along k, as in x·Wᵀ: four columns are read and
// turned.

@group(0) @binding(1) var<storage, read> b: array<vec4f>;

var<private> b_at: vec4u;

fn find_b(start: u32, column: u32) {
    b_at = (start + min(column + vec4u(0u, 1u, 2u, 3u), vec4u(p.n - 1u)) * p.b_column) / 4u;
}

fn load_b(k: u32) -> array<vec4f, 4> {
    let at = b_at + k / 4u;
    return transposed(b[at.x], b[at.y], b[at.z], b[at.w]);
}

fn transposed(x: vec4f, y: vec4f, z: vec4f, w: vec4f) -> array<vec4f, 4> {
    return array<vec4f, 4>(
        vec4f(x.x, y.x, z.x, w.x), vec4f(x.y, y.y, z.y, w.y),
        vec4f(x.z, y.z, z.z, w.z), vec4f(x.w, y.w, z.w, w.w),
    );
}
