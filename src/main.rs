//! The command line.

use clap::Parser;

/// `eprintln!` that goes on where nobody can listen, on a closed pipe or a full disk: what is said there is no reason
/// to lose the work.
macro_rules! tell {
    ($($said:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{}\n", format_args!($($said)*)));
    }};
}

mod commands;
mod out_of_memory;

#[global_allocator]
static ALLOCATOR: out_of_memory::Allocator = out_of_memory::Allocator;

/// A closed or full standard output, as of `wgrad check | head`, is no fault of the program's: one line in place of a
/// panic's many.
fn end_quietly_without_output() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>();
        match said.and_then(|said| said.strip_prefix("failed printing to stdout: ")) {
            Some(reason) => {
                tell!("error: cannot write to standard output: {reason}");
                std::process::exit(1);
            }
            None => usual(panic),
        }
    }));
}

fn main() {
    end_quietly_without_output();
    if let Err(error) = commands::Cli::parse().run() {
        tell!("error: {error:#}");
        std::process::exit(if error.is::<commands::Usage>() { 2 } else { 1 });
    }
}
