// g ← clip·g; m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; parameters ← parameters − lr · (m / c₁) / (√(v / c₂) + ε)
//
// c₁ = 1 − β₁ᵗ and c₂ = 1 − β₂ᵗ come with the control words: computed by the host in f64.
#import shared/elements
#import shared/grid
#import shared/vector{VECTOR}

struct Parameters {
    len: u32, // vectors
    beta1: f32,
    beta2: f32,
    epsilon: f32,
}
@group(0) @binding(0) var<storage, read_write> parameters: array<Numbers>; // [P], all parameters of the model
@group(0) @binding(1) var<storage, read_write> exp_avg: array<Numbers>; // [P], m
@group(0) @binding(2) var<storage, read_write> exp_avg_sq: array<Numbers>; // [P], v
@group(0) @binding(3) var<storage, read> gradients: array<Numbers>; // [P]
@group(0) @binding(4) var<storage, read> clip: array<f32>; // [2], the factor first
@group(0) @binding(5) var<storage, read> control: array<u32>; // lr, c₁, c₂ in words 3, 4, 5
@group(0) @binding(6) var<uniform> p: Parameters;

@compute @workgroup_size(LANES)
fn step(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let rate = bitcast<f32>(control[3]);
    let correction1 = bitcast<f32>(control[4]);
    let correction2 = bitcast<f32>(control[5]);
    let factor = clip[0];
    let e = elements(group, groups, local, p.len);
    for (var i = e.first; i < e.end; i += LANES) {
        let g = gradients[i] * factor;
        let m = p.beta1 * exp_avg[i] + (1.0 - p.beta1) * g;
        let v = p.beta2 * exp_avg_sq[i] + (1.0 - p.beta2) * (g * g);
        exp_avg[i] = m;
        exp_avg_sq[i] = v;
        parameters[i] -= rate * ((m / correction1) / (sqrt(v / correction2) + p.epsilon));
    }
}
