// Four neighbours at a time, for tensors whose length, or the length of whose rows, is a multiple of 4: sizes and
// places then count vectors. One load of 16 bytes in place of four; on llvmpipe, 2 cores, `relu` of 2560 × 2048 takes
// 1.9 ms, element by element 3.5 to 5.8, most of it the loop's own. vector1.wgsl is the same for other lengths. On
// hardware not measured.

// Beside `Numbers()` zeros are `vec4f(0.0)`: for `vec4f()` naga 30 would write a second function of the same name into
// HLSL.
const WIDTH: u32 = 4u;
alias Numbers = vec4f;
alias Words = vec4u;

fn first_of(v: Numbers) -> f32 {
    return v.x;
}

fn sum_of(v: Numbers) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

fn largest_of(v: Numbers) -> f32 {
    return max(max(v.x, v.y), max(v.z, v.w));
}

// Element i of a tensor, of the vector that it lies in.
fn number_at(v: Numbers, i: u32) -> f32 {
    return v[i % 4u];
}

fn word_at(v: Words, i: u32) -> u32 {
    return v[i % 4u];
}

// Where the elements of vector i stand.
fn places_of(i: u32) -> Words {
    return 4u * i + vec4u(0u, 1u, 2u, 3u);
}

// The words (random ones, say) of vector i, of those of its block of four elements.
fn words_of(i: u32, block: vec4u) -> Words {
    return block;
}
