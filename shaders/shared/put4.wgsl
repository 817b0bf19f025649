// Number i of y by itself: the rest of its vector may be another workgroup's. By WGSL that may write the whole vector,
// which Mesa and SwiftShader do not do; so software adapters alone take this, and hardware takes rows that are no whole
// vectors number by number. The constant EDGE chooses this file, put0.wgsl or put1.wgsl.

fn put(i: u32, value: f32) {
    y[i / 4u][i % 4u] = value;
}
