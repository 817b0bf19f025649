// y[c] = Σ_r x[r, c]
//
// once, twice (hardware): a workgroup adds 32 columns: 8 lanes walk the rows side by side, so that 32 neighbours read 128 contiguous bytes, then
// lane 0 adds the 8 partial sums in a fixed order (same bits every run).
//
// once_walk, twice_walk (software adapters): a workgroup of eight lanes, which llvmpipe runs as one, adds 64 columns, 8 a lane, and needs
// no barrier.
#import shared/grid
#import shared/vector{VECTOR}

const COLUMNS: u32 = 32u;
const WALKERS: u32 = 8u;

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

fn column_sum(p: Parameters, column: u32, local: u32) -> f32 {
    var sum = 0.0;
    if column < p.columns {
        for (var r = local / COLUMNS; r < p.rows; r += WALKERS) {
            sum += x[r * p.columns + column];
        }
    }
    partial[local] = sum;
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
