// Root mean square normalization with a learned gain (Zhang and Sennrich 2019, equation 4):
// y = x·r·g with r = 1/√(mean x² + ε) over the last axis
//
// The constant LANES, 64, is the size of a workgroup: one row of 512 numbers gives each lane eight, and every subgroup
// size divides it.
#import shared/grid

struct Sizes {
    rows: u32,
    columns: u32,
    epsilon: f32,
}

// Every lane's share of a sum over the row.
var<workgroup> shares: array<f32, LANES>;

// The sum of what all lanes bring, told to all of them. Once a kernel: nothing keeps a second sum from `shares` while
// a lane still reads the first.
fn sum_of_lanes(own: f32, local: u32) -> f32 {
    shares[local] = own;
    for (var others = LANES / 2u; others > 0u; others /= 2u) {
        workgroupBarrier();
        if local < others {
            shares[local] += shares[local + others];
        }
    }
    workgroupBarrier();
    return shares[0];
}

@group(0) @binding(0) var<storage, read> x: array<f32>; // [rows, columns]
@group(0) @binding(1) var<storage, read> gain: array<f32>; // [columns]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [rows, columns]
@group(0) @binding(3) var<storage, read_write> scales: array<f32>; // [rows]: r, for the backward pass
@group(0) @binding(4) var<uniform> sizes: Sizes;

// A workgroup a row.
@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    if row >= sizes.rows {
        return;
    }
    let first = row * sizes.columns;
    var squares = 0.0;
    for (var c = local; c < sizes.columns; c += LANES) {
        squares += x[first + c] * x[first + c];
    }
    let scale = 1.0 / sqrt(sum_of_lanes(squares, local) / f32(sizes.columns) + sizes.epsilon);
    for (var c = local; c < sizes.columns; c += LANES) {
        y[first + c] = x[first + c] * scale * gain[c];
    }
    if local == 0u {
        scales[row] = scale;
    }
}

@group(0) @binding(2) var<storage, read> kept: array<f32>; // [rows]: r
@group(0) @binding(3) var<storage, read> dy: array<f32>; // [rows, columns]
@group(0) @binding(4) var<storage, read_write> dx: array<f32>; // [rows, columns]
@group(0) @binding(5) var<uniform> backward_sizes: Sizes;

// dx = r·(gain·dy − n·mean(gain·dy·n)), n = x·r; a workgroup a row.
@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    if row >= backward_sizes.rows {
        return;
    }
    let columns = backward_sizes.columns;
    let first = row * columns;
    let scale = kept[row];
    var products = 0.0;
    for (var c = local; c < columns; c += LANES) {
        products += gain[c] * dy[first + c] * (x[first + c] * scale);
    }
    let mean = sum_of_lanes(products, local) / f32(columns);
    for (var c = local; c < columns; c += LANES) {
        dx[first + c] = scale * (gain[c] * dy[first + c] - x[first + c] * scale * mean);
    }
}

@group(0) @binding(4) var<storage, read_write> dgain: array<f32>; // [columns]

// dgain = Σ dy·x·r over the rows; a lane a column, so that neighbouring lanes read neighbouring numbers.
@compute @workgroup_size(LANES)
fn backward_gain(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let c = linear_group(group, groups) * LANES + local;
    if c >= backward_sizes.columns {
        return;
    }
    var sum = 0.0;
    for (var row = 0u; row < backward_sizes.rows; row++) {
        let at = row * backward_sizes.columns + c;
        sum += dy[at] * (x[at] * kept[row]);
    }
    dgain[c] = sum;
}
