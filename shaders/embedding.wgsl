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
    let block = linear_element(group, groups, local);
    var words = vec4u();
    if DROPOUT == 1u {
        words = philox(vec4u(block, p.stream, control[2], 0u), vec2u(control[0], control[1]));
    }
    for (var lane = 0u; lane < 4u; lane++) {
        let i = 4u * block + lane;
        if i < p.len {
            let id = min(ids[i / p.width], p.vocabulary - 1u);
            var value = weight[id * p.width + i % p.width];
            if DROPOUT == 1u {
                value = select(0.0, value * p.scale, words[lane] < p.threshold);
            }
            y[i] = value;
        }
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

// Element i of dy after dropout.
fn dropped(i: u32) -> f32 {
    let p = backward_parameters;
    if DROPOUT == 0u {
        return dy[i];
    }
    let key = vec2u(backward_control[0], backward_control[1]);
    let words = philox(vec4u(i / 4u, p.stream, backward_control[2], 0u), key);
    return select(0.0, dy[i] * p.scale, words[i % 4u] < p.threshold);
}

@compute @workgroup_size(64)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let n = linear_group(group, groups);
    if n >= backward_parameters.len || (chain[n] & FIRST) == 0u {
        return;
    }
    let width = backward_parameters.width;
    let id = min(link_ids[n], backward_parameters.vocabulary - 1u);
    for (var e = local; e < width; e += 64u) {
        var sum = dropped(n * width + e);
        for (var m = chain[n] & ~FIRST; m != 0u; m = chain[m] & ~FIRST) {
            sum += dropped(m * width + e);
        }
        if ACCUMULATE == 1u {
            sum += dweight[id * width + e];
        }
        dweight[id * width + e] = sum;
    }
}
