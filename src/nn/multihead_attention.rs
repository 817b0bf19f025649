//! Multi-head attention (Vaswani et al. 2017, 3.2.2; torch.nn.MultiheadAttention)

use crate::graph::{GraphError, Value};
use crate::ops::attention::{Attended, Attention, Heads, cross_attention, self_attention};
use crate::ops::slice::slice;
use crate::ops::stack::stack;

use super::{Init, Linear, Parameter, Parameters, Scope, linear};

/// in_proj_weight [3·D, D] and in_proj_bias [3·D]: rows for queries, keys, values; out_proj.
#[derive(Clone, Debug)]
pub struct MultiheadAttention {
    in_proj_weight: Parameter,
    in_proj_bias: Parameter,
    out_proj: Linear,
    heads: Heads,
    /// Probability with which training drops a probability of the attention.
    dropout: f32,
}

impl MultiheadAttention {
    /// Parameters `NAME.in_proj_weight`, `NAME.in_proj_bias`, `NAME.out_proj.weight` and `NAME.out_proj.bias`. `heads`
    /// divides `width`.
    pub fn new(parameters: &mut Parameters, name: &str, width: usize, heads: usize, dropout: f32) -> Self {
        let mut add = |part: &str, shape: &[usize], init| parameters.add(format!("{name}.{part}"), shape, init);
        let in_proj_weight = add("in_proj_weight", &[3 * width, width], Init::xavier(3 * width, width));
        let in_proj_bias = add("in_proj_bias", &[3 * width], Init::Constant(0.0));
        let out_proj = Linear {
            weight: add("out_proj.weight", &[width, width], Init::xavier(width, width)),
            bias: Some(add("out_proj.bias", &[width], Init::Constant(0.0))),
        };
        let heads = Heads { count: heads, key: width / heads, value: width / heads };
        Self { in_proj_weight, in_proj_bias, out_proj, heads, dropout }
    }

    /// Rows `from..to` of the input projection, in units of D, applied to x.
    fn project(&self, scope: &mut Scope, x: Value, from: usize, to: usize) -> Result<Value, GraphError> {
        let width = self.in_proj_weight.shape[1];
        let (mut weight, mut bias) = (scope.parameter(&self.in_proj_weight)?, scope.parameter(&self.in_proj_bias)?);
        if (from, to) != (0, 3) {
            weight = slice(scope.graph, weight, 0, from * width, (to - from) * width)?;
            bias = slice(scope.graph, bias, 0, from * width, (to - from) * width)?;
        }
        linear(scope, x, weight, Some(bias))
    }

    /// x [T, B, D] looks at itself: at keys within `lengths` `[B]`, and if `causal` at no later ones.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn over_itself(
        &self,
        scope: &mut Scope,
        x: Value,
        lengths: Option<Value>,
        causal: bool,
    ) -> Result<Value, GraphError> {
        let qkv = self.project(scope, x, 0, 3)?;
        let dropout = scope.dropout_within(self.dropout);
        let attended = self_attention(scope.graph, Attention { heads: self.heads, causal }, qkv, lengths, dropout)?;
        self.out_proj.forward(scope, attended.output)
    }

    /// One more position x [1, B, D] looks at those before it, whose keys and values are in `past` [t, B, 2·D], and at
    /// itself. Gives the new past too.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn over_past(&self, scope: &mut Scope, x: Value, past: Option<Value>) -> Result<(Value, Value), GraphError> {
        let width = self.in_proj_weight.shape[1];
        let qkv = self.project(scope, x, 0, 3)?;
        let query = slice(scope.graph, qkv, 2, 0, width)?;
        let new = slice(scope.graph, qkv, 2, width, 2 * width)?;
        let past = past.map_or(Ok(new), |past| stack(scope.graph, &[past, new]))?;
        let which = Attention { heads: self.heads, causal: false };
        let dropout = scope.dropout_within(self.dropout);
        let attended = cross_attention(scope.graph, which, [query, past], None, dropout)?;
        Ok((self.out_proj.forward(scope, attended.output)?, past))
    }

    /// Keys and values [S, B, 2·D] of an encoder's output [S, B, D].
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn keys_and_values(&self, scope: &mut Scope, memory: Value) -> Result<Value, GraphError> {
        self.project(scope, memory, 1, 3)
    }

    /// x [T, B, D] looks at [`keys_and_values`](Self::keys_and_values) within `lengths` `[B]`.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn over_memory(
        &self,
        scope: &mut Scope,
        x: Value,
        memory: Value,
        lengths: Value,
    ) -> Result<Attended, GraphError> {
        let query = self.project(scope, x, 0, 1)?;
        let which = Attention { heads: self.heads, causal: false };
        let dropout = scope.dropout_within(self.dropout);
        let attended = cross_attention(scope.graph, which, [query, memory], Some(lengths), dropout)?;
        Ok(Attended { output: self.out_proj.forward(scope, attended.output)?, ..attended })
    }
}
