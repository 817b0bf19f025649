// ids[t, b] = tokens[offsets[s] + skip + t] for the sentence s that control names for row b, padding past its end
//
// One invocation a row of the batch: at most a few thousand words a step.
#import shared/grid

struct Parameters {
    batch: u32,
    time: u32,
    skip: u32, // tokens left out at the front
    trim: u32, // and at the end
    padding: u32,
}
@group(0) @binding(0) var<storage, read> tokens: array<u32>; // the whole corpus
@group(0) @binding(1) var<storage, read> offsets: array<u32>; // [sentences + 1]
@group(0) @binding(2) var<storage, read> control: array<u32>; // sentences from word 8 on
@group(0) @binding(3) var<storage, read_write> ids: array<u32>; // [time, batch]
@group(0) @binding(4) var<storage, read_write> lengths: array<u32>; // [batch]
@group(0) @binding(5) var<uniform> parameters: Parameters;

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let b = linear_group(group, groups) * 64u + local;
    if b >= parameters.batch {
        return;
    }
    let sentence = control[8u + b];
    var start = 0u;
    var length = 0u;
    if sentence != 0xffffffffu {
        start = offsets[sentence];
        let tokens_left = offsets[sentence + 1u] - start;
        let cut = parameters.skip + parameters.trim;
        length = min(tokens_left - min(tokens_left, cut), parameters.time);
    }
    lengths[b] = length;
    for (var t = 0u; t < parameters.time; t++) {
        var id = parameters.padding;
        if t < length {
            id = tokens[start + parameters.skip + t];
        }
        ids[t * parameters.batch + b] = id;
    }
}
