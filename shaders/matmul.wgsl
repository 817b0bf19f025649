// C[s] = activation(A[s]·B[s] + added), for a batch of matrices in any layout, on hardware
// (shared/product.wgsl says how they lie; matmul_broadcast.wgsl and matmul_registers.wgsl are the product for software adapters, matmul_few_rows.wgsl that for the
// smallest m)
//
// A workgroup of 256 computes TILE × TILE of C over slabs of k in workgroup memory, each invocation 8 × 8 or 4 × 4 sums in registers. A slab is 1,024 numbers of each
// matrix, so that an invocation reads one vec4 of either from memory, and it reads the next slab's before it multiplies this one, since a load takes some 600
// cycles and a slab TILE·8. By arithmetic; not measured on hardware.
//
// Why 8 × 8 sums: a processor of today's GPUs multiplies and adds 128 numbers a cycle and reads 128 bytes of workgroup memory. For a subgroup of 32, a step of k
// takes 4 cycles with 4 × 4 sums, and its two vec4, whose rows span 16 invocations, as many as 3; with 8 × 8 it is 16 and 4 to 6. Known kernels of 4 × 4 come to
// 25 to 50 % of a GPU's rate.
//
// TILE 128, 8 × 8 sums: for large C; half as many reads from memory as 64.
// TILE 64, 8 × 8: 64 invocations make up a tile, so that four groups of them, the slices, take 4 of a slab's 16 of k each, and add up at the end. One slice
// would leave a processor two subgroups for its four schedulers where C has as many tiles as the GPU processors.
// TILE 32, 4 × 4, four slices of 8 of a slab's 32 of k: where C has few tiles, or only 32 rows or columns. The gradient of the gates' weights, 512 × 128 with
// k = 2560, has 16 tiles of 64 for a GPU's dozens of processors, and 64 of 32. Slices in workgroups of their own would need a second launch, some 30 µs.
//
// Rows of a slab are TILE / 4 + 1 vec4 apart: without the 1, the rows that neighbours write where memory lies along k would share a bank.
// How A and B lie is asked at run time, once a slab: as constants it took four times as many kernels.
#import shared/activation
#import shared/grid
#import shared/product
#import shared/product_memory{VECTOR}
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

// Where the first of invocation `index`'s four numbers of a slab is: along m (n), and along k. The four are neighbours along m (n) where `is_across`, else along
// k: where memory has neighbours, so that neighbouring invocations read neighbouring addresses.
fn place_of(index: u32, is_across: bool) -> vec2u {
    if is_across {
        return vec2u(index % (TILE / 4u) * 4u, index / (TILE / 4u));
    }
    return vec2u(index / (DEPTH / 4u), index % (DEPTH / 4u) * 4u);
}

// How many of four from `first` on are there: along m (n) or k, whose ends are `ends`; none where either is past its end
fn count_of(first: vec2u, ends: vec2u, is_across: bool) -> u32 {
    let left = ends - min(first, ends);
    return select(0u, select(left.y, left.x, is_across), all(first < ends));
}

// The four of A's slab that begins with `slab` of k, zeros past the edges
fn left_at(start: u32, first_row: u32, slab: u32, index: u32) -> vec4f {
    let is_across = p.a_row == 1u;
    let at = vec2u(first_row, slab) + place_of(index, is_across);
    let count = count_of(at, vec2u(p.m, p.k), is_across);
    if count == 0u {
        return vec4f();
    }
    let four = four_of_a(start + at.x * p.a_row + at.y * p.a_column, select(p.a_column, p.a_row, is_across), count);
    return select(vec4f(), four, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}

// And of B's
fn right_at(start: u32, first_column: u32, slab: u32, index: u32) -> vec4f {
    let is_across = p.b_column == 1u;
    let at = vec2u(first_column, slab) + place_of(index, is_across);
    let count = count_of(at, vec2u(p.n, p.k), is_across);
    if count == 0u {
        return vec4f();
    }
    let four = four_of_b(start + at.x * p.b_column + at.y * p.b_row, select(p.b_row, p.b_column, is_across), count);
    return select(vec4f(), four, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}

// Puts them into the slab.
fn put(slab: u32, is_across: bool, index: u32, four: vec4f) {
    let at = place_of(index, is_across);
    if is_across {
        slabs[slab + at.y * STRIDE + at.x / 4u] = four;
    } else {
        for (var j = 0u; j < 4u; j++) {
            slabs[slab + (at.y + j) * STRIDE + at.x / 4u][at.x % 4u] = four[j];
        }
    }
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
fn tiles(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
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
    var sums: Sums;
    for (var slab = 0u; slab < p.k + DEPTH; slab += DEPTH) {
        // Under way while the last slab is multiplied
        let left = left_at(a_start, first_row, slab, index);
        let right = right_at(b_start, first_column, slab, index);
        if slab > 0u {
            for (var k = slice * STEPS; k < (slice + 1u) * STEPS; k += UNROLLED) {
                for (var j = 0u; j < UNROLLED; j++) {
                    multiply(&sums, k + j, y, x);
                }
            }
        }
        workgroupBarrier();
        put(0u, p.a_row == 1u, index, left);
        put(RIGHT, p.b_column == 1u, index, right);
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
