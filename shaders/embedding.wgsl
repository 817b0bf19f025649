// y[n] = weight[ids[n]], times a dropout mask where DROPOUT
#import shared/dropout_mask
#import shared/elements
#import shared/grid
#import shared/row
#import shared/threefry
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // positions
    vocabulary: u32,
    width: u32, // vectors of a row
    threshold: u32, // dropout as in dropout.wgsl
    stream: u32,
    scale: f32,
}
@group(0) @binding(0) var<storage, read> weight: array<Numbers>; // [vocabulary, width]
@group(0) @binding(1) var<storage, read> ids: array<u32>; // [positions]
@group(0) @binding(3) var<storage, read_write> y: array<Numbers>; // [positions, width]
@group(0) @binding(4) var<uniform> parameters: Parameters;

// PER_ROW lanes share a row, so that its id is read once, and a workgroup has LANES / PER_ROW rows at a time. On
// software adapters a lane has a whole row, HELD vectors at a time. On llvmpipe, 2 cores, 20 × 1280 ids of 128, in ms;
// the rows are of three sittings, between which the machine drifted:
//
//                                                                   without dropout   with it
//     a row among 8 lanes, neighbouring vectors                                1.80      2.73
//     a row among 8 lanes, each with 4 vectors side by side                    1.65      2.27
//     a row a lane                                                             1.38      2.06
//     the same, random words of two vectors before their loads                 1.28      1.82
//     the same of four                                                         1.30      1.80
@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = parameters;
    let rows = LANES / PER_ROW;
    let block = block_of(group, groups, p.len, rows);
    let mask = mask_of(p.threshold, p.stream, p.scale);
    for (var row = block.x + local / PER_ROW; row < block.y; row += rows) {
        let start = min(ids[row], p.vocabulary - 1u) * p.width;
        var first = local % PER_ROW * HELD;
        // Ended at its end: a loop that ends at its start costs llvmpipe one more body, all lanes masked.
        loop {
            let i = row * p.width + first;
            let words = words_from(i, mask);
            for (var h = 0u; h < HELD; h++) {
                if inside(first + h, p.width) {
                    y[i + h] = dropped(weight[start + first + h], words[h], mask);
                }
            }
            first += PER_ROW * HELD;
            continuing {
                break if first >= p.width;
            }
        }
    }
}
