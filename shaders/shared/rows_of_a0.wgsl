// For `registers` of matmul.wgsl: each of a tile's eight rows of A is read by itself. The constant BROADCAST chooses this file or rows_of_a1.wgsl.

const COLUMNS: u32 = 4u;

var<private> a_at: array<u32, ROWS>;

fn find_rows(start: u32, first_row: u32) {
    for (var r = 0u; r < ROWS; r++) {
        a_at[r] = start + min(first_row + r, p.m - 1u) * p.a_row;
    }
}

fn column_of_a(k: u32) -> array<f32, ROWS> {
    var column: array<f32, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        column[r] = a[a_at[r] + k];
    }
    return column;
}
