//! The last layer of a model: features to logits over the target vocabulary.

use crate::graph::{GraphError, Value};
use crate::ops::linear_cross_entropy::{LinearCrossEntropy, Loss, linear_cross_entropy};

use super::linear::linear;
use super::{Parameter, Scope};

/// weight [V, H], which may be an embedding's, and bias `[V]`.
#[derive(Clone, Copy, Debug)]
pub struct Projection<'p> {
    pub weight: &'p Parameter,
    pub bias: &'p Parameter,
}

impl Projection<'_> {
    /// Cross-entropy of the logits of `features` [N, H] against labels `[N]`.
    ///
    /// # Errors
    /// When shapes don't fit.
    pub fn loss(
        &self,
        scope: &mut Scope,
        features: Value,
        labels: Value,
        op: LinearCrossEntropy,
    ) -> Result<Loss, GraphError> {
        let (weight, bias) = (scope.parameter(self.weight)?, scope.parameter(self.bias)?);
        linear_cross_entropy(scope.graph, features, weight, bias, labels, op)
    }

    /// Logits [N, V] of `features` [N, H].
    ///
    /// # Errors
    /// When shapes don't fit.
    pub fn logits(&self, scope: &mut Scope, features: Value) -> Result<Value, GraphError> {
        let (weight, bias) = (scope.parameter(self.weight)?, scope.parameter(self.bias)?);
        linear(scope, features, weight, Some(bias))
    }
}
