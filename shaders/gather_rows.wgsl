// y[t, r, c] = x[t, rows[r], c]
#import shared/grid
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // vectors of y
    batch: u32, // rows of a step of x
    width: u32, // vectors of a row
    rows: u32, // rows of a step of y
}
@group(0) @binding(0) var<storage, read> x: array<Numbers>; // [T, batch, width]
@group(0) @binding(1) var<storage, read> rows: array<u32>; // [rows]
@group(0) @binding(2) var<storage, read_write> y: array<Numbers>; // [T, rows, width]
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let e = elements(group, groups, local, p.len);
    let step = cell_of(WORKGROUP, p.width);
    var cell = cell_of(e.first, p.width);
    // cell.row = time.row·rows + time.column, walked on like it: no division in the loop.
    var time = cell_of(cell.row, p.rows);
    for (var i = e.first; i < e.end; i += WORKGROUP) {
        let source = min(rows[time.column], p.batch - 1u);
        y[i] = x[(time.row * p.batch + source) * p.width + cell.column];
        let next = walk_on(cell, step, p.width);
        time.column += next.row - cell.row;
        for (; time.column >= p.rows; time.column -= p.rows) {
            time.row++;
        }
        cell = next;
    }
}
