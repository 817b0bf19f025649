//! The program `wgrad`.

use std::process::ExitCode;

mod out_of_memory;

#[global_allocator]
static ALLOCATOR: out_of_memory::Allocator = out_of_memory::Allocator;

fn main() -> ExitCode {
    wgrad::commands::main()
}
