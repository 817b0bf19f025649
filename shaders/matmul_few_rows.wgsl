// C[s] = activation(A[s]·B[s] + added) where A has ROWS rows, at most 4, and B's columns lie one behind the other, as in the logits of one sentence: for software
// adapters whose subgroups have at least eight invocations. Reading B takes longer than multiplying.
//
// Four lanes share a column's k, each a vector at a time, and each lane has four columns, so that a vector of A serves four of B. On llvmpipe, 2 cores of a
// Zen 5, ms for 1 × 6191 × 128 (0.1 of it the launch) and 1 × 61,910 × 128:
//
//     registers of matmul.wgsl                            0.59      -
//     a lane for two columns, or for four                 0.42    2.5, 3.8
//     eight lanes and eight columns                       0.35    2.5 to 3.0
//     eight lanes, twice four columns                     0.33    2.0 to 2.5
//     eight lanes, 4 vectors each of the eight columns    0.6     4.8: so many loads in a row are no longer fast
//     two lanes for four columns each                     0.34    2.8
//     four lanes for four columns each (this one)         0.26    1.7; in the whole bench, later, 0.30 and 1.86
#import shared/activation
#import shared/grid
#import shared/product
#import shared/vector{VECTOR}

@group(0) @binding(0) var<storage, read> a: array<Numbers>;
@group(0) @binding(1) var<storage, read> b: array<Numbers>;

// Columns of a workgroup, taken eight at a time
const COLUMNS: u32 = 64u;

@compute @workgroup_size(8)
fn dots(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let first = linear_group(group, groups) * COLUMNS;
    let end = min(first + COLUMNS, p.n);
    let vectors = p.k / WIDTH;
    let a_row = p.a_row / WIDTH;
    let a_start = (p.a_offset + group.z * p.a_batch) / WIDTH;
    let b_start = (p.b_offset + group.z * p.b_batch) / WIDTH;
    let b_column = p.b_column / WIDTH;
    let slice = local % 4u;
    let upper = slice >= 2u;
    let odd = slice % 2u == 1u;
    for (var eight = first; eight < end; eight += 8u) {
        // This lane's columns are every second one. Those past the edge compute the last one again and store nothing.
        let column = eight + local / 4u;
        let b_at = b_start + min(column + vec4u(0u, 2u, 4u, 6u), vec4u(p.n - 1u)) * b_column;
        var sums: array<vec4f, ROWS>;
        for (var k = slice; k < vectors; k += 4u) {
            let b0 = b[b_at.x + k];
            let b1 = b[b_at.y + k];
            let b2 = b[b_at.z + k];
            let b3 = b[b_at.w + k];
            for (var r = 0u; r < ROWS; r++) {
                let left = a[a_start + r * a_row + k];
                sums[r] += vec4f(sum_of(left * b0), sum_of(left * b1), sum_of(left * b2), sum_of(left * b3));
            }
        }
        // The four lanes add up, so that lane `slice` has the sum of its column number `slice`.
        for (var r = 0u; r < ROWS; r++) {
            let s = sums[r];
            let x = select(s.x, s.z, upper) + subgroupShuffleXor(select(s.z, s.x, upper), 2u);
            let y = select(s.y, s.w, upper) + subgroupShuffleXor(select(s.w, s.y, upper), 2u);
            let total = select(x, y, odd) + subgroupShuffleXor(select(y, x, odd), 1u);
            let own = column + 2u * slice;
            if own < p.n {
                store(group.z, r, own, total);
            }
        }
    }
}
