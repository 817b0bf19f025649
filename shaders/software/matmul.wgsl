// C[s] = activation(A[s]·B[s] + addend) for software adapters whose subgroups have at least eight invocations, as
// llvmpipe's
//
// llvmpipe runs eight invocations as one vector of the CPU, and reads memory for each of them by itself: some 10
// instructions a number, 15 where numbers are read one by one, whether lanes share an address or not. So a workgroup is
// one such vector, and no number of a tile is read twice: of A's 16 rows each lane reads two, four steps of k at a
// time, and tells the others; of B each lane reads its own four columns. Four steps of k a loop turn, since at its end
// every sum is masked; 16 × 32 outputs, since 64 vectors of sums are what the CPU holds without much spilling. 2 cores
// of a Zen 5, GFLOP/s of 768³, B as it is and transposed:
//
//     8 × 64, one step of k at a time, numbers read one by one     41   34
//     8 × 64, four steps of k                                      48   47
//     16 × 32 (this one)                                           56   58
//     24 × 32                                                      34   42
//     16 × 64, 32 × 32                                             15 to 20
//
// The last two no longer fit into the cache of decoded instructions.
#import shared/activation
#import shared/rank_4_update_{A_ALONG 0:m_fragments 1:k_fragments 2:m_fragments}
#import shared/grid
#import shared/operand_a_{A_ALONG 0:scalar 1:k_major 2:m_major}
#import shared/product
#import shared/operand_b_{B_ALONG 0:scalar 1:k_major 2:n_major}
#import shared/vector1

const ROWS: u32 = 16u;
const COLUMNS: u32 = 32u;
alias Sums = array<vec4f, ROWS>;

// One product after the other: half of them apart, and then together, takes 2 to 7 % longer, since the CPU's registers
// do not hold the parts.
fn plus_products(sum: vec4f, row: vec4f, right: array<vec4f, 4>) -> vec4f {
    return sum + row.x * right[0] + row.y * right[1] + row.z * right[2] + row.w * right[3];
}

@compute @workgroup_size(8)
fn tiles(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = tile_of(group, groups, COLUMNS);
    let first_row = tile.x * ROWS;
    let first_column = tile.y * COLUMNS + 4u * local;
    if first_row >= p.m {
        return;
    }
    // Rows and columns past the edge compute the last ones again and store nothing.
    find_a(p.a_offset + group.z * p.a_batch, first_row, local);
    find_b(p.b_offset + group.z * p.b_batch, first_column);
    var sums: Sums;
    for (var k = 0u; k < p.k; k += 4u) {
        rank_4_update(&sums, load_a(k), load_b(k));
    }
    for (var r = 0u; r < ROWS; r++) {
        for (var i = 0u; i < 4u; i++) {
            if first_row + r < p.m && first_column + i < p.n {
                store(group.z, first_row + r, first_column + i, sums[r][i]);
            }
        }
    }
}
