//! Scheduled sampling (Bengio et al. 2015): a decoder reads the right token with some probability, else its own.

use crate::graph::{
    Backward, Call, DType, Dispatch, Graph, GraphError, Op, Operand, Real, Shader, Target, TensorType, Types, Value,
    reference, shader,
};

use super::Listing;
use super::case::{Bench, Case, CaseSet};
use super::control;
use super::dropout::Dropout;
use super::elementwise::{WORKGROUP, grid, kernel, width};

/// What wgrad knows of the op.
pub const LISTING: Listing = Listing::new("choose_ids", &[SHADER], cases, benches);

const SHADER: Shader = shader!("choose_ids");

/// `forced[b]` with `probability`, else `own[b]`: ids `[B]`. Each has a coin of its own, a function of (seed, step,
/// `stream`, b). No gradient passes.
pub fn choose_ids(
    graph: &mut Graph,
    forced: Value,
    own: Value,
    control: Value,
    probability: f32,
    stream: u32,
) -> Result<Value, GraphError> {
    // An element that dropout would keep is forced.
    graph.push1(ChooseIds(Dropout::new(1.0 - probability, stream)), &[forced, own, control])
}

#[derive(Debug)]
struct ChooseIds(Dropout);

impl Op for ChooseIds {
    fn name(&self) -> &'static str {
        "choose_ids"
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs.iter().any(|t| t.dtype != DType::U32) || inputs[0] != inputs[1] {
            return Err("both inputs must hold u32 in one shape, the control words u32".into());
        }
        if inputs[2].len() < control::SENTENCES {
            return Err(format!("the control words must be at least {}", control::SENTENCES));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn gradient(&self, _at: &mut Backward) -> Result<(), GraphError> {
        Ok(())
    }

    reference!();

    fn dispatches(&self, types: &Types, target: &Target) -> Vec<Dispatch> {
        let len = types.outputs[0].len();
        let width = width(&[len]);
        let dispatch = (0..3).fold(kernel(SHADER, "forward", width, target), |d, i| d.read(Operand::Input(i)));
        let dispatch = self.0.uniform(dispatch.write(Operand::Output(0)).uniform(&[len / width]));
        vec![dispatch.workgroups(grid(len / width, target))]
    }
}

impl ChooseIds {
    fn reference<T: Real>(&self, mut call: Call<T>) {
        let (forced, own, control) = (call.ids(0), call.ids(1), call.ids(2));
        for (b, y) in call.output_ids(0).iter_mut().enumerate() {
            *y = if self.0.keeps(b, control) { forced[b] } else { own[b] };
        }
    }
}

fn cases(set: &CaseSet) -> Vec<Case> {
    let sizes =
        set.sizes(&[[1], [7], [257], [1000], [1024]], [1000]).into_iter().map(|[n]| n).chain(set.many(WORKGROUP));
    sizes
        .map(|n| {
            let case = set.case(ChooseIds(Dropout::new(0.4, 3))).random_ids(&[n], 9);
            case.ids(&[n], (100..100 + n as u32).collect()).control()
        })
        .collect()
}

fn benches() -> Vec<Bench> {
    vec![Bench::new(
        "1,000,000 ids",
        Case::new(ChooseIds(Dropout::new(0.5, 3))).random_ids(&[1_000_000], 9).random_ids(&[1_000_000], 7).control(),
    )]
}
