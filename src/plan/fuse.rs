//! Fuses an op into its only reader, where the op knows how ([`Op::absorb`](crate::graph::Op::absorb)): a bias and an
//! activation go into the product before them, dropout into the embedding.

use crate::graph::{Graph, Kind, Types, Value};

use super::live::{Job, Reader, readers};

pub fn fuse(jobs: &mut [Option<Job>], graph: &Graph, roots: &[Value]) {
    let readers = readers(graph, jobs, roots);
    // Nodes come in order of execution, so that a chain (product, bias, tanh) collapses from its front.
    for node in 0..jobs.len() {
        let Some(producer) = jobs[node].clone() else { continue };
        let unread_rest = readers[node].iter().skip(1).all(Vec::is_empty);
        let &[Reader::Node { node: reader, input }] = readers[node][0].as_slice() else {
            continue;
        };
        let Some(consumer) = jobs[reader].as_ref().filter(|_| unread_rest) else {
            continue;
        };
        if let Some(op) = producer.op.absorb(&*consumer.op, input) {
            let inputs: Vec<Value> = producer.inputs.iter().chain(others(&consumer.inputs, input)).copied().collect();
            // What an op overwrites must have no other reader, now or at the end of the plan.
            if op
                .in_place(0)
                .is_some_and(|i| readers[inputs[i].node][inputs[i].output].len() > 1 || !owned(graph, inputs[i]))
            {
                continue;
            }
            jobs[reader] = Some(Job { op, inputs });
            jobs[node] = None;
        }
    }
}

/// Whether a value is computed into memory that no other value shares.
fn owned(graph: &Graph, value: Value) -> bool {
    let node = &graph.nodes()[value.node];
    let Kind::Op(op) = &node.kind else { return false };
    let inputs = node.inputs.iter().map(|v| graph.type_of(*v).clone()).collect();
    let types = Types { inputs, outputs: node.outputs.clone(), wanted: vec![true; node.outputs.len()] };
    op.alias(value.output, &types).is_none()
}

/// All inputs but one.
fn others(inputs: &[Value], except: usize) -> impl Iterator<Item = &Value> {
    inputs.iter().enumerate().filter(move |(i, _)| *i != except).map(|(_, value)| value)
}
