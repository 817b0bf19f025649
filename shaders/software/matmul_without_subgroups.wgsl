// C[s] = activation(A[s]·B[s] + addend) for software adapters without subgroups of at least eight invocations, as
// SwiftShader
//
// A barrier and workgroup memory cost more than they bring. A workgroup is one vector of the CPU; its lanes take
// neighbouring columns of C, 8 rows × 4 columns each, so that a gather from B serves 8 rows. llvmpipe of Mesa 25.0.7 on
// 2 cores of an EPYC: 1280 × 6191 × 128 and its transposes 7.6 to 10.6 GFLOP/s; with 6 × 2 4.4 to 6.4, with 8 × 1 2.2
// to 2.9, and with k unrolled by 4 half of each. On 2 cores of a Zen 5 20.
#import shared/activation
#import shared/grid
#import shared/product
#import shared/vector1

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;

const ROWS: u32 = 8u;
const COLUMNS: u32 = 4u;
const LANES: u32 = 8u;

@compute @workgroup_size(LANES)
fn registers(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
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
        var right = array<f32, COLUMNS>();
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
