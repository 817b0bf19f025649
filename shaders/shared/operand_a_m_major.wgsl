// The same as operand_a_scalar.wgsl where A's columns begin with whole vectors along m, as in xᵀ·dy. What the last one
// holds past the end of m is somebody else's: its products are not stored.

@group(0) @binding(0) var<storage, read> a: array<vec4f>;

var<private> a_at: u32;
var<private> a_step: u32;

fn find_a(start: u32, first_row: u32, local: u32) {
    a_at = start + min(first_row + 4u * (local % 4u), (p.m - 1u) / 4u * 4u);
    a_step = local / 4u;
}

fn four_of_a(k: u32) -> vec4f {
    return select(vec4f(0.0), a[(a_at + min(k, p.k - 1u) * p.a_column) / 4u], k < p.k);
}

fn load_a(k: u32) -> array<vec4f, 2> {
    return array<vec4f, 2>(four_of_a(k + a_step), four_of_a(k + a_step + 2u));
}
