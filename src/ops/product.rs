//! The launch of a matrix product, for `matmul` and for the ops that are made of products.

use crate::graph::{Dispatch, Operand, Target, groups};

use super::elementwise::width;
use super::matmul::{Activation, Added};

/// An operand, its first element, and the distances between (batches, rows, columns).
pub type Strided = (Operand, usize, [usize; 3]);

/// C[s] = activation(A[s]·B[s] + added), plus the old C where `accumulate`.
pub struct Product {
    /// (batch, m, n, k)
    pub sizes: [usize; 4],
    pub a: Strided,
    pub b: Strided,
    pub c: Strided,
    /// What is added, and where it lies; any operand of the product where nothing is.
    pub added: (Added, Operand),
    pub activation: Activation,
    pub accumulate: bool,
}

/// Most rows of a product that `shaders/matmul_few_rows.wgsl` computes: each costs it a load of A for four of B.
pub(super) const FEW: usize = 4;

impl Product {
    pub fn dispatch(&self, target: &Target) -> Dispatch {
        let [batch, m, n, k] = self.sizes;
        // A tile is what one workgroup computes.
        let broadcast = target.software && target.subgroup >= 8;
        let (entry, tile_m, tile_n) = match target.software {
            true if broadcast => ("registers", 8, 64),
            true => ("registers", 8, 32),
            false => ("tiles", 64, 64),
        };
        // A's rows and B's columns along k.
        let along_k = self.b.2[1] == 1 && self.a.2[2] == 1;
        let (kernel, tile_m, tile_n) = if broadcast && m <= FEW && along_k {
            let kernel = Dispatch::new("matmul_few_rows", "dots").constant("VECTOR", self.width() as u32);
            (kernel.constant("ROWS", m as u32), m, 64)
        } else {
            let kernel = Dispatch::new("matmul", entry)
                // The registers kernel reads elements one by one in any layout: one pipeline for all, at a second of llvmpipe's compiler each.
                .constant("A_ROWS_ADJACENT", (!target.software && self.a.2[1] == 1).into())
                .constant("B_COLUMNS_ADJACENT", (!target.software && self.b.2[2] == 1).into())
                .constant("BROADCAST", broadcast.into());
            (kernel, tile_m, tile_n)
        };
        let mut dispatch = kernel.read(self.a.0).read(self.b.0).read(self.added.1).write(self.c.0).uniform(&[m, n, k]);
        for (_, offset, strides) in [self.a, self.b, self.c] {
            dispatch = dispatch.uniform(&[offset, strides[0], strides[1], strides[2]]);
        }
        // Not compile-time constants: a pipeline for each combination cost llvmpipe a second of compiling, and a branch here costs nothing.
        let dispatch = dispatch.uniform(&[self.added.0 as usize, self.activation as usize, self.accumulate.into()]);
        let [x, y, _] = groups(n.div_ceil(tile_n) * m.div_ceil(tile_m));
        dispatch.workgroups([x, y, batch as u32])
    }

    /// How many neighbours along k `matmul_few_rows` reads at once.
    fn width(&self) -> usize {
        let (_, offset_a, [batch_a, row, _]) = self.a;
        let (_, offset_b, [batch_b, _, column]) = self.b;
        width(&[self.sizes[3], offset_a, batch_a, row, offset_b, batch_b, column])
    }
}
