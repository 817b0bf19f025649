//! y = Σ x / n

use crate::graph::{Graph, GraphError, Value};

use super::sum::sum_times;

/// Average of all elements, as `[1]`.
pub fn mean(graph: &mut Graph, x: Value) -> Result<Value, GraphError> {
    let count = graph.type_of(x).len();
    sum_times(graph, x, 1.0 / count as f32)
}
