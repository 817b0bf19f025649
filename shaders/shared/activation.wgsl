// tanh and sigmoid by exp: WGSL grants its own tanh only 1e-5 absolute, and some drivers give NaN beyond |x| = 44. Of
// numbers or vectors of four: import vector1.wgsl or vector4.wgsl beside it. NaN stays NaN where a driver keeps to
// IEEE, so that it is seen: `min`, `max` and `clamp` would make a number of it.

// Below 0.5 a + a³·p(a²), a = |x|, an odd polynomial of degree 9, whose largest relative error, 1.5e-8, is the least
// possible; there the quotient cancels. From 0.5 on (1 − t)/(1 + t), t = e^(−2a). Within 8.8 ULP of the value, below
// 0.5 within 2.
fn stable_tanh(x: Numbers) -> Numbers {
    let a = select(abs(x), Numbers(40.0), abs(x) > Numbers(40.0));
    let t = exp(-2.0 * a);
    let z = a * a;
    let p = ((0.0172414920 * z - 0.0530454945) * z + 0.133258790) * z - 0.333331439;
    return sign(x) * select((1.0 - t) / (1.0 + t), a + a * (z * p), a < Numbers(0.5));
}

// 1 / (1 + e^(−x)). Within 4.2 ULP of the value for x ≥ 0; below, exp of a large argument errs by more: 3.5 + (3 +
// 2|x|)·(1 − σ) ULP. Below −87.34 the value is subnormal, and e^87.34 still finite.
fn sigmoid(x: Numbers) -> Numbers {
    let lowest = select(x, Numbers(-87.34), x < Numbers(-87.34));
    return 1.0 / (1.0 + exp(-select(lowest, Numbers(87.34), lowest > Numbers(87.34))));
}
