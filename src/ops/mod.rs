//! Every op: one file here, one shader of the same name in `shaders/`.
//!
//! A builder ([`relu`](relu::relu), [`matmul_nt`](matmul::matmul_nt), …) adds an op to a graph and gives its results.
//! Its error names the op and the shapes, where they don't fit; nothing is added then.
//!
//! [`OPS`] is the one list of them. Tests of kernels against references and of derivatives against finite differences
//! walk it.

mod activation;
pub mod adam;
pub mod add;
pub mod add_position;
pub mod additive_score;
pub mod argmax;
pub mod attention;
pub mod beam_step;
pub mod bias_add;
pub mod case;
pub mod choose_ids;
pub mod clip_grad_norm;
pub mod concat;
pub mod control;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub(crate) mod fast;
pub mod fill;
pub mod gather_batch;
pub mod gather_rows;
pub mod gru;
pub mod layer_norm;
pub mod linear_cross_entropy;
mod listing;
pub mod log_softmax;
pub mod lstm;
pub mod matmul;
pub mod mul;
pub mod normalize;
mod product;
mod recurrence;
pub mod relu;
pub mod rnn;
pub mod rowwise;
pub mod scale;
pub mod sigmoid;
pub mod slice;
pub mod softmax;
pub mod stack;
pub mod sum;
pub mod sum_rows;
pub mod tanh;
pub mod threefry;

use crate::graph::{Graph, GraphError, Value};

pub use listing::Listing;

/// Every op.
pub const OPS: &[Listing] = &[
    adam::LISTING,
    add::LISTING,
    add_position::LISTING,
    additive_score::LISTING,
    argmax::LISTING,
    attention::LISTING,
    beam_step::LISTING,
    bias_add::LISTING,
    choose_ids::LISTING,
    clip_grad_norm::LISTING,
    concat::LISTING,
    dropout::LISTING,
    embedding::LISTING,
    fill::LISTING,
    gather_batch::LISTING,
    gather_rows::LISTING,
    gru::LISTING,
    layer_norm::LISTING,
    linear_cross_entropy::LISTING,
    log_softmax::LISTING,
    lstm::LISTING,
    matmul::LISTING,
    mul::LISTING,
    normalize::LISTING,
    relu::LISTING,
    rnn::LISTING,
    scale::LISTING,
    sigmoid::LISTING,
    slice::LISTING,
    softmax::LISTING,
    stack::LISTING,
    sum::LISTING,
    sum_rows::LISTING,
    tanh::LISTING,
];

/// Gradients of a scalar by each of `wanted`, `None` where it does not depend on one.
///
/// # Errors
/// When the path leads through an op without derivative.
pub fn gradients(graph: &mut Graph, scalar: Value, wanted: &[Value]) -> Result<Vec<Option<Value>>, GraphError> {
    let seed = fill::fill(graph, &[1], 1.0)?;
    graph.gradients(scalar, seed, wanted, add::add)
}

/// x [.., C] as [R, C].
pub(crate) fn reshape_rows(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    let (rows, columns) = (graph.type_of(x).rows(), graph.type_of(x).columns());
    graph.reshape(x, &[rows, columns])
}

#[cfg(test)]
mod tests {
    use super::bias_add::bias_add;
    use super::case::CaseSet;
    use super::dropout::dropout;
    use super::scale::scale;
    use super::softmax::softmax;
    use super::sum::sum;
    use super::tanh::tanh;
    use super::{OPS, gradients};
    use crate::graph::{Graph, GraphError, TensorType};

    #[test]
    fn every_op_has_a_name_of_its_own_and_cases() {
        let names: Vec<_> = OPS.iter().map(|op| op.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        for op in OPS {
            assert!(!op.cases(&CaseSet::default()).is_empty(), "{}", op.name);
        }
    }

    #[test]
    fn ids_are_refused_where_numbers_are_meant() -> Result<(), GraphError> {
        let mut graph = Graph::new();
        let ids = graph.input("ids", TensorType::u32(&[5, 3]))?;
        let control = graph.input("control", TensorType::u32(&[8]))?;
        let factor = graph.input("factor", TensorType::f32(&[1]))?;
        let bias = graph.input("bias", TensorType::f32(&[3]))?;
        let results = [
            softmax(&mut graph, ids),
            sum(&mut graph, ids),
            scale(&mut graph, ids, factor),
            bias_add(&mut graph, ids, bias),
            dropout(&mut graph, ids, control, 0.5, 0),
        ];
        for result in results {
            let error = result.expect_err("x holds ids").to_string();
            assert!(error.contains("x must hold numbers"), "{error}");
        }
        let nothing = graph.input("nothing", TensorType::f32(&[5, 0]))?;
        assert!(softmax(&mut graph, nothing).is_err(), "a row has no largest number");
        Ok(())
    }

    /// `slice` has a derivative; a view only where it is a reshape.
    #[test]
    fn a_view_of_part_of_a_computed_value_has_no_derivative() -> Result<(), GraphError> {
        let mut graph = Graph::new();
        let flat = graph.input("flat", TensorType::f32(&[128]))?;
        let parameter = graph.view(flat, 64, &[8, 4])?;
        let computed = tanh(&mut graph, parameter)?;
        let [whole, part] = [graph.reshape(computed, &[32])?, graph.view(computed, 0, &[4, 4])?];
        let [whole, part] = [sum(&mut graph, whole)?, sum(&mut graph, part)?];
        assert!(gradients(&mut graph, whole, &[parameter])?[0].is_some());
        let error = gradients(&mut graph, part, &[parameter]).expect_err("part of a computed value");
        assert_eq!(error, GraphError::NotDifferentiable { op: "view".into() });
        Ok(())
    }
}
