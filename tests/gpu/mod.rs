//! The adapter that tests of shaders run on.

use wgrad::gpu::Gpu;

/// The software adapter llvmpipe where there is one, else the best adapter present. Without any the test fails and says what installs one.
pub fn open() -> Gpu {
    Gpu::open("llvmpipe").or_else(|_| Gpu::open("")).unwrap_or_else(|e| panic!("{e}"))
}
