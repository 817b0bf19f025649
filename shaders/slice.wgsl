// y[o, i] = x[o, offset + i]: part of x along one axis, both tensors seen as [outer, inner]
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // vectors of the output
    wide: u32, // vectors of a row of the whole tensor
    narrow: u32, // vectors of a row of the slice
    offset: u32,
}
// Bits, so that ids are copied as they are.
@group(0) @binding(0) var<storage, read> x: array<Words>;
@group(0) @binding(1) var<storage, read_write> y: array<Words>;
@group(0) @binding(2) var<uniform> parameters: Parameters;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let columns = parameters.narrow;
    let e = elements(group, groups, local, parameters.len);
    let step = cell_of(LANES, columns);
    var cell = cell_of(e.first, columns);
    for (var i = e.first; i < e.end; i += LANES) {
        y[i] = x[cell.row * parameters.wide + parameters.offset + cell.column];
        cell = walk_on(cell, step, columns);
    }
}

// dx = dy in the slice, 0 outside
@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let columns = parameters.wide;
    let e = elements(group, groups, local, parameters.len);
    let step = cell_of(LANES, columns);
    var cell = cell_of(e.first, columns);
    for (var i = e.first; i < e.end; i += LANES) {
        let inner = cell.column - parameters.offset; // wraps to a large number before the slice
        var value = Words();
        if inner < parameters.narrow {
            value = x[cell.row * parameters.narrow + inner];
        }
        y[i] = value;
        cell = walk_on(cell, step, columns);
    }
}
