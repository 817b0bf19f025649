// C[s] = activation(A[s]·B[s] + addend), for a batch of matrices in any layout, on hardware. shared/product.wgsl says
// how they lie, and has the epilogue. software/matmul.wgsl, software/matmul_few_rows.wgsl and
// software/matmul_without_subgroups.wgsl are the product for software adapters.
//
// A workgroup of 256 computes TILE × TILE of C over slabs of k in workgroup memory, each invocation 8 × 8 or 4 × 4 sums
// in registers. A slab is 1,024 numbers of each matrix, so that an invocation reads four of either from memory, one
// vec4 where these lie beside each other. It reads the next slab's before it multiplies this one, since a load takes
// some 600 cycles and a slab TILE·8. By arithmetic; not measured on hardware.
//
// Why 8 × 8 sums: a processor of today's GPUs multiplies and adds 128 numbers a cycle and reads 128 bytes of workgroup
// memory. For a subgroup of 32, a step of k takes 4 cycles with 4 × 4 sums, and its two vec4, whose rows span 16
// invocations, as many as 3; with 8 × 8 it is 16 and 4 to 6. Known kernels of 4 × 4 come to 25 to 50 % of a GPU's rate.
//
// TILE 128, 8 × 8 sums: for large C; half as many reads from memory as 64.
// TILE 64, 8 × 8: 64 invocations make up a tile, so that four groups of them, the slices, take 4 of a slab's 16 of k
// each, and add up at the end (sliced-K in CUTLASS). One slice would leave a processor two subgroups for its four
// schedulers where C has as many tiles as the GPU processors.
// TILE 32, 4 × 4, four slices of 8 of a slab's 32 of k: where C has few tiles, or only 32 rows or columns. The gradient
// of the gates' weights, 512 × 128 with k = 2560, has 16 tiles of 64 for a GPU's dozens of processors, and 64 of 32.
// Slices in workgroups of their own (split-K) would need a second launch, some 30 µs.
//
// Rows of a slab are TILE / 4 + 1 vec4 apart: without the 1, what eight neighbours write would be in one bank where
// memory lies along k, and is in eight. How A and B lie is asked at run time: as constants it took four times as many
// kernels.
#import shared/activation
#import shared/grid
#import shared/product
#import shared/product_memory_{VECTOR 1:scalar 4:vec4}
#import shared/vector1

const BLOCKS: u32 = min(TILE / 32u, 2u); // blocks of four sums along a side of an invocation's, half a tile apart
const ACROSS: u32 = TILE / 4u / BLOCKS; // invocations along a side of the tile
const SLICES: u32 = 256u / (ACROSS * ACROSS);
const DEPTH: u32 = 1024u / TILE; // of k in a slab
const STEPS: u32 = DEPTH / SLICES; // of k in a slice of it
const UNROLLED: u32 = 4u / BLOCKS; // steps written out: 64 or 128 multiply-adds beside a loop's some four instructions
const STRIDE: u32 = TILE / 4u + 1u;
const RIGHT: u32 = DEPTH * STRIDE;
// A's slab [k][m / 4], then B's [k][n / 4]; at the end the slices' sums
var<workgroup> slabs: array<vec4f, 2u * DEPTH * STRIDE>;

// Which four rows of A (columns of B) of a slab, and which k, invocation `index` reads and writes: neighbours do what
// lies beside each other in memory, along rows where `is_across`, else along k. The four always make up one vector of
// the slab: an invocation that writes one number of a vector may, by WGSL, write its other numbers too, which are then
// not another's to write.
fn place_of(index: u32, is_across: bool) -> vec2u {
    if is_across {
        return vec2u(index % (TILE / 4u), index / (TILE / 4u));
    }
    return vec2u(index / DEPTH, index % DEPTH);
}

// Four rows of A in column k, zeros past the end of k; rows past the last are anything, and their sums stored nowhere
fn load_a(start: u32, row: u32, k: u32) -> vec4f {
    if row >= p.m || k >= p.k {
        return vec4f(0.0);
    }
    return four_of_a(start + row * p.a_row + k * p.a_column, p.a_row, min(p.m - row, 4u));
}

