//! WHAT to compute: a static graph of ops, its shapes, and its derivative as more nodes of the same graph.
//!
//! A node is appended after the nodes it reads, so that the order of the list is an order of execution. Nothing here
//! knows of devices: `plan` decides when and where.

mod dispatch;
pub mod draw;
mod gradient;
mod op;
mod real;
mod shader;
mod tensor_type;

pub use crate::reference;
pub use dispatch::{Dispatch, Operand, Target, groups};
pub use gradient::Backward;
pub use op::{Alias, Call, Op, Slice, SliceMut, Types, Work, expect};
pub use real::{Real, Tracked};
pub use shader::Shader;
pub(crate) use shader::shader;
pub use tensor_type::{DType, TensorType, elements};

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

/// Parts of a flat buffer start at multiples of this many elements: 256 bytes, which every adapter can bind.
pub const ALIGNMENT: usize = 64;

/// Most elements of a tensor: kernels number them in 32 bits.
pub const MOST_ELEMENTS: usize = u32::MAX as usize;

/// One output of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    pub node: usize,
    pub output: usize,
}

/// Where a node's value comes from.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A buffer that outlives the step and that the host can write: token ids, the flat parameters, the optimizer's
    /// moments.
    Input {
        name: String,
    },
    /// `inputs[0]` from element `offset` on, under another shape. Costs nothing.
    View {
        offset: usize,
    },
    /// Gathers values into one flat buffer: `inputs[0]` is that buffer, `inputs[1 + i]` goes to element `offsets[i]`.
    /// The planner lets a value that nobody else reads be computed right at its place, which costs nothing; any other
    /// is copied there.
    Pack {
        offsets: Vec<usize>,
    },
    Op(Arc<dyn Op>),
}

#[derive(Clone, Debug)]
pub struct Node {
    pub kind: Kind,
    pub inputs: Vec<Value>,
    pub outputs: Vec<TensorType>,
}

/// A mistake in how a graph was put together.
#[derive(Debug, Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum GraphError {
    #[error("{op}({inputs}): {rule}")]
    Shape { op: String, inputs: String, rule: String },
    #[error("{op} has no derivative, and the loss depends on a parameter through it")]
    NotDifferentiable { op: String },
    #[error(
        "{op} would make {tensor}, and a tensor has at most {MOST_ELEMENTS} elements; take smaller batches or a \
         smaller model"
    )]
    TooLarge { op: String, tensor: String },
}

impl GraphError {
    /// What stands before the message for a user: a shape that breaks a rule is wgrad's fault, one that is too large is
    /// not.
    pub fn blame(&self) -> &'static str {
        match self {
            GraphError::TooLarge { .. } => "",
            _ => "wgrad put a graph together wrongly, please report this: ",
        }
    }
}

/// The computation of one step for one batch shape.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    /// The node of each input, and of each view by its source, offset and shape: models ask for the same ones thousands
    /// of times.
    inputs: HashMap<String, usize>,
    views: HashMap<(Value, usize, Vec<usize>), usize>,
}

impl Graph {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn type_of(&self, value: Value) -> &TensorType {
        &self.nodes[value.node].outputs[value.output]
    }

    pub fn shape(&self, value: Value) -> &[usize] {
        &self.type_of(value).shape
    }

    /// A resident buffer. The same name gives the same value, so that every layer can ask for `parameters`.
    ///
    /// # Errors
    /// When the name is already taken by a buffer of another shape or type.
    pub fn input(&mut self, name: &str, tensor: TensorType) -> Result<Value, GraphError> {
        if let Some(&node) = self.inputs.get(name) {
            return if self.nodes[node].outputs[0] == tensor {
                Ok(Value { node, output: 0 })
            } else {
                let rule = format!("the input `{name}` exists already with {}", self.nodes[node].outputs[0]);
                Err(shape_error("input", &[tensor], rule))
            };
        }
        let value = self.append(Kind::Input { name: name.into() }, vec![], vec![tensor])?;
        self.inputs.insert(name.into(), value.node);
        Ok(value)
    }

