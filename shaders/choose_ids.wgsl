// y[b] = forced[b] where the random word of b lies below the threshold, else own[b]; words as in dropout.wgsl
#import shared/elements
#import shared/grid
#import shared/threefry
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // vectors
    threshold: u32, // probability·(2³² − 1)
    stream: u32,
    unused: f32, // dropout's scale
}
@group(0) @binding(0) var<storage, read> forced: array<Words>; // [B]
@group(0) @binding(1) var<storage, read> own: array<Words>; // [B]
@group(0) @binding(2) var<storage, read> control: array<u32>; // seed in words 0 and 1, step in word 2
@group(0) @binding(3) var<storage, read_write> y: array<Words>; // [B]
@group(0) @binding(4) var<uniform> parameters: Parameters;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let e = elements(group, groups, local, parameters.len);
    let key = vec4u(control[0], control[1], control[2], parameters.stream);
    for (var b = e.first; b < e.end; b += LANES) {
        let block = random_words(b * WIDTH / 4u, key);
        y[b] = select(own[b], forced[b], words_of(b, block) < Words(parameters.threshold));
    }
}
