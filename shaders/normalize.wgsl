// y[r, c] = x[r, c] / max(√Σ_c x[r, c]², ε)
//
// A workgroup takes rows one after the other (on hardware one), each held in registers, so that it is read once. On
// llvmpipe, 2 cores, 25,600 × 128: 1.87 ms with one invocation a row that reads it twice, and 4.36 backward; 1.2 and
// 2.0 so. Not measured on hardware.
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
@group(0) @binding(1) var<storage, read_write> y: array<Numbers>; // [rows, columns]
@group(0) @binding(2) var<uniform> parameters: Parameters;

fn length_of(squares: f32) -> f32 {
    // WGSL derives sqrt from 1 / inverseSqrt, which is infinite at 0; what an infinity becomes is up to the driver.
    if squares > 0.0 {
        return sqrt(squares);
    }
    return 0.0;
}

// Holds this invocation's vectors of the row at `start`, and gives the sum of their squares.
fn read_row(held: ptr<function, array<Numbers, HELD>>, start: u32, local: u32, columns: u32) -> f32 {
    var squares = Numbers();
    for (var k = 0u; k < HELD; k++) {
        if inside(local + k * LANES, columns) {
            (*held)[k] = x[start + local + k * LANES];
            squares += (*held)[k] * (*held)[k];
        }
    }
    for (var c = behind(local); is_left(c, columns); c += LANES) {
        squares += x[start + c] * x[start + c];
    }
    return sum_of(squares);
}

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = parameters;
    let block = block_of(group, groups, p.rows, 1u);
    for (var row = block.x; row < block.y; row++) {
        let start = row * p.columns;
        var held = array<Numbers, HELD>();
        let squares = read_row(&held, start, local, p.columns);
        let norm = max(length_of(reduce_sum(squares, local)), p.epsilon);
        for (var k = 0u; k < HELD; k++) {
            if inside(local + k * LANES, p.columns) {
                y[start + local + k * LANES] = held[k] / norm;
            }
        }
        for (var c = behind(local); is_left(c, p.columns); c += LANES) {
            y[start + c] = x[start + c] / norm;
        }
    }
}

// dx = (dy − y·Σ_c y·dy) / ‖x‖ with y = x / ‖x‖; dy / ε where ‖x‖ < ε. The dot product takes the length of the whole
// row first.
@group(0) @binding(1) var<storage, read> dy: array<Numbers>; // [rows, columns]
@group(0) @binding(2) var<storage, read_write> dx: array<Numbers>; // [rows, columns]
@group(0) @binding(3) var<uniform> backward_parameters: Parameters;

fn gradient(dy: Numbers, y: Numbers, dot: f32, norm: f32, epsilon: f32) -> Numbers {
    if norm < epsilon {
        return dy / epsilon;
    }
    return (dy - y * dot) / norm;
}

@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = backward_parameters;
    let block = block_of(group, groups, p.rows, 1u);
    for (var row = block.x; row < block.y; row++) {
        let start = row * p.columns;
        var held = array<Numbers, HELD>();
        let squares = read_row(&held, start, local, p.columns);
        let norm = length_of(reduce_sum(squares, local));
        // A row shorter than ε has no y, and `gradient` asks for none.
        let divisor = max(norm, p.epsilon);
        var upstream = array<Numbers, HELD>();
        var products = Numbers();
        for (var k = 0u; k < HELD; k++) {
            if inside(local + k * LANES, p.columns) {
                upstream[k] = dy[start + local + k * LANES];
                held[k] /= divisor;
                products += held[k] * upstream[k];
            }
        }
        for (var c = behind(local); is_left(c, p.columns); c += LANES) {
            products += x[start + c] / divisor * dy[start + c];
        }
        let dot = reduce_sum(sum_of(products), local);
        for (var k = 0u; k < HELD; k++) {
            if inside(local + k * LANES, p.columns) {
                dx[start + local + k * LANES] = gradient(upstream[k], held[k], dot, norm, p.epsilon);
            }
        }
        for (var c = behind(local); is_left(c, p.columns); c += LANES) {
            dx[start + c] = gradient(dy[start + c], x[start + c] / divisor, dot, norm, p.epsilon);
        }
    }
}
