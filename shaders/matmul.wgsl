// C[s] = activation(A[s]·B[s] + added), for a batch of matrices in any layout, on hardware
// (shared/product.wgsl says how they lie; matmul_broadcast.wgsl and matmul_registers.wgsl are the product for software adapters, matmul_few_rows.wgsl that for the
// smallest m)
//
// A workgroup of 256 computes TILE × TILE of C over slabs of k in workgroup memory, each invocation 4 × 4 in registers: 16 multiply-adds for 2 reads of a vec4.
// A slab is 1,024 numbers of each matrix, so that an invocation reads one vec4 of either from memory, and it reads the next slab's before it multiplies this
// one, since a load takes some 600 cycles and a slab some 500. Rows of a slab are TILE / 4 + 1 vec4 apart: at 16, the four rows that a quarter of a subgroup
// writes would share a bank.
//
// TILE 64: all 256 share a slab of 16 of k. TILE 32: where C has few tiles, or only 32 rows or columns. 64 invocations make up a tile, so that four groups of
// them, the slices, take 8 of a slab's 32 of k each, and add up at the end. The gradient of the gates' weights, 512 × 128 with k = 2560, has 16 tiles of 64 for a
// GPU's dozens of processors, and 64 of 32. Slices in workgroups of their own would need a second launch, some 30 µs. All by arithmetic; not measured on hardware.
#import shared/activation
#import shared/grid
#import shared/left_of_tile{READ}
#import shared/product
#import shared/right_of_tile{READ}
#import shared/vector1

const SIDE: u32 = TILE / 4u; // vectors along a side of the tile, and invocations
const SLICES: u32 = 256u / (SIDE * SIDE);
const DEPTH: u32 = 1024u / TILE; // of k in a slab
const STEPS: u32 = DEPTH / SLICES; // of k in a slice of it
const STRIDE: u32 = SIDE + 1u;
const RIGHT: u32 = DEPTH * STRIDE;
// A's slab [k][m / 4], then B's [k][n / 4]; at the end the slices' sums
var<workgroup> slabs: array<vec4f, 2u * DEPTH * STRIDE>;

// Of a slab of A that begins with `slab` of k, the four numbers of invocation `index`: neighbours along m where A_ROWS_ADJACENT, else along k, so that neighbouring
// invocations read neighbouring addresses. Zeros past the edges.
fn left_at(start: u32, first_row: u32, slab: u32, index: u32) -> vec4f {
    let four = vec4u(0u, 1u, 2u, 3u);
    if A_ROWS_ADJACENT == 1u {
        let row = first_row + index % SIDE * 4u;
        let k = slab + index / SIDE;
        if row < p.m && k < p.k {
            return select(vec4f(), four_of_a(start + row * p.a_row + k * p.a_column, p.a_row, p.m - row), row + four < vec4u(p.m));
        }
    } else {
        let row = first_row + index / (DEPTH / 4u);
        let k = slab + index % (DEPTH / 4u) * 4u;
        if row < p.m && k < p.k {
            return select(vec4f(), four_of_a(start + row * p.a_row + k * p.a_column, p.a_column, p.k - k), k + four < vec4u(p.k));
        }
    }
    return vec4f();
}

// The same of B, along n where B_COLUMNS_ADJACENT
fn right_at(start: u32, first_column: u32, slab: u32, index: u32) -> vec4f {
    let four = vec4u(0u, 1u, 2u, 3u);
    if B_COLUMNS_ADJACENT == 1u {
        let column = first_column + index % SIDE * 4u;
        let k = slab + index / SIDE;
        if column < p.n && k < p.k {
            return select(vec4f(), four_of_b(start + k * p.b_row + column * p.b_column, p.b_column, p.n - column), column + four < vec4u(p.n));
        }
    } else {
        let column = first_column + index / (DEPTH / 4u);
        let k = slab + index % (DEPTH / 4u) * 4u;
        if column < p.n && k < p.k {
            return select(vec4f(), four_of_b(start + k * p.b_row + column * p.b_column, p.b_row, p.k - k), k + four < vec4u(p.k));
        }
    }
    return vec4f();
}

// Puts them where the slab has them: `is_across` if they are neighbours along m or n.
fn put(slab: u32, is_across: bool, index: u32, four: vec4f) {
    if is_across {
        slabs[slab + index / SIDE * STRIDE + index % SIDE] = four;
    } else {
        let i = index / (DEPTH / 4u);
        let k = index % (DEPTH / 4u) * 4u;
        for (var j = 0u; j < 4u; j++) {
            slabs[slab + (k + j) * STRIDE + i / 4u][i % 4u] = four[j];
        }
    }
}

@compute @workgroup_size(256)
fn tiles(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
    let tile = tile_of(group, groups, TILE);
    let first_row = tile.x * TILE;
    let first_column = tile.y * TILE;
    if first_row >= p.m {
        return;
    }
    let slice = index / (SIDE * SIDE);
    let y = index / SIDE % SIDE;
    let x = index % SIDE;
    let a_start = p.a_offset + group.z * p.a_batch;
    let b_start = p.b_offset + group.z * p.b_batch;
    var sums: array<vec4f, 4>;
    for (var slab = 0u; slab < p.k + DEPTH; slab += DEPTH) {
        // Under way while the last slab is multiplied
        let left = left_at(a_start, first_row, slab, index);
        let right = right_at(b_start, first_column, slab, index);
        if slab > 0u {
            // Four steps written out; all sixteen take a driver twice as long to compile.
            for (var k = slice * STEPS; k < (slice + 1u) * STEPS; k += 4u) {
                for (var j = 0u; j < 4u; j++) {
                    let column = slabs[(k + j) * STRIDE + y];
                    let row = slabs[RIGHT + (k + j) * STRIDE + x];
                    for (var r = 0u; r < 4u; r++) {
                        sums[r] += column[r] * row;
                    }
                }
            }
        }
        workgroupBarrier();
        put(0u, A_ROWS_ADJACENT == 1u, index, left);
        put(RIGHT, B_COLUMNS_ADJACENT == 1u, index, right);
        workgroupBarrier();
    }
    // The upper half of the slices leaves its sums to the lower half, until one has all.
    for (var half = SLICES / 2u; half > 0u; half /= 2u) {
        if slice >= half && slice < 2u * half {
            for (var r = 0u; r < 4u; r++) {
                slabs[(index - half * SIDE * SIDE) * 4u + r] = sums[r];
            }
        }
        workgroupBarrier();
        if slice < half {
            for (var r = 0u; r < 4u; r++) {
                sums[r] += slabs[index * 4u + r];
            }
        }
        workgroupBarrier();
    }
    if slice == 0u {
        for (var r = 0u; r < 4u; r++) {
            for (var i = 0u; i < 4u; i++) {
                let row = first_row + y * 4u + r;
                let column = first_column + x * 4u + i;
                if row < p.m && column < p.n {
                    store(group.z, row, column, sums[r][i]);
                }
            }
        }
    }
}