// Four columns of B in row k
fn load_b(start: u32, column: u32, k: u32) -> vec4f {
    if column >= p.n || k >= p.k {
        return vec4f(0.0);
    }
    return four_of_b(start + column * p.b_column + k * p.b_row, p.b_column, min(p.n - column, 4u));
}

// An invocation's sums [block of rows][row][block of columns]
alias Sums = array<vec4f, 4u * BLOCKS * BLOCKS>;

// Adds what row k of either slab brings.
fn multiply(sums: ptr<function, Sums>, k: u32, y: u32, x: u32) {
    var row: array<vec4f, BLOCKS>;
    for (var w = 0u; w < BLOCKS; w++) {
        row[w] = slabs[RIGHT + k * STRIDE + w * ACROSS + x];
    }
    for (var h = 0u; h < BLOCKS; h++) {
        let column = slabs[k * STRIDE + h * ACROSS + y];
        for (var r = 0u; r < 4u; r++) {
            for (var w = 0u; w < BLOCKS; w++) {
                (*sums)[(4u * h + r) * BLOCKS + w] += column[r] * row[w];
            }
        }
    }
}

// A [m, k] and B [k, n], as `p` says; C [m, n] of as many matrices as the grid is deep
@compute @workgroup_size(256)
fn tiles(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) index: u32,
) {
    let tile = tile_of(group, groups, TILE);
    let first_row = tile.x * TILE;
    let first_column = tile.y * TILE;
    if first_row >= p.m {
        return;
    }
    let slice = index / (ACROSS * ACROSS);
    let y = index / ACROSS % ACROSS;
    let x = index % ACROSS;
    let a_start = p.a_offset + group.z * p.a_batch;
    let b_start = p.b_offset + group.z * p.b_batch;
    let of_a = place_of(index, p.a_row == 1u);
    let of_b = place_of(index, p.b_column == 1u);
    var sums: Sums;
    for (var slab = 0u; slab < p.k + DEPTH; slab += DEPTH) {
        // Under way while the last slab is multiplied
        let left = load_a(a_start, first_row + 4u * of_a.x, slab + of_a.y);
        let right = load_b(b_start, first_column + 4u * of_b.x, slab + of_b.y);
        if slab > 0u {
            for (var k = slice * STEPS; k < (slice + 1u) * STEPS; k += UNROLLED) {
                for (var j = 0u; j < UNROLLED; j++) {
                    multiply(&sums, k + j, y, x);
                }
            }
        }
        workgroupBarrier();
        slabs[of_a.y * STRIDE + of_a.x] = left;
        slabs[RIGHT + of_b.y * STRIDE + of_b.x] = right;
        workgroupBarrier();
    }
    // The upper half of the slices leaves its sums to the lower half, four at a time, until one has all.
    for (var half = SLICES / 2u; half > 0u; half /= 2u) {
        for (var four = 0u; four < 4u * BLOCKS * BLOCKS; four += 4u) {
            if slice >= half && slice < 2u * half {
                for (var i = 0u; i < 4u; i++) {
                    slabs[(index - half * ACROSS * ACROSS) * 4u + i] = sums[four + i];
                }
            }
            workgroupBarrier();
            if slice < half {
                for (var i = 0u; i < 4u; i++) {
                    sums[four + i] += slabs[index * 4u + i];
                }
            }
            workgroupBarrier();
        }
    }
    if slice > 0u {
        return;
    }
    for (var h = 0u; h < BLOCKS; h++) {
        for (var r = 0u; r < 4u; r++) {
            let row = first_row + (h * ACROSS + y) * 4u + r;
            for (var w = 0u; w < BLOCKS; w++) {
                let column = first_column + (w * ACROSS + x) * 4u;
                if row < p.m && column < p.n {
                    store_four(group.z, row, column, sums[(4u * h + r) * BLOCKS + w], p.n - column);
                }
            }
        }
    }
}
