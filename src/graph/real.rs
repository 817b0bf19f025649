//! The numbers that references compute with: f32 trains, f64 judges, [`Tracked`] says how wrong a correct f32 kernel
//! may be.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// A real number. References are written once, generic over this.
pub trait Real:
    Copy
    + Default
    + Send
    + Sync
    + 'static
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    /// A constant that every device rounds to f32.
    fn of(value: f64) -> Self;
    /// The f32 whose bits a u32 buffer carries (learning rate, bias corrections).
    fn from_bits(bits: u32) -> Self {
        Self::of(f64::from(f32::from_bits(bits)))
    }
    fn value(self) -> f64;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn sqrt(self) -> Self;
    fn tanh(self) -> Self;
    /// 1 / (1 + e^-x)
    fn sigmoid(self) -> Self;

    /// The mean of some numbers, by the sum of their distances from a first mean: that is exact for equal ones, and
    /// rounds once where it is large beside the distances.
    fn mean(numbers: &[Self]) -> Self {
        let count = Self::of(numbers.len() as f64);
        let first = numbers.iter().fold(Self::default(), |sum, &x| sum + x) / count;
        first + numbers.iter().fold(Self::default(), |sum, &x| sum + (x - first)) / count
    }

    /// A difference that is rounded once, whatever its terms are sums of.
    fn minus(self, other: Self) -> Self {
        self - other
    }

    fn max(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
    fn min(self, other: Self) -> Self {
        if other < self { other } else { self }
    }
}

macro_rules! real {
    ($float:ty) => {
        impl Real for $float {
            fn of(value: f64) -> Self {
                value as $float
            }
            fn value(self) -> f64 {
                f64::from(self)
            }
            fn exp(self) -> Self {
                <$float>::exp(self)
            }
            fn ln(self) -> Self {
                <$float>::ln(self)
            }
            fn sqrt(self) -> Self {
                <$float>::sqrt(self)
            }
            fn tanh(self) -> Self {
                <$float>::tanh(self)
            }
            fn sigmoid(self) -> Self {
                1.0 / (1.0 + (-self).exp())
            }
        }
    };
}
real!(f32);
real!(f64);

/// Relative error of one correctly rounded f32 operation in an unspecified direction: 2⁻²³, one ULP (WGSL, "Floating
/// point accuracy").
const ULP: f64 = 1.0 / (1u64 << 23) as f64;
/// WGSL lets a device flush subnormals to zero.
const TINY: f64 = f32::MIN_POSITIVE as f64;

/// An f64 value with a proven bound for the error of any f32 evaluation that WGSL allows.
///
/// A running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 3.3), made independent of the
/// order of a sum: a chain of additions keeps Σ|terms| and their number n, and any order of adding them errs by at most
/// (n − 1)·ULP·Σ|terms|, and by as many flushed subnormals. The accuracy of division, exp, ln and sqrt is what the WGSL
/// specification grants, so a bound holds on every conforming driver.
#[derive(Clone, Copy, Debug)]
pub struct Tracked {
    value: f64,
    /// Error carried into the terms of the sum that this number is.
    carried: f64,
    /// Σ|terms| of that sum.
    magnitude: f64,
    /// Number of its terms; 0 for an exact zero, where a sum starts.
    terms: f64,
}

impl Tracked {
    /// An f32 input, exactly known unless it is subnormal.
    pub fn exact(value: f32) -> Self {
        let flushed = if value.is_subnormal() { f64::from(value.abs()) } else { 0.0 };
        Self::with_error(f64::from(value), flushed)
    }

    /// How far a correct kernel's result may lie from [`Real::value`].
    pub fn error(self) -> f64 {
        self.carried + (self.terms - 1.0).max(0.0) * (ULP * (self.magnitude + self.carried) + TINY)
    }

    fn with_error(value: f64, error: f64) -> Self {
        let terms = if value == 0.0 && error == 0.0 { 0.0 } else { 1.0 };
        Self { value, carried: error, magnitude: value.abs(), terms }
    }

