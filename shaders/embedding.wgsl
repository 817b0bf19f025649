// y[n] = weight[ids[n]], times a dropout mask where DROPOUT
#import shared/elements
#import shared/grid
#import shared/philox
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // forward: vectors of y; link: vectors of ids; backward: positions
    vocabulary: u32,
    width: u32, // vectors of a row
    threshold: u32, // dropout as in dropout.wgsl
    stream: u32,
    scale: f32,
}
@group(0) @binding(0) var<storage, read> weight: array<Numbers>; // [vocabulary, width]
@group(0) @binding(1) var<storage, read> ids: array<u32>; // [positions]
@group(0) @binding(2) var<storage, read> control: array<u32>; // seed in words 0 and 1, step in word 2; read where DROPOUT
@group(0) @binding(3) var<storage, read_write> y: array<Numbers>; // [positions, width]
@group(0) @binding(4) var<uniform> parameters: Parameters;

// A vector an invocation: one Philox call serves four elements.
@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = parameters;
    let e = elements(group, groups, local, p.len);
    let step = cell_of(LANES, p.width);
    var cell = cell_of(e.first, p.width);
    for (var i = e.first; i < e.end; i += LANES) {
        let id = min(ids[cell.row], p.vocabulary - 1u);
        var value = weight[id * p.width + cell.column];
        if DROPOUT == 1u {
            value = dropped(value, i, p);
        }
        y[i] = value;
        cell = walk_on(cell, step, p.width);
    }
}

// Vector i of a tensor after dropout
fn dropped(value: Numbers, i: u32, p: Parameters) -> Numbers {
    let block = philox(vec4u(i * WIDTH / 4u, p.stream, control[2], 0u), vec2u(control[0], control[1]));
    return select(Numbers(), value * p.scale, words_of(i, block) < Words(p.threshold));
}

// The gradient dweight[v] = Σ dy[n] over the n with ids[n] = v, without float atomics and in a fixed order: `link` chains the
// positions of each id, `backward` lets the first position of an id walk its chain. The buffer was filled with zeros before;
// where ACCUMULATE it holds a gradient to which this one is added.
//
// link: links[n] = the next position with the same id (0 where there is none), plus FIRST if none comes before. Every invocation scans
// all ids, a vector at a time: n² comparisons (6.5 million for 2,560 positions), all uniform loads, cheaper than sorting.
const FIRST: u32 = 0x80000000u;

@group(0) @binding(0) var<storage, read> link_ids: array<Words>; // [positions]
@group(0) @binding(1) var<storage, read_write> links: array<u32>; // [positions]
@group(0) @binding(2) var<uniform> link_parameters: Parameters;

@compute @workgroup_size(64)
fn link(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let n = linear_group(group, groups) * 64u + local;
    let vectors = link_parameters.len;
    let positions = WIDTH * vectors;
    let last = Words(link_parameters.vocabulary - 1u);
    let own = min(n, positions - 1u);
    let id = min(Words(word_at(link_ids[own / WIDTH], own)), last);
    var before = Words();
    var next = Words(FIRST);
    for (var i = 0u; i < vectors; i++) {
        let m = places_of(i);
        let same = min(link_ids[i], last) == id;
        before |= select(Words(), Words(1u), same & (m < Words(n)));
        next = min(next, select(Words(FIRST), m, same & (m > Words(n))));
    }
    if n < positions {
        let nearest = least_of(next);
        links[n] = select(nearest, 0u, nearest == FIRST) | select(FIRST, 0u, any_of(before));
    }
}

@group(0) @binding(0) var<storage, read> dy: array<Numbers>; // [positions, width]
@group(0) @binding(1) var<storage, read> chain: array<u32>; // links, now read
@group(0) @binding(3) var<storage, read_write> dweight: array<Numbers>; // [vocabulary, width]
@group(0) @binding(4) var<storage, read> backward_ids: array<u32>; // [positions]
@group(0) @binding(5) var<uniform> backward_parameters: Parameters;

// A workgroup takes one position or, on software adapters, a block of them; an invocation vectors of its row.
@compute @workgroup_size(ROW_LANES)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let block = block_of(group, groups, backward_parameters.len, 1u);
    for (var n = block.x; n < block.y; n++) {
        if (chain[n] & FIRST) != 0u {
            add_chain(n, local);
        }
    }
}

fn upstream(n: u32, column: u32) -> Numbers {
    let i = n * backward_parameters.width + column;
    if DROPOUT == 1u {
        return dropped(dy[i], i, backward_parameters);
    }
    return dy[i];
}

fn add_chain(n: u32, local: u32) {
    let width = backward_parameters.width;
    let id = min(backward_ids[n], backward_parameters.vocabulary - 1u);
    for (var column = local; column < width; column += ROW_LANES) {
        var sum = upstream(n, column);
        for (var m = chain[n] & ~FIRST; m != 0u; m = chain[m] & ~FIRST) {
            sum += upstream(m, column);
        }
        if ACCUMULATE == 1u {
            sum += dweight[id * width + column];
        }
        dweight[id * width + column] = sum;
    }
}
