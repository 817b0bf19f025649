//! What `wgrad translate RUN` does: `cargo run --release --example translate -- RUN < text.de > text.en`.

use std::error::Error;
use std::io::{read_to_string, stdin};

use wgrad::decode::Beam;
use wgrad::train::RunTranslator;
use wgrad::train::run_directory::RunDirectory;

fn main() -> Result<(), Box<dyn Error>> {
    let run = RunDirectory::open(std::env::args().nth(1).ok_or("expected RUN")?)?;
    let device = wgrad::device::open("auto")?.device;
    let beam = Beam { width: 5, length_penalty: 1.0 };
    let mut translator = RunTranslator::open(&run, beam, None, device)?;
    let lines: Vec<String> = read_to_string(stdin())?.lines().map(str::to_owned).collect();
    for translation in translator.translate(&lines)? {
        println!("{translation}");
    }
    Ok(())
}
