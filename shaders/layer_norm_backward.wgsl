// With n = (s − mean)·scale and g = dy·weight: ds = scale·(g − mean g − n·mean(g·n)), plus dsum where PASSED_ON
//
// Mean and scale are those that the forward pass kept. `backward_rows` (software adapters): one invocation a
// row, a vector of columns at a time. `backward_wide`: one workgroup a row, four columns at a time. Not measured on hardware.
#import shared/four
#import shared/grid
#import shared/reduce{SUBGROUPS}
#import shared/strided
#import shared/vector{VECTOR}

struct Parameters {
    rows: u32,
    columns: u32, // `backward_rows`: vectors
}
@group(0) @binding(0) var<storage, read> s: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read> weight: array<f32>; // [columns]
@group(0) @binding(2) var<storage, read> dy: array<f32>; // [rows, columns]
@group(0) @binding(3) var<storage, read> moments: array<f32>; // [rows, 2]: mean, scale
@group(0) @binding(4) var<storage, read> dsum: array<f32>; // [rows, columns], read where PASSED_ON
@group(0) @binding(5) var<storage, read_write> ds: array<f32>; // [rows, columns]
@group(0) @binding(6) var<uniform> of_rows: Parameters;

// The same in vectors
@group(0) @binding(0) var<storage, read> s_vectors: array<Numbers>;
@group(0) @binding(1) var<storage, read> weight_vectors: array<Numbers>;
@group(0) @binding(2) var<storage, read> dy_vectors: array<Numbers>;
@group(0) @binding(4) var<storage, read> dsum_vectors: array<Numbers>;
@group(0) @binding(5) var<storage, read_write> ds_vectors: array<Numbers>;

@compute @workgroup_size(64)
fn backward_rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = of_rows;
    let row = linear_group(group, groups) * 64u + local;
    if row >= p.rows {
        return;
    }
    let start = row * p.columns;
    let mean = moments[2u * row];
    let scale = moments[2u * row + 1u];
    var sum_g = Numbers();
    var sum_gn = Numbers();
    for (var c = 0u; c < p.columns; c++) {
        let g = dy_vectors[start + c] * weight_vectors[c];
        sum_g += g;
        sum_gn += g * ((s_vectors[start + c] - mean) * scale);
    }
    let count = f32(WIDTH * p.columns);
    let mean_g = sum_of(sum_g) / count;
    let mean_gn = sum_of(sum_gn) / count;
    for (var c = 0u; c < p.columns; c++) {
        let n = (s_vectors[start + c] - mean) * scale;
        var value = scale * (dy_vectors[start + c] * weight_vectors[c] - mean_g - n * mean_gn);
        if PASSED_ON == 1u {
            value += dsum_vectors[start + c];
        }
        ds_vectors[start + c] = value;
    }
}

fn four_of_s(at: u32) -> vec4f {
    return vec4f(s[at], s[at + LANES], s[at + 2u * LANES], s[at + 3u * LANES]);
}

fn four_of_weight(at: u32) -> vec4f {
    return vec4f(weight[at], weight[at + LANES], weight[at + 2u * LANES], weight[at + 3u * LANES]);
}

fn four_of_dy(at: u32) -> vec4f {
    return vec4f(dy[at], dy[at + LANES], dy[at + 2u * LANES], dy[at + 3u * LANES]);
}

fn four_of_dsum(at: u32) -> vec4f {
    return vec4f(dsum[at], dsum[at + LANES], dsum[at + 2u * LANES], dsum[at + 3u * LANES]);
}

@compute @workgroup_size(LANES)
fn backward_wide(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = of_rows;
    let row = linear_group(group, groups);
    let start = row * p.columns;
    // Workgroups past the last row walk no columns.
    var columns = 0u;
    var mean = 0.0;
    var scale = 0.0;
    if row < p.rows {
        columns = p.columns;
        mean = moments[2u * row];
        scale = moments[2u * row + 1u];
    }
    let body = in_strides(columns);
    var sum_g = vec4f();
    var sum_gn = vec4f();
    for (var c = local; c < body; c += STRIDE) {
        let g = four_of_dy(start + c) * four_of_weight(c);
        sum_g += g;
        sum_gn += g * ((four_of_s(start + c) - mean) * scale);
    }
    for (var c = body + local; c < columns; c += LANES) {
        let g = dy[start + c] * weight[c];
        sum_g.x += g;
        sum_gn.x += g * ((s[start + c] - mean) * scale);
    }
    let mean_g = reduce_sum(sum_of_four(sum_g), local) / f32(p.columns);
    let mean_gn = reduce_sum(sum_of_four(sum_gn), local) / f32(p.columns);
    for (var c = local; c < body; c += STRIDE) {
        let n = (four_of_s(start + c) - mean) * scale;
        var value = scale * (four_of_dy(start + c) * four_of_weight(c) - mean_g - n * mean_gn);
        if PASSED_ON == 1u {
            value += four_of_dsum(start + c);
        }
        ds[start + c] = value.x;
        ds[start + c + LANES] = value.y;
        ds[start + c + 2u * LANES] = value.z;
        ds[start + c + 3u * LANES] = value.w;
    }
    for (var c = body + local; c < columns; c += LANES) {
        let n = (s[start + c] - mean) * scale;
        var value = scale * (dy[start + c] * weight[c] - mean_g - n * mean_gn);
        if PASSED_ON == 1u {
            value += dsum[start + c];
        }
        ds[start + c] = value;
    }
}

