//! A file of WGSL as plain data.

use std::fmt;

/// A file of WGSL, compiled into the program. A [`Dispatch`](super::Dispatch) carries it, so that a device needs no
/// list of them, and an op from another crate brings its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shader {
    name: &'static str,
    text: &'static str,
    /// Whether its kernels run without the driver's checks of every index and loop.
    unchecked: bool,
}

impl Shader {
    /// WGSL from outside of wgrad: `Shader::new("rms_norm", include_str!("rms_norm.wgsl"))`. `name` is the file's, as
    /// compilers' messages, `wgrad check --shaders` and mutants call it. The driver checks every index and bounds every
    /// loop in it, which costs 17 to 40 % of a product.
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text, unchecked: false }
    }

    /// The same without the driver's checks.
    ///
    /// # Safety
    /// Whatever the sizes that its op's shape rule lets pass, and whatever stands in the buffers, no kernel of it may
    /// read or write beyond a binding, an array or workgroup memory, or loop without end.
    pub const unsafe fn unchecked(name: &'static str, text: &'static str) -> Self {
        Self { name, text, unchecked: true }
    }

    /// One of wgrad's own, for `shader!`. Every kernel is compared with its reference under the driver's checks
    /// (`wgrad check`), guards its edges, and has no endless loop.
    pub(crate) const fn built_in(name: &'static str, text: &'static str) -> Self {
        Self { name, text, unchecked: true }
    }

    /// Its name, without an ending: "softmax", "software/matmul".
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The WGSL.
    pub fn text(&self) -> &'static str {
        self.text
    }

    pub(crate) fn is_unchecked(&self) -> bool {
        self.unchecked
    }
}

impl fmt::Display for Shader {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name)
    }
}

impl fmt::Debug for Shader {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_tuple("Shader").field(&self.name).finish()
    }
}

/// `shader!("softmax")`: the file `shaders/softmax.wgsl`.
macro_rules! shader {
    ($name:literal) => {
        $crate::graph::Shader::built_in(
            $name,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl")),
        )
    };
}
pub(crate) use shader;
