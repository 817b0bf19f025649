// y[r, c] = (s[r, c] − mean)·scale·weight[c] + bias[c], s = x or x + residual, mean and 1/scale² − ε = variance over
// the columns of row r
//
// A workgroup takes rows one after the other (on hardware one), each held in registers: the variance takes the mean,
// and the mean square minus the squared mean cancels where the mean is large. On llvmpipe, 2 cores, 25,600 × 128: 3.8
// ms with one invocation a row that reads it three times, 1.5 so. Not measured on hardware. `forward_longer` and
// `add_longer` take rows that registers do not hold.
#import shared/elements
#import shared/grid
#import shared/reduce_{SUBGROUPS 0:workgroup 1:subgroup 2:broadcast}
#import shared/row
#import shared/vector{VECTOR}

struct Parameters {
    rows: u32,
    columns: u32, // vectors
    epsilon: f32,
}
@group(0) @binding(0) var<storage, read> x: array<Numbers>; // [rows, columns]
@group(0) @binding(1) var<storage, read> weight: array<Numbers>; // [columns]
@group(0) @binding(2) var<storage, read> bias: array<Numbers>; // [columns]
@group(0) @binding(3) var<storage, read> residual: array<Numbers>; // [rows, columns]
@group(0) @binding(4) var<storage, read_write> y: array<Numbers>; // [rows, columns]
@group(0) @binding(5) var<storage, read_write> moments: array<f32>; // [rows, 2]: mean, scale
@group(0) @binding(6) var<uniform> parameters: Parameters;

// This invocation's vectors of weight and bias, the same for all rows
struct Affine {
    weight: array<Numbers, HELD>,
    bias: array<Numbers, HELD>,
}

fn affine(local: u32, columns: u32) -> Affine {
    var a: Affine;
    for (var k = 0u; k < HELD; k++) {
        let c = local + k * LANES;
        if inside(c, columns) {
            a.weight[k] = weight[c];
            a.bias[k] = bias[c];
        }
    }
    return a;
}

fn scale_of(squares: f32, count: f32, epsilon: f32) -> f32 {
    return 1.0 / sqrt(squares / count + epsilon);
}

// The mean, of one that is off by the rounding of its sum: that of equal numbers is exact so, where the scale would
// magnify an error up to 316 times (1/√ε).
fn mean_of_held(held: array<Numbers, HELD>, first: f32, count: f32, local: u32, columns: u32) -> f32 {
    var distances = Numbers();
    for (var k = 0u; k < HELD; k++) {
        if inside(local + k * LANES, columns) {
            distances += held[k] - first;
        }
    }
    return first + reduce_sum(sum_of(distances), local) / count;
}

// Squared distances of the held vectors from the mean
fn squares_of_held(held: array<Numbers, HELD>, mean: f32, local: u32, columns: u32) -> Numbers {
    var squares = Numbers();
    for (var k = 0u; k < HELD; k++) {
        if inside(local + k * LANES, columns) {
            squares += (held[k] - mean) * (held[k] - mean);
        }
    }
    return squares;
}

fn put_held(start: u32, held: array<Numbers, HELD>, mean: f32, scale: f32, a: Affine, local: u32, columns: u32) {
    for (var k = 0u; k < HELD; k++) {
        if inside(local + k * LANES, columns) {
            y[start + local + k * LANES] = (held[k] - mean) * scale * a.weight[k] + a.bias[k];
        }
    }
}

fn keep(row: u32, mean: f32, scale: f32, local: u32) {
    if local < 2u {
        moments[2u * row + local] = select(mean, scale, local == 1u);
    }
}

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = parameters;
    let block = block_of(group, groups, p.rows, 1u);
    let count = f32(WIDTH * p.columns);
    let a = affine(local, p.columns);
    for (var row = block.x; row < block.y; row++) {
        let start = row * p.columns;
        var held = array<Numbers, HELD>();
        var sum = Numbers();
        for (var k = 0u; k < HELD; k++) {
            if inside(local + k * LANES, p.columns) {
                held[k] = x[start + local + k * LANES];
                sum += held[k];
            }
        }
        let mean = mean_of_held(held, reduce_sum(sum_of(sum), local) / count, count, local, p.columns);
        var squares = squares_of_held(held, mean, local, p.columns);
        let scale = scale_of(reduce_sum(sum_of(squares), local), count, p.epsilon);
        keep(row, mean, scale, local);
        put_held(start, held, mean, scale, a, local, p.columns);
    }
}

// The same with a residual; s is kept for the backward pass and for norm-first layers. An invocation reads back only
// what it wrote itself, so that s needs no barrier.
@group(0) @binding(6) var<storage, read_write> s: array<Numbers>; // [rows, columns]
@group(0) @binding(7) var<uniform> add_parameters: Parameters;

@compute @workgroup_size(LANES)
fn add(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = add_parameters;
    let block = block_of(group, groups, p.rows, 1u);
    let count = f32(WIDTH * p.columns);
    let a = affine(local, p.columns);
    for (var row = block.x; row < block.y; row++) {
        let start = row * p.columns;
        var held = array<Numbers, HELD>();
        var sum = Numbers();
        for (var k = 0u; k < HELD; k++) {
            let c = local + k * LANES;
            if inside(c, p.columns) {
                held[k] = x[start + c] + residual[start + c];
                s[start + c] = held[k];
                sum += held[k];
            }
        }
        let mean = mean_of_held(held, reduce_sum(sum_of(sum), local) / count, count, local, p.columns);
        var squares = squares_of_held(held, mean, local, p.columns);
        let scale = scale_of(reduce_sum(sum_of(squares), local), count, p.epsilon);
        keep(row, mean, scale, local);
        put_held(start, held, mean, scale, a, local, p.columns);
    }
}

