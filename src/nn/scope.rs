//! What layers need while they add themselves to a graph.

use std::collections::HashMap;

use crate::graph::{Graph, GraphError, TensorType, Value};
use crate::ops::dropout::dropout;

use super::{Parameter, Parameters};

/// A graph under construction, and where parameters, seed and step lie in it.
pub struct Scope<'g> {
    pub graph: &'g mut Graph,
    flat: Value,
    dropout: Option<Dropout>,
    values: HashMap<usize, Value>,
}

/// Dropout in training: its probability, the control words with seed and step, and the streams given out so far.
struct Dropout {
    p: f32,
    control: Value,
    streams: u32,
}

impl<'g> Scope<'g> {
    /// A scope over the resident buffer `parameters`, without dropout.
    ///
    /// # Errors
    /// When the graph already has a buffer of this name with another shape.
    pub fn evaluating(graph: &'g mut Graph, parameters: &Parameters) -> Result<Self, GraphError> {
        let flat = graph.input("parameters", TensorType::f32(&[parameters.flat_len()]))?;
        Ok(Self { graph, flat, dropout: None, values: HashMap::new() })
    }

    /// A scope with dropout of probability `p`, seeded by the `control` words (see [`crate::ops::control`]).
    ///
    /// # Errors
    /// As [`Scope::evaluating`].
    pub fn training(graph: &'g mut Graph, parameters: &Parameters, control: Value, p: f32) -> Result<Self, GraphError> {
        Ok(Self { dropout: Some(Dropout { p, control, streams: 0 }), ..Self::evaluating(graph, parameters)? })
    }

    /// A parameter as a value: always the same one, so that its gradients meet.
    ///
    /// # Errors
    /// When the parameter belongs to another model.
    pub fn parameter(&mut self, parameter: &Parameter) -> Result<Value, GraphError> {
        if let Some(&value) = self.values.get(&parameter.offset) {
            return Ok(value);
        }
        let value = self.graph.view(self.flat, parameter.offset, &parameter.shape)?;
        self.values.insert(parameter.offset, value);
        Ok(value)
    }

    /// The flat buffer of all parameters.
    pub fn flat(&self) -> Value {
        self.flat
    }

    /// Dropout with a stream of its own; nothing outside training.
    ///
    /// # Errors
    /// As the op.
    pub fn dropout(&mut self, x: Value) -> Result<Value, GraphError> {
        let Some(state) = &mut self.dropout else { return Ok(x) };
        state.streams += 1;
        dropout(self.graph, x, state.control, state.p, state.streams)
    }
}
