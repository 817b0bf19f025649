// y[n] = weight[ids[n]]
#import shared/grid

struct Parameters {
    len: u32, // forward: elements of y; link and backward: positions
    vocabulary: u32,
    width: u32,
}
@group(0) @binding(0) var<storage, read> weight: array<f32>; // [vocabulary, width]
@group(0) @binding(1) var<storage, read> ids: array<u32>; // [positions]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [positions, width]
@group(0) @binding(3) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let i = linear_element(group, groups, local);
    if i < parameters.len {
        let id = min(ids[i / parameters.width], parameters.vocabulary - 1u);
        y[i] = weight[id * parameters.width + i % parameters.width];
    }
}

// The gradient dweight[v] = Σ dy[n] over the n with ids[n] = v, without float atomics and in a fixed order: `link` chains the
// positions of each id, `backward` lets the first position of an id walk its chain. The buffer was filled with zeros before.
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
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>; // [vocabulary, width]
@group(0) @binding(4) var<uniform> backward_parameters: Parameters;

@compute @workgroup_size(64)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let n = linear_group(group, groups);
    if n >= backward_parameters.len || (chain[n] & FIRST) == 0u {
        return;
    }
    let width = backward_parameters.width;
    let id = min(link_ids[n], backward_parameters.vocabulary - 1u);
    for (var e = local; e < width; e += 64u) {
        var sum = dy[n * width + e];
        for (var m = chain[n] & ~FIRST; m != 0u; m = chain[m] & ~FIRST) {
            sum += dy[m * width + e];
        }
        dweight[id * width + e] = sum;
    }
}
