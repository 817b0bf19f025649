// Philox4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"): four random words from a counter and a key.
// src/ops/philox.rs is its twin, bit for bit.

// High and low word of a 32 × 32 bit product, from four 16-bit products.
fn multiply_wide(a: u32, b: u32) -> vec2u {
    let a0 = a & 0xffffu;
    let a1 = a >> 16u;
    let b0 = b & 0xffffu;
    let b1 = b >> 16u;
    let low = a0 * b0;
    let middle = a1 * b0 + (low >> 16u);
    let other = a0 * b1 + (middle & 0xffffu);
    return vec2u(a1 * b1 + (middle >> 16u) + (other >> 16u), a * b);
}

fn philox(counter: vec4u, key: vec2u) -> vec4u {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round++) {
        let p = multiply_wide(0xD2511F53u, c.x);
        let q = multiply_wide(0xCD9E8D57u, c.z);
        c = vec4u(q.x ^ c.y ^ k.x, q.y, p.x ^ c.w ^ k.y, p.y);
        k += vec2u(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}