// dweight[c] = Σ_r dy·n, dbias[c] = Σ_r dy, over a block of rows. A workgroup adds 32 columns of one block: 8 lanes walk its rows side by side,
// as in sum_rows.wgsl, and lane 0 adds the 8 sums in order. Where rows are many, `add_blocks` then adds the blocks, in order too.
struct BlockParameters {
    rows: u32,
    columns: u32,
    block: u32, // rows of a block
    blocks: u32,
}
@group(0) @binding(1) var<storage, read> dy_of_parameters: array<f32>; // [rows, columns]
@group(0) @binding(2) var<storage, read> known_moments: array<f32>; // [rows, 2]
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>; // [blocks, columns]
@group(0) @binding(4) var<storage, read_write> dbias: array<f32>; // [blocks, columns]
@group(0) @binding(5) var<uniform> sizes: BlockParameters;

const COLUMNS: u32 = 32u;
const WALKERS: u32 = 8u;
var<workgroup> partial: array<vec2f, COLUMNS * WALKERS>;

@compute @workgroup_size(256)
fn parameters(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let tiles = (sizes.columns + COLUMNS - 1u) / COLUMNS;
    let number = linear_group(group, groups);
    let block = number / tiles;
    let column = number % tiles * COLUMNS + local % COLUMNS;
    let inside = block < sizes.blocks && column < sizes.columns;
    var sums = vec2f(0.0);
    if inside {
        let end = min((block + 1u) * sizes.block, sizes.rows);
        for (var r = block * sizes.block + local / COLUMNS; r < end; r += WALKERS) {
            let at = r * sizes.columns + column;
            let n = (s[at] - known_moments[2u * r]) * known_moments[2u * r + 1u];
            sums += vec2f(dy_of_parameters[at] * n, dy_of_parameters[at]);
        }
    }
    partial[local] = sums;
    workgroupBarrier();
    if local < COLUMNS && inside {
        var total = vec2f(0.0);
        for (var lane = 0u; lane < WALKERS; lane++) {
            total += partial[lane * COLUMNS + local];
        }
        dweight[block * sizes.columns + column] = total.x;
        dbias[block * sizes.columns + column] = total.y;
    }
}

// The same on software adapters, without workgroup memory: an invocation adds a vector of columns, eight of them a workgroup. On llvmpipe, 2 cores, both
// passes of 2560 × 128: 1.5 ms with `parameters` and columns one by one, 1.0 so.
@group(0) @binding(1) var<storage, read> dy_of_walk: array<Numbers>; // [rows, columns]
@group(0) @binding(3) var<storage, read_write> dweight_of_walk: array<Numbers>; // [columns]
@group(0) @binding(4) var<storage, read_write> dbias_of_walk: array<Numbers>; // [columns]

@compute @workgroup_size(8)
fn parameters_walk(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let column = linear_group(group, groups) * 8u + local;
    if column >= sizes.columns {
        return;
    }
    var sum = Numbers();
    var products = Numbers();
    for (var r = 0u; r < sizes.rows; r++) {
        let at = r * sizes.columns + column;
        let n = (s_vectors[at] - known_moments[2u * r]) * known_moments[2u * r + 1u];
        products += dy_of_walk[at] * n;
        sum += dy_of_walk[at];
    }
    dweight_of_walk[column] = products;
    dbias_of_walk[column] = sum;
}

// The sums of all blocks, one invocation a column; the binding s holds those of dweight.
struct AddParameters {
    blocks: u32,
    columns: u32,
}
@group(0) @binding(1) var<storage, read> dbias_of_blocks: array<f32>; // [blocks, columns]
@group(0) @binding(2) var<storage, read_write> dweight_total: array<f32>; // [columns]
@group(0) @binding(3) var<storage, read_write> dbias_total: array<f32>; // [columns]
@group(0) @binding(4) var<uniform> add_sizes: AddParameters;

@compute @workgroup_size(WORKGROUP)
fn add_blocks(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let column = linear_element(group, groups, local);
    if column >= add_sizes.columns {
        return;
    }
    var total = vec2f(0.0);
    for (var block = 0u; block < add_sizes.blocks; block++) {
        let at = block * add_sizes.columns + column;
        total += vec2f(s[at], dbias_of_blocks[at]);
    }
    dweight_total[column] = total.x;
    dbias_total[column] = total.y;
}
