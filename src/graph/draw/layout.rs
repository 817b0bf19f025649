//! Where the nodes of a drawing stand: in layers (Sugiyama et al. 1981), the forward pass from left to right, below it the backward pass from right to
//! left, as one draws back-propagation on paper.
//!
//! A node's layer is the longest path to it, of a backward node the longest path from the loss, but an input stands right before its first reader. Within the
//! layers, nodes are sorted by the mean place of their neighbours, which takes most crossings out.

use super::{Drawn, Role};

/// Sweeps over the layers; more change little.
const SWEEPS: usize = 24;

/// Layer and place in the layer of every node.
pub struct Layout {
    pub layer: Vec<usize>,
    /// Neighbours are 1 apart; the forward pass is above 0, the backward pass below.
    pub place: Vec<f64>,
    pub layers: usize,
    /// Most nodes of a layer above 0, and below.
    pub tallest: [usize; 2],
}

pub fn layout(drawn: &[Drawn]) -> Layout {
    let layer = layers(drawn);
    let count = layer.iter().max().map_or(0, |last| last + 1);
    let lane = |node: usize| usize::from(drawn[node].role == Role::Backward);
    let mut members: Vec<[Vec<usize>; 2]> = vec![Default::default(); count];
    layer.iter().enumerate().for_each(|(node, &layer)| members[layer][lane(node)].push(node));
    let mut neighbours: Vec<Vec<usize>> = vec![vec![]; drawn.len()];
    for (node, drawn) in drawn.iter().enumerate() {
        for &read in &drawn.reads {
            neighbours[node].push(read);
            neighbours[read].push(node);
        }
    }
    let mut place = vec![0.0; drawn.len()];
    // From the middle outwards, so that the two passes touch.
    let spread = |lane: usize, members: &[usize], place: &mut [f64]| {
        for (i, &node) in members.iter().enumerate() {
            place[node] = if lane == 0 { i as f64 - members.len() as f64 + 0.5 } else { i as f64 + 0.5 };
        }
    };
    for sweep in 0..=SWEEPS {
        for i in 0..count {
            let layer = if sweep % 2 == 0 { i } else { count - 1 - i };
            for (lane, members) in members[layer].iter_mut().enumerate() {
                if sweep > 0 {
                    members.sort_by(|&a, &b| mean(&neighbours[a], &place).total_cmp(&mean(&neighbours[b], &place)));
                }
                spread(lane, members, &mut place);
            }
        }
    }
    let tallest = [0, 1].map(|lane| members.iter().map(|layer| layer[lane].len()).max().unwrap_or(0));
    Layout { layer, place, layers: count, tallest }
}

fn mean(nodes: &[usize], place: &[f64]) -> f64 {
    nodes.iter().map(|&node| place[node]).sum::<f64>() / nodes.len().max(1) as f64
}

fn layers(drawn: &[Drawn]) -> Vec<usize> {
    let backward = |node: usize| drawn[node].role == Role::Backward;
    let mut depth = vec![0; drawn.len()];
    for (node, drawn) in drawn.iter().enumerate() {
        let same_pass = drawn.reads.iter().filter(|&&read| backward(read) == backward(node));
        depth[node] = same_pass.map(|&read| depth[read] + 1).max().unwrap_or(0);
    }
    // An input moves to its first reader of the forward pass, where its edge is short.
    let mut first_reader = vec![usize::MAX; drawn.len()];
    for (node, drawn) in drawn.iter().enumerate().filter(|(node, _)| !backward(*node)) {
        for &read in &drawn.reads {
            first_reader[read] = first_reader[read].min(depth[node]);
        }
    }
    for (node, drawn) in drawn.iter().enumerate() {
        if drawn.role == Role::Input && first_reader[node] != usize::MAX {
            depth[node] = first_reader[node] - 1;
        }
    }
    let deepest = |pass: bool| (0..drawn.len()).filter(|&n| backward(n) == pass).map(|n| depth[n]).max().unwrap_or(0);
    let last = deepest(true).max(deepest(false));
    // Both passes end at the loss, on the right.
    let shift = last - deepest(false);
    (0..drawn.len()).map(|node| if backward(node) { last - depth[node] } else { depth[node] + shift }).collect()
}