// Rows longer than registers, read twice. The sums of a row are those of its distances from the mean of its first
// vectors, so that little cancels: of n numbers, the mean of any h lies within √(n/h) standard deviations of the mean
// of all, which leaves n/h + 1 times the variance to subtract from. Four rows at a time, so that weight and bias are
// read once for four. On llvmpipe, 2 cores, 2560 × 2048: 4.6 ms row by row in three passes, 3.3 so.
const ROWS: u32 = 4u;

// Those first vectors, of each invocation. More leave less to subtract from, and are more code: 5120 × 512 with a
// residual took 4.1 ms with 8, 3.6 with 4, and 1.9 and 1.5 s to compile (with and without bounds checks).
const FIRST: u32 = 4u;

// Those of one invocation, with the sums still by slot
struct Parts {
    shift: f32,
    sum: Numbers,
    squares: Numbers,
}

fn parts_of_held(held: array<Numbers, FIRST>, local: u32) -> Parts {
    var sum = Numbers();
    for (var k = 0u; k < FIRST; k++) {
        sum += held[k];
    }
    let shift = reduce_sum(sum_of(sum), local) / f32(WIDTH * FIRST * LANES);
    var parts = Parts(shift, Numbers(), Numbers());
    for (var k = 0u; k < FIRST; k++) {
        parts = with_number(parts, held[k]);
    }
    return parts;
}

fn with_number(parts: Parts, number: Numbers) -> Parts {
    let distance = number - parts.shift;
    return Parts(parts.shift, parts.sum + distance, parts.squares + distance * distance);
}

// Mean and scale
fn moments_of(parts: Parts, local: u32, p: Parameters) -> vec2f {
    let count = f32(WIDTH * p.columns);
    let distance = reduce_sum(sum_of(parts.sum), local) / count;
    let squares = reduce_sum(sum_of(parts.squares), local) - count * distance * distance;
    return vec2f(parts.shift + distance, scale_of(max(squares, 0.0), count, p.epsilon));
}

// Moments of four rows
struct Moments {
    mean: vec4f,
    scale: vec4f,
}

// Not a vector's element by its number: llvmpipe would write the loop over the rows out, and that is more than the
// cache of decoded instructions holds.
fn with_moments(all: Moments, r: u32, m: vec2f) -> Moments {
    let this_one = vec4u(0u, 1u, 2u, 3u) == vec4u(r);
    return Moments(select(all.mean, vec4f(m.x), this_one), select(all.scale, vec4f(m.y), this_one));
}

@compute @workgroup_size(LANES)
fn forward_longer(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = parameters;
    let block = block_of(group, groups, p.rows, ROWS);
    for (var first = block.x; first < block.y; first += ROWS) {
        var all = Moments();
        for (var r = 0u; r < ROWS; r++) {
            let row = min(first + r, p.rows - 1u);
            let start = row * p.columns + local;
            var held = array<Numbers, FIRST>();
            for (var k = 0u; k < FIRST; k++) {
                held[k] = x[start + k * LANES];
            }
            var parts = parts_of_held(held, local);
            for (var c = FIRST * LANES; local + c < p.columns; c += LANES) {
                parts = with_number(parts, x[start + c]);
            }
            let m = moments_of(parts, local, p);
            keep(row, m.x, m.y, local);
            all = with_moments(all, r, m);
        }
        for (var c = local; c < p.columns; c += LANES) {
            let w = weight[c];
            let b = bias[c];
            for (var r = 0u; r < ROWS; r++) {
                if first + r < p.rows {
                    let at = (first + r) * p.columns + c;
                    y[at] = (x[at] - all.mean[r]) * all.scale[r] * w + b;
                }
            }
        }
    }
}

@compute @workgroup_size(LANES)
fn add_longer(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = add_parameters;
    let block = block_of(group, groups, p.rows, ROWS);
    for (var first = block.x; first < block.y; first += ROWS) {
        var all = Moments();
        for (var r = 0u; r < ROWS; r++) {
            let row = min(first + r, p.rows - 1u);
            let start = row * p.columns + local;
            var held = array<Numbers, FIRST>();
            for (var k = 0u; k < FIRST; k++) {
                held[k] = x[start + k * LANES] + residual[start + k * LANES];
                s[start + k * LANES] = held[k];
            }
            var parts = parts_of_held(held, local);
            for (var c = FIRST * LANES; local + c < p.columns; c += LANES) {
                let added = x[start + c] + residual[start + c];
                s[start + c] = added;
                parts = with_number(parts, added);
            }
            let m = moments_of(parts, local, p);
            keep(row, m.x, m.y, local);
            all = with_moments(all, r, m);
        }
        for (var c = local; c < p.columns; c += LANES) {
            let w = weight[c];
            let b = bias[c];
            for (var r = 0u; r < ROWS; r++) {
                if first + r < p.rows {
                    let at = (first + r) * p.columns + c;
                    y[at] = (s[at] - all.mean[r]) * all.scale[r] * w + b;
                }
            }
        }
    }
}
