//! A layer of a Transformer (Vaswani et al. 2017, 3.1; torch.nn.TransformerEncoderLayer and TransformerDecoderLayer)

use crate::graph::{GraphError, Value};
use crate::ops::relu::relu;

use super::{Init, LayerNorm, Linear, MultiheadAttention, Parameters, Scope};

/// The stream of representations that layers add to. The last addition is left to the next normalization, which does
/// both at once.
#[derive(Clone, Copy, Debug)]
pub struct Residual {
    x: Value,
    pending: Option<Value>,
}

impl Residual {
    /// Starts with x [T, B, D].
    pub fn new(x: Value) -> Self {
        Self { x, pending: None }
    }

    /// The stream, normalized behind the last layer.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn normed(self, scope: &mut Scope, norm: &LayerNorm) -> Result<Value, GraphError> {
        Ok(norm.forward(scope, self.x, self.pending)?.output)
    }

    /// x + f(norm(x)) if `norm_first`, else norm(x + f(x)), with dropout behind f.
    fn sublayer(
        self,
        scope: &mut Scope,
        (norm, norm_first): (&LayerNorm, bool),
        f: impl FnOnce(&mut Scope, Value) -> Result<Value, GraphError>,
    ) -> Result<Self, GraphError> {
        if norm_first {
            let normed = norm.forward(scope, self.x, self.pending)?;
            let change = f(scope, normed.output)?;
            return Ok(Self { x: normed.sum, pending: Some(scope.dropout(change)?) });
        }
        let change = f(scope, self.x)?;
        let change = scope.dropout(change)?;
        Ok(Self::new(norm.forward(scope, self.x, Some(change))?.output))
    }
}

/// Self-attention, in a decoder attention over the encoder's output, and a feed-forward network.
#[derive(Clone, Debug)]
pub struct TransformerLayer {
    self_attn: MultiheadAttention,
    multihead_attn: Option<MultiheadAttention>,
    linear1: Linear,
    linear2: Linear,
    norms: Vec<LayerNorm>,
    norm_first: bool,
}

impl TransformerLayer {
    /// Parameters under `NAME.`, as PyTorch names them; with `decoder` those of `multihead_attn` and `norm3` too.
    pub fn new(
        parameters: &mut Parameters,
        name: &str,
        [width, heads, feed_forward]: [usize; 3],
        decoder: bool,
        norm_first: bool,
        attention_dropout: f32,
    ) -> Self {
        let mut attention = |part: &str| {
            MultiheadAttention::new(parameters, &format!("{name}.{part}"), width, heads, attention_dropout)
        };
        let self_attn = attention("self_attn");
        let multihead_attn = decoder.then(|| attention("multihead_attn"));
        // torch.nn.Transformer draws matrices anew by Xavier's rule and leaves the biases as torch.nn.Linear drew them.
        let mut linear = |part: &str, inputs: usize, outputs: usize| Linear {
            weight: parameters.add(format!("{name}.{part}.weight"), &[outputs, inputs], Init::xavier(outputs, inputs)),
            bias: Some(parameters.add(
                format!("{name}.{part}.bias"),
                &[outputs],
                Init::Uniform(1.0 / (inputs as f32).sqrt()),
            )),
        };
        let (linear1, linear2) = (linear("linear1", width, feed_forward), linear("linear2", feed_forward, width));
        let count = if decoder { 3 } else { 2 };
        let norms = (1..=count).map(|n| LayerNorm::new(parameters, &format!("{name}.norm{n}"), width)).collect();
        Self { self_attn, multihead_attn, linear1, linear2, norms, norm_first }
    }

    fn norm(&self, number: usize) -> (&LayerNorm, bool) {
        (&self.norms[number], self.norm_first)
    }

    fn cross(&self) -> &MultiheadAttention {
        self.multihead_attn.as_ref().expect("only decoder layers are asked")
    }

    fn feed_forward(&self, scope: &mut Scope, x: Value) -> Result<Value, GraphError> {
        let inner = self.linear1.forward(scope, x)?;
        let inner = relu(scope.graph, inner)?;
        let inner = scope.dropout(inner)?;
        self.linear2.forward(scope, inner)
    }

    /// An encoder's layer.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn encode(&self, scope: &mut Scope, x: Residual, lengths: Value) -> Result<Residual, GraphError> {
        let attend = |scope: &mut Scope, x| self.self_attn.over_itself(scope, x, Some(lengths), false);
        let x = x.sublayer(scope, self.norm(0), attend)?;
        x.sublayer(scope, self.norm(1), |scope, x| self.feed_forward(scope, x))
    }

    /// What [`decode`](Self::decode) reads of the encoder's output [S, B, D].
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn memory(&self, scope: &mut Scope, encoded: Value) -> Result<Value, GraphError> {
        self.cross().keys_and_values(scope, encoded)
    }

    /// A decoder's layer over all positions; gives the weights of its attention over `memory` too.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn decode(
        &self,
        scope: &mut Scope,
        x: Residual,
        memory: (Value, Value),
    ) -> Result<(Residual, Value), GraphError> {
        let attend = |scope: &mut Scope, x| self.self_attn.over_itself(scope, x, None, true);
        let x = x.sublayer(scope, self.norm(0), attend)?;
        self.rest(scope, x, memory)
    }

    /// [`decode`](Self::decode) for one position more; `past` is what this layer gave for the positions before.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn step(
        &self,
        scope: &mut Scope,
        x: Residual,
        past: Option<Value>,
        memory: (Value, Value),
    ) -> Result<(Residual, Value, Value), GraphError> {
        let mut grown = None;
        let attend = |scope: &mut Scope, x| {
            let (y, past) = self.self_attn.over_past(scope, x, past)?;
            grown = Some(past);
            Ok(y)
        };
        let x = x.sublayer(scope, self.norm(0), attend)?;
        let (x, weights) = self.rest(scope, x, memory)?;
        Ok((x, weights, grown.expect("the sublayer ran")))
    }

    /// Attention over memory and its lengths, then the feed-forward network.
    fn rest(
        &self,
        scope: &mut Scope,
        x: Residual,
        (memory, lengths): (Value, Value),
    ) -> Result<(Residual, Value), GraphError> {
        let mut weights = None;
        let attend = |scope: &mut Scope, x| {
            let attended = self.cross().over_memory(scope, x, memory, lengths)?;
            weights = Some(attended.weights);
            Ok(attended.output)
        };
        let x = x.sublayer(scope, self.norm(1), attend)?;
        let x = x.sublayer(scope, self.norm(2), |scope, x| self.feed_forward(scope, x))?;
        Ok((x, weights.expect("the sublayer ran")))
    }
}
