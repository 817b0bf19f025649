//! The recurrent network of textbooks, unrolled, whose derivatives `docs/bptt.md` works out by hand (Rumelhart et al.
//! 1986, Werbos 1990).
//!
//! a_t = U·x_t + W·h_{t−1} + b, h_t = tanh a_t, o_t = V·h_t + c; the loss is the sum over t of the cross-entropy of
//! softmax o_t.

use std::collections::HashMap;

use crate::graph::{Graph, GraphError, TensorType, Value};
use crate::ops::add::add;
use crate::ops::bias_add::bias_add;
use crate::ops::gradients;
use crate::ops::linear_cross_entropy::{LinearCrossEntropy, linear_cross_entropy};
use crate::ops::matmul::matmul_nt;
use crate::ops::tanh::tanh;

/// Sizes of the network: x_t has `inputs` elements, h_t `hidden`, o_t `outputs`.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub steps: usize,
    pub inputs: usize,
    pub hidden: usize,
    pub outputs: usize,
}

/// The graph of the loss and of its derivatives.
pub struct TextbookRnn {
    pub graph: Graph,
    /// Number of nodes of the forward pass, which come first.
    pub forward: usize,
    pub loss: Value,
    /// U [H, I], W [H, H], b `[H]`, V [O, H] and c `[O]`, in this order.
    pub parameters: [Value; 5],
    /// The loss's derivatives by them.
    pub gradients: [Value; 5],
    /// What a value is called on the page.
    pub labels: HashMap<Value, String>,
}

/// Names of the parameters' input buffers; besides them there are `h0` [1, H], and for each t from 1 on `x{t}` [1, I]
/// and the class `y{t}` `[1]`.
pub const PARAMETERS: [&str; 5] = ["U", "W", "b", "V", "c"];

/// Builds the network and differentiates it.
///
/// # Errors
/// Never for sizes of at least 1.
pub fn textbook_rnn(sizes: Sizes) -> Result<TextbookRnn, GraphError> {
    let Sizes { steps, inputs, hidden, outputs } = sizes;
    let mut graph = Graph::new();
    let mut labels = HashMap::new();
    let shapes: [&[usize]; 5] = [&[hidden, inputs], &[hidden, hidden], &[hidden], &[outputs, hidden], &[outputs]];
    let mut values = vec![];
    for (name, shape) in PARAMETERS.iter().zip(shapes) {
        values.push(graph.input(name, TensorType::f32(shape))?);
    }
    let [u, w, b, v, c] = values[..] else { unreachable!("five parameters") };
    let mut h = graph.input("h0", TensorType::f32(&[1, hidden]))?;
    let mut loss: Option<Value> = None;
    for t in 1..=steps {
        let x = graph.input(&format!("x{t}"), TensorType::f32(&[1, inputs]))?;
        let class = graph.input(&format!("y{t}"), TensorType::u32(&[1]))?;
        let ux = matmul_nt(&mut graph, x, u)?;
        let wh = matmul_nt(&mut graph, h, w)?;
        let sum = add(&mut graph, ux, wh)?;
        let a = bias_add(&mut graph, sum, b)?;
        h = tanh(&mut graph, a)?;
        // No class is left out.
        let op = LinearCrossEntropy::new(u32::MAX, 0.0);
        let step = linear_cross_entropy(&mut graph, h, v, c, class, op)?.mean;
        labels.extend([(ux, format!("U·x{t}")), (wh, format!("W·h{}", t - 1)), (a, format!("a{t}"))]);
        labels.extend([(h, format!("h{t}")), (step, format!("o{t}, L{t}"))]);
        loss = Some(match loss {
            Some(loss) => add(&mut graph, loss, step)?,
            None => step,
        });
    }
    let loss = loss.expect("at least one step");
    labels.insert(loss, "L".into());
    let forward = graph.nodes().len();
    let parameters = [u, w, b, v, c];
    let derivatives = gradients(&mut graph, loss, &parameters)?;
    let gradients = [0, 1, 2, 3, 4].map(|i| derivatives[i].expect("the loss depends on every parameter"));
    labels.extend(gradients.iter().zip(PARAMETERS).map(|(&gradient, name)| (gradient, format!("∂L/∂{name}"))));
    Ok(TextbookRnn { graph, forward, loss, parameters, gradients, labels })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Kind;
    use crate::graph::draw::{Drawn, Role, dot, drawing, svg, text};

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

    /// A training step packs its gradients; with edges from one of them alone, the others looked unused and the
    /// optimizer seemed to come before them.
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
