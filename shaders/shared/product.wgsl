// What matrix products share (matmul.wgsl, matmul_broadcast.wgsl, matmul_few_rows.wgsl): where their matrices lie, and
// what becomes of their sums, C[s] = activation(A[s]·B[s] + added), for a batch of matrices in any layout
//
// A is m × k, B k × n, C m × n; element (s, r, c) of a matrix lies at offset + s·batch + r·row + c·column. Bindings 0
// and 1 are A and B.

struct Parameters {
    m: u32,
    n: u32,
    k: u32,
    a_offset: u32, a_batch: u32, a_row: u32, a_column: u32,
    b_offset: u32, b_batch: u32, b_row: u32, b_column: u32,
    c_offset: u32, c_batch: u32, c_row: u32, c_column: u32,
    added: u32, activation: u32, accumulate: u32, // read where ASKED
}
@group(0) @binding(2) var<storage, read> added: array<f32>; // a bias [n], or a tensor laid out as C
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<uniform> p: Parameters;

// What becomes of a sum. Constants say it on software adapters, since llvmpipe computes every branch for all its lanes:
// asked for at run time, they took a tenth of 2560 × 6191 × 128. Hardware asks the uniform, ASKED, and has fewer
// kernels to compile.
struct Finish {
    added: u32, // 0 nothing, 1 a bias, 2 a tensor laid out as C
    activation: u32, // 0 none, 1 relu, 2 sigmoid, 3 tanh
    accumulate: u32, // 1 adds to the old C
}

fn finish() -> Finish {
    if ASKED == 1u {
        return Finish(p.added, p.activation, p.accumulate);
    }
    return Finish(ADDED, ACTIVATION, ACCUMULATE);
}

fn place_in_c(batch: u32, row: u32, column: u32) -> u32 {
    return p.c_offset + batch * p.c_batch + row * p.c_row + column * p.c_column;
}

// activation(sum + added) for the element of C in this column, which lies at `at`
fn finished(sum: f32, column: u32, at: u32) -> f32 {
    let finish = finish();
    var value = sum;
    if finish.added == 1u {
        value += added[column];
    } else if finish.added == 2u {
        value += added[at];
    }
    if finish.activation == 1u {
        value = select(value, 0.0, value < 0.0);
    } else if finish.activation == 2u {
        value = first_of(sigmoid(Numbers(value)));
    } else if finish.activation == 3u {
        value = first_of(stable_tanh(Numbers(value)));
    }
    return value;
}

fn store(batch: u32, row: u32, column: u32, sum: f32) {
    let at = place_in_c(batch, row, column);
    var value = finished(sum, column, at);
    if finish().accumulate == 1u {
        value += c[at];
    }
    c[at] = value;
}

// Row and column of a workgroup's tile: tiles of `columns` columns are numbered along the rows of C, and the grid's
// rows hold as many as a grid may.
fn tile_of(group: vec3u, groups: vec3u, columns: u32) -> vec2u {
    let number = linear_group(group, groups);
    let across = (p.n + columns - 1u) / columns;
    let row = number / across;
    return vec2u(row, number - row * across);
}
