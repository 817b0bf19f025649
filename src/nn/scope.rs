//! What layers need while they add themselves to a graph.

use std::collections::HashMap;

use crate::graph::{Graph, GraphError, TensorType, Value};
use crate::ops::dropout::{self, dropout, variational_dropout};

use super::{Parameter, Parameters};

/// A graph under construction, and where parameters, seed and step lie in it.
pub struct Scope<'g> {
    pub graph: &'g mut Graph,
    flat: Value,
    dropout: Option<Dropout>,
    values: HashMap<usize, Value>,
    /// Control words and stream of each variational dropout.
    places: HashMap<&'static str, (Value, u32)>,
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
        Ok(Self { graph, flat, dropout: None, values: HashMap::new(), places: HashMap::new() })
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
        let Some(p) = self.dropout.as_ref().map(|dropout| dropout.p) else { return Ok(x) };
        let (control, stream) = self.random().expect("there is dropout");
        dropout(self.graph, x, control, p, stream)
    }

    /// Dropout of x [T, B, C] with one mask for all time steps (Gal and Ghahramani 2016): the same wherever `place` is
    /// the same, so that a decoder may ask for it step by step.
    ///
    /// # Errors
    /// As the op.
    pub fn variational_dropout(&mut self, place: &'static str, x: Value) -> Result<Value, GraphError> {
        let Some(p) = self.dropout.as_ref().map(|dropout| dropout.p) else { return Ok(x) };
        let (control, fresh) = match self.places.get(place) {
            Some(&known) => known,
            None => self.random().expect("there is dropout"),
        };
        self.places.insert(place, (control, fresh));
        variational_dropout(self.graph, x, control, p, fresh)
    }

    /// Dropout of probability `p` for an op that drops within itself, with the control words and a stream of its own;
    /// `None` outside training, and where nothing is to be dropped.
    pub fn dropout_within(&mut self, p: f32) -> Option<(Value, dropout::Dropout)> {
        let (control, stream) = if p > 0.0 { self.random()? } else { return None };
        Some((control, dropout::Dropout::new(p, stream)))
    }

    /// The control words and a stream of random numbers that nobody else has; `None` outside training.
    pub fn random(&mut self) -> Option<(Value, u32)> {
        let state = self.dropout.as_mut()?;
        state.streams += 1;
        Some((state.control, state.streams))
    }
}
