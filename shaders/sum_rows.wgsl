// y[c] = Σ_r x[r, c]
//
// once, twice (hardware): a workgroup adds 8 columns, 32 bytes, the least that a GPU reads: 32 lanes walk the rows of
// each side by side, eight rows at a time, then every lane adds the 32 partial sums of its column in a fixed order
// (same bits every run). By arithmetic, not measured: the gates' 2560 × 512 make 64 workgroups, whose lanes wait for
// memory 10 times, some 600 cycles each; 32 columns made 16, whose lanes waited 320 times. Blocks of rows would be
// faster still for tall matrices, but for a second launch.
//
// blocks, then once_walk or twice_walk (software adapters): workgroups of eight lanes, which llvmpipe runs as one and
// which need no barrier, each walk a block of rows, ROWS of them side by side; their sums are then added column by
// column. Few rows are only walked. On llvmpipe, 2 cores, 2560 × 2048, ms: 3.8 where a workgroup walks down 64 columns
// (or 256), since the CPU reads ahead along rows and not from one to the next; side by side 8 rows 1.8, 16 rows 1.6, 32
// rows 2.1.
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}

const COLUMNS: u32 = 8u;
const WALKERS: u32 = 32u;

struct Parameters {
    rows: u32,
    columns: u32, // kernels that walk: vectors
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [columns]
@group(0) @binding(2) var<uniform> parameters: Parameters;

// `twice` writes the same sums to two places.
@group(0) @binding(2) var<storage, read_write> z: array<f32>; // [columns]
@group(0) @binding(3) var<uniform> parameters_twice: Parameters;

var<workgroup> partial: array<f32, COLUMNS * WALKERS>;

// Four of a lane's rows from r on; zeros past the last
fn four_rows(p: Parameters, r: u32, column: u32) -> vec4f {
    let rows = r + WALKERS * vec4u(0u, 1u, 2u, 3u);
    let at = min(rows, vec4u(p.rows - 1u)) * p.columns + column;
    return select(vec4f(0.0), vec4f(x[at.x], x[at.y], x[at.z], x[at.w]), rows < vec4u(p.rows));
}

fn column_sum(p: Parameters, column: u32, local: u32) -> f32 {
    var sums = vec4f(0.0);
    if column < p.columns {
        for (var r = local / COLUMNS; r < p.rows; r += 8u * WALKERS) {
            sums += four_rows(p, r, column) + four_rows(p, r + 4u * WALKERS, column);
        }
    }
    partial[local] = (sums.x + sums.y) + (sums.z + sums.w);
    workgroupBarrier();
    var total = 0.0;
    for (var lane = 0u; lane < WALKERS; lane++) {
        total += partial[lane * COLUMNS + local % COLUMNS];
    }
    return total;
}

@compute @workgroup_size(256)
fn once(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let column = linear_group(group, groups) * COLUMNS + local % COLUMNS;
    let total = column_sum(parameters, column, local);
    if local < COLUMNS && column < parameters.columns {
        y[column] = total;
    }
}

@compute @workgroup_size(256)
fn twice(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let column = linear_group(group, groups) * COLUMNS + local % COLUMNS;
    let total = column_sum(parameters_twice, column, local);
    if local < COLUMNS && column < parameters_twice.columns {
        y[column] = total;
        z[column] = total;
    }
}

// The same in vectors, for the kernels that walk
@group(0) @binding(0) var<storage, read> x_vectors: array<Numbers>;
@group(0) @binding(1) var<storage, read_write> y_vectors: array<Numbers>;
@group(0) @binding(2) var<storage, read_write> z_vectors: array<Numbers>;

const WALKED: u32 = 64u / WIDTH; // vectors of a workgroup
const ROWS: u32 = 16u;

// From vector `at` on, one in each row of `columns`
fn walk(sum: Numbers, at: u32, end: u32, columns: u32) -> Numbers {
    var total = sum;
    for (var i = at; i < end; i += columns) {
        total += x_vectors[i];
    }
    return total;
}

// The sums of each block of rows, kept in y_vectors [blocks, columns] from one ROWS to the next
@compute @workgroup_size(LANES)
fn blocks(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = parameters;
    let sums = linear_group(group, groups) * p.columns;
    let block = block_of(group, groups, p.rows, ROWS);
    for (var row = block.x; row < block.y; row += ROWS) {
        let end = min(row + ROWS, block.y) * p.columns;
        let has_sums = row > block.x;
        for (var c = local; c < p.columns; c += LANES) {
            let sum = select(Numbers(), y_vectors[sums + c], has_sums);
            y_vectors[sums + c] = walk(sum, row * p.columns + c, end, p.columns);
        }
    }
}

@compute @workgroup_size(LANES)
fn once_walk(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = parameters;
    let first = linear_group(group, groups) * WALKED;
    let end = min(first + WALKED, p.columns);
    for (var c = first + local; c < end; c += LANES) {
        y_vectors[c] = walk(Numbers(), c, p.rows * p.columns, p.columns);
    }
}

@compute @workgroup_size(LANES)
fn twice_walk(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = parameters_twice;
    let first = linear_group(group, groups) * WALKED;
    let end = min(first + WALKED, p.columns);
    for (var c = first + local; c < end; c += LANES) {
        let sum = walk(Numbers(), c, p.rows * p.columns, p.columns);
        y_vectors[c] = sum;
        z_vectors[c] = sum;
    }
}
