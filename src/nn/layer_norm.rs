//! Layer normalization (Ba et al. 2016; torch.nn.LayerNorm)

use crate::graph::{GraphError, Value};
use crate::ops::layer_norm::{Normed, layer_norm};

use super::{Init, Parameter, Parameters, Scope};

/// weight and bias `[C]`.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Parameter,
    bias: Parameter,
}

impl LayerNorm {
    /// Parameters `NAME.weight` and `NAME.bias`.
    pub fn new(parameters: &mut Parameters, name: &str, width: usize) -> Self {
        let mut add = |part: &str, value| parameters.add(format!("{name}.{part}"), &[width], Init::Constant(value));
        Self { weight: add("weight", 1.0), bias: add("bias", 0.0) }
    }

    /// Normalizes x [.., C], or x + residual.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn forward(&self, scope: &mut Scope, x: Value, residual: Option<Value>) -> Result<Normed, GraphError> {
        let (weight, bias) = (scope.parameter(&self.weight)?, scope.parameter(&self.bias)?);
        layer_norm(scope.graph, x, residual, weight, bias)
    }
}
