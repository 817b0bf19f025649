//! The command line.

mod commands;

use clap::Parser;

fn main() {
    if let Err(error) = commands::Cli::parse().run() {
        eprintln!("error: {error:#}");
        std::process::exit(if error.is::<commands::Usage>() { 2 } else { 1 });
    }
}
