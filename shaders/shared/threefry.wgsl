// Threefry4x32-12 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"): four random words from a counter
// and a key. src/ops/threefry.rs is its twin, bit for bit, and says why this generator.

// A round mixes words 0 and 2, `even`, with words 1 and 3, `odd`, which then change places, so that each meets the
// other next.
struct Pairs {
    even: vec2u,
    odd: vec2u,
}

fn mix(x: Pairs, left: vec2u) -> Pairs {
    let even = x.even + x.odd;
    return Pairs(even, (((x.odd << left) | (x.odd >> (32u - left))) ^ even).yx);
}

// Four rounds, then the next words of the key.
fn four_rounds(x: Pairs, left: array<vec2u, 4>, even: vec2u, odd: vec2u) -> Pairs {
    let y = mix(mix(mix(mix(x, left[0]), left[1]), left[2]), left[3]);
    return Pairs(y.even + even, y.odd + odd);
}

fn threefry(counter: vec4u, key: vec4u) -> vec4u {
    let last = 0x1BD11BDAu ^ key.x ^ key.y ^ key.z ^ key.w;
    let first_left = array(vec2u(10u, 26u), vec2u(11u, 21u), vec2u(13u, 27u), vec2u(23u, 5u));
    let second_left = array(vec2u(6u, 20u), vec2u(17u, 11u), vec2u(25u, 10u), vec2u(18u, 20u));
    var x = Pairs(counter.xz + key.xz, counter.yw + key.yw);
    x = four_rounds(x, first_left, key.yw, vec2u(key.z, last + 1u));
    x = four_rounds(x, second_left, vec2u(key.z, last), vec2u(key.w, key.x + 2u));
    x = four_rounds(x, first_left, vec2u(key.w, key.x), vec2u(last, key.y + 3u));
    return vec4u(x.even.x, x.odd.x, x.even.y, x.odd.y);
}

// The words of elements 4·block to 4·block + 3 under a key: the seed and step of the control words, and the stream.
fn random_words(block: u32, key: vec4u) -> vec4u {
    return threefry(vec4u(block, 0u, 0u, 0u), key);
}
