// y[t, b, c] = scale·x[t, b, c] + table[first + t, c]
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // vectors of x
    step: u32, // vectors of a time step
    columns: u32, // vectors of a row of C
    first: u32,
    scale: f32,
}
@group(0) @binding(0) var<storage, read> x: array<Numbers>; // [T, B, C]
@group(0) @binding(1) var<storage, read> table: array<Numbers>; // [P, C]
@group(0) @binding(2) var<storage, read_write> y: array<Numbers>; // [T, B, C]
@group(0) @binding(3) var<uniform> parameters: Parameters;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = parameters;
    let e = elements(group, groups, local, p.len);
    let time_step = cell_of(LANES, p.step);
    let column_step = cell_of(LANES, p.columns);
    var time = cell_of(e.first, p.step);
    var column = cell_of(e.first, p.columns);
    for (var i = e.first; i < e.end; i += LANES) {
        y[i] = x[i] * p.scale + table[(p.first + time.row) * p.columns + column.column];
        time = walk_on(time, time_step, p.step);
        column = walk_on(column, column_step, p.columns);
    }
}

// dtable[p, c] = Σ_b dy[p − first, b, c] for first ≤ p < first + T, else 0; the binding x holds dy.
//
// backward (hardware): a workgroup has 8 vectors of a position, and 32 lanes walk the batch for each side by side, then
// add up in a fixed order. By arithmetic, not measured: with an invocation for each vector, 20 positions of 128 columns
// were three workgroups, whose lanes waited for memory 128 times, some 600 cycles each.
//
// backward_walk (software adapters): an invocation adds up four vectors of a row side by side, so that a workgroup
// reads 512 bytes in a row: 20 × 1280 × 128 takes llvmpipe (2 cores) 2.3 ms one vector after the other, 128 bytes of
// every 512, 1.13 so, and 0.79 with positions that have a dy shared out by themselves: as a part of the table, they all
// fell to one thread.
struct BackwardParameters {
    len: u32, // vectors of the table
    columns: u32, // vectors of a row of C
    batch: u32, // B
    first: u32,
    time: u32, // T
}
const HELD: u32 = 4u;
const COLUMNS: u32 = 8u;
const WALKERS: u32 = 32u;

@group(0) @binding(1) var<storage, read_write> dtable: array<Numbers>; // [P, C]
@group(0) @binding(2) var<uniform> backward_parameters: BackwardParameters;

var<workgroup> partial: array<Numbers, COLUMNS * WALKERS>;

@compute @workgroup_size(256)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = backward_parameters;
    let blocks = (p.columns + COLUMNS - 1u) / COLUMNS;
    let of_group = cell_of(linear_group(group, groups), blocks);
    let position = of_group.row;
    let column = of_group.column * COLUMNS + local % COLUMNS;
    var sum = Numbers();
    if column < p.columns && position >= p.first && position < p.first + p.time {
        let at = (position - p.first) * p.batch * p.columns + column;
        for (var b = local / COLUMNS; b < p.batch; b += WALKERS) {
            sum += x[at + b * p.columns];
        }
    }
    partial[local] = sum;
    workgroupBarrier();
    let i = position * p.columns + column;
    if local < COLUMNS && column < p.columns && i < p.len {
        var total = Numbers();
        for (var lane = 0u; lane < WALKERS; lane++) {
            total += partial[lane * COLUMNS + local];
        }
        dtable[i] = total;
    }
}

@compute @workgroup_size(LANES)
fn backward_walk(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = backward_parameters;
    let start = p.first * p.columns;
    let used = p.time * p.columns;
    let block = block_of(group, groups, used, HELD * LANES);
    for (var i = block.x + local; i < block.y; i += HELD * LANES) {
        var at = array<u32, HELD>();
        var sums = array<Numbers, HELD>();
        for (var h = 0u; h < HELD; h++) {
            let cell = cell_of(min(i + h * LANES, block.y - 1u), p.columns);
            at[h] = cell.row * p.batch * p.columns + cell.column;
        }
        for (var b = 0u; b < p.batch; b++) {
            for (var h = 0u; h < HELD; h++) {
                sums[h] += x[at[h] + b * p.columns];
            }
        }
        for (var h = 0u; h < HELD; h++) {
            if i + h * LANES < block.y {
                dtable[start + i + h * LANES] = sums[h];
            }
        }
    }
    let rest = elements(group, groups, local, p.len - used);
    for (var i = rest.first; i < rest.end; i += LANES) {
        dtable[select(i, i + used, i >= start)] = Numbers();
    }
}
