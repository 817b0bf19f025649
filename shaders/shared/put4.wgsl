// Number i of y by itself: the rest of its vector may be another workgroup's.

fn put(i: u32, value: f32) {
    y[i / 4u][i % 4u] = value;
}
