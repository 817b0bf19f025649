//! The command line.

mod commands;

use clap::Parser;

/// A closed or full standard output, as of `wgrad check | head`, is no fault of the program's: one line in place of a panic's many.
fn end_quietly_without_output() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>();
        match said.and_then(|said| said.strip_prefix("failed printing to stdout: ")) {
            Some(reason) => {
                eprintln!("error: cannot write to standard output: {reason}");
                std::process::exit(1);
            }
            None => usual(panic),
        }
    }));
}

fn main() {
    end_quietly_without_output();
    if let Err(error) = commands::Cli::parse().run() {
        eprintln!("error: {error:#}");
        std::process::exit(if error.is::<commands::Usage>() { 2 } else { 1 });
    }
}
