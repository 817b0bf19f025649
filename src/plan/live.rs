//! Drops what no root needs.

use std::sync::Arc;

use crate::graph::{Graph, Kind, Op, Value};

/// An op to run: after fusion it may differ from the graph's node whose outputs it computes.
#[derive(Clone, Debug)]
pub struct Job {
    pub op: Arc<dyn Op>,
    pub inputs: Vec<Value>,
}

/// `result[node]` is the op that computes a live node; views, inputs and dead nodes have none.
pub fn live(graph: &Graph, roots: &[Value]) -> Vec<Option<Job>> {
    let mut needed = vec![false; graph.nodes().len()];
    let mut stack: Vec<usize> = roots.iter().map(|v| v.node).collect();
    while let Some(node) = stack.pop() {
        if !std::mem::replace(&mut needed[node], true) {
            stack.extend(graph.nodes()[node].inputs.iter().map(|v| v.node));
        }
    }
    let job = |(node, needed): (usize, bool)| match &graph.nodes()[node].kind {
        Kind::Op(op) if needed => Some(Job { op: op.clone(), inputs: graph.nodes()[node].inputs.clone() }),
        _ => None,
    };
    needed.into_iter().enumerate().map(job).collect()
}

/// Who reads a value among live ops and the views and packs that it needs; each root counts as a reader too.
pub fn readers(graph: &Graph, jobs: &[Option<Job>], roots: &[Value]) -> Vec<Vec<Vec<Reader>>> {
    let mut readers: Vec<Vec<Vec<Reader>>> = graph.nodes().iter().map(|n| vec![Vec::new(); n.outputs.len()]).collect();
    for root in roots {
        readers[root.node][root.output].push(Reader::Root);
    }
    for node in (0..jobs.len()).rev() {
        let inputs = match (&jobs[node], &graph.nodes()[node].kind) {
            (Some(job), _) => &job.inputs,
            // A view or pack that nobody reads is dead.
            (None, Kind::View { .. } | Kind::Pack { .. }) if readers[node].iter().any(|r| !r.is_empty()) => {
                &graph.nodes()[node].inputs
            }
            _ => continue,
        };
        for (index, value) in inputs.iter().enumerate() {
            readers[value.node][value.output].push(Reader::Node { node, input: index });
        }
    }
    readers
}

/// A reader of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Root,
    Node { node: usize, input: usize },
}