    /// `source` from element `offset` on, seen with another shape.
    ///
    /// # Errors
    /// When the view reaches past the end of `source`.
    pub fn view(&mut self, source: Value, offset: usize, shape: &[usize]) -> Result<Value, GraphError> {
        let from = self.type_of(source).clone();
        let tensor = TensorType { shape: shape.to_vec(), dtype: from.dtype };
        let end = offset.saturating_add(tensor.len());
        if end > from.len() {
            let rule = format!("a view of {tensor} from element {offset} on needs {end} elements");
            return Err(shape_error("view", &[from], rule));
        }
        // The same view again is the same value, so that gradients meet on it instead of on copies of it.
        let key = (source, offset, tensor.shape.clone());
        if let Some(&node) = self.views.get(&key) {
            return Ok(Value { node, output: 0 });
        }
        let value = self.append(Kind::View { offset }, vec![source], vec![tensor])?;
        self.views.insert(key, value.node);
        Ok(value)
    }

    /// The same elements under another shape.
    ///
    /// # Errors
    /// When the number of elements differs.
    pub fn reshape(&mut self, source: Value, shape: &[usize]) -> Result<Value, GraphError> {
        let from = self.type_of(source);
        if from.len() != elements(shape) {
            return Err(shape_error(
                "reshape",
                std::slice::from_ref(from),
                format!("{shape:?} has another number of elements"),
            ));
        }
        self.view(source, 0, shape)
    }

    /// Gathers `values` into the flat buffer `target`, each from its offset on. See [`Kind::Pack`].
    ///
    /// # Errors
    /// When a value does not fit into `target`, or an offset is not a multiple of [`ALIGNMENT`].
    pub fn pack(&mut self, target: Value, values: &[(Value, usize)]) -> Result<Value, GraphError> {
        let flat = self.type_of(target).clone();
        for &(value, offset) in values {
            if offset.saturating_add(self.type_of(value).len()) > flat.len() {
                let inputs = [flat, self.type_of(value).clone()];
                return Err(shape_error("pack", &inputs, format!("no room from element {offset} on")));
            }
            if !offset.is_multiple_of(ALIGNMENT) {
                let rule = format!("offsets must be multiples of {ALIGNMENT}, got {offset}");
                return Err(shape_error("pack", &[flat], rule));
            }
        }
        let inputs = std::iter::once(target).chain(values.iter().map(|v| v.0)).collect();
        let offsets = values.iter().map(|v| v.1).collect();
        self.append(Kind::Pack { offsets }, inputs, vec![flat])
    }

    /// Appends an op after checking its shape rule; gives its outputs.
    ///
    /// # Errors
    /// [`GraphError::Shape`] names the op, the shapes and the rule broken; [`GraphError::TooLarge`] an output of more
    /// than [`MOST_ELEMENTS`].
    pub fn push(&mut self, op: impl Op, inputs: &[Value]) -> Result<Vec<Value>, GraphError> {
        self.push_shared(Arc::new(op), inputs)
    }

    /// [`Graph::push`] for an op with a single output.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn push1(&mut self, op: impl Op, inputs: &[Value]) -> Result<Value, GraphError> {
        Ok(self.push(op, inputs)?[0])
    }

    /// [`Graph::push`] for an op that is already shared.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn push_shared(&mut self, op: Arc<dyn Op>, inputs: &[Value]) -> Result<Vec<Value>, GraphError> {
        let types: Vec<_> = inputs.iter().map(|&v| self.type_of(v).clone()).collect();
        let outputs = op.infer(&types).map_err(|rule| shape_error(op.name(), &types, rule))?;
        let count = outputs.len();
        let first = self.append(Kind::Op(op), inputs.to_vec(), outputs)?;
        Ok((0..count).map(|output| Value { output, ..first }).collect())
    }

    fn append(&mut self, kind: Kind, inputs: Vec<Value>, outputs: Vec<TensorType>) -> Result<Value, GraphError> {
        if let Some(tensor) = outputs.iter().find(|tensor| tensor.len() > MOST_ELEMENTS) {
            let op = match &kind {
                Kind::Input { name } => name,
                Kind::View { .. } => "view",
                Kind::Pack { .. } => "pack",
                Kind::Op(op) => op.name(),
            };
            return Err(GraphError::TooLarge { op: op.into(), tensor: tensor.to_string() });
        }
        self.nodes.push(Node { kind, inputs, outputs });
        Ok(Value { node: self.nodes.len() - 1, output: 0 })
    }
}

fn shape_error(op: &str, inputs: &[TensorType], rule: String) -> GraphError {
    let inputs = inputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    GraphError::Shape { op: op.into(), inputs, rule }
}