    /// A result whose inputs contribute `carried` and whose own rounding is `ulps`.
    fn rounded(value: f64, carried: f64, ulps: f64) -> Self {
        Self::with_error(value, carried + ulps * ULP * (value.abs() + carried) + TINY)
    }
}

impl Default for Tracked {
    fn default() -> Self {
        Self::with_error(0.0, 0.0)
    }
}

impl PartialEq for Tracked {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl PartialOrd for Tracked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl Add for Tracked {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            value: self.value + other.value,
            carried: self.carried + other.carried,
            magnitude: self.magnitude + other.magnitude,
            terms: self.terms + other.terms,
        }
    }
}

impl AddAssign for Tracked {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Neg for Tracked {
    type Output = Self;
    fn neg(self) -> Self {
        Self { value: -self.value, ..self }
    }
}

impl Sub for Tracked {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Tracked {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let (e, f) = (self.error(), other.error());
        let exact = self.value == 0.0 && e == 0.0 || other.value == 0.0 && f == 0.0;
        let carried = self.value.abs() * f + other.value.abs() * e + e * f;
        if exact { Self::default() } else { Self::rounded(self.value * other.value, carried, 1.0) }
    }
}

impl Div for Tracked {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let (e, f) = (self.error(), other.error());
        let value = self.value / other.value;
        let smallest = (other.value.abs() - f).max(f64::MIN_POSITIVE);
        Self::rounded(value, (e + value.abs() * f) / smallest, 2.5)
    }
}

