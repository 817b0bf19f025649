// y[r, c] = e^(x[r, c] − max) / Σ_c' e^(x[r, c'] − max) over the valid columns of row r, 0 elsewhere
//
// `short`: one invocation a row, held in HELD registers, for rows of at most 32 columns (attention over a sentence),
// where a workgroup would mostly idle. On llvmpipe, 2 cores, 256,000 rows of 20: 3.0 ms with HELD rounded up to a power
// of two and a division for each row's sequence, 2.4 so.
// `wide`: one workgroup a row, which it reads twice, by vectors wherever a row begins (aligned.wgsl): the sum follows
// the largest number so far (Milakov and Gimelshein 2018), each slot of an invocation by itself. On llvmpipe, 1280 ×
// 6191: 15.9 ms with a pass for the largest, one for the sum and one column at a time; 7.6 with two passes of four
// columns LANES apart; 6.2 by vectors; 5.5 with two vectors at a time. Its backward pass 9.1 and 5.8, where two vectors
// at a time gain nothing. On hardware not measured.
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
    rows_per_sequence: u32, // row r belongs to sequence r / rows_per_sequence
}
@group(0) @binding(0) var<storage, read> x: array<Numbers>; // [rows, columns]; backward: y
@group(0) @binding(1) var<storage, read> lengths: array<u32>; // [sequences], read where MASKED
@group(0) @binding(2) var<storage, read_write> y: array<Numbers>; // [rows, columns]
@group(0) @binding(3) var<uniform> parameters: Parameters;

fn valid_columns(sequence: u32, columns: u32) -> u32 {
    if MASKED == 1u {
        return min(lengths[sequence], columns);
    }
    return columns;
}

@compute @workgroup_size(LANES)
fn forward_short(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let columns = parameters.columns;
    let rows = elements(group, groups, local, parameters.rows);
    var cell = cell_of(rows.first, parameters.rows_per_sequence);
    let step = cell_of(LANES, parameters.rows_per_sequence);
    for (var row = rows.first; row < rows.end; row += LANES) {
        let start = row * columns;
        let valid = Words(valid_columns(cell.row, WIDTH * columns));
        cell = walk_on(cell, step, parameters.rows_per_sequence);
        var held = array<Numbers, HELD>();
        var largest = Numbers(LOWEST);
        for (var c = 0u; c < HELD; c++) {
            if inside(c, columns) {
                held[c] = select(Numbers(LOWEST), x[start + c], places_of(c) < valid);
                largest = max(largest, held[c]);
            }
        }
        let row_largest = largest_of(largest);
        var sums = Numbers();
        for (var c = 0u; c < HELD; c++) {
            if inside(c, columns) {
                held[c] = select(Numbers(), exp(held[c] - row_largest), places_of(c) < valid);
                sums += held[c];
            }
        }
        // At least 1, but in a row without valid columns, which gets zeros.
        let sum = max(sum_of(sums), 1.0);
        for (var c = 0u; c < HELD; c++) {
            if inside(c, columns) {
                y[start + c] = held[c] / sum;
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
    var start = 0u;
    var columns = 0u;
    var valid = 0u;
    if row < parameters.rows {
        columns = parameters.columns;
        start = row * columns;
        valid = start + valid_columns(row / parameters.rows_per_sequence, columns);
    }
    let span = span_of(start, columns, local);
    let edge = number_at(x[span.edge / WIDTH], span.edge);
    var sums = sums_from(select(LOWEST, edge, span.has_edge && span.edge < valid));
    var i = span.first + local;
    for (; i + LANES < span.last; i += 2u * LANES) {
        let a = where_valid(x[i], i, valid, LOWEST);
        let b = where_valid(x[i + LANES], i + LANES, valid, LOWEST);
        sums = with_numbers(with_numbers(sums, a), b);
    }
    if i < span.last {
        sums = with_numbers(sums, where_valid(x[i], i, valid, LOWEST));
    }
    let of_row = of_workgroup(sums, local);
    let row_largest = of_row.x;
    let inverse = 1.0 / of_row.y;
    i = span.first + local;
    for (; i + LANES < span.last; i += 2u * LANES) {
        let a = exp(x[i] - row_largest) * inverse;
        let b = exp(x[i + LANES] - row_largest) * inverse;
        y[i] = where_valid(a, i, valid, 0.0);
        y[i + LANES] = where_valid(b, i + LANES, valid, 0.0);
    }
    if i < span.last {
        y[i] = where_valid(exp(x[i] - row_largest) * inverse, i, valid, 0.0);
    }
    if span.has_edge {
        store_edge(span.edge, select(0.0, exp(edge - row_largest) * inverse, span.edge < valid));
    }
}

// Vector i of a tensor up to number `valid`, where there are lengths; behind it `other`.
fn where_valid(v: Numbers, i: u32, valid: u32, other: f32) -> Numbers {
    if MASKED == 1u {
        return select(Numbers(other), v, places_of(i) < Words(valid));
    }
    return v;
}

// dx = y · (dy − Σ_c y·dy); the bindings x hold y
@group(0) @binding(1) var<storage, read> dy: array<Numbers>; // [rows, columns]

@compute @workgroup_size(LANES)
fn backward_short(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let columns = parameters.columns;
    let rows = elements(group, groups, local, parameters.rows);
    for (var row = rows.first; row < rows.end; row += LANES) {
        let start = row * columns;
        var held = array<Numbers, HELD>();
        var upstream = array<Numbers, HELD>();
        var products = Numbers();
        for (var c = 0u; c < HELD; c++) {
            if inside(c, columns) {
                held[c] = x[start + c];
                upstream[c] = dy[start + c];
                products += held[c] * upstream[c];
            }
        }
        let dot = sum_of(products);
        for (var c = 0u; c < HELD; c++) {
            if inside(c, columns) {
                y[start + c] = held[c] * (upstream[c] - dot);
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
    let inside = row < parameters.rows;
    let columns = select(0u, parameters.columns, inside);
    let span = span_of(select(0u, row * columns, inside), columns, local);
    let edge_x = number_at(x[span.edge / WIDTH], span.edge);
    let edge_dy = number_at(dy[span.edge / WIDTH], span.edge);
    var products = Numbers();
    for (var i = span.first + local; i < span.last; i += LANES) {
        products += x[i] * dy[i];
    }
    let dot = reduce_sum(sum_of(products) + select(0.0, edge_x * edge_dy, span.has_edge), local);
    for (var i = span.first + local; i < span.last; i += LANES) {
        y[i] = x[i] * (dy[i] - dot);
    }
    if span.has_edge {
        store_edge(span.edge, edge_x * (edge_dy - dot));
    }
}
