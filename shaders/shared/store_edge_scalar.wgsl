// Number i of y by itself, where y holds numbers, not vectors (store_edge_component.wgsl). Single numbers leave no edge
// (aligned.wgsl), so that nobody calls this one.

fn store_edge(i: u32, value: f32) {
    y[i] = value;
}
