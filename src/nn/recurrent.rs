//! Recurrent layers: torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU, and the unit of textbooks.

use serde::{Deserialize, Serialize};

use crate::graph::{GraphError, Value};
use crate::ops::concat::concat;
use crate::ops::fill::{fill, fill_ids};
use crate::ops::gru::gru;
use crate::ops::lstm::{LstmWeights, lstm};
use crate::ops::matmul::matmul_nt;
use crate::ops::reshape_rows;
use crate::ops::rnn::rnn;
use crate::ops::slice::slice;

use super::{Init, Linear, Parameter, Parameters, Scope};

/// The recurrent cell of encoder and decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RnnKind {
    /// Elman network (Elman 1990).
    Rnn,
    /// Long short-term memory (Hochreiter and Schmidhuber 1997).
    Lstm,
    /// Gated recurrent unit (Cho et al. 2014).
    Gru,
    /// Elman's network as courses write it down, with one matrix over [x; h] and one bias: h' = tanh(W·[x; h] + b).
    Unit,
}

impl RnnKind {
    fn gates(self) -> usize {
        match self {
            RnnKind::Rnn | RnnKind::Unit => 1,
            RnnKind::Gru => 3,
            RnnKind::Lstm => 4,
        }
    }
}

/// A layer's state between steps: hidden [B, H], and an LSTM's cell [B, H].
#[derive(Clone, Copy, Debug)]
pub struct RnnState {
    pub hidden: Value,
    pub cell: Option<Value>,
}

/// The parameters of a direction of a layer.
#[derive(Clone, Debug)]
enum Weights {
    /// weight_ih [G·H, in], weight_hh [G·H, H], bias_ih and bias_hh [G·H], with the G gates in PyTorch's order: i, f,
    /// g, o for an LSTM, r, z, n for a GRU, one for an RNN.
    Apart([Parameter; 4]),
    /// A unit's: weight [H, in + H], bias `[H]`.
    Joined(Linear),
}

impl Weights {
    /// As values, of the shapes of [`Weights::Apart`].
    fn values(&self, scope: &mut Scope) -> Result<[Value; 4], GraphError> {
        match self {
            Weights::Apart(parameters) => {
                let [weight_ih, weight_hh, bias_ih, bias_hh] = parameters.each_ref().map(|p| scope.parameter(p));
                Ok([weight_ih?, weight_hh?, bias_ih?, bias_hh?])
            }
            Weights::Joined(Linear { weight, bias }) => {
                let [hidden, columns] = weight.shape[..] else { unreachable!("a weight is a matrix") };
                let weight = scope.parameter(weight)?;
                let bias = scope.parameter(bias.as_ref().expect("a unit has a bias"))?;
                let inputs = slice(scope.graph, weight, 1, 0, columns - hidden)?;
                let states = slice(scope.graph, weight, 1, columns - hidden, hidden)?;
                Ok([inputs, states, bias, fill(scope.graph, &[hidden], 0.0)?])
            }
        }
    }
}

/// One direction of one layer.
#[derive(Clone, Debug)]
struct Direction {
    kind: RnnKind,
    weights: Weights,
    reverse: bool,
}

impl Direction {
    /// `suffix` is `_l0` and so on, with `_reverse` behind it for the direction from a sequence's end to its start. A
    /// unit has none.
    fn new(
        parameters: &mut Parameters,
        (name, suffix): (&str, &str),
        kind: RnnKind,
        [inputs, hidden]: [usize; 2],
    ) -> Self {
        let gates = hidden * kind.gates();
        let init = Init::Uniform(1.0 / (hidden as f32).sqrt());
        let mut add = |part: &str, shape: &[usize]| parameters.add(format!("{name}.{part}{suffix}"), shape, init);
        let weights = match kind {
            RnnKind::Unit => {
                Weights::Joined(Linear::new(parameters, &format!("{name}.hidden"), inputs + hidden, hidden, true))
            }
            _ => Weights::Apart([
                add("weight_ih", &[gates, inputs]),
                add("weight_hh", &[gates, hidden]),
                add("bias_ih", &[gates]),
                add("bias_hh", &[gates]),
            ]),
        };
        Self { kind, weights, reverse: suffix.ends_with("_reverse") }
    }

