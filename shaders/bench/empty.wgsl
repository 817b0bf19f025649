// y[0] = x[0]: nothing to do, for the time that a dispatch takes by itself
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(1)
fn main() {
    y[0] = x[0];
}
