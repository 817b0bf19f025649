//! Reverse-mode differentiation: adds nodes to the same graph.

use std::collections::HashMap;

use super::{DType, Graph, GraphError, Kind, Value};

/// How two contributions to one gradient are added; `ops` supplies it, since this module knows no op by name.
pub type Accumulate = fn(&mut Graph, Value, Value) -> Result<Value, GraphError>;

/// What an op's gradient rule sees and gives.
pub struct Backward<'g> {
    pub graph: &'g mut Graph,
    node: usize,
    upstream: Vec<Option<Value>>,
    gradients: Vec<Option<Value>>,
}

impl Backward<'_> {
    pub fn input(&self, i: usize) -> Value {
        self.graph.nodes[self.node].inputs[i]
    }

    pub fn output(&self, output: usize) -> Value {
        Value { node: self.node, output }
    }

    /// Gradient of the loss with respect to output 0, for an op with a single differentiable output.
    pub fn upstream(&self) -> Value {
        self.upstream[0].expect("gradient rules are asked only where a gradient arrives")
    }

    /// Gradient of the loss with respect to output `i`, `None` where the loss does not depend on it.
    pub fn upstream_of(&self, i: usize) -> Option<Value> {
        self.upstream[i]
    }

    /// States the gradient with respect to input `i`.
    pub fn set(&mut self, i: usize, gradient: Value) {
        self.gradients[i] = Some(gradient);
    }
}

impl Graph {
    /// Gradients of a scalar with respect to each of `wanted`, given `seed`, the gradient of the scalar itself.
    /// `None` where the scalar does not depend on the value.
    ///
    /// # Errors
    /// When the path leads through an op without derivative.
    pub fn gradients(
        &mut self,
        scalar: Value,
        seed: Value,
        wanted: &[Value],
        accumulate: Accumulate,
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let depends = self.depend_on(wanted, scalar.node);
        let mut gradients: HashMap<Value, Value> = HashMap::from([(scalar, seed)]);
        for node in (0..=scalar.node).rev() {
            let outputs = self.nodes[node].outputs.len();
            let upstream: Vec<_> = (0..outputs).map(|output| gradients.get(&Value { node, output }).copied()).collect();
            if !depends[node] || upstream.iter().all(Option::is_none) {
                continue;
            }
            let inputs = self.nodes[node].inputs.clone();
            for (input, gradient) in inputs.iter().zip(self.node_gradients(node, upstream, &depends)?) {
                let Some(gradient) = gradient.filter(|_| depends[input.node]) else {
                    continue;
                };
                debug_assert_eq!(self.shape(*input), self.shape(gradient), "gradient of {:?}", self.nodes[node].kind);
                let sum = match gradients.get(input) {
                    Some(&other) => accumulate(self, other, gradient)?,
                    None => gradient,
                };
                gradients.insert(*input, sum);
            }
        }
        Ok(wanted.iter().map(|value| gradients.get(value).copied()).collect())
    }

    fn node_gradients(
        &mut self,
        node: usize,
        upstream: Vec<Option<Value>>,
        depends: &[bool],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let inputs = self.nodes[node].inputs.clone();
        match self.nodes[node].kind.clone() {
            Kind::Input { .. } => Ok(vec![]),
            Kind::Pack { .. } => Err(GraphError::NotDifferentiable { op: "pack".into() }),
            // A parameter is a view of a buffer, where differentiation ends.
            Kind::View { .. } if !depends[inputs[0].node] => Ok(vec![None]),
            Kind::View { .. } if self.type_of(inputs[0]).len() != self.nodes[node].outputs[0].len() => {
                Err(GraphError::NotDifferentiable { op: "view".into() })
            }
            Kind::View { .. } => {
                let shape = self.shape(inputs[0]).to_vec();
                Ok(vec![Some(self.reshape(upstream[0].expect("checked by the caller"), &shape)?)])
            }
            Kind::Op(op) => {
                let mut at = Backward { graph: self, node, upstream, gradients: vec![None; inputs.len()] };
                op.gradient(&mut at)?;
                Ok(at.gradients)
            }
        }
    }

    /// For each node up to `last`: does it depend on one of `values`, through numbers?
    fn depend_on(&self, values: &[Value], last: usize) -> Vec<bool> {
        let mut depends = vec![false; last + 1];
        values.iter().filter(|value| value.node <= last).for_each(|value| depends[value.node] = true);
        for node in 0..=last {
            let through = |v: &Value| depends[v.node] && self.type_of(*v).dtype == DType::F32;
            depends[node] |= self.nodes[node].inputs.iter().any(through);
        }
        depends
    }
}
