// Number i of y by itself, where y holds numbers, not vectors (put4.wgsl). Single numbers leave no edge (aligned.wgsl),
// so that nobody calls this one.

fn put(i: u32, value: f32) {
    y[i] = value;
}
