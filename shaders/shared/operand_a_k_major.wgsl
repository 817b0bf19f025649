// The same as operand_a_scalar.wgsl where A's rows begin with whole vectors along k: lane i reads rows i and i + 8.
// What the last vector holds past the end of k is somebody else's.

@group(0) @binding(0) var<storage, read> a: array<vec4f>;

var<private> a_at: vec2u;

fn find_a(start: u32, first_row: u32, local: u32) {
    a_at = (start + min(first_row + local + vec2u(0u, 8u), vec2u(p.m - 1u)) * p.a_row) / 4u;
}

fn load_a(k: u32) -> array<vec4f, 2> {
    let inside = k + vec4u(0u, 1u, 2u, 3u) < vec4u(p.k);
    return array<vec4f, 2>(
        select(vec4f(0.0), a[a_at.x + k / 4u], inside),
        select(vec4f(0.0), a[a_at.y + k / 4u], inside),
    );
}
