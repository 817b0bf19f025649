// The same as rows_of_a0.wgsl for software adapters whose subgroups have at least eight invocations, as llvmpipe's: each of the eight reads one row, and
// tells the others. In a loop llvmpipe gathers even an element that all lanes share, so that eight rows cost eight gathers, and so only one.

const COLUMNS: u32 = 8u;

var<private> own_row: u32;

fn find_rows(start: u32, first_row: u32) {
    own_row = start + min(first_row + subgroupExclusiveAdd(1u), p.m - 1u) * p.a_row;
}

fn column_of_a(k: u32) -> array<f32, ROWS> {
    let own = a[own_row + k];
    return array<f32, ROWS>(
        subgroupBroadcast(own, 0u),
        subgroupBroadcast(own, 1u),
        subgroupBroadcast(own, 2u),
        subgroupBroadcast(own, 3u),
        subgroupBroadcast(own, 4u),
        subgroupBroadcast(own, 5u),
        subgroupBroadcast(own, 6u),
        subgroupBroadcast(own, 7u),
    );
}
