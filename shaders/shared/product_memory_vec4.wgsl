// The same as product_memory_scalar.wgsl where the neighbours in memory of each matrix are whole vectors of four: what
// a vector holds past those that are there is somebody else's in A and B, nobody's in C.

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c_vectors: array<vec4f>;

fn four_of_a(at: u32, step: u32, count: u32) -> vec4f {
    if step == 1u {
        return a[at / 4u];
    }
    let all = at + min(vec4u(0u, 1u, 2u, 3u), vec4u(count - 1u)) * step;
    return vec4f(
        a[all.x / 4u][all.x % 4u], a[all.y / 4u][all.y % 4u],
        a[all.z / 4u][all.z % 4u], a[all.w / 4u][all.w % 4u],
    );
}

fn four_of_b(at: u32, step: u32, count: u32) -> vec4f {
    if step == 1u {
        return b[at / 4u];
    }
    let all = at + min(vec4u(0u, 1u, 2u, 3u), vec4u(count - 1u)) * step;
    return vec4f(
        b[all.x / 4u][all.x % 4u], b[all.y / 4u][all.y % 4u],
        b[all.z / 4u][all.z % 4u], b[all.w / 4u][all.w % 4u],
    );
}

fn store_four(batch: u32, row: u32, column: u32, sums: vec4f, count: u32) {
    let at = place_in_c(batch, row, column);
    let there = min(vec4u(0u, 1u, 2u, 3u), vec4u(count - 1u));
    var values = vec4f(
        with_epilogue(sums.x, column, at), with_epilogue(sums.y, column + there.y, at + there.y),
        with_epilogue(sums.z, column + there.z, at + there.z), with_epilogue(sums.w, column + there.w, at + there.w),
    );
    if epilogue().accumulate == 1u {
        values += c_vectors[at / 4u];
    }
    c_vectors[at / 4u] = values;
}
