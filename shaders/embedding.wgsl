// y[n] = weight[ids[n]], times a dropout mask where DROPOUT
#import shared/grid
#import shared/philox

struct Parameters {
    len: u32, // forward: elements of y; link and backward: positions
    vocabulary: u32,
    width: u32,
    threshold: u32, // dropout as in dropout.wgsl
    stream: u32,
    scale: f32,
}
@group(0) @binding(0) var<storage, read> weight: array<f32>; // [vocabulary, width]
@group(0) @binding(1) var<storage, read> ids: array<u32>; // [positions]
@group(0) @binding(2) var<storage, read> control: array<u32>; // seed in words 0 and 1, step in word 2; read where DROPOUT
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [positions, width]
@group(0) @binding(4) var<uniform> parameters: Parameters;

// Four elements an invocation: one Philox call serves them.
@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = parameters;
    let e = elements(group, groups, local, (p.len + 3u) / 4u);
    let step = cell_of(4u * WORKGROUP, p.width);
    var start = cell_of(4u * e.first, p.width);
    for (var block = e.first; block < e.end; block += WORKGROUP) {
        var words = vec4u();
        if DROPOUT == 1u {
            words = philox(vec4u(block, p.stream, control[2], 0u), vec2u(control[0], control[1]));
        }
        var cell = start;
        for (var lane = 0u; lane < 4u; lane++) {
            let i = 4u * block + lane;
            if i < p.len {
                let id = min(ids[cell.row], p.vocabulary - 1u);
                var value = weight[id * p.width + cell.column];
                if DROPOUT == 1u {
                    value = select(0.0, value * p.scale, words[lane] < p.threshold);
                }
                y[i] = value;
            }
            cell = walk_on(cell, Cell(0u, 1u), p.width);
        }
        start = walk_on(start, step, p.width);
    }
}

// The gradient dweight[v] = Σ dy[n] over the n with ids[n] = v, without float atomics and in a fixed order: `link` chains the
// positions of each id, `backward` lets the first position of an id walk its chain. The buffer was filled with zeros before;
// where ACCUMULATE it holds a gradient to which this one is added.
//
// link: links[n] = the next position with the same id (0 where there is none), plus FIRST if none comes before. Every invocation scans
// all ids: n² comparisons (6.5 million for 2,560 positions), all uniform loads, cheaper than sorting.
const FIRST: u32 = 0x80000000u;

@group(0) @binding(0) var<storage, read> link_ids: array<u32>; // [positions]
@group(0) @binding(1) var<storage, read_write> links: array<u32>; // [positions]
@group(0) @binding(2) var<uniform> link_parameters: Parameters;

@compute @workgroup_size(64)
fn link(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let n = linear_group(group, groups) * 64u + local;
    let positions = link_parameters.len;
    let last = link_parameters.vocabulary - 1u;
    let id = min(link_ids[min(n, positions - 1u)], last);
    var next = 0u;
    var first = FIRST;
    for (var m = 0u; m < positions; m++) {
        let same = min(link_ids[m], last) == id;
        first = select(first, 0u, same && m < n);
        next = select(next, m, same && m > n && next == 0u);
    }
    if n < positions {
        links[n] = next | first;
    }
}

@group(0) @binding(1) var<storage, read> chain: array<u32>; // links, now read
@group(0) @binding(2) var<storage, read> dy: array<f32>; // [positions, width]
@group(0) @binding(3) var<storage, read> backward_control: array<u32>; // as control
@group(0) @binding(4) var<storage, read_write> dweight: array<f32>; // [vocabulary, width]
@group(0) @binding(5) var<uniform> backward_parameters: Parameters;

// Elements first to first + 3 of dy after dropout: one Philox call where they begin at a multiple of four, two elsewhere. Those past the end of dy repeat
// its last one, and nobody stores them.
fn dropped(first: u32) -> vec4f {
    let p = backward_parameters;
    let last = p.len * p.width - 1u;
    let values = vec4f(dy[first], dy[min(first + 1u, last)], dy[min(first + 2u, last)], dy[min(first + 3u, last)]);
    if DROPOUT == 0u {
        return values;
    }
    let key = vec2u(backward_control[0], backward_control[1]);
    var words = philox(vec4u(first / 4u, p.stream, backward_control[2], 0u), key);
    let skipped = first % 4u;
    if skipped != 0u {
        let more = philox(vec4u(first / 4u + 1u, p.stream, backward_control[2], 0u), key);
        if skipped == 1u {
            words = vec4u(words.yzw, more.x);
        } else if skipped == 2u {
            words = vec4u(words.zw, more.xy);
        } else {
            words = vec4u(words.w, more.xyz);
        }
    }
    return select(vec4f(), values * p.scale, words < vec4u(p.threshold));
}

// A workgroup takes one position or, on software adapters, a block of them; an invocation four columns.
@compute @workgroup_size(64)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let block = block_of(group, groups, backward_parameters.len, 1u);
    for (var n = block.x; n < block.y; n++) {
        if (chain[n] & FIRST) != 0u {
            add_chain(n, local);
        }
    }
}

fn add_chain(n: u32, local: u32) {
    let width = backward_parameters.width;
    let id = min(link_ids[n], backward_parameters.vocabulary - 1u);
    for (var e = 4u * local; e < width; e += 256u) {
        var sum = dropped(n * width + e);
        for (var m = chain[n] & ~FIRST; m != 0u; m = chain[m] & ~FIRST) {
            sum += dropped(m * width + e);
        }
        for (var i = 0u; i < 4u; i++) {
            if e + i < width {
                if ACCUMULATE == 1u {
                    dweight[id * width + e + i] += sum[i];
                } else {
                    dweight[id * width + e + i] = sum[i];
                }
            }
        }
    }
}
