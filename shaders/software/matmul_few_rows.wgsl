// C[s] = activation(A[s]·B[s] + addend) where A has few rows, at most ROWS, and B's columns lie one behind the other,
// as in the logits of one sentence or of its beam: for software adapters whose subgroups have at least eight
// invocations. Reading B takes longer than multiplying.
//
// Eight lanes share a column's k and keep their part of A in registers, HELD vectors of each row, so that B is read
// from its first number to its last, as the CPU reads ahead. On llvmpipe, 2 cores, ms for 1 × 6191 × 128 (0.1 of it the
// launch) and 1 × 61,910 × 128, on a host that copies 20 GB/s:
//
//     four lanes a column, four columns a lane, A read for each four    0.60   4.4
//     eight lanes, four columns at a time, HELD vectors of each         1.01   8.1: a body of so many loads is slow
//     eight lanes, two columns at a time, A in registers                0.60   4.3
//     eight lanes, a column at a time, A in registers (this one)        0.36   2.2
//
// A k longer than HELD vectors of eight lanes is taken part by part, A read again for each eight columns.
enable subgroups;
#import shared/activation
#import shared/grid
#import shared/product
#import shared/vector{VECTOR}

@group(0) @binding(0) var<storage, read> a: array<Numbers>;
@group(0) @binding(1) var<storage, read> b: array<Numbers>;

// Columns of a workgroup, taken eight at a time, so that each lane stores one
const COLUMNS: u32 = 128u;

const LANES: u32 = 8u;
const HELD: u32 = 4u;

// Each row's vectors of A from vector `first` on, as this lane has them; zeros past the end of k
fn left_of(batch: u32, first: u32, vectors: u32) -> array<array<Numbers, HELD>, ROWS> {
    var left: array<array<Numbers, HELD>, ROWS>;
    let start = (p.a_offset + batch * p.a_batch) / WIDTH;
    for (var r = 0u; r < ROWS; r++) {
        for (var h = 0u; h < HELD; h++) {
            let k = first + h * LANES;
            left[r][h] = select(
                Numbers(),
                a[start + min(r, p.m - 1u) * (p.a_row / WIDTH) + min(k, vectors - 1u)],
                k < vectors,
            );
        }
    }
    return left;
}

@compute @workgroup_size(LANES)
fn dots(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let first = linear_group(group, groups) * COLUMNS;
    let end = min(first + COLUMNS, p.n);
    let vectors = p.k / WIDTH;
    let b_start = (p.b_offset + group.z * p.b_batch) / WIDTH;
    let longer = vectors > HELD * LANES;
    var left: array<array<Numbers, HELD>, ROWS>;
    for (var eight = first; eight < end; eight += LANES) {
        var sums = array<f32, ROWS>();
        for (var part = 0u; part < vectors; part += HELD * LANES) {
            if longer || eight == first {
                left = left_of(group.z, part + local, vectors);
            }
            let ks = min(part + local + LANES * vec4u(0u, 1u, 2u, 3u), vec4u(vectors - 1u));
            // Up to a number that is no constant: llvmpipe would write the eight columns out, and takes 6.0 ms for that
            // much code in place of 2.2.
            for (var column = eight; column < eight + LANES; column++) {
                let at = b_start + min(column, p.n - 1u) * (p.b_column / WIDTH) + ks;
                let b0 = b[at.x];
                let b1 = b[at.y];
                let b2 = b[at.z];
                let b3 = b[at.w];
                for (var r = 0u; r < ROWS; r++) {
                    var total = sum_of(left[r][0] * b0 + left[r][1] * b1 + left[r][2] * b2 + left[r][3] * b3);
                    total += subgroupShuffleXor(total, 4u);
                    total += subgroupShuffleXor(total, 2u);
                    total += subgroupShuffleXor(total, 1u);
                    sums[r] += select(0.0, total, local == column - eight);
                }
            }
        }
        let own = eight + local;
        for (var r = 0u; r < ROWS; r++) {
            if r < p.m && own < p.n {
                store(group.z, r, own, sums[r]);
            }
        }
    }
}
