//! wgrad's `check`, `bench` and mutants, for the op of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    wgrad::commands::kernels(&[own_op::LISTING])
}
