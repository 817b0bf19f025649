//! y = tanh x

use multiversion::multiversion;

use crate::graph::{Graph, GraphError, Real, Shader, Value, shader};

use super::Listing;
use super::activation::{self, Forward, Function};
use super::case::{Case, CaseSet, EXTREMES};
use super::fast;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("tanh", &[Tanh::SHADER], cases, activation::benches::<Tanh>);

/// y = tanh x
pub fn tanh(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    graph.push1(Forward(Tanh), &[x])
}

/// Seen by `matmul`, which takes it in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tanh;

impl Function for Tanh {
    const SHADER: Shader = shader!("tanh");
    const DX_FLOPS: usize = 3;

    fn y<T: Real>(x: T) -> T {
        x.tanh()
    }

    /// Where y is near ±1 this errs by an ULP of 1, as PyTorch's does: a gate that is saturated passes next to nothing
    /// either way.
    fn dx<T: Real>(y: T, dy: T) -> T {
        dy * (T::of(1.0) - y * y)
    }

    fn all_y(y: &mut [f32], x: &[f32]) {
        fast::chunks(y, x, forward);
    }
}

#[multiversion(targets = "simd")]
fn forward(y: &mut [f32], x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = fast::tanh(x));
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let case = set.case(Forward(Tanh));
    // From the polynomial to the quotient, and towards zero.
    let sizes = |n: usize| (0..n).map(|i| 0.9f32.powi(i as i32 - 12) * if i % 3 == 0 { -1.0 } else { 1.0 }).collect();
    let mut own = vec![case.clone().values(&[EXTREMES.len()], EXTREMES.to_vec())];
    own.extend([[200], [199]].map(|shape| case.clone().values(&shape, sizes(shape[0]))));
    activation::cases::<Tanh>(set, 100.0, own)
}
