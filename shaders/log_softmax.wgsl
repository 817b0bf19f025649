// y[r, c] = x[r, c] − max − ln Σ_c' e^(x[r, c'] − max)
//
// As softmax.wgsl. `short`: one invocation a row, held in HELD registers, for rows of at most 32 columns, where a
// workgroup would mostly idle.
// `wide`: one workgroup a row, which it reads twice. On llvmpipe, 2 cores, 1280 × 6191: 6.9 ms with four columns LANES
// apart, 5.1 by vectors, 4.8 with two of them at a time in the first pass; backward 8.1 and 5.9.
#import shared/aligned
#import shared/elements
#import shared/grid
#import shared/log_sum_exp
#import shared/store_edge_{EDGE 0:none 1:scalar 4:component}
#import shared/reduce_{SUBGROUPS 0:workgroup 1:subgroup 2:broadcast}
#import shared/row
#import shared/vector{VECTOR}

struct Parameters {
    rows: u32,
    columns: u32, // `short`: vectors
}
@group(0) @binding(0) var<storage, read> x: array<Numbers>; // [rows, columns]; backward: y
@group(0) @binding(1) var<storage, read_write> y: array<Numbers>; // [rows, columns]; backward: dx
@group(0) @binding(2) var<uniform> parameters: Parameters;

@compute @workgroup_size(LANES)
fn forward_short(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let columns = parameters.columns;
    let rows = elements(group, groups, local, parameters.rows);
    for (var row = rows.first; row < rows.end; row += LANES) {
        let start = row * columns;
        var held = array<Numbers, HELD>();
        var largest = Numbers(LOWEST);
        for (var c = 0u; c < HELD; c++) {
            if inside(c, columns) {
                held[c] = x[start + c];
                largest = max(largest, held[c]);
            }
        }
        let row_largest = largest_of(largest);
        var sums = Numbers();
        for (var c = 0u; c < HELD; c++) {
            if inside(c, columns) {
                sums += exp(held[c] - row_largest);
            }
        }
        let log_sum = log(sum_of(sums));
        for (var c = 0u; c < HELD; c++) {
            if inside(c, columns) {
                y[start + c] = held[c] - row_largest - log_sum;
            }
        }
    }
}

@compute @workgroup_size(LANES)
fn forward_wide(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    // A workgroup past the end walks no columns, but takes part in the reductions.
    let inside = row < parameters.rows;
    let columns = select(0u, parameters.columns, inside);
    let span = span_of(select(0u, row * columns, inside), columns, local);
    let edge = number_at(x[span.edge / WIDTH], span.edge);
    var sums = sums_from(select(LOWEST, edge, span.has_edge));
    var i = span.first + local;
    for (; i + LANES < span.last; i += 2u * LANES) {
        let a = x[i];
        let b = x[i + LANES];
        sums = with_numbers(with_numbers(sums, a), b);
    }
    if i < span.last {
        sums = with_numbers(sums, x[i]);
    }
    let of_row = of_workgroup(sums, local);
    let row_largest = of_row.x;
    let log_sum = log(of_row.y);
    for (var i = span.first + local; i < span.last; i += LANES) {
        y[i] = x[i] - row_largest - log_sum;
    }
    if span.has_edge {
        store_edge(span.edge, edge - row_largest - log_sum);
    }
}

// dx = dy − e^y · Σ_c dy; the bindings x hold y
@group(0) @binding(2) var<storage, read> dy: array<Numbers>; // [rows, columns]
@group(0) @binding(3) var<uniform> backward_parameters: Parameters;

@compute @workgroup_size(LANES)
fn backward_short(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let columns = backward_parameters.columns;
    let rows = elements(group, groups, local, backward_parameters.rows);
    for (var row = rows.first; row < rows.end; row += LANES) {
        let start = row * columns;
        var upstream = array<Numbers, HELD>();
        var sums = Numbers();
        for (var c = 0u; c < HELD; c++) {
            if inside(c, columns) {
                upstream[c] = dy[start + c];
                sums += upstream[c];
            }
        }
        let sum = sum_of(sums);
        for (var c = 0u; c < HELD; c++) {
            if inside(c, columns) {
                y[start + c] = upstream[c] - exp(x[start + c]) * sum;
            }
        }
    }
}

@compute @workgroup_size(LANES)
fn backward_wide(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    let inside = row < backward_parameters.rows;
    let columns = select(0u, backward_parameters.columns, inside);
    let span = span_of(select(0u, row * columns, inside), columns, local);
    let edge_x = number_at(x[span.edge / WIDTH], span.edge);
    let edge_dy = number_at(dy[span.edge / WIDTH], span.edge);
    var sums = Numbers();
    for (var i = span.first + local; i < span.last; i += LANES) {
        sums += dy[i];
    }
    let sum = reduce_sum(sum_of(sums) + select(0.0, edge_dy, span.has_edge), local);
    for (var i = span.first + local; i < span.last; i += LANES) {
        y[i] = dy[i] - exp(x[i]) * sum;
    }
    if span.has_edge {
        store_edge(span.edge, edge_dy - exp(edge_x) * sum);
    }
}
