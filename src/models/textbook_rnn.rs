//! The recurrent network of textbooks, unrolled, whose derivatives `docs/bptt.md` works out by hand (Rumelhart et al. 1986, Werbos 1990).
//!
//! a_t = U·x_t + W·h_{t−1} + b, h_t = tanh a_t, o_t = V·h_t + c; the loss is the sum over t of the cross-entropy of softmax o_t.

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

/// Names of the parameters' input buffers; besides them there are `h0` [1, H], and for each t from 1 on `x{t}` [1, I] and the class `y{t}` `[1]`.
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
