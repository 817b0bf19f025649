// C[s] = activation(A[s]·B[s] + added), for a batch of matrices in any layout
// (shared/product.wgsl says how they lie; matmul_broadcast.wgsl is the product for software adapters, matmul_few_rows.wgsl that for the smallest m)
//
// tiles (hardware): a workgroup of 16 × 16 computes 64 × 64 of C, each invocation 4 × 4 in registers, over slabs of 16 of k in workgroup
// memory: 16 multiply-adds for 2 vec4 reads. Rows of a slab are 17 vec4 apart: at 16, the four rows that a quarter of a subgroup writes would
// share a bank. Edges of the matrix read zeros. Not measured on hardware yet.
//
// registers (software adapters without large subgroups): a barrier and workgroup memory cost more than they bring. A workgroup is one vector of the CPU; its
// lanes take neighbouring columns of C, 8 rows × 4 columns each, so that a gather from B serves 8 rows. Mesa 25.0.7 on 2 cores of an EPYC: 1280 × 6191 × 128 and its
// transposes 7.6 to 10.6 GFLOP/s; with 6 × 2 4.4 to 6.4, with 8 × 1 2.2 to 2.9, and with k unrolled by 4 half of each. On 2 cores of a Zen 5 20.
#import shared/activation
#import shared/grid
#import shared/product
#import shared/vector1

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;

const SLAB: u32 = 16u;
const STRIDE: u32 = 17u;
var<workgroup> a_tile: array<vec4f, SLAB * STRIDE>; // [k][m / 4]
var<workgroup> b_tile: array<vec4f, SLAB * STRIDE>; // [k][n / 4]

@compute @workgroup_size(16, 16)
fn tiles(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_id) local: vec3u,
    @builtin(local_invocation_index) index: u32,
) {
    let tile = tile_of(group, groups, 64u);
    let first_row = tile.x * 64u;
    let first_column = tile.y * 64u;
    if first_row >= p.m {
        return;
    }
    let a_start = p.a_offset + group.z * p.a_batch;
    let b_start = p.b_offset + group.z * p.b_batch;
    var sums: array<vec4f, 4>;
    for (var slab = 0u; slab < p.k; slab += SLAB) {
        for (var i = 0u; i < 4u; i++) {
            // Neighbouring invocations read neighbouring addresses, along whichever axis is contiguous.
            let element = index + i * 256u;
            var row = element / SLAB;
            var ka = element % SLAB;
            if A_ROWS_ADJACENT == 1u {
                row = element % 64u;
                ka = element / 64u;
            }
            var value = 0.0;
            if first_row + row < p.m && slab + ka < p.k {
                value = a[a_start + (first_row + row) * p.a_row + (slab + ka) * p.a_column];
            }
            a_tile[ka * STRIDE + row / 4u][row % 4u] = value;

            var column = element / SLAB;
            var kb = element % SLAB;
            if B_COLUMNS_ADJACENT == 1u {
                column = element % 64u;
                kb = element / 64u;
            }
            value = 0.0;
            if first_column + column < p.n && slab + kb < p.k {
                value = b[b_start + (slab + kb) * p.b_row + (first_column + column) * p.b_column];
            }
            b_tile[kb * STRIDE + column / 4u][column % 4u] = value;
        }
        workgroupBarrier();
        for (var k = 0u; k < SLAB; k++) {
            let left = a_tile[k * STRIDE + local.y];
            let right = b_tile[k * STRIDE + local.x];
            for (var r = 0u; r < 4u; r++) {
                sums[r] += left[r] * right;
            }
        }
        workgroupBarrier();
    }
    for (var r = 0u; r < 4u; r++) {
        for (var i = 0u; i < 4u; i++) {
            let row = first_row + local.y * 4u + r;
            let column = first_column + local.x * 4u + i;
            if row < p.m && column < p.n {
                store(group.z, row, column, sums[r][i]);
            }
        }
    }
}

const ROWS: u32 = 8u;
const COLUMNS: u32 = 4u;
const LANES: u32 = 8u;

@compute @workgroup_size(LANES)
fn registers(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let tile = tile_of(group, groups, LANES * COLUMNS);
    let first_row = tile.x * ROWS;
    let first_column = tile.y * LANES * COLUMNS + local;
    if first_row >= p.m {
        return;
    }
    // Lanes and rows past the edge compute the last one again and store nothing.
    var a_at: array<u32, ROWS>;
    var b_at: array<u32, COLUMNS>;
    var sums: array<f32, ROWS * COLUMNS>;
    for (var r = 0u; r < ROWS; r++) {
        a_at[r] = p.a_offset + group.z * p.a_batch + min(first_row + r, p.m - 1u) * p.a_row;
    }
    for (var i = 0u; i < COLUMNS; i++) {
        b_at[i] = p.b_offset + group.z * p.b_batch + min(first_column + i * LANES, p.n - 1u) * p.b_column;
    }
    for (var k = 0u; k < p.k; k++) {
        var right: array<f32, COLUMNS>;
        for (var i = 0u; i < COLUMNS; i++) {
            right[i] = b[b_at[i] + k * p.b_row];
        }
        for (var r = 0u; r < ROWS; r++) {
            let left = a[a_at[r] + k * p.a_column];
            for (var i = 0u; i < COLUMNS; i++) {
                sums[r * COLUMNS + i] += left * right[i];
            }
        }
    }
    for (var i = 0u; i < COLUMNS; i++) {
        let column = first_column + i * LANES;
        if column < p.n {
            for (var r = 0u; r < ROWS; r++) {
                if first_row + r < p.m {
                    store(group.z, first_row + r, column, sums[r * COLUMNS + i]);
                }
            }
        }
    }
}
