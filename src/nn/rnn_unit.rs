//! One step of a recurrent network as courses write it down, with its output: h' = tanh(W_h·[x; h] + b_h), out =
//! log_softmax(W_o·[x; h] + b_o).

use crate::graph::{GraphError, Value};
use crate::ops::concat::concat;
use crate::ops::log_softmax::log_softmax;
use crate::ops::tanh::tanh;

use super::{Linear, Parameters, Scope};

/// `NAME.hidden` (I + H to H) and `NAME.output` (I + H to O).
#[derive(Clone, Debug)]
pub struct RnnUnit {
    hidden: Linear,
    output: Linear,
}

impl RnnUnit {
    /// A unit for inputs of I elements, states of H and outputs of O.
    pub fn new(parameters: &mut Parameters, name: &str, [inputs, hidden, outputs]: [usize; 3]) -> Self {
        let mut linear = |part: &str, to| Linear::new(parameters, &format!("{name}.{part}"), inputs + hidden, to, true);
        Self { hidden: linear("hidden", hidden), output: linear("output", outputs) }
    }

    /// From x [B, I] and h [B, H] to log-probabilities [B, O] and the new state [B, H].
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn forward(&self, scope: &mut Scope, x: Value, h: Value) -> Result<(Value, Value), GraphError> {
        let joined = concat(scope.graph, x, h)?;
        let hidden = self.hidden.forward(scope, joined)?;
        let output = self.output.forward(scope, joined)?;
        Ok((log_softmax(scope.graph, output)?, tanh(scope.graph, hidden)?))
    }
}
