//! The launch of a matrix product with its epilogue, for `matmul` and for the ops that are made of products.

use crate::graph::{Dispatch, Operand, Shader, Target, groups, shader};

use super::elementwise::width;

/// Every file of products: on hardware, and on software adapters with subgroups, with few rows, without subgroups.
pub const SHADERS: [Shader; 4] = [MATMUL, SOFTWARE, FEW_ROWS, WITHOUT_SUBGROUPS];

const MATMUL: Shader = shader!("matmul");
const SOFTWARE: Shader = shader!("software/matmul");
const FEW_ROWS: Shader = shader!("software/matmul_few_rows");
const WITHOUT_SUBGROUPS: Shader = shader!("software/matmul_without_subgroups");

/// An operand, its first element, and the distances between (batches, rows, columns).
pub type Strided = (Operand, usize, [usize; 3]);

/// What is added to a product, before the activation. Numbered as in `shaders/shared/product.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Addend {
    None,
    /// `[N]`, to every row.
    Bias,
    /// A tensor like the result: the other branch of a sum, or a gradient that meets this one.
    Residual,
}

/// What a product's elements go through before they are stored. Numbered as in `shaders/shared/product.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    None,
    Relu,
    Sigmoid,
    Tanh,
}

/// What follows a product in the same kernel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epilogue {
    pub addend: Addend,
    pub activation: Activation,
}

impl Epilogue {
    pub const NONE: Self = Self { addend: Addend::None, activation: Activation::None };
    pub const BIAS: Self = Self { addend: Addend::Bias, ..Self::NONE };
    pub const RESIDUAL: Self = Self { addend: Addend::Residual, ..Self::NONE };
}

/// C[s] = activation(A[s]·B[s] + addend), plus the old C where `accumulate`. What lies between the end of one row of C
/// and the next row may be overwritten.
pub struct Product {
    /// (batch, m, n, k)
    pub sizes: [usize; 4],
    pub a: Strided,
    pub b: Strided,
    pub c: Strided,
    pub epilogue: Epilogue,
    /// Where the bias or residual lies; any operand of the product where there is none.
    pub addend: Operand,
    pub accumulate: bool,
}

/// Tiles of 64 × 64 that are too few for a GPU: the larger ones have 30 to 130 processors, and each hides its waiting
/// for memory only behind a second workgroup.
const FEW_TILES: usize = 64;
/// Tiles of 128 × 128 that are enough: two for each of those processors.
const MANY_TILES: usize = 256;

impl Product {
    pub fn dispatch(&self, target: &Target) -> Dispatch {
        let [batch, m, n, k] = self.sizes;
        let (kernel, [rows, columns]) = if target.software { self.software(target) } else { self.hardware() };
        let mut dispatch = kernel.read(self.a.0).read(self.b.0).read(self.addend).write(self.c.0).uniform(&[m, n, k]);
        for (_, offset, strides) in [self.a, self.b, self.c] {
            dispatch = dispatch.uniform(&[offset, strides[0], strides[1], strides[2]]);
        }
        dispatch = dispatch.uniform(&self.epilogue_words().map(|word| word as usize));
        let [x, y, _] = groups(n.div_ceil(columns) * m.div_ceil(rows));
        dispatch.workgroups([x, y, batch as u32])
    }

    /// Addend, activation, and whether to accumulate, as a kernel reads them.
    fn epilogue_words(&self) -> [u32; 3] {
        [self.epilogue.addend as u32, self.epilogue.activation as u32, self.accumulate.into()]
    }

    /// The kernel on hardware, with rows and columns of the tile of C that a workgroup computes. It reads the epilogue
    /// from the uniform.
    fn hardware(&self) -> (Dispatch, [usize; 2]) {
        let ([_, m, n, k], tile) = (self.sizes, self.tile());
        let a_along = if self.a.2[1] == 1 { (1, m) } else { (2, k) };
        let b_along = if self.b.2[2] == 1 { (2, n) } else { (1, k) };
        let wide = [(&self.a, a_along), (&self.b, b_along), (&self.c, (2, n))];
        let wide = wide.into_iter().all(|(operand, (axis, len))| self.padded_vectors(operand, axis, len));
        let kernel = Dispatch::new(MATMUL, "tiles").constant("TILE", tile as u32);
        let kernel = kernel.constant("VECTOR", if wide { 4 } else { 1 });
        (with_epilogue(kernel, None), [tile, tile])
    }

