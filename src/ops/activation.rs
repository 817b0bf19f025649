//! What `relu`, `sigmoid` and `tanh` share: the ops y = f(x), element by element, and dx, where y alone tells the
//! derivative.

use std::fmt;

use crate::graph::{
    Backward, Call, Dispatch, GraphError, Op, Real, Shader, Target, TensorType, Types, Work, reference,
};

use super::case::{Bench, Case, CaseSet};
use super::elementwise::{WORKGROUP, dispatch, same_shape};

/// f and its derivative.
pub trait Function: fmt::Debug + Copy + Default + Send + Sync + 'static {
    /// Entry `forward` makes y of x, entry `backward` dx of y and dy.
    const SHADER: Shader;
    /// Operations of [`Function::dx`].
    const DX_FLOPS: usize;

    fn y<T: Real>(x: T) -> T;
    fn dx<T: Real>(y: T, dy: T) -> T;

    /// [`Function::y`] on all threads.
    fn all_y(y: &mut [f32], x: &[f32]);
    /// [`Function::dx`] of slices; a function may spread it over all threads.
    fn all_dx(dx: &mut [f32], y: &[f32], dy: &[f32]) {
        dx.iter_mut().zip(y.iter().zip(dy)).for_each(|(dx, (&y, &dy))| *dx = Self::dx(y, dy));
    }
}

/// y = f(x)
#[derive(Clone, Copy, Default)]
pub struct Forward<F>(pub F);

impl<F: Function> fmt::Debug for Forward<F> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<F: Function> Op for Forward<F> {
    fn name(&self) -> &'static str {
        F::SHADER.name()
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        same_shape(inputs)
    }

    fn gradient(&self, at: &mut Backward) -> Result<(), GraphError> {
        let (y, dy) = (at.output(0), at.upstream());
        let dx = at.graph.push1(Gradient(self.0), &[y, dy])?;
        at.set(0, dx);
        Ok(())
    }

    reference!(fast);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(1, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        vec![dispatch(F::SHADER, "forward", 1, types.outputs[0].len(), target)]
    }
}

impl<F: Function> Forward<F> {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        call.output(0).iter_mut().zip(call.input(0)).for_each(|(y, &x)| *y = F::y(x));
    }

    fn fast(&self, mut call: Call<f32>) {
        F::all_y(call.output(0), call.input(0));
    }
}

/// dx, of y and dy.
#[derive(Clone, Copy, Default)]
pub struct Gradient<F>(pub F);

impl<F: Function> fmt::Debug for Gradient<F> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?}Backward", self.0)
    }
}

impl<F: Function> Op for Gradient<F> {
    fn name(&self) -> &'static str {
        F::SHADER.name()
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        same_shape(inputs)
    }

    reference!(fast);

    fn work(&self, types: &Types) -> Work {
        Work::moving(self, types).flops(F::DX_FLOPS, types.outputs[0].len())
    }

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        vec![dispatch(F::SHADER, "backward", 2, types.outputs[0].len(), target)]
    }
}

impl<F: Function> Gradient<F> {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let pairs = call.input(0).iter().zip(call.input(1));
        call.output(0).iter_mut().zip(pairs).for_each(|(dx, (&y, &dy))| *dx = F::dx(y, dy));
    }

    fn fast(&self, mut call: Call<f32>) {
        F::all_dx(call.output(0), call.input(0), call.input(1));
    }
}

/// Cases for x in [−scale, scale), and the function's own.
pub fn cases<F: Function>(set: &CaseSet, scale: f32, own: Vec<Case>) -> Vec<Case> {
    let [forward, backward] = [set.case(Forward::<F>::default()), set.case(Gradient::<F>::default())];
    let backward = |shape: &[usize]| backward.clone().constant(shape, 1.0).constant(shape, 2.0);
    let shapes = set.shapes(&[&[1], &[7, 17], &[33, 65], &[257], &[1000, 3]]);
    let mut cases: Vec<_> = shapes.iter().map(|s| forward.clone().scaled(s, scale)).collect();
    cases.extend(shapes.iter().map(|s| backward(s)));
    cases.push(forward.clone().subnormals(&[9]));
    cases.extend(own);
    if let Some(n) = set.many(WORKGROUP) {
        cases.extend([forward.constant(&[n], 10.0), backward(&[n])]);
    }
    cases
}

pub fn benches<F: Function>() -> Vec<Bench> {
    let size = [2560, 2048];
    let backward = Case::new(Gradient::<F>::default()).constant(&size, 1.0).constant(&size, 1.0);
    vec![
        Bench::new("feed-forward, 2560 x 2048", Case::new(Forward::<F>::default()).constant(&size, 3.0)),
        Bench::new("backward, 2560 x 2048", backward),
    ]
}
