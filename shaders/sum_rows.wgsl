// y[c] = Σ_r x[r, c]
//
// once, twice (hardware): a workgroup adds 32 columns of a block of rows: 8 lanes walk them side by side, four rows at a time, so that 32 neighbours read 128
// contiguous bytes and no load waits for another, then lane 0 adds the 8 partial sums in a fixed order (same bits every run). Where there are several blocks
// a second launch adds theirs. By arithmetic, not measured: of 2560 × 512 a workgroup for all rows would make 16 workgroups, each lane 320 loads one after the
// other, some 600 cycles each; blocks of 256 rows make 160, of 8 times four loads.
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
    block: u32, // rows of a workgroup, where it does not walk all
}
@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // [blocks, columns]
@group(0) @binding(2) var<uniform> parameters: Parameters;

// `twice` writes the same sums to two places.
@group(0) @binding(2) var<storage, read_write> z: array<f32>; // [columns]
@group(0) @binding(3) var<uniform> parameters_twice: Parameters;

var<workgroup> partial: array<f32, COLUMNS * WALKERS>;

// A workgroup's block of rows, and this lane's column. The tiles of a block's columns are neighbours in the grid.
struct Place {
    block: u32,
    column: u32,
}

fn place_of(p: Parameters, group: u32, local: u32) -> Place {
    let tiles = (p.columns + COLUMNS - 1u) / COLUMNS;
    return Place(group / tiles, group % tiles * COLUMNS + local % COLUMNS);
}

fn column_sum(p: Parameters, place: Place, local: u32) -> f32 {
    var sums = vec4f();
    let end = min((place.block + 1u) * p.block, p.rows);
    if place.column < p.columns {
        for (var r = place.block * p.block + local / COLUMNS; r < end; r += 4u * WALKERS) {
            let rows = r + WALKERS * vec4u(0u, 1u, 2u, 3u);
            let at = min(rows, vec4u(end - 1u)) * p.columns + place.column;
            sums += select(vec4f(), vec4f(x[at.x], x[at.y], x[at.z], x[at.w]), rows < vec4u(end));
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
    let p = parameters;
    let place = place_of(p, linear_group(group, groups), local);
    let total = column_sum(p, place, local);
    if local < COLUMNS && place.column < p.columns && place.block * p.block < p.rows {
        y[place.block * p.columns + place.column] = total;
    }
}

// Of a single block
@compute @workgroup_size(256)
fn twice(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = parameters_twice;
    let place = place_of(p, linear_group(group, groups), local);
    let total = column_sum(p, place, local);
    if local < COLUMNS && place.column < p.columns && place.block == 0u {
        y[place.column] = total;
        z[place.column] = total;
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
