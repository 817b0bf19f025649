// Element by element, for tensors whose length or rows are no multiple of 4: the same names as in vector4.wgsl.

const WIDTH: u32 = 1u;
alias Numbers = f32;
alias Words = u32;

fn first_of(v: Numbers) -> f32 {
    return v;
}

fn sum_of(v: Numbers) -> f32 {
    return v;
}

fn largest_of(v: Numbers) -> f32 {
    return v;
}

fn number_at(v: Numbers, i: u32) -> f32 {
    return v;
}

fn word_at(v: Words, i: u32) -> u32 {
    return v;
}

fn places_of(i: u32) -> Words {
    return i;
}

fn words_of(i: u32, block: vec4u) -> Words {
    return block[i % 4u];
}
