// y[t, r, c] = x[t, rows[r], c]
//
// A workgroup takes a row of y or, on software adapters, a block of rows; neighbouring invocations copy neighbouring
// vectors of it.
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // rows of y, of all steps
    batch: u32, // rows of a step of x
    width: u32, // vectors of a row
    rows: u32, // rows of a step of y
}
@group(0) @binding(0) var<storage, read> x: array<Numbers>; // [T, batch, width]
@group(0) @binding(1) var<storage, read> rows: array<u32>; // [rows]
@group(0) @binding(2) var<storage, read_write> y: array<Numbers>; // [T, rows, width]
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(ROW_LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let block = block_of(group, groups, p.len, 1u);
    for (var row = block.x; row < block.y; row++) {
        let time = row / p.rows;
        let source = time * p.batch + min(rows[row - time * p.rows], p.batch - 1u);
        for (var c = local; c < p.width; c += ROW_LANES) {
            y[row * p.width + c] = x[source * p.width + c];
        }
    }
}
