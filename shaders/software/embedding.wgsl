// The gradient dweight[v] = Σ dy[n] over the n with ids[n] = v, for software adapters (embedding_runs.wgsl: hardware),
// without float atomics and in a fixed order: `link` chains the positions of each id, `backward` lets every row of
// dweight walk its chains, so that each row is written once, zeros included. Where ACCUMULATE dweight holds a gradient
// to which this one is added, and rows without a position are left alone. No lane waits for another: at a barrier
// llvmpipe suspends every vector of eight.
#import shared/dropout_mask
#import shared/grid
#import shared/row
#import shared/threefry
#import shared/vector{VECTOR}

// link: a workgroup walks a block of positions from first to last, with a table of each id's latest position. Each of
// its invocations has the ids that leave the same rest when divided by LANES: nobody waits for anybody, and a position
// is touched once. Positions count from 1; 0 is none.
struct LinkParameters {
    vectors: u32, // of ids
    vocabulary: u32,
    block: u32, // vectors of a block
}
@group(0) @binding(0) var<storage, read> link_ids: array<Words>; // [positions]
@group(0) @binding(1) var<storage, read_write> latest: array<u32>; // [blocks, vocabulary]
// [positions]: the one before with the same id, of the same block
@group(0) @binding(2) var<storage, read_write> before: array<u32>;
@group(0) @binding(3) var<uniform> link_parameters: LinkParameters;

@compute @workgroup_size(LANES)
fn link(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = link_parameters;
    let table = group.x * p.vocabulary;
    for (var v = local; v < p.vocabulary; v += LANES) {
        latest[table + v] = 0u;
    }
    let end = min((group.x + 1u) * p.block, p.vectors);
    for (var i = group.x * p.block; i < end; i++) {
        let ids = min(link_ids[i], Words(p.vocabulary - 1u));
        for (var k = 0u; k < WIDTH; k++) {
            let id = word_at(ids, k);
            if id % LANES == local {
                before[i * WIDTH + k] = latest[table + id];
                latest[table + id] = i * WIDTH + k + 1u;
            }
        }
    }
}

struct Parameters {
    blocks: u32,
    vocabulary: u32,
    width: u32, // vectors of a row
    threshold: u32, // dropout as in dropout.wgsl
    stream: u32,
    scale: f32,
}
@group(0) @binding(0) var<storage, read> dy: array<Numbers>; // [positions, width]
@group(0) @binding(1) var<storage, read> heads: array<u32>; // `latest`, now read
@group(0) @binding(3) var<storage, read> chain: array<u32>; // `before`, now read
@group(0) @binding(4) var<storage, read_write> dweight: array<Numbers>; // [vocabulary, width]
@group(0) @binding(5) var<uniform> backward_parameters: Parameters;

// A workgroup's lanes share a row. Rows are shared out in runs, neighbouring runs to workgroups that lie half a grid
// apart: words come often that have low ids, and llvmpipe gives each thread as many neighbouring workgroups (not
// measured: the benches' ids are uniform). Runs, since rows far apart are written more slowly.
@compute @workgroup_size(LANES)
fn backward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = backward_parameters;
    let mask = mask_of(p.threshold, p.stream, p.scale);
    let workgroups = groups.x * groups.y;
    let number = linear_group(group, groups);
    let half = (workgroups + 1u) / 2u;
    for (var run = select(2u * number, 2u * (number - half) + 1u, number >= half);
            run * RUN < p.vocabulary;
            run += workgroups) {
        let end = min((run + 1u) * RUN, p.vocabulary);
        for (var row = run * RUN; row < end; row++) {
            if ACCUMULATE == 1u {
                for (; row < end && !is_named(row, p); row++) {
                }
            }
            if row < end {
                add_row(row, local, p, mask);
            }
        }
    }
}

fn is_named(row: u32, p: Parameters) -> bool {
    var head = 0u;
    for (var block = 0u; block < p.blocks; block++) {
        head |= heads[block * p.vocabulary + row];
    }
    return head != 0u;
}

fn add_row(row: u32, lane: u32, p: Parameters, mask: Mask) {
    add_part(row, lane * HELD, p, mask);
    if LONGER == 1u {
        for (var first = (lane + LANES) * HELD; first < p.width; first += LANES * HELD) {
            add_part(row, first, p, mask);
        }
    }
}

// HELD vectors of a row, from `first` on. They lie side by side, so that a lane's first load reaches for other cache
// lines than those of the other lanes. Loops end at their ends: one that ends at its start costs llvmpipe one more
// body, all lanes masked, and three such loops around each other four of them for one.
fn add_part(row: u32, first: u32, p: Parameters, mask: Mask) {
    var sums: array<Numbers, HELD>;
    var block = 0u;
    loop {
        var n = heads[block * p.vocabulary + row];
        loop {
            let some = n != 0u;
            let at = max(n, 1u) - 1u;
            let i = at * p.width + first;
            let words = words_from(i, mask);
            for (var h = 0u; h < HELD; h++) {
                if some && inside(first + h, p.width) {
                    sums[h] += dropped(dy[i + h], words[h], mask);
                }
            }
            n = select(0u, chain[at], some);
            continuing {
                break if n == 0u;
            }
        }
        continuing {
            block++;
            break if block >= p.blocks;
        }
    }
    for (var h = 0u; h < HELD; h++) {
        if inside(first + h, p.width) {
            let i = row * p.width + first + h;
            if ACCUMULATE == 1u {
                sums[h] += dweight[i];
            }
            dweight[i] = sums[h];
        }
    }
}
