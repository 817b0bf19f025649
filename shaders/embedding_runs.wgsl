// The gradient dweight[v] = Σ dy[n] over the n with ids[n] = v, for hardware (software/embedding.wgsl: software
// adapters), without float atomics and in a fixed order: `sort` puts a block's positions into the order of their ids,
// so that those of an id lie side by side, and `add` lets every row of dweight read its own, so that each row is
// written once, zeros included.
//
// By arithmetic, not measured. In a chain of positions one load waits for another, some 600 cycles: padding's 770 among
// 2,560 positions, say, are 0.3 ms at 1.5 GHz, and to chain 256 of them 0.1 ms. Compared all with all in workgroup
// memory, 256 are some 2,000 cycles, and the rows that belong to sorted ones are read four at a time by each of 8 teams
// of lanes.
#import shared/dropout_mask
#import shared/grid
#import shared/threefry
#import shared/vector{VECTOR}

// sort: a block of EACH · LANES positions a workgroup, EACH of them an invocation.
const BLOCK: u32 = EACH * LANES;

struct SortParameters {
    positions: u32,
    vocabulary: u32,
}
@group(0) @binding(0) var<storage, read> ids: array<u32>; // [positions]
// [blocks, vocabulary]: 65,536 · positions of the block with the id + those with lower ones
@group(0) @binding(1) var<storage, read_write> runs: array<u32>;
@group(0) @binding(2) var<storage, read_write> sorted: array<u32>; // [blocks, BLOCK]: positions
@group(0) @binding(3) var<uniform> sort_parameters: SortParameters;

// An id past all others, of places that the last block has too many
const NOBODY: u32 = 0xffffffffu;

var<workgroup> block_ids: array<vec4u, BLOCK / 4u>;

fn id_at(position: u32, p: SortParameters) -> u32 {
    if position < p.positions {
        return min(ids[position], p.vocabulary - 1u);
    }
    return NOBODY;
}

fn ones(which: vec4<bool>) -> vec4u {
    return select(vec4u(), vec4u(1u), which);
}

fn count(numbers: vec4u) -> u32 {
    return (numbers.x + numbers.y) + (numbers.z + numbers.w);
}

@compute @workgroup_size(LANES)
fn sort(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = sort_parameters;
    let block = linear_group(group, groups);
    let first = block * BLOCK;
    let table = block * p.vocabulary;
    // The grid may be one row of workgroups too large.
    if first >= p.positions {
        return;
    }
    for (var v = local; v < p.vocabulary; v += LANES) {
        runs[table + v] = 0u;
    }
    if local < BLOCK / 4u {
        let at = first + 4u * local;
        block_ids[local] = vec4u(id_at(at, p), id_at(at + 1u, p), id_at(at + 2u, p), id_at(at + 3u, p));
    }
    // Another invocation may have cleared the entry that this one writes.
    storageBarrier();
    workgroupBarrier();
    for (var e = 0u; e < EACH; e++) {
        let i = e * LANES + local;
        let id = block_ids[i / 4u][i % 4u];
        var lower = vec4u();
        var same = vec4u();
        var earlier = vec4u(); // the same, at positions before
        for (var j = 0u; j < BLOCK / 4u; j++) {
            let others = block_ids[j];
            let alike = others == vec4u(id);
            lower += ones(others < vec4u(id));
            same += ones(alike);
            earlier += ones(alike & (4u * j + vec4u(0u, 1u, 2u, 3u) < vec4u(i)));
        }
        if id != NOBODY {
            sorted[first + count(lower) + count(earlier)] = first + i;
            if count(earlier) == 0u {
                runs[table + id] = (count(same) << 16u) | count(lower);
            }
        }
    }
}

// add: a workgroup a row, whose vectors a team of `team` lanes has. `side` teams lie side by side on the blocks, so
// that each has every `side`-th; where teams are left over they share out the positions of a run. The first team adds
// the others' sums.
struct Parameters {
    blocks: u32,
    block: u32, // positions of one
    vocabulary: u32,
    width: u32, // vectors of a row
    team: u32,
    side: u32,
    // 1: dweight holds a gradient to which this one is added, and rows without a position are left alone
    accumulate: u32,
    threshold: u32, // dropout as in dropout.wgsl
    stream: u32,
    scale: f32,
}
@group(0) @binding(0) var<storage, read> dy: array<Numbers>; // [positions, width]
@group(0) @binding(1) var<storage, read> known_runs: array<u32>; // `runs`
@group(0) @binding(3) var<storage, read> known_sorted: array<u32>; // `sorted`
@group(0) @binding(4) var<storage, read_write> dweight: array<Numbers>; // [vocabulary, width]
@group(0) @binding(5) var<uniform> parameters: Parameters;

// A row's vector, and how many positions there are, of which it sums its team's
var<workgroup> sums: array<Numbers, LANES>;
var<workgroup> counts: array<u32, LANES>;

@compute @workgroup_size(LANES)
fn add(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = parameters;
    let mask = mask_of(p.threshold, p.stream, p.scale);
    let row = linear_group(group, groups);
    let own_team = local / p.team;
    let stride = LANES / p.team / p.side * 4u;
    for (var first = 0u; first < p.width; first += p.team) {
        let c = first + local % p.team;
        let is_there = row < p.vocabulary && c < p.width;
        var sum = Numbers();
        var positions = 0u;
        if is_there {
            for (var block = own_team % p.side; block < p.blocks; block += p.side) {
                let run = known_runs[block * p.vocabulary + row];
                let start = block * p.block + (run & 0xffffu);
                let end = start + (run >> 16u);
                for (var k = start + own_team / p.side * 4u; k < end; k += stride) {
                    sum += sum_of_four_places(k, end, c, p.width, mask);
                }
                positions += end - start;
            }
        }
        workgroupBarrier(); // the last turn's sums have been read
        sums[local] = sum;
        counts[local] = positions;
        workgroupBarrier();
        for (var other = local + p.team; other < LANES; other += p.team) {
            sum += sums[other];
            positions += counts[other];
        }
        if is_there && own_team == 0u {
            let i = row * p.width + c;
            if p.accumulate == 0u {
                dweight[i] = sum;
            } else if positions > 0u {
                dweight[i] += sum;
            }
        }
    }
}

// Vector c of the rows of dy that sorted[k] to sorted[k + 3] name, as far as they lie before `end`: four loads side by
// side
fn sum_of_four_places(k: u32, end: u32, c: u32, width: u32, mask: Mask) -> Numbers {
    let places = min(k + vec4u(0u, 1u, 2u, 3u), vec4u(end - 1u));
    let x = value_at(known_sorted[places.x] * width + c, mask);
    let y = value_at(known_sorted[places.y] * width + c, mask);
    let z = value_at(known_sorted[places.z] * width + c, mask);
    let w = value_at(known_sorted[places.w] * width + c, mask);
    let pair = x + select(Numbers(), y, k + 1u < end);
    return pair + (select(Numbers(), z, k + 2u < end) + select(Numbers(), w, k + 3u < end));
}

fn value_at(i: u32, mask: Mask) -> Numbers {
    return dropped(dy[i], words_from(i, mask)[0], mask);
}
