//! y = 1 / (1 + e⁻ˣ)

use multiversion::multiversion;

use crate::graph::{Graph, GraphError, Real, Shader, Value, shader};

use super::Listing;
use super::activation::{self, Forward, Function};
use super::case::{Case, CaseSet, EXTREMES};
use super::fast;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("sigmoid", &[Sigmoid::SHADER], cases, activation::benches::<Sigmoid>);

/// y = 1 / (1 + e⁻ˣ)
pub fn sigmoid(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    graph.push1(Forward(Sigmoid), &[x])
}

/// Seen by `matmul`, which takes it in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sigmoid;

impl Function for Sigmoid {
    const SHADER: Shader = shader!("sigmoid");
    const DX_FLOPS: usize = 3;

    fn y<T: Real>(x: T) -> T {
        x.sigmoid()
    }

    /// Where y is near 1 this errs by an ULP of 1, as PyTorch's does.
    fn dx<T: Real>(y: T, dy: T) -> T {
        dy * (y * (T::of(1.0) - y))
    }

    fn all_y(y: &mut [f32], x: &[f32]) {
        fast::chunks(y, x, forward);
    }
}

#[multiversion(targets = "simd")]
fn forward(y: &mut [f32], x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = fast::sigmoid(x));
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let extremes = set.case(Forward(Sigmoid)).values(&[EXTREMES.len()], EXTREMES.to_vec());
    activation::cases::<Sigmoid>(set, 100.0, vec![extremes])
}
