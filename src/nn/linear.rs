//! y = x·Wᵀ + b (torch.nn.Linear)

use crate::graph::{GraphError, Value};
use crate::ops::bias_add::bias_add;
use crate::ops::matmul::matmul_nt;
use crate::ops::reshape_rows;

use super::{Init, Parameter, Parameters, Projection, Scope};

/// weight [out, in], bias `[out]`.
#[derive(Clone, Debug)]
pub struct Linear {
    pub weight: Parameter,
    pub bias: Option<Parameter>,
}

impl Linear {
    /// Parameters `NAME.weight` and `NAME.bias`.
    pub fn new(parameters: &mut Parameters, name: &str, inputs: usize, outputs: usize, bias: bool) -> Self {
        let init = Init::Uniform(1.0 / (inputs as f32).sqrt());
        let weight = parameters.add(format!("{name}.weight"), &[outputs, inputs], init);
        let bias = bias.then(|| parameters.add(format!("{name}.bias"), &[outputs], init));
        Self { weight, bias }
    }

    /// x [.., in] to [.., out].
    ///
    /// # Errors
    /// When x has another number of columns.
    pub fn forward(&self, scope: &mut Scope, x: Value) -> Result<Value, GraphError> {
        let weight = scope.parameter(&self.weight)?;
        let bias = self.bias.as_ref().map(|bias| scope.parameter(bias)).transpose()?;
        linear(scope, x, weight, bias)
    }

    /// This layer as the projection to a vocabulary of `out` tokens.
    pub fn projection(&self) -> Projection<'_> {
        Projection { weight: &self.weight, bias: self.bias.as_ref().expect("projections have a bias") }
    }
}

/// x [.., in]·Wᵀ + b for weight [out, in] and bias `[out]`, as torch.nn.functional.linear.
///
/// # Errors
/// When x has another number of columns.
pub fn linear(scope: &mut Scope, x: Value, weight: Value, bias: Option<Value>) -> Result<Value, GraphError> {
    let mut shape = scope.graph.shape(x).to_vec();
    let rows = reshape_rows(scope.graph, x)?;
    let mut y = matmul_nt(scope.graph, rows, weight)?;
    if let Some(bias) = bias {
        y = bias_add(scope.graph, y, bias)?;
    }
    *shape.last_mut().expect("a matrix has columns") = scope.graph.shape(weight)[0];
    if shape.len() == 2 { Ok(y) } else { scope.graph.reshape(y, &shape) }
}
