// With n = (s − mean)·scale and g = dy·weight: ds = scale·(g − mean g − n·mean(g·n)), plus dsum where PASSED_ON
//
// Mean and scale are those that the forward pass kept. `backward` holds a row in registers, as layer_norm.wgsl does,
// and `backward_longer` takes rows that they do not hold. Where SUMMED (software adapters, whose workgroups take many
// rows), both add up dweight and dbias on the way, and `add_blocks` adds the workgroups' sums. Not measured on
// hardware.
#import shared/elements
#import shared/grid
#import shared/reduce_{SUBGROUPS 0:workgroup 1:subgroup 2:broadcast}
#import shared/row
#import shared/vector{VECTOR}

struct Parameters {
    rows: u32,
    columns: u32, // vectors
}
@group(0) @binding(0) var<storage, read> s: array<Numbers>; // [rows, columns]
@group(0) @binding(1) var<storage, read> weight: array<Numbers>; // [columns]
@group(0) @binding(2) var<storage, read> dy: array<Numbers>; // [rows, columns]
@group(0) @binding(3) var<storage, read> moments: array<vec2f>; // [rows]: mean, scale
@group(0) @binding(4) var<storage, read> dsum: array<Numbers>; // [rows, columns], read where PASSED_ON
@group(0) @binding(5) var<storage, read_write> ds: array<Numbers>; // [rows, columns]
// [workgroups, columns], written where SUMMED
@group(0) @binding(6) var<storage, read_write> dweight_of_workgroups: array<Numbers>;
// [workgroups, columns], written where SUMMED
@group(0) @binding(7) var<storage, read_write> dbias_of_workgroups: array<Numbers>;
@group(0) @binding(8) var<uniform> of_rows: Parameters;

fn store(at: u32, value: Numbers) {
    if PASSED_ON == 1u {
        ds[at] = value + dsum[at];
    } else {
        ds[at] = value;
    }
}

@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = of_rows;
    let block = block_of(group, groups, p.rows, 1u);
    let count = f32(WIDTH * p.columns);
    var weights: array<Numbers, HELD>;
    var dweight: array<Numbers, HELD>;
    var dbias: array<Numbers, HELD>;
    for (var k = 0u; k < HELD; k++) {
        if inside(local + k * LANES, p.columns) {
            weights[k] = weight[local + k * LANES];
        }
    }
    for (var row = block.x; row < block.y; row++) {
        let start = row * p.columns;
        let m = moments[row]; // mean, scale
        var normed = array<Numbers, HELD>();
        var upstream = array<Numbers, HELD>();
        var sum_g = Numbers();
        var sum_gn = Numbers();
        for (var k = 0u; k < HELD; k++) {
            let c = local + k * LANES;
            if inside(c, p.columns) {
                upstream[k] = dy[start + c];
                normed[k] = (s[start + c] - m.x) * m.y;
                sum_g += upstream[k] * weights[k];
                sum_gn += upstream[k] * weights[k] * normed[k];
            }
        }
        let mean_g = reduce_sum(sum_of(sum_g), local) / count;
        let mean_gn = reduce_sum(sum_of(sum_gn), local) / count;
        for (var k = 0u; k < HELD; k++) {
            dweight[k] += upstream[k] * normed[k];
            dbias[k] += upstream[k];
        }
        for (var k = 0u; k < HELD; k++) {
            if inside(local + k * LANES, p.columns) {
                store(start + local + k * LANES, m.y * (upstream[k] * weights[k] - mean_g - normed[k] * mean_gn));
            }
        }
    }
    if SUMMED == 1u {
        let sums = linear_group(group, groups) * p.columns;
        for (var k = 0u; k < HELD; k++) {
            if inside(local + k * LANES, p.columns) {
                dweight_of_workgroups[sums + local + k * LANES] = dweight[k];
                dbias_of_workgroups[sums + local + k * LANES] = dbias[k];
            }
        }
    }
}

// Rows longer than registers, read twice. Three rows at a time, so that weight and the workgroup's sums are read once
// for three: on llvmpipe, 2 cores, 2560 × 2048 takes 9.7 ms, two at a time 10.4, and 11.5 with what registers hold of a
// row read once (docs/rejected.md has other sizes, and four rows).
const ROWS: u32 = 3u;

