//! `cargo bench` measures what `wgrad bench` does, with the same arguments: `cargo bench -- --step lstm --device cpu`.

use std::process::{Command, exit};

fn main() {
    // Cargo adds `--bench` to whatever it is given.
    let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let status = Command::new(env!("CARGO_BIN_EXE_wgrad")).arg("bench").args(arguments).status();
    exit(status.expect("wgrad runs").code().unwrap_or(1));
}
