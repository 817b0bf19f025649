// What matrix products share (matmul.wgsl and software/matmul*.wgsl): where their matrices lie, and their epilogue,
// C[s] = activation(A[s]·B[s] + addend), for a batch of matrices in any layout. The addend is a bias or a residual.
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
    addend: u32, activation: u32, accumulate: u32, // the epilogue, read where RUNTIME_EPILOGUE
}
@group(0) @binding(2) var<storage, read> addend: array<f32>; // a bias [n], or a residual laid out as C
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<uniform> p: Parameters;

// What becomes of a sum. Constants say it on software adapters, since llvmpipe computes every branch for all its lanes:
// asked for at run time, they took a tenth of 2560 × 6191 × 128. Hardware asks the uniform, RUNTIME_EPILOGUE, and has
// fewer kernels to compile.
struct Epilogue {
    addend: u32, // 0 nothing, 1 a bias, 2 a residual
    activation: u32, // 0 none, 1 relu, 2 sigmoid, 3 tanh
    accumulate: u32, // 1 adds to the old C
}

fn epilogue() -> Epilogue {
    if RUNTIME_EPILOGUE == 1u {
        return Epilogue(p.addend, p.activation, p.accumulate);
    }
    return Epilogue(ADDEND, ACTIVATION, ACCUMULATE);
}

fn place_in_c(batch: u32, row: u32, column: u32) -> u32 {
    return p.c_offset + batch * p.c_batch + row * p.c_row + column * p.c_column;
}

// activation(sum + addend) for the element of C in this column, which lies at `at`
fn with_epilogue(sum: f32, column: u32, at: u32) -> f32 {
    let epilogue = epilogue();
    var value = sum;
    if epilogue.addend == 1u {
        value += addend[column];
    } else if epilogue.addend == 2u {
        value += addend[at];
    }
    if epilogue.activation == 1u {
        value = select(value, 0.0, value < 0.0);
    } else if epilogue.activation == 2u {
        value = first_of(sigmoid(Numbers(value)));
    } else if epilogue.activation == 3u {
        value = first_of(stable_tanh(Numbers(value)));
    }
    return value;
}

fn store(batch: u32, row: u32, column: u32, sum: f32) {
    let at = place_in_c(batch, row, column);
    var value = with_epilogue(sum, column, at);
    if epilogue().accumulate == 1u {
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
