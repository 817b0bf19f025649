//! The plain driver.

use std::process::ExitCode;

fn main() -> ExitCode {
    wgrad_fuzz::driver::run(std::env::args().skip(1))
}
