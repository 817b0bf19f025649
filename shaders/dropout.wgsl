// y = x · scale where the element's random word lies below the threshold, else 0; scale = 1 / (1 − p)
//
// One Threefry call gives four words: those of a vector of four. The backward pass runs the same kernel on dy. A mask
// that repeats for every time step (variational dropout) has a period below the length.
#import shared/elements
#import shared/grid
#import shared/threefry
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // vectors
    period: u32, // vectors after which the mask repeats
    threshold: u32, // (1 − p)·(2³² − 1)
    stream: u32, // which dropout of the model
    scale: f32,
}
@group(0) @binding(0) var<storage, read> x: array<Numbers>;
@group(0) @binding(1) var<storage, read> control: array<u32>; // seed in words 0 and 1, step in word 2
@group(0) @binding(2) var<storage, read_write> y: array<Numbers>;
@group(0) @binding(3) var<uniform> parameters: Parameters;

@compute @workgroup_size(LANES)
fn forward(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let p = parameters;
    let e = elements(group, groups, local, p.len);
    let key = vec4u(control[0], control[1], control[2], p.stream);
    let step = cell_of(LANES, p.period);
    var cell = cell_of(e.first, p.period);
    for (var i = e.first; i < e.end; i += LANES) {
        let block = random_words(cell.column * WIDTH / 4u, key);
        y[i] = select(Numbers(), x[i] * p.scale, words_of(cell.column, block) < Words(p.threshold));
        cell = walk_on(cell, step, p.period);
    }
}
