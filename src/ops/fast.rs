//! What the ops' f32 twins share: products by the `gemm` crate, and pieces of loops.
//!
//! A hot loop is a function of its own under `#[multiversion(targets = "simd")]`, which compiles it for SSE2, AVX2 and
//! AVX-512 (NEON on ARM) and takes the best that the CPU has. What it calls must be `#[inline(always)]`, or it is
//! compiled for SSE2. (A closure handed to a dispatcher, as before, was compiled for SSE2 whenever LLVM found it too
//! long to inline: a dropout took 20 times as long.)

use gemm::Parallelism;
use multiversion::multiversion;
use rayon::prelude::*;

/// A matrix inside a slice: element (r, c) lies at `offset + r·rows + c·columns`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    pub offset: usize,
    pub rows: usize,
    pub columns: usize,
}

impl Layout {
    /// Row-major with `width` columns, from element `offset` on.
    pub fn row_major(offset: usize, width: usize) -> Self {
        Self { offset, rows: width, columns: 1 }
    }

    pub fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, ..self }
    }

    /// One past the last element of an r × c matrix.
    fn end(&self, r: usize, c: usize) -> usize {
        self.offset + (r - 1) * self.rows + (c - 1) * self.columns + 1
    }
}

/// C[m × n] = A[m × k]·B[k × n], plus the old C where `accumulate`. `parallel` spreads it over rayon's threads.
pub fn product(
    [m, n, k]: [usize; 3],
    (a, la): (&[f32], Layout),
    (b, lb): (&[f32], Layout),
    (c, lc): (&mut [f32], Layout),
    accumulate: bool,
    parallel: bool,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(lc.end(m, n) <= c.len(), "C {lc:?} of {m} × {n} in {} elements", c.len());
    if k > 0 {
        assert!(la.end(m, k) <= a.len(), "A {la:?} of {m} × {k} in {} elements", a.len());
        assert!(lb.end(k, n) <= b.len(), "B {lb:?} of {k} × {n} in {} elements", b.len());
    }
    // Below a million multiplications waking the second thread costs more than it brings.
    let parallelism = if parallel && m * n * k > 1 << 20 { Parallelism::Rayon(0) } else { Parallelism::None };
    // SAFETY: the assertions above keep every element of the three matrices inside its slice, and `c` is borrowed
    // mutably.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr().add(lc.offset),
            lc.columns as isize,
            lc.rows as isize,
            accumulate,
            a.as_ptr().add(la.offset),
            la.columns as isize,
            la.rows as isize,
            b.as_ptr().add(lb.offset),
            lb.columns as isize,
            lb.rows as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Elements that a thread takes at a time in a loop bound by memory: 64 KiB of each operand stay in a second-level
/// cache.
const CHUNK: usize = 1 << 14;

/// Fewest elements of whole rows that a thread takes: some 10 µs of exp, about what waking another costs.
pub const MIN_ELEMENTS: usize = 1 << 13;

/// `y[i]` = f(`a[i]`, `b[i]`) on all threads.
pub fn map(y: &mut [f32], a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) {
    let chunks = y.par_chunks_mut(CHUNK).zip(a.par_chunks(CHUNK)).zip(b.par_chunks(CHUNK));
    chunks.for_each(|((y, a), b)| y.iter_mut().zip(a.iter().zip(b)).for_each(|(y, (&a, &b))| *y = f(a, b)));
}

/// f over as much of y and x as stays in a cache, on all threads. A plain function, which may be compiled for the CPU's
/// vector units, where a closure would not be.
pub fn chunks(y: &mut [f32], x: &[f32], f: fn(&mut [f32], &[f32])) {
    y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| f(y, x));
}

/// c = a + b
#[multiversion(targets = "simd")]
pub fn add(a: &[f32], b: &[f32], c: &mut [f32]) {
    c.iter_mut().zip(a.iter().zip(b)).for_each(|(c, (&a, &b))| *c = a + b);
}

/// sums += x
#[multiversion(targets = "simd")]
pub fn add_to(sums: &mut [f32], x: &[f32]) {
    sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum += x);
}

