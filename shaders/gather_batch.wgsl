// ids[t, b] = tokens[offsets[s] + t] for the sentence s that control names for row b, padding past its end; labels[t, b] is the token after it
//
// One invocation a row of the batch: at most a few thousand words a step.
#import shared/grid

struct Parameters {
    batch: u32,
    time: u32,
    padding: u32,
}
@group(0) @binding(0) var<storage, read> tokens: array<u32>; // the whole corpus
@group(0) @binding(1) var<storage, read> offsets: array<u32>; // [sentences + 1]
@group(0) @binding(2) var<storage, read> control: array<u32>; // sentences from word 8 on
@group(0) @binding(3) var<storage, read_write> ids: array<u32>; // [time, batch]
@group(0) @binding(4) var<storage, read_write> lengths: array<u32>; // [batch]
@group(0) @binding(5) var<uniform> parameters: Parameters;

// First token and number of tokens of row b.
fn sentence(b: u32) -> vec2u {
    let s = control[8u + b];
    if s == 0xffffffffu {
        return vec2u();
    }
    return vec2u(offsets[s], offsets[s + 1u] - offsets[s]);
}

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let b = linear_group(group, groups) * 64u + local;
    if b >= parameters.batch {
        return;
    }
    let found = sentence(b);
    let length = min(found.y, parameters.time);
    lengths[b] = length;
    for (var t = 0u; t < parameters.time; t++) {
        var id = parameters.padding;
        if t < length {
            id = tokens[found.x + t];
        }
        ids[t * parameters.batch + b] = id;
    }
}

// The last token of a sentence is a label only, so a row is one shorter than its sentence.
@group(0) @binding(5) var<storage, read_write> labels: array<u32>; // [time, batch]
@group(0) @binding(6) var<uniform> label_parameters: Parameters;

@compute @workgroup_size(64)
fn with_labels(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let p = label_parameters;
    let b = linear_group(group, groups) * 64u + local;
    if b >= p.batch {
        return;
    }
    let found = sentence(b);
    let length = min(max(found.y, 1u) - 1u, p.time);
    lengths[b] = length;
    for (var t = 0u; t < p.time; t++) {
        var id = p.padding;
        var label = p.padding;
        if t < length {
            id = tokens[found.x + t];
            label = tokens[found.x + t + 1u];
        }
        ids[t * p.batch + b] = id;
        labels[t * p.batch + b] = label;
    }
}
