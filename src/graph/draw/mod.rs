//! Drawings of a graph: forward and backward in different colours, with shapes.
//!
//! Views and packs only describe where data lies, so a drawing leaves them out: an edge leads from the op that computes a value to the op that reads it.

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

/// The nodes to draw, in the order of the graph. `forward` is the number of nodes of the forward pass, which come first; `labels` are names of values.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{GraphError, TensorType};
    use crate::models::textbook_rnn::{Sizes, textbook_rnn};
    use crate::ops::tanh::tanh;

    fn example() -> (Vec<Drawn>, usize) {
        let sizes = Sizes { steps: 4, inputs: 3, hidden: 5, outputs: 7 };
        let network = textbook_rnn(sizes).expect("the shapes fit");
        let drawn = drawing(&network.graph, network.forward, &network.labels);
        let ops = network.graph.nodes().iter().filter(|n| !matches!(n.kind, Kind::View { .. })).count();
        (drawn, ops)
    }

    #[test]
    fn every_node_is_drawn_once() {
        let (drawn, ops) = example();
        assert_eq!(drawn.len(), ops);
        assert!(drawn.iter().enumerate().all(|(i, node)| node.reads.iter().all(|&read| read < i)));
        for role in [Role::Input, Role::Forward, Role::Backward] {
            assert!(drawn.iter().any(|node| node.role == role), "{role:?}");
        }
        let (svg, dot, text) = (svg(&drawn), dot(&drawn), text(&drawn));
        assert_eq!(text.lines().count(), ops);
        assert_eq!(dot.lines().filter(|line| line.contains("label=")).count(), ops);
        assert_eq!(svg.matches("<g class=").count(), ops);
        for label in ["∂L/∂W", "U·x1", "h4", "f32[5, 5]"] {
            assert!([&svg, &dot, &text].into_iter().all(|drawing| drawing.contains(label)), "{label}");
        }
    }

    /// A training step packs its gradients; with edges from one of them alone, the others looked unused and the optimizer seemed to come before them.
    #[test]
    fn a_pack_is_read_with_all_its_parts() -> Result<(), GraphError> {
        let mut graph = Graph::new();
        let x = graph.input("x", TensorType::f32(&[64]))?;
        let flat = graph.input("flat", TensorType::f32(&[128]))?;
        let first = tanh(&mut graph, x)?;
        let second = tanh(&mut graph, first)?;
        let packed = graph.pack(flat, &[(first, 0), (second, 64)])?;
        let seen = graph.reshape(packed, &[2, 64])?;
        tanh(&mut graph, seen)?;
        let drawn = drawing(&graph, graph.nodes().len(), &HashMap::new());
        assert_eq!(drawn.last().expect("five nodes").reads, [1, 2, 3]);
        Ok(())
    }

    #[test]
    fn the_drawing_is_well_formed_and_always_the_same() {
        let (mut drawn, _) = example();
        assert_eq!(svg(&drawn), svg(&example().0));
        drawn[0].name = "a<b>&\"c\"".into();
        drawn[0].label = None;
        let drawing = svg(&drawn);
        assert!(drawing.contains("a&lt;b&gt;&amp;&quot;c&quot;"));
        let mut open = vec![];
        for tag in drawing.split('<').skip(1) {
            let name: String = tag.chars().take_while(|c| !" />".contains(*c)).collect();
            let inside = tag.split('>').next().expect("a tag ends");
            if let Some(closed) = tag.strip_prefix('/') {
                let closed: String = closed.chars().take_while(|c| *c != '>').collect();
                assert_eq!(open.pop(), Some(closed));
            } else if !inside.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
        assert!(dot(&drawn).contains("a<b>&\\\"c\\\""));
    }
}
