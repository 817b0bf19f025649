//! A decoder step by step, where a step needs what the one before it gave: the attention's query, or the decoder's own
//! words.

use crate::graph::{GraphError, Value};
use crate::nn::Scope;
use crate::ops::argmax::argmax;
use crate::ops::choose_ids::choose_ids;
use crate::ops::slice::slice;
use crate::ops::stack::stack;

use super::{Decoded, Encoded, Model, Weights};

/// What a decoder reads at each position after the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Feedback {
    /// The right token (teacher forcing, Williams and Zipser 1989).
    Forced,
    /// Its own likeliest token. No gradient passes through the choice.
    Free,
    /// The right token with this probability, else its own: scheduled sampling (Bengio et al. 2015).
    Sampled(f32),
}

impl Feedback {
    /// From the probability of teacher forcing.
    pub fn new(teacher_forcing: f32) -> Self {
        match teacher_forcing {
            1.0 => Feedback::Forced,
            0.0 => Feedback::Free,
            probability => Feedback::Sampled(probability),
        }
    }
}

/// Decodes ids [T, B] one position after the other.
///
/// # Errors
/// When shapes don't fit.
pub fn unroll(
    model: &dyn Model,
    scope: &mut Scope,
    encoded: &Encoded,
    ids: Value,
    feedback: Feedback,
) -> Result<Decoded, GraphError> {
    let [time, batch] = *scope.graph.shape(ids) else { unreachable!("ids are [T, B]") };
    let (mut state, mut features, mut weights) = (encoded.start.clone(), vec![], vec![]);
    for t in 0..time {
        let forced = slice(scope.graph, ids, 0, t, 1)?;
        let forced = scope.graph.reshape(forced, &[batch])?;
        let input = match (feedback, features.last()) {
            (Feedback::Forced, _) | (_, None) => forced,
            (Feedback::Free, Some(&features)) => own(model, scope, features)?,
            (Feedback::Sampled(probability), Some(&features)) => {
                let own = own(model, scope, features)?;
                let (control, stream) = scope.random().expect("sampling happens in training");
                choose_ids(scope.graph, forced, own, control, probability, stream)?
            }
        };
        let (decoded, next) = model.step(scope, encoded, input, &state, t)?;
        features.push(decoded.features);
        if let Some(Weights::Whole(step)) = decoded.weights {
            // [B, 1, S] or [B, heads, 1, S]: the step's axis comes first.
            let [rows @ .., 1, source] = scope.graph.shape(step) else { unreachable!("a step has one position") };
            let shape = [&[1], rows, &[*source]].concat();
            weights.push(scope.graph.reshape(step, &shape)?);
        }
        state = next;
    }
    let weights = if weights.is_empty() { None } else { Some(Weights::Steps(stack(scope.graph, &weights)?)) };
    Ok(Decoded { features: stack(scope.graph, &features)?, weights })
}

/// The likeliest token of each sentence.
fn own(model: &dyn Model, scope: &mut Scope, features: Value) -> Result<Value, GraphError> {
    let logits = model.projection().logits(scope, features)?;
    argmax(scope.graph, logits)
}
