//! Recurrent layers: torch.nn.RNN and torch.nn.LSTM, one direction of one layer.

use serde::{Deserialize, Serialize};

use crate::graph::{GraphError, Value};
use crate::ops::lstm::{LstmWeights, lstm};
use crate::ops::matmul::matmul_nt;
use crate::ops::reshape_rows;
use crate::ops::rnn::rnn;

use super::{Init, Parameter, Parameters, Scope};

/// The recurrent cell of encoder and decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RnnKind {
    /// Elman network (Elman 1990).
    Rnn,
    /// Long short-term memory (Hochreiter and Schmidhuber 1997).
    Lstm,
}

/// A state between steps: hidden [B, H], and an LSTM's cell [B, H].
#[derive(Clone, Copy, Debug)]
pub struct State {
    pub hidden: Value,
    pub cell: Option<Value>,
}

/// What a layer leaves: the hidden state after every step [T, B, H], and the last state.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    pub outputs: Value,
    pub last: State,
}

/// weight_ih [G·H, in], weight_hh [G·H, H], bias_ih and bias_hh [G·H], with G = 4 gates i, f, g, o for an LSTM and 1 for an RNN.
#[derive(Clone, Debug)]
pub struct Recurrent {
    kind: RnnKind,
    weight_ih: Parameter,
    weight_hh: Parameter,
    bias_ih: Parameter,
    bias_hh: Parameter,
    reverse: bool,
}

impl Recurrent {
    /// Parameters `NAME.weight_ih_l0` and so on, with `_reverse` behind them for the direction from a sequence's end to its start.
    pub fn new(
        parameters: &mut Parameters,
        name: &str,
        kind: RnnKind,
        [inputs, hidden]: [usize; 2],
        reverse: bool,
    ) -> Self {
        let gates = hidden * if kind == RnnKind::Lstm { 4 } else { 1 };
        let init = Init::Uniform(1.0 / (hidden as f32).sqrt());
        let direction = if reverse { "_reverse" } else { "" };
        let mut add = |part: &str, shape: &[usize]| parameters.add(format!("{name}.{part}_l0{direction}"), shape, init);
        Self {
            kind,
            weight_ih: add("weight_ih", &[gates, inputs]),
            weight_hh: add("weight_hh", &[gates, hidden]),
            bias_ih: add("bias_ih", &[gates]),
            bias_hh: add("bias_hh", &[gates]),
            reverse,
        }
    }

    /// Runs over x [T, B, in] with lengths `[B]`; zeros are the initial state if none is given.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn forward(
        &self,
        scope: &mut Scope,
        x: Value,
        lengths: Value,
        initial: Option<State>,
    ) -> Result<Layer, GraphError> {
        let [time, batch, _] = *scope.graph.shape(x) else { unreachable!("sequences are [T, B, width]") };
        let [weight_ih, w_hh, b_ih, b_hh] =
            [&self.weight_ih, &self.weight_hh, &self.bias_ih, &self.bias_hh].map(|p| scope.parameter(p));
        let (w_hh, b_ih, b_hh) = (w_hh?, b_ih?, b_hh?);
        // The input's product does not depend on the recurrence: one large product for all time steps.
        let rows = reshape_rows(scope.graph, x)?;
        let xw = matmul_nt(scope.graph, rows, weight_ih?)?;
        let xw = scope.graph.reshape(xw, &[time, batch, self.weight_ih.shape[0]])?;
        Ok(match self.kind {
            RnnKind::Rnn => {
                let layer = rnn(scope.graph, xw, [w_hh, b_ih, b_hh], lengths, initial.map(|s| s.hidden), self.reverse)?;
                Layer { outputs: layer.outputs, last: State { hidden: layer.hidden, cell: None } }
            }
            RnnKind::Lstm => {
                let initial = initial.map(|s| [s.hidden, s.cell.expect("an LSTM's state has a cell")]);
                let layer = lstm(scope.graph, xw, LstmWeights { w_hh, b_ih, b_hh }, lengths, initial, self.reverse)?;
                Layer { outputs: layer.outputs, last: State { hidden: layer.hidden, cell: Some(layer.cell) } }
            }
        })
    }
}
