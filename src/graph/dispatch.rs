//! A kernel launch as plain data: what `gpu` records, and what a test can look at without a GPU.

use super::Shader;

/// What the planner must know of the machine that will run a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// A software rasterizer (llvmpipe, SwiftShader) runs invocations as SIMD lanes of a CPU core: workgroup memory and
    /// barriers cost it more than they save, so some ops have a variant without.
    pub software: bool,
    /// Offsets of bindings must be multiples of this many elements (256 bytes are 64 elements unless the adapter says
    /// less; at least 4, since kernels read vectors of four).
    pub alignment: usize,
    /// Largest number of invocations of a workgroup.
    pub max_invocations: u32,
    /// Largest binding in elements (WebGPU guarantees 128 MiB).
    pub max_binding: usize,
    /// Whether kernels may compute in f16 (`enable f16`).
    pub half: bool,
    /// Least invocations of a subgroup; 0 where kernels may use no subgroup operations.
    pub subgroup: u32,
}

impl Target {
    /// The CPU executor: no alignment, no dispatches.
    pub fn cpu() -> Self {
        Self { software: true, alignment: 1, max_invocations: 0, max_binding: usize::MAX, half: false, subgroup: 0 }
    }

    /// What WebGPU guarantees everywhere, without optional features.
    pub fn webgpu() -> Self {
        Self { software: false, alignment: 64, max_invocations: 256, max_binding: 128 << 18, half: false, subgroup: 0 }
    }

    pub fn is_cpu(&self) -> bool {
        self.max_invocations == 0
    }
}

/// A buffer of the op that a kernel binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    Input(usize),
    Output(usize),
    Scratch(usize),
}

/// One kernel launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    pub shader: Shader,
    /// Entry point.
    pub entry: &'static str,
    /// Compile-time constants, appended to the shader as `const NAME: u32 = VALUE;`.
    pub constants: Vec<(&'static str, u32)>,
    /// Storage bindings in the order of the shader's `@binding` numbers; true where the kernel writes.
    pub bindings: Vec<(Operand, bool)>,
    /// Contents of the uniform that follows the storage bindings; f32 as bits.
    pub uniform: Vec<u32>,
    pub workgroups: [u32; 3],
}

impl Dispatch {
    pub fn new(shader: Shader, entry: &'static str) -> Self {
        Self { shader, entry, constants: vec![], bindings: vec![], uniform: vec![], workgroups: [1, 1, 1] }
    }

    pub fn constant(mut self, name: &'static str, value: u32) -> Self {
        self.constants.push((name, value));
        self
    }

    pub fn read(mut self, operand: Operand) -> Self {
        self.bindings.push((operand, false));
        self
    }

    pub fn write(mut self, operand: Operand) -> Self {
        self.bindings.push((operand, true));
        self
    }

    /// Appends integers to the uniform.
    pub fn uniform(mut self, values: &[usize]) -> Self {
        self.uniform.extend(values.iter().map(|&v| u32::try_from(v).expect("tensor sizes fit into 32 bits")));
        self
    }

    /// Appends a number to the uniform.
    pub fn number(mut self, value: f32) -> Self {
        self.uniform.push(value.to_bits());
        self
    }

    pub fn workgroups(mut self, workgroups: [u32; 3]) -> Self {
        self.workgroups = workgroups;
        self
    }
}

/// A grid of at least `count` workgroups: rows of at most 65,535, the most that a dimension may have.
/// `linear_group` in `shaders/shared/grid.wgsl` gives a kernel its number, and kernels past the end do nothing.
pub fn groups(count: usize) -> [u32; 3] {
    const MOST: usize = 65_535;
    let rows = count.div_ceil(MOST).max(1);
    [count.div_ceil(rows).max(1) as u32, rows as u32, 1]
}
