// y[r] = the first column with the largest x[r, c]
//
// One workgroup a row: each invocation keeps the best of its columns, a vector at a time, then halves in workgroup
// memory; of equals the lower column wins. A row need not begin with a vector, only the tensor must be made of them:
// what lies before a row's first whole vector and behind its last is read by itself. On llvmpipe, 2 cores, 1280 × 6191:
// 2.5 ms with four columns LANES apart, 1.75 so.
#import shared/grid
#import shared/vector{VECTOR}

struct Parameters {
    rows: u32,
    columns: u32,
}
@group(0) @binding(0) var<storage, read> x: array<Numbers>; // [rows, columns]
@group(0) @binding(1) var<storage, read_write> y: array<u32>; // [rows]
@group(0) @binding(2) var<uniform> parameters: Parameters;

const LOWEST: f32 = -3.4028234663852886e38; // what NaN and −∞ count as

struct Best {
    value: f32,
    column: u32,
}

fn better(a: Best, b: Best) -> Best {
    if b.value > a.value || (b.value == a.value && b.column < a.column) {
        return b;
    }
    return a;
}

fn candidate(start: u32, i: u32) -> Best {
    return Best(number_at(x[i / WIDTH], i), i - start);
}

var<workgroup> bests: array<Best, LANES>;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    let start = min(row, parameters.rows - 1u) * parameters.columns;
    let end = start + parameters.columns;
    let first = (start + WIDTH - 1u) / WIDTH;
    let last = end / WIDTH;
    // Column 0, until something larger is found. Nothing is larger than NaN.
    var best = candidate(start, start);
    best.value = select(LOWEST, best.value, best.value > LOWEST);
    let head = start + local;
    if head < min(WIDTH * first, end) {
        best = better(best, candidate(start, head));
    }
    var values = Numbers(best.value);
    var columns = Words(best.column);
    for (var i = first + local; i < last; i += LANES) {
        let larger = x[i] > values;
        values = select(values, x[i], larger);
        columns = select(columns, places_of(i) - Words(start), larger);
    }
    for (var i = 0u; i < WIDTH; i++) {
        best = better(best, Best(number_at(values, i), word_at(columns, i)));
    }
    let tail = max(WIDTH * last, start) + local;
    if tail < end {
        best = better(best, candidate(start, tail));
    }
    bests[local] = best;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            bests[local] = better(bests[local], bests[local + half]);
        }
    }
    if local == 0u && row < parameters.rows {
        y[row] = bests[0].column;
    }
}
