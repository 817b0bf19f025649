// tanh and sigmoid by exp: WGSL grants its own tanh only 1e-5 absolute, and some drivers give NaN beyond |x| = 44. Of numbers or vectors of four: import
// vector1.wgsl or vector4.wgsl beside it.

// sign(x)·(1 − t)/(1 + t), t = e^(−2|x|) in (0, 1]: no overflow anywhere; within 12.1 ULP of 1.
fn stable_tanh(x: Numbers) -> Numbers {
    let t = exp(-2.0 * min(abs(x), Numbers(40.0)));
    return sign(x) * (1.0 - t) / (1.0 + t);
}

// 1 / (1 + e^(−x)), x held above −80, where e^80 is still finite; within 4.6 ULP of 1.
fn sigmoid(x: Numbers) -> Numbers {
    return 1.0 / (1.0 + exp(-clamp(x, Numbers(-80.0), Numbers(80.0))));
}
