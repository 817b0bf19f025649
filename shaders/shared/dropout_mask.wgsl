// Dropout of what an embedding reads: the mask of dropout.wgsl, on vectors that a kernel has in hand anyway. DROPOUT: 1
// where there is some

// seed in words 0 and 1, step in word 2; read where DROPOUT
@group(0) @binding(2) var<storage, read> control: array<u32>;

// What tells a tensor's dropout mask. Read where DROPOUT, and once: on llvmpipe three words of `control` in a loop cost
// as much as the row does.
struct Mask {
    key: vec4u,
    threshold: u32,
    scale: f32,
}

fn mask_of(threshold: u32, stream: u32, scale: f32) -> Mask {
    var mask = Mask(vec4u(), threshold, scale);
    if DROPOUT == 1u {
        mask.key = vec4u(control[0], control[1], control[2], stream);
    }
    return mask;
}

// Random words of HELD vectors from vector i on: all of them before the vectors are read, so that the CPU computes
// several at once. One Threefry call serves four elements.
fn words_from(i: u32, mask: Mask) -> array<Words, HELD> {
    var words: array<Words, HELD>;
    if DROPOUT == 1u {
        for (var h = 0u; h < HELD; h++) {
            words[h] = words_of(i + h, random_words((i + h) * WIDTH / 4u, mask.key));
        }
    }
    return words;
}

// A vector after dropout
fn dropped(value: Numbers, words: Words, mask: Mask) -> Numbers {
    if DROPOUT == 1u {
        return select(Numbers(), value * mask.scale, words < Words(mask.threshold));
    }
    return value;
}