impl Real for Tracked {
    fn of(value: f64) -> Self {
        Self::exact(value as f32)
    }
    fn value(self) -> f64 {
        self.value
    }
    fn exp(self) -> Self {
        let (x, e) = (self.value, self.error());
        Self::rounded(x.exp(), (x + e).exp() - x.exp(), 3.0 + 2.0 * (x.abs() + e))
    }
    /// WGSL: 3 ULP outside [0.5, 2], 2⁻²¹ absolute within.
    fn ln(self) -> Self {
        let (x, e) = (self.value, self.error());
        let carried = e / (x - e).max(f64::MIN_POSITIVE);
        Self::rounded(x.ln(), carried + 4.0 * ULP, 3.0)
    }
    /// WGSL inherits sqrt from 1 / inverseSqrt(x): 2 ULP and 2.5 ULP.
    fn sqrt(self) -> Self {
        let (x, e) = (self.value.max(0.0), self.error());
        Self::rounded(x.sqrt(), (x + e).sqrt() - (x - e).max(0.0).sqrt(), 4.5)
    }
    /// The true value, and an error relative to it. Kernels (`shaders/shared/activation.wgsl`) compute it
    ///
    /// - for |x| < 0.5 as x + x·(x²·p(x²)), p a polynomial of degree 3 that is off by 0.13 ULP of the value. x²·p, at
    ///   most 1/12, errs by 4 ULP of itself: p's last sum 1, what it adds to and its coefficients 1, x² 1, the
    ///   product 1. The product with x and the sum add 1.1 ULP of x, in all 1.6; x is at most 1.09 times the value,
    ///   which makes 1.7, and 2 with the approximation;
    /// - else as (1 − t)/(1 + t), t = e^(−2|x|). t errs by (3 + 4|x|)·t ULP, and so the quotient by (3 + 4|x|) / sinh
    ///   2|x| of itself, most at 0.5: 4.3; the subtraction, the addition and the division add 4.5.
    ///
    /// The CPU's twin (`ops/fast.rs`) errs by less than either.
    fn tanh(self) -> Self {
        let (x, e) = (self.value, self.error());
        if x == 0.0 && e == 0.0 {
            return Self::default();
        }
        let nearest = (x.abs() - e).max(0.0).tanh();
        let ulps = if x.abs() + e < 0.5 { 2.0 } else { 8.8 };
        Self::rounded(x.tanh(), e * (1.0 - nearest * nearest), ulps)
    }
    /// Computed by kernels as 1 / (1 + e^(−x)): exp errs by (3 + 2|x|) ULP of itself, of which the sum takes on a
    /// share of 1 − σ; addition and division add 3.5.
    fn sigmoid(self) -> Self {
        let (x, e) = (self.value, self.error());
        let nearest = (x.abs() - e).max(0.0).sigmoid();
        let share = (e - x).sigmoid();
        Self::rounded(x.sigmoid(), e * nearest * (1.0 - nearest), 3.5 + (3.0 + 2.0 * (x.abs() + e)) * share)
    }
    /// The second sum makes good what the first one lost, E₀ = (n + 2.5) ULP of the mean |x|: it errs by (n + 2.5) ULP
    /// of the mean distance, D + E₀ at most, and the last addition by one of the mean. (The kernel for long rows takes
    /// the distances from the mean of their beginning: larger ones, which it adds up in n/8 steps or fewer.)
    fn mean(numbers: &[Self]) -> Self {
        let count = numbers.len() as f64;
        let average = |f: &dyn Fn(&Self) -> f64| numbers.iter().map(f).sum::<f64>() / count;
        let mean = average(&|x| x.value);
        let steps = (count + 2.5) * ULP;
        let first = steps * average(&|x| x.value.abs() + x.error());
        let distance = average(&|x| (x.value - mean).abs() + 2.0 * x.error());
        Self::rounded(mean, average(&|x| x.error()) + steps * (distance + first) + 4.0 * TINY, 1.0)
    }
    fn minus(self, other: Self) -> Self {
        Self::rounded(self.value - other.value, self.error() + other.error(), 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound must cover f32 sums in any order, and stay within a small factor of what they really lose.
    #[test]
    fn bounds_a_sum_in_any_order() {
        let terms: Vec<f32> = (0..1000).map(|i| ((i * 7919) % 1013) as f32 / 7.0 - 70.0).collect();
        let tracked = terms.iter().fold(Tracked::default(), |s, &x| s + Tracked::exact(x) * Tracked::exact(1.1));
        for step in [1, 3, 7, 333] {
            let sum: f32 = (0..1000).map(|i| terms[(i * step) % 1000] * 1.1).sum();
            assert!((f64::from(sum) - tracked.value()).abs() <= tracked.error());
        }
        assert!(tracked.error() < 1000.0 * ULP * 1000.0 * 100.0);
    }

    #[test]
    fn functions_keep_within_their_bounds_in_f32() {
        let near_zero = (0..120).map(|i| 0.5f32.powi(i) * if i % 2 == 0 { 0.9 } else { -0.7 });
        for x in (-4000..4000).map(|i| i as f32 / 200.0).chain(near_zero) {
            let t = Tracked::exact(x);
            for (f32_result, tracked) in [
                (x.exp(), t.exp()),
                (x.tanh(), t.tanh()),
                (Real::sigmoid(x), t.sigmoid()),
                (x.abs().sqrt(), Tracked::exact(x.abs()).sqrt()),
                ((x.abs() + 0.01).ln(), (Tracked::exact(x.abs()) + Tracked::of(0.01)).ln()),
            ] {
                assert!((f64::from(f32_result) - tracked.value()).abs() <= tracked.error(), "at {x}");
            }
        }
    }

    /// Near zero tanh x is x, and its bound no wider than x's own rounding: a formula that cancels there does not
    /// keep it.
    #[test]
    fn the_bound_of_tanh_is_relative() {
        for x in [1e-30f32, 1e-9, 1e-4, 0.4, 0.6, 5.0] {
            let bound = Tracked::exact(x).tanh();
            assert!(bound.error() <= 1.1e-6 * bound.value(), "at {x}: {:e}", bound.error());
            let cancelling = f64::from((1.0 - (-2.0 * x).exp()) / (1.0 + (-2.0 * x).exp()));
            let off = (cancelling - bound.value()).abs();
            assert!(x > 0.1 || off > bound.error(), "at {x}: the quotient of exponentials passes");
        }
    }

    #[test]
    fn an_exact_zero_stays_exact() {
        let zero = Tracked::default() * Tracked::exact(3.0) + Tracked::default().tanh();
        assert_eq!((zero.value(), zero.error()), (0.0, 0.0));
    }
}