    /// The hidden states after each step [T, B, H], and the last state.
    fn forward(
        &self,
        scope: &mut Scope,
        x: Value,
        lengths: Value,
        initial: Option<RnnState>,
    ) -> Result<(Value, RnnState), GraphError> {
        let [time, batch, _] = *scope.graph.shape(x) else { unreachable!("sequences are [T, B, width]") };
        let [weight_ih, w_hh, b_ih, b_hh] = self.weights.values(scope)?;
        // The input's product does not depend on the recurrence: one large product for all time steps.
        let rows = reshape_rows(scope.graph, x)?;
        let xw = matmul_nt(scope.graph, rows, weight_ih)?;
        let columns = scope.graph.type_of(xw).columns();
        let xw = scope.graph.reshape(xw, &[time, batch, columns])?;
        let hidden = initial.map(|s| s.hidden);
        Ok(match self.kind {
            RnnKind::Rnn | RnnKind::Unit => {
                let layer = rnn(scope.graph, xw, [w_hh, b_ih, b_hh], lengths, hidden, self.reverse)?;
                (layer.outputs, RnnState { hidden: layer.hidden, cell: None })
            }
            RnnKind::Gru => {
                let layer = gru(scope.graph, xw, [w_hh, b_ih, b_hh], lengths, hidden, self.reverse)?;
                (layer.outputs, RnnState { hidden: layer.hidden, cell: None })
            }
            RnnKind::Lstm => {
                let initial = initial.map(|s| [s.hidden, s.cell.expect("an LSTM's state has a cell")]);
                let layer = lstm(scope.graph, xw, LstmWeights { w_hh, b_ih, b_hh }, lengths, initial, self.reverse)?;
                (layer.outputs, RnnState { hidden: layer.hidden, cell: Some(layer.cell) })
            }
        })
    }
}

/// Layers on top of each other, each of one direction or two whose states are joined.
#[derive(Clone, Debug)]
pub struct Recurrent {
    layers: Vec<Vec<Direction>>,
}

/// What a [`Recurrent`] is made of. `hidden` is split between the directions if it is bidirectional.
#[derive(Clone, Copy, Debug)]
pub struct RecurrentSizes {
    pub kind: RnnKind,
    pub layers: usize,
    pub bidirectional: bool,
    pub inputs: usize,
    pub hidden: usize,
}

impl Recurrent {
    /// Parameters `NAME.weight_ih_l0` and so on; `NAME.hidden.weight` and `.bias` of a unit, which has one layer of one
    /// direction.
    pub fn new(parameters: &mut Parameters, name: &str, sizes: RecurrentSizes) -> Self {
        let directions: &[&str] = if sizes.bidirectional { &["", "_reverse"] } else { &[""] };
        let units = sizes.hidden / directions.len();
        let layer = |number: usize| {
            let inputs = if number == 0 { sizes.inputs } else { sizes.hidden };
            let direction = |direction: &&str| {
                let suffix = format!("_l{number}{direction}");
                Direction::new(parameters, (name, &suffix), sizes.kind, [inputs, units])
            };
            directions.iter().map(direction).collect()
        };
        Self { layers: (0..sizes.layers).map(layer).collect() }
    }

    /// Runs over x [T, B, in] with lengths `[B]` (all of T if `None`), from zeros if no state is given, with dropout
    /// between layers. Gives the top layer's hidden states [T, B, H] and each layer's last state.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn forward(
        &self,
        scope: &mut Scope,
        x: Value,
        lengths: Option<Value>,
        initial: Option<&[RnnState]>,
    ) -> Result<(Value, Vec<RnnState>), GraphError> {
        let [time, batch, _] = *scope.graph.shape(x) else { unreachable!("sequences are [T, B, width]") };
        let lengths = lengths.map_or_else(|| fill_ids(scope.graph, &[batch], time as u32), Ok)?;
        let (mut x, mut last) = (x, vec![]);
        for (number, directions) in self.layers.iter().enumerate() {
            if number > 0 {
                x = scope.dropout(x)?;
            }
            let initial = initial.map(|states| states[number]);
            let (mut outputs, mut state) = directions[0].forward(scope, x, lengths, initial)?;
            if let Some(reverse) = directions.get(1) {
                let (others, other) = reverse.forward(scope, x, lengths, initial)?;
                outputs = concat(scope.graph, outputs, others)?;
                state.hidden = concat(scope.graph, state.hidden, other.hidden)?;
                if let (Some(cell), Some(other)) = (state.cell, other.cell) {
                    state.cell = Some(concat(scope.graph, cell, other)?);
                }
            }
            last.push(state);
            x = outputs;
        }
        Ok((x, last))
    }
}
