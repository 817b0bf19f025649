//! Rows of a table by id (torch.nn.Embedding)

use crate::graph::{GraphError, Value};
use crate::ops::embedding::embedding;

use super::{Init, Parameter, Parameters, Scope};

/// weight [vocabulary, width].
#[derive(Clone, Debug)]
pub struct Embedding {
    pub weight: Parameter,
}

impl Embedding {
    /// Parameter `NAME.weight`.
    pub fn new(parameters: &mut Parameters, name: &str, vocabulary: usize, width: usize) -> Self {
        Self { weight: parameters.add(format!("{name}.weight"), &[vocabulary, width], Init::Normal(1.0)) }
    }

    /// ids [T, B] to [T, B, width], with dropout in training.
    ///
    /// # Errors
    /// When the ids are not u32.
    pub fn forward(&self, scope: &mut Scope, ids: Value) -> Result<Value, GraphError> {
        let weight = scope.parameter(&self.weight)?;
        let y = embedding(scope.graph, weight, ids)?;
        scope.dropout(y)
    }
}
