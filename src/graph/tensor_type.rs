//! What is known of a tensor before it has a value: its shape and the type of its elements.

use std::fmt;

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// Numbers: f32 on a GPU and on the CPU that trains, f64 on the CPU that judges.
    F32,
    /// Token ids, lengths, counters: exact on every device.
    U32,
}

/// Shape and element type. Sequences are time-major: `[T, B, H]`, so that one time step of a batch is contiguous.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    pub shape: Vec<usize>,
    pub dtype: DType,
}

impl TensorType {
    pub fn f32(shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), dtype: DType::F32 }
    }

    pub fn u32(shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), dtype: DType::U32 }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        elements(&self.shape)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size of the last axis; 1 for a scalar.
    pub fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Number of rows when all axes but the last are flattened.
    pub fn rows(&self) -> usize {
        elements(&self.shape[..self.shape.len().saturating_sub(1)])
    }
}

/// Elements of a shape; `usize::MAX` where there are more, which a [`Graph`](super::Graph) refuses.
pub fn elements(shape: &[usize]) -> usize {
    // A zero first: it makes the product zero, however large the rest.
    if shape.contains(&0) { 0 } else { shape.iter().fold(1, |product: usize, &size| product.saturating_mul(size)) }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let dtype = match self.dtype {
            DType::F32 => "f32",
            DType::U32 => "u32",
        };
        write!(f, "{dtype}{:?}", self.shape)
    }
}