// A row's mean, scale, mean g and mean g·n
fn means_of(row: u32, local: u32, columns: u32) -> vec4f {
    let start = row * columns;
    let m = moments[row];
    var sum_g = Numbers();
    var sum_gn = Numbers();
    for (var c = local; c < columns; c += LANES) {
        let g = dy[start + c] * weight[c];
        sum_g += g;
        sum_gn += g * ((s[start + c] - m.x) * m.y);
    }
    let count = f32(WIDTH * columns);
    return vec4f(m, reduce_sum(sum_of(sum_g), local) / count, reduce_sum(sum_of(sum_gn), local) / count);
}

@compute @workgroup_size(LANES)
fn backward_longer(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = of_rows;
    let block = block_of(group, groups, p.rows, ROWS);
    let sums = linear_group(group, groups) * p.columns;
    if SUMMED == 1u {
        for (var c = local; c < p.columns; c += LANES) {
            dweight_of_workgroups[sums + c] = Numbers();
            dbias_of_workgroups[sums + c] = Numbers();
        }
    }
    for (var first = block.x; first < block.y; first += ROWS) {
        let last = min(first + ROWS, block.y) - 1u;
        var means0 = vec4f(0.0);
        var means1 = vec4f(0.0);
        var means2 = vec4f(0.0);
        for (var row = first; row <= last; row++) {
            let means = means_of(row, local, p.columns);
            means0 = select(means0, means, row == first);
            means1 = select(means1, means, row == first + 1u);
            means2 = select(means2, means, row == first + 2u);
        }
        for (var c = local; c < p.columns; c += LANES) {
            let w = weight[c];
            var dw = Numbers();
            var db = Numbers();
            for (var row = first; row <= last; row++) {
                let m = select(select(means0, means1, row > first), means2, row > first + 1u);
                let at = row * p.columns + c;
                let d = dy[at];
                let n = (s[at] - m.x) * m.y;
                dw += d * n;
                db += d;
                store(at, m.y * (d * w - m.z - n * m.w));
            }
            if SUMMED == 1u {
                dweight_of_workgroups[sums + c] += dw;
                dbias_of_workgroups[sums + c] += db;
            }
        }
    }
}

// dweight[c] = Σ_r dy·n, dbias[c] = Σ_r dy, over a block of rows: on hardware, where `backward` takes one row a
// workgroup. A workgroup adds 32 columns of one block: 8 lanes walk its rows side by side, as in sum_rows.wgsl, and
// lane 0 adds the 8 sums in order. Where rows are many, `add_blocks` then adds the blocks, in order too.
struct BlockParameters {
    rows: u32,
    columns: u32,
    block: u32, // rows of a block
    blocks: u32,
}
@group(0) @binding(0) var<storage, read> s_of_parameters: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read> dy_of_parameters: array<f32>; // [rows, columns]
@group(0) @binding(2) var<storage, read> known_moments: array<vec2f>; // [rows]
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>; // [blocks, columns]
@group(0) @binding(4) var<storage, read_write> dbias: array<f32>; // [blocks, columns]
@group(0) @binding(5) var<uniform> sizes: BlockParameters;

const COLUMNS: u32 = 32u;
const WALKERS: u32 = 8u;
var<workgroup> partial: array<vec2f, COLUMNS * WALKERS>;

@compute @workgroup_size(256)
fn parameters(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
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
            let n = (s_of_parameters[at] - known_moments[r].x) * known_moments[r].y;
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

// The sums of all blocks, one invocation a column
struct AddParameters {
    blocks: u32,
    columns: u32,
}
@group(0) @binding(0) var<storage, read> dweight_of_blocks: array<f32>; // [blocks, columns]
@group(0) @binding(1) var<storage, read> dbias_of_blocks: array<f32>; // [blocks, columns]
@group(0) @binding(2) var<storage, read_write> dweight_total: array<f32>; // [columns]
@group(0) @binding(3) var<storage, read_write> dbias_total: array<f32>; // [columns]
@group(0) @binding(4) var<uniform> add_sizes: AddParameters;

@compute @workgroup_size(WORKGROUP)
fn add_blocks(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let column = linear_element(group, groups, local);
    if column >= add_sizes.columns {
        return;
    }
    var total = vec2f(0.0);
    for (var block = 0u; block < add_sizes.blocks; block++) {
        let at = block * add_sizes.columns + column;
        total += vec2f(dweight_of_blocks[at], dbias_of_blocks[at]);
    }
    dweight_total[column] = total.x;
    dbias_total[column] = total.y;
}
