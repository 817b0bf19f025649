// y[n] = weight[ids[n]], times a dropout mask where DROPOUT
#import shared/elements
#import shared/grid
#import shared/threefry
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // positions; link: vectors of ids
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

// PER_ROW lanes share a row, so that its id is read once, and a workgroup has LANES / PER_ROW rows at a time. On llvmpipe, 2 cores, 20 × 1280 ids of 128,
// binaries alternating: 2.1 ms, and 2.6 where lanes went from vector to vector, each with its id.
@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = parameters;
    let rows = LANES / PER_ROW;
    let block = block_of(group, groups, p.len, rows);
    let mask = mask_of(p);
    for (var row = block.x + local / PER_ROW; row < block.y; row += rows) {
        let id = min(ids[row], p.vocabulary - 1u);
        for (var column = local % PER_ROW; column < p.width; column += PER_ROW) {
            let i = row * p.width + column;
            y[i] = dropped(weight[id * p.width + column], i, mask);
        }
    }
}

// What tells a tensor's dropout mask. Read where DROPOUT, and once: on llvmpipe three words of `control` in a loop cost as much as the row does.
struct Mask {
    key: vec4u,
    threshold: u32,
    scale: f32,
}

fn mask_of(p: Parameters) -> Mask {
    var mask = Mask(vec4u(), p.threshold, p.scale);
    if DROPOUT == 1u {
        mask.key = vec4u(control[0], control[1], control[2], p.stream);
    }
    return mask;
}

// Vector i of a tensor after dropout; one Threefry call serves four elements.
fn dropped(value: Numbers, i: u32, mask: Mask) -> Numbers {
    if DROPOUT == 1u {
        let block = random_words(i * WIDTH / 4u, mask.key);
        return select(Numbers(), value * mask.scale, words_of(i, block) < Words(mask.threshold));
    }
    return value;
}

// The gradient dweight[v] = Σ dy[n] over the n with ids[n] = v, without float atomics and in a fixed order: `link` chains the
// positions of each id, `backward` lets the first position of an id walk its chain. The buffer was filled with zeros before;
// where ACCUMULATE it holds a gradient to which this one is added.
//
// link: links[n] = the next position with the same id (0 where there is none), plus FIRST if none comes before. Every workgroup compares the ids of its
// 64 positions with all ids, a vector at a time: n² comparisons (6.5 million for 2,560 positions), cheaper than sorting. On software adapters a lane
// holds 8 positions, so that one load serves 64 comparisons. Only among the workgroup's own positions must an order be asked for.
const FIRST: u32 = 0x80000000u;
const BLOCK: u32 = 64u;
const HELD: u32 = BLOCK / ROW_LANES;

@group(0) @binding(0) var<storage, read> link_ids: array<Words>; // [positions]
@group(0) @binding(1) var<storage, read_write> links: array<u32>; // [positions]
@group(0) @binding(2) var<uniform> link_parameters: Parameters;

@compute @workgroup_size(ROW_LANES)
fn link(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let vectors = link_parameters.len;
    let positions = WIDTH * vectors;
    let last = Words(link_parameters.vocabulary - 1u);
    let start = linear_group(group, groups) * BLOCK;
    var own: array<Words, HELD>;
    var before: array<Words, HELD>;
    var next: array<Words, HELD>;
    for (var h = 0u; h < HELD; h++) {
        let n = min(start + h * ROW_LANES + local, positions - 1u);
        own[h] = min(Words(word_at(link_ids[n / WIDTH], n)), last);
        next[h] = Words(FIRST);
    }
    let block = min(start / WIDTH, vectors);
    let behind = min(block + BLOCK / WIDTH, vectors);
    for (var i = 0u; i < block; i++) {
        let ids = min(link_ids[i], last);
        for (var h = 0u; h < HELD; h++) {
            before[h] |= select(Words(), Words(1u), ids == own[h]);
        }
    }
    for (var i = block; i < behind; i++) {
        let ids = min(link_ids[i], last);
        let m = places_of(i);
        for (var h = 0u; h < HELD; h++) {
            let n = Words(start + h * ROW_LANES + local);
            before[h] |= select(Words(), Words(1u), (ids == own[h]) & (m < n));
            next[h] = min(next[h], select(Words(FIRST), m, (ids == own[h]) & (m > n)));
        }
    }
    for (var i = behind; i < vectors; i++) {
        let ids = min(link_ids[i], last);
        let m = places_of(i);
        for (var h = 0u; h < HELD; h++) {
            next[h] = min(next[h], select(Words(FIRST), m, ids == own[h]));
        }
    }
    for (var h = 0u; h < HELD; h++) {
        let n = start + h * ROW_LANES + local;
        if n < positions {
            let nearest = least_of(next[h]);
            links[n] = select(nearest, 0u, nearest == FIRST) | select(FIRST, 0u, any_of(before[h]));
        }
    }
}

@group(0) @binding(0) var<storage, read> dy: array<Numbers>; // [positions, width]
@group(0) @binding(1) var<storage, read> chain: array<u32>; // links, now read
@group(0) @binding(3) var<storage, read_write> dweight: array<Numbers>; // [vocabulary, width]
@group(0) @binding(4) var<storage, read> backward_ids: array<u32>; // [positions]
@group(0) @binding(5) var<uniform> backward_parameters: Parameters;

// A workgroup takes one position or, on software adapters, many; an invocation vectors of its row. Positions that are first with their id come early, so that
// neighbouring ones fall to different workgroups.
@compute @workgroup_size(ROW_LANES)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let mask = mask_of(backward_parameters);
    for (var n = linear_group(group, groups); n < backward_parameters.len; n += groups.x * groups.y) {
        if (chain[n] & FIRST) != 0u {
            add_chain(n, local, mask);
        }
    }
}

fn upstream(n: u32, column: u32, mask: Mask) -> Numbers {
    let i = n * backward_parameters.width + column;
    return dropped(dy[i], i, mask);
}

fn add_chain(n: u32, local: u32, mask: Mask) {
    let width = backward_parameters.width;
    let start = min(backward_ids[n], backward_parameters.vocabulary - 1u) * width;
    for (var column = local; column < width; column += ROW_LANES) {
        var sum = upstream(n, column, mask);
        for (var m = chain[n] & ~FIRST; m != 0u; m = chain[m] & ~FIRST) {
            sum += upstream(m, column, mask);
        }
        if ACCUMULATE == 1u {
            sum += dweight[start + column];
        }
        dweight[start + column] = sum;
    }
}
