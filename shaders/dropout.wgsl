// y = x · scale where the element's random word lies below the threshold, else 0; scale = 1 / (1 − p)
//
// One Philox call gives four words, so an invocation handles four elements. The backward pass runs the same kernel on dy.
#import shared/grid
#import shared/philox

struct Parameters {
    len: u32,
    threshold: u32, // (1 − p)·(2³² − 1)
    stream: u32, // which dropout of the model
    scale: f32,
    period: u32, // elements after which a variational mask repeats
}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> control: array<u32>; // seed in words 0 and 1, step in word 2
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let e = elements(group, groups, local, (parameters.len + 3u) / 4u);
    for (var block = e.first; block < e.end; block += WORKGROUP) {
        let words = philox(vec4u(block, parameters.stream, control[2], 0u), vec2u(control[0], control[1]));
        for (var i = 0u; i < 4u; i++) {
            let element = 4u * block + i;
            if element < parameters.len {
                y[element] = select(0.0, x[element] * parameters.scale, words[i] < parameters.threshold);
            }
        }
    }
}

// The same with the mask of element i mod period: one mask for all time steps. A block of four may straddle the end of a period, so that an
// invocation handles one element.
@compute @workgroup_size(WORKGROUP)
fn variational(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
    let e = elements(group, groups, local, parameters.len);
    for (var i = e.first; i < e.end; i += WORKGROUP) {
        let element = i % parameters.period;
        let words = philox(vec4u(element / 4u, parameters.stream, control[2], 0u), vec2u(control[0], control[1]));
        y[i] = select(0.0, x[i] * parameters.scale, words[element % 4u] < parameters.threshold);
    }
}
