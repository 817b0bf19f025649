// y[c] = Σ_r x[r, c]
//
// once, twice (hardware): a workgroup adds 8 columns, 32 bytes, the least that a GPU reads: 32 lanes walk the rows of each side by side, eight rows at a time,
// then every lane adds the 32 partial sums of its column in a fixed order (same bits every run). By arithmetic, not measured: the gates' 2560 × 512 make 64
// workgroups, whose lanes wait for memory 10 times, some 600 cycles each; 32 columns made 16, whose lanes waited 320 times. Blocks of rows would be faster
// still for tall matrices, but for a second launch.
//
// once_walk, twice_walk (software adapters): a workgroup of eight lanes, which llvmpipe runs as one, adds 64 columns, 8 a lane, and needs
// no barrier.
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
    return select(vec4f(), vec4f(x[at.x], x[at.y], x[at.z], x[at.w]), rows < vec4u(p.rows));
}

fn column_sum(p: Parameters, column: u32, local: u32) -> f32 {
    var sums = vec4f();
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
fn once(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let column = linear_group(group, groups) * COLUMNS + local % COLUMNS;
    let total = column_sum(parameters, column, local);
    if local < COLUMNS && column < parameters.columns {
        y[column] = total;
    }
}

@compute @workgroup_size(256)
fn twice(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
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

const WALKED: u32 = 8u / WIDTH; // vectors of a lane
const APART: u32 = 8u; // vectors from one to the next: that many lanes

fn walk_sums(p: Parameters, first: u32) -> array<Numbers, WALKED> {
    var sums: array<Numbers, WALKED>;
    for (var r = 0u; r < p.rows; r++) {
        for (var i = 0u; i < WALKED; i++) {
            sums[i] += x_vectors[r * p.columns + min(first + APART * i, p.columns - 1u)];
        }
    }
    return sums;
}

@compute @workgroup_size(8)
fn once_walk(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let first = linear_group(group, groups) * 64u / WIDTH + local;
    let sums = walk_sums(parameters, first);
    for (var i = 0u; i < WALKED; i++) {
        if first + APART * i < parameters.columns {
            y_vectors[first + APART * i] = sums[i];
        }
    }
}

@compute @workgroup_size(8)
fn twice_walk(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let first = linear_group(group, groups) * 64u / WIDTH + local;
    let sums = walk_sums(parameters_twice, first);
    for (var i = 0u; i < WALKED; i++) {
        if first + APART * i < parameters_twice.columns {
            y_vectors[first + APART * i] = sums[i];
            z_vectors[first + APART * i] = sums[i];
        }
    }
}
