// The elements, or vectors of them, of an element-wise kernel: each workgroup of the grid takes one block, each of its
// LANES invocations `first` and every LANES-th after it, before `end`.
//
// On hardware LANES is 256 and the grid so large that an invocation has one. A software adapter gets 64 workgroups,
// since each costs it some microseconds whatever it does, of 8 lanes, one SIMD vector, which walks its block from end
// to end: with 256, llvmpipe lets each of 32 vectors walk the whole block in steps of 4 KiB, where loads wait for
// stores whose addresses end alike. On llvmpipe, 2 cores, in ms:
//
//                                              one an invocation   64 workgroups of 256   64 of 8
//     add, 2560 × 2048, element by element                    35                     19         -
//     add, 2560 × 2048, vectors                                -                    2.7       2.2
//     slice, half of the columns of 2560 × 4096                -                   12.7       1.9
//     gather_rows, 20 × 60 × 1024                              -                    1.3       0.8
//
// the first row on a busier machine.
// Invocations of a workgroup that takes whole rows, one after the other: few, since rows are mostly a hundred or some
// hundreds of elements.
const ROW_LANES: u32 = min(LANES, 64u);

struct Elements {
    first: u32,
    end: u32,
}

fn elements(group: vec3u, groups: vec3u, local: u32, len: u32) -> Elements {
    let block = block_of(group, groups, len, LANES);
    return Elements(block.x + local, block.y);
}

// First element of a workgroup's block and the one past its last, in multiples of `unit`. Blocks differ by one unit at
// most, and larger ones lie among smaller: llvmpipe gives each thread as many neighbouring workgroups, and blocks of
// one size, the last ones empty, would leave threads idle.
fn block_of(group: vec3u, groups: vec3u, len: u32, unit: u32) -> vec2u {
    let number = linear_group(group, groups);
    let workgroups = groups.x * groups.y;
    let units = (len + unit - 1u) / unit;
    if workgroups >= units {
        return min(vec2u(number, number + 1u) * unit, vec2u(len));
    }
    let larger = units % workgroups;
    let first = vec2u(number, number + 1u) * (units / workgroups) + vec2u(number, number + 1u) * larger / workgroups;
    return min(first * unit, vec2u(len));
}

// An element's place in rows of `columns`. Walking on by LANES takes no division: llvmpipe has none for vectors.
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
