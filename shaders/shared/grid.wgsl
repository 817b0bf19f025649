// Where a workgroup stands. A dimension of the grid holds at most 65,535 workgroups, so larger grids have several rows.

// Invocations of a workgroup of an element-wise kernel: a multiple of every subgroup size (4 to 64), and WebGPU's guaranteed maximum.
const WORKGROUP: u32 = 256u;

fn linear_group(group: vec3u, groups: vec3u) -> u32 {
    return group.y * groups.x + group.x;
}

fn linear_element(group: vec3u, groups: vec3u, local: u32) -> u32 {
    return linear_group(group, groups) * WORKGROUP + local;
}

// The elements of an invocation: `first` and every WORKGROUP-th after it, before `end`. Each workgroup of the grid takes one block of them: on
// hardware, where the grid is large enough, one element an invocation; on software adapters, where a workgroup costs some microseconds whatever
// it does, more. On llvmpipe, 2 cores, 2560 × 2048 numbers, one element an invocation and then 64 workgroups: `add` 35 and 19 ms, `bias_add` (which
// lost a division an element too) 37 and 11, `fill` 23 and 6; the second figures on a machine that was the busier one.
struct Elements {
    first: u32,
    end: u32,
}

fn elements(group: vec3u, groups: vec3u, local: u32, len: u32) -> Elements {
    let block = block_of(group, groups, len, WORKGROUP);
    return Elements(block.x + local, block.y);
}

// First element of a workgroup's block and the one past its last, in multiples of `unit`.
fn block_of(group: vec3u, groups: vec3u, len: u32, unit: u32) -> vec2u {
    let workgroups = groups.x * groups.y;
    let block = ((len + workgroups - 1u) / workgroups + unit - 1u) / unit * unit;
    let start = linear_group(group, groups) * block;
    return vec2u(start, min(start + block, len));
}

// An element's place in rows of `columns`. Walking on by WORKGROUP elements takes no division: llvmpipe has none for vectors.
struct Cell {
    row: u32,
    column: u32,
}

fn cell_of(i: u32, columns: u32) -> Cell {
    let row = i / columns;
    return Cell(row, i - row * columns);
}

fn walk_on(cell: Cell, step: Cell, columns: u32) -> Cell {
    let column = cell.column + step.column;
    let wraps = column >= columns;
    return Cell(cell.row + step.row + select(0u, 1u, wraps), select(column, column - columns, wraps));
}
