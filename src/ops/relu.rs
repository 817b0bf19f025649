//! y = max(x, 0)

use crate::graph::{Graph, GraphError, Real, Shader, Value, shader};

use super::Listing;
use super::activation::{self, Forward, Function, Gradient};
use super::case::{Case, CaseSet};
use super::fast;

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("relu", &[Relu::SHADER], cases, activation::benches::<Relu>);

/// y = max(x, 0)
pub fn relu(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    graph.push1(Forward(Relu), &[x])
}

/// Seen by `matmul`, which takes it in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Relu;

impl Function for Relu {
    const SHADER: Shader = shader!("relu");
    const DX_FLOPS: usize = 1;

    fn y<T: Real>(x: T) -> T {
        x.max(T::default())
    }

    fn dx<T: Real>(y: T, dy: T) -> T {
        if y > T::default() { dy } else { T::default() }
    }

    fn all_y(y: &mut [f32], x: &[f32]) {
        fast::map(y, x, x, |x, _| fast::relu(x));
    }

    fn all_dx(dx: &mut [f32], y: &[f32], dy: &[f32]) {
        fast::map(dx, y, dy, Self::dx);
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    // Exactly zero, where there is no gradient.
    let y = (0..24).map(|i| if i % 3 == 0 { 0.0 } else { i as f32 }).collect();
    let zeros = set.case(Gradient(Relu)).values(&[24], y).constant(&[24], 2.0);
    activation::cases::<Relu>(set, 1.0, vec![zeros])
}
