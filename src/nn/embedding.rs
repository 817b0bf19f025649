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
    /// Parameter `NAME.weight`, from N(0, `deviation`²).
    pub fn new(parameters: &mut Parameters, name: &str, [vocabulary, width]: [usize; 2], deviation: f32) -> Self {
        Self { weight: parameters.add(format!("{name}.weight"), &[vocabulary, width], Init::Normal(deviation)) }
    }

    /// ids [..] to [.., width].
    ///
    /// # Errors
    /// When the ids are not u32.
    pub fn forward(&self, scope: &mut Scope, ids: Value) -> Result<Value, GraphError> {
        let weight = scope.parameter(&self.weight)?;
        embedding(scope.graph, weight, ids)
    }
}
