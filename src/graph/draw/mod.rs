//! Drawings of a graph: forward and backward in different colours, with shapes.
//!
//! Views and packs only describe where data lies, so a drawing leaves them out: an edge leads from the op that computes
//! a value to the op that reads it.

mod dot;
mod layout;
mod svg;
mod text;

use std::collections::HashMap;

use super::{Graph, Kind, Node, Value};

pub use dot::dot;
pub use svg::svg;
pub use text::text;

/// What a node of a drawing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A buffer that outlives the step: parameters, ids.
    Input,
    Forward,
    Backward,
}

/// A node of a drawing.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// Its number in the graph.
    pub node: usize,
    pub role: Role,
    /// The op's name, or the input's.
    pub name: String,
    /// What people call its results, where somebody said.
    pub label: Option<String>,
    /// Types of its outputs, e.g. `f32[5, 3]`; of those that are read, or of the first.
    pub shapes: Vec<String>,
    /// Indices into the drawing of the nodes that it reads, without repetition.
    pub reads: Vec<usize>,
}

/// The nodes to draw, in the order of the graph. `forward` is the number of nodes of the forward pass, which come
/// first; `labels` are names of values.
pub fn drawing(graph: &Graph, forward: usize, labels: &HashMap<Value, String>) -> Vec<Drawn> {
    let mut drawn: Vec<Drawn> = vec![];
    // For each value, the drawing's nodes that compute it: one, or all parts of a pack.
    let mut sources: HashMap<Value, Vec<usize>> = HashMap::new();
    let mut read = vec![vec![]; graph.nodes().len()];
    for node in graph.nodes() {
        node.inputs.iter().for_each(|value| read[value.node].push(value.output));
    }
    for (number, node) in graph.nodes().iter().enumerate() {
        let value = |output| Value { node: number, output };
        let name = match &node.kind {
            // A named part of a buffer, a parameter, is an input of its own.
            Kind::View { .. } if labels.contains_key(&value(0)) && reads_input(graph, node) => {
                labels[&value(0)].clone()
            }
            // Whoever reads a pack reads the buffer and every part: the optimizer waits for all gradients.
            Kind::View { .. } | Kind::Pack { .. } => {
                let from = node.inputs.iter().flat_map(|input| &sources[input]).copied().collect();
                sources.insert(value(0), from);
                continue;
            }
            Kind::Input { name } => name.clone(),
            Kind::Op(op) => op.name().to_owned(),
        };
        let role = match node.kind {
            Kind::Input { .. } | Kind::View { .. } => Role::Input,
            _ if number < forward => Role::Forward,
            _ => Role::Backward,
        };
        let inputs = if role == Role::Input { &[][..] } else { &node.inputs };
        let mut reads: Vec<usize> = inputs.iter().flat_map(|input| &sources[input]).copied().collect();
        reads.sort_unstable();
        reads.dedup();
        let outputs = 0..node.outputs.len();
        let used: Vec<usize> = outputs.clone().filter(|o| *o == 0 || read[number].contains(o)).collect();
        let label = if role == Role::Input {
            None
        } else {
            outputs.clone().find_map(|output| labels.get(&value(output)).cloned())
        };
        let shapes = used.into_iter().map(|output| node.outputs[output].to_string()).collect();
        outputs.for_each(|output| {
            sources.insert(value(output), vec![drawn.len()]);
        });
        drawn.push(Drawn { node: number, role, name, label, shapes, reads });
    }
    drawn
}

fn reads_input(graph: &Graph, node: &Node) -> bool {
    matches!(graph.nodes()[node.inputs[0].node].kind, Kind::Input { .. })
}
