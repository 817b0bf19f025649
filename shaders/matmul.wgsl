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

// Where the first of invocation `index`'s four numbers of a slab is: along m (n), and along k. The four are neighbours along m (n) where `is_across`, else along
// k: where memory has neighbours, so that neighbouring invocations read neighbouring addresses.
fn place_of(index: u32, is_across: bool) -> vec2u {
    if is_across {
        return vec2u(index % SIDE * 4u, index / SIDE);
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
    let at = vec2u(first_row, slab) + place_of(index, A_ROWS_ADJACENT == 1u);
    let count = count_of(at, vec2u(p.m, p.k), A_ROWS_ADJACENT == 1u);
    if count == 0u {
        return vec4f();
    }
    let four = four_of_a(start + at.x * p.a_row + at.y * p.a_column, select(p.a_column, p.a_row, A_ROWS_ADJACENT == 1u), count);
    return select(vec4f(), four, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}

// And of B's
fn right_at(start: u32, first_column: u32, slab: u32, index: u32) -> vec4f {
    let at = vec2u(first_column, slab) + place_of(index, B_COLUMNS_ADJACENT == 1u);
    let count = count_of(at, vec2u(p.n, p.k), B_COLUMNS_ADJACENT == 1u);
    if count == 0u {
        return vec4f();
    }
    let four = four_of_b(start + at.x * p.b_column + at.y * p.b_row, select(p.b_row, p.b_column, B_COLUMNS_ADJACENT == 1u), count);
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
