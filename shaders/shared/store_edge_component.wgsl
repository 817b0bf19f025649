// Number i of y by itself, a component of a vector whose rest may be another workgroup's. By WGSL that may write the
// whole vector, which Mesa and SwiftShader do not do; so software adapters alone take this, and hardware takes rows
// that are no whole vectors number by number. The constant EDGE chooses this file, store_edge_none.wgsl or
// store_edge_scalar.wgsl.

fn store_edge(i: u32, value: f32) {
    y[i / 4u][i % 4u] = value;
}
