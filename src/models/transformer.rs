//! The Transformer (Vaswani et al. 2017), as torch.nn.Transformer between embeddings with positions and a projection.

use crate::graph::{GraphError, Value};
use crate::nn::{
    Embedding, Init, LayerNorm, Linear, Parameter, Parameters, Projection, Residual, Scope, TransformerLayer,
};
use crate::ops::add_position::add_position;
use crate::ops::reshape_rows;

use super::{Decoded, Encoded, Model, Positions, Source, State, Tied, TransformerConfig, Weights};

/// `src_embedding`, `tgt_embedding`, `src_position`, `tgt_position`, `transformer.encoder`, `transformer.decoder` and
/// `output`. Of tied matrices only the first has its name, and the output its bias.
#[derive(Clone, Debug)]
pub struct Transformer {
    config: TransformerConfig,
    parameters: Parameters,
    embeddings: [Embedding; 2],
    positions: [Parameter; 2],
    encoder: Vec<TransformerLayer>,
    encoder_norm: LayerNorm,
    decoder: Vec<TransformerLayer>,
    decoder_norm: LayerNorm,
    output: Linear,
}

impl Transformer {
    /// A model over vocabularies of these sizes.
    pub fn new(config: &TransformerConfig, [source, target]: [usize; 2]) -> Self {
        let mut parameters = Parameters::new();
        let p = &mut parameters;
        let hidden = config.hidden;
        // Tied rows are multiplied by √hidden when they are read: this makes both uses start with the right variance.
        let deviation = if config.tied == Tied::None { 1.0 } else { 1.0 / (hidden as f32).sqrt() };
        let first = Embedding::new(p, "src_embedding", [source, hidden], deviation);
        let second = match config.tied {
            Tied::All => first.clone(),
            _ => Embedding::new(p, "tgt_embedding", [target, hidden], deviation),
        };
        let shape = [config.max_positions, hidden];
        let positions = ["src_position.weight", "tgt_position.weight"].map(|name| match config.positions {
            Positions::Learned => p.add(name.into(), &shape, Init::Normal(deviation)),
            Positions::Sinusoidal => p.add_constant(name.into(), &shape, Init::Sinusoidal),
        });
        let mut stack = |side: &str, layers: usize| {
            let sizes = [hidden, config.heads, config.feed_forward];
            let layer = |number: usize| {
                let name = format!("transformer.{side}.layers.{number}");
                TransformerLayer::new(p, &name, sizes, side == "decoder", config.norm_first, config.attention_dropout)
            };
            let layers: Vec<_> = (0..layers).map(layer).collect();
            (layers, LayerNorm::new(p, &format!("transformer.{side}.norm"), hidden))
        };
        let (encoder, encoder_norm) = stack("encoder", config.encoder_layers);
        let (decoder, decoder_norm) = stack("decoder", config.decoder_layers);
        let output = match config.tied {
            Tied::None => Linear::new(p, "output", hidden, target, true),
            Tied::Target | Tied::All => Linear {
                weight: second.weight.clone(),
                bias: Some(p.add("output.bias".into(), &[target], Init::Constant(0.0))),
            },
        };
        Self {
            embeddings: [first, second],
            positions,
            encoder,
            encoder_norm,
            decoder,
            decoder_norm,
            output,
            config: config.clone(),
            parameters,
        }
    }

    /// Tokens [T, B] of a side (0 source, 1 target) as representations [T, B, D], the first at position `first`.
    fn embed(&self, scope: &mut Scope, side: usize, ids: Value, first: usize) -> Result<Value, GraphError> {
        let x = self.embeddings[side].forward(scope, ids)?;
        let table = scope.parameter(&self.positions[side])?;
        let scale = if self.config.tied == Tied::None { 1.0 } else { (self.config.hidden as f32).sqrt() };
        let x = add_position(scope.graph, x, table, first, scale)?;
        scope.dropout(x)
    }
}

impl Model for Transformer {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn projection(&self) -> Projection<'_> {
        self.output.projection()
    }

    fn max_positions(&self) -> Option<usize> {
        Some(self.config.max_positions)
    }

    /// The memory is what each decoder layer reads of the encoder's output: keys and values [S, B, 2·D].
    fn encode(&self, scope: &mut Scope, source: Source) -> Result<Encoded, GraphError> {
        let mut x = Residual::new(self.embed(scope, 0, source.ids, 0)?);
        for layer in &self.encoder {
            x = layer.encode(scope, x, source.lengths)?;
        }
        let x = x.normed(scope, &self.encoder_norm)?;
        let memory = self.decoder.iter().map(|layer| layer.memory(scope, x)).collect::<Result<_, _>>()?;
        Ok(Encoded { memory, weights: None, lengths: source.lengths, start: vec![] })
    }

    fn decode(&self, scope: &mut Scope, encoded: &Encoded, ids: Value, _lengths: Value) -> Result<Decoded, GraphError> {
        let mut x = Residual::new(self.embed(scope, 1, ids, 0)?);
        let mut weights = None;
        for (layer, &memory) in self.decoder.iter().zip(&encoded.memory) {
            let (next, looked) = layer.decode(scope, x, (memory, encoded.lengths))?;
            (x, weights) = (next, Some(Weights::Whole(looked)));
        }
        let x = x.normed(scope, &self.decoder_norm)?;
        Ok(Decoded { features: reshape_rows(scope.graph, x)?, weights })
    }

    /// The state is each layer's keys and values of the positions so far, [t, B, 2·D].
    fn step(
        &self,
        scope: &mut Scope,
        encoded: &Encoded,
        ids: Value,
        state: &State,
        t: usize,
    ) -> Result<(Decoded, State), GraphError> {
        let batch = scope.graph.shape(ids)[0];
        let ids = scope.graph.reshape(ids, &[1, batch])?;
        let mut x = Residual::new(self.embed(scope, 1, ids, t)?);
        let (mut weights, mut next) = (None, vec![]);
        for (number, (layer, &memory)) in self.decoder.iter().zip(&encoded.memory).enumerate() {
            let (y, looked, past) = layer.step(scope, x, state.get(number).copied(), (memory, encoded.lengths))?;
            next.push(past);
            (x, weights) = (y, Some(Weights::Whole(looked)));
        }
        let x = x.normed(scope, &self.decoder_norm)?;
        Ok((Decoded { features: reshape_rows(scope.graph, x)?, weights }, next))
    }
}