/// The largest number; `f32::MIN` of none.
#[multiversion(targets = "simd")]
pub fn max(x: &[f32]) -> f32 {
    let mut lanes = [f32::MIN; 16];
    let (whole, rest) = (x.chunks_exact(16), x.chunks_exact(16).remainder());
    for chunk in whole {
        lanes.iter_mut().zip(chunk).for_each(|(max, &x)| *max = if x > *max { x } else { *max });
    }
    lanes.iter().chain(rest).fold(f32::MIN, |max, &x| if x > max { x } else { max })
}

/// The largest number m, and ln Σ e^(x − m)
#[multiversion(targets = "simd")]
pub fn log_sum_exp(x: &[f32]) -> [f32; 2] {
    let max = max(x);
    [max, sum(x, x, |x, _| exp(x - max)).ln()]
}

/// Σ f(a, b) over two slices of one length: 16 partial sums, since the order that one sum would fix keeps a loop from
/// being vectorized.
#[inline(always)]
pub fn sum(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0; 16];
    let (whole_a, whole_b) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest = whole_a.remainder().iter().zip(whole_b.remainder());
    for (a, b) in whole_a.zip(whole_b) {
        for i in 0..16 {
            sums[i] += f(a[i], b[i]);
        }
    }
    rest.fold(sums.iter().sum(), |sum, (&a, &b)| sum + f(a, b))
}

/// x = n·ln 2 + r, |r| ≤ ln 2 / 2, for −87.3 ≤ x ≤ 88.3 (others are held there): r and 2ⁿ, by ln 2 in two parts (Cody
/// and Waite 1980). Free of branches, so that loops over it vectorize.
#[inline(always)]
fn reduced(x: f32) -> [f32; 2] {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding 1.5·2²³ rounds to the nearest integer in the lowest bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.3, 88.3);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * LN2_HIGH - n * LN2_LOW;
    [r, f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))]
}

/// eˣ within 2 ULP for −87 ≤ x ≤ 88, 0 below and clamped above: a polynomial of degree 6 of what [`reduced`] leaves.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let [r, scale] = reduced(x);
    let mut p = 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    if x < -87.3 { 0.0 } else { p * scale }
}

/// eˣ − 1, within 2 ULP of its value near zero too: eʳ − 1 is r times a polynomial, of degree 6 so that it errs by
/// 1.5e-8.
#[inline(always)]
fn exp_m1(x: f32) -> f32 {
    let [r, scale] = reduced(x);
    let mut p = 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p * r * scale + (scale - 1.0)
}

/// 1 / (1 + e⁻ˣ)
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// −t / (2 + t), t = e^(−2|x|) − 1, with x's sign: within 2 ULP of the value (1.63 at most, over 2.1 million numbers
/// from 1e-38 to 30), where (1 − e^(−2|x|)) / (1 + e^(−2|x|)) cancels near zero. 1.25 ns a number in place of that
/// one's 1.16, a core of a Zen 5.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let t = exp_m1(-2.0 * x.abs());
    (t / (2.0 + t)).copysign(x)
}

/// max(x, 0), and NaN of NaN
#[inline(always)]
pub fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_agree_with_the_standard_library() {
        for i in -35_000..35_000 {
            let x = i as f32 / 400.0;
            let close = |fast: f32, exact: f64, tolerance: f64| {
                assert!((f64::from(fast) - exact).abs() <= tolerance, "at {x}: {fast} against {exact}");
            };
            let exact = f64::from(x).exp();
            close(exp(x), exact, 2.5 * f64::from(f32::EPSILON) * exact + 1e-37);
            let ulp = f64::from(f32::EPSILON);
            let exact = f64::from(x).tanh();
            close(tanh(x), exact, 2.0 * ulp * exact.abs());
            let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
            close(sigmoid(x), exact, 5.0 * ulp * exact + f64::from(f32::MIN_POSITIVE));
        }
        for x in [f32::NAN, -f32::NAN] {
            assert!(exp(x).is_nan() && tanh(x).is_nan() && sigmoid(x).is_nan() && relu(x).is_nan());
        }
        assert_eq!(exp(-1000.0), 0.0);
        assert!(exp(1000.0).is_finite());
    }
}