    /// Rows and columns of a tile of C on hardware: 128 where no more than a quarter is computed in vain on top of what
    /// 64 would.
    fn tile(&self) -> usize {
        let [batch, m, n, _] = self.sizes;
        let tiles = |side| batch * m.div_ceil(side) * n.div_ceil(side);
        if m.min(n) <= 32 || tiles(64) < FEW_TILES {
            32
        } else if tiles(128) < MANY_TILES || 16 * tiles(128) > 5 * tiles(64) {
            64
        } else {
            128
        }
    }

    /// Whether an operand's `len` elements along `axis` (1: rows, 2: columns) are whole vectors of four, wherever the
    /// other indices stand.
    fn vectors(&self, &(_, offset, strides): &Strided, axis: usize, len: usize) -> bool {
        let elsewhere = [strides[0], strides[3 - axis]];
        strides[axis] == 1 && width(&[offset, elsewhere[0], elsewhere[1], len]) == 4
    }

    /// The same, where the last vector may reach beyond the elements into what lies between them and the next row (or
    /// column).
    fn padded_vectors(&self, operand: &Strided, axis: usize, len: usize) -> bool {
        let padded = len.next_multiple_of(4);
        let fits = len == padded || operand.2[3 - axis] >= padded;
        fits && self.vectors(operand, axis, padded)
    }

    /// The kernel on a software adapter, with the tile of a workgroup. Constants tell it the epilogue.
    fn software(&self, target: &Target) -> (Dispatch, [usize; 2]) {
        let [_, m, n, k] = self.sizes;
        let (kernel, tile) = if target.subgroup < 8 {
            // Elements one by one in any layout: one pipeline for all, at a second of a software adapter's compiler
            // each.
            (Dispatch::new(WITHOUT_SUBGROUPS, "registers"), [8, 32])
        } else if m <= FEW && self.a.2[2] == 1 && self.b.2[1] == 1 {
            let width = if self.vectors(&self.a, 2, k) && self.vectors(&self.b, 1, k) { 4 } else { 1 };
            let kernel = Dispatch::new(FEW_ROWS, "dots").constant("VECTOR", width);
            (kernel.constant("ROWS", m.next_power_of_two() as u32), [m, 128])
        } else {
            let along = |k: bool, other: bool| if k { 1 } else { 2 * u32::from(other) };
            let a_along = along(self.padded_vectors(&self.a, 2, k), self.padded_vectors(&self.a, 1, m));
            let b_along = along(self.vectors(&self.b, 1, k), self.vectors(&self.b, 2, n));
            let kernel = Dispatch::new(SOFTWARE, "tiles");
            (kernel.constant("A_ALONG", a_along).constant("B_ALONG", b_along), [16, 32])
        };
        (with_epilogue(kernel, Some(self.epilogue_words())), tile)
    }
}

/// Most rows of a product that `shaders/software/matmul_few_rows.wgsl` computes: for eight and 61,910 columns it takes
/// llvmpipe 4.0 ms, and `software/matmul` 7.6.
pub(super) const FEW: usize = 8;

/// Constants of an epilogue; without one they are the same for all, and the kernel reads the uniform.
fn with_epilogue(kernel: Dispatch, epilogue: Option<[u32; 3]>) -> Dispatch {
    let [addend, activation, accumulate] = epilogue.unwrap_or_default();
    let kernel = kernel.constant("RUNTIME_EPILOGUE", epilogue.is_none().into()).constant("ADDEND", addend);
    kernel.constant("ACTIVATION", activation).constant("ACCUMULATE", accumulate)
}
