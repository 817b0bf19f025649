// Number i of y by itself, where rows are whole vectors or short: there is none (store_edge_component.wgsl).

fn store_edge(i: u32, value: f32) {
}
