// Number i of y by itself, where rows are whole vectors or short: there is none (put4.wgsl).

fn put(i: u32, value: f32) {
}
