//! What `wgrad train --data DIR --out RUN` does: `cargo run --release --example train -- DIR RUN EPOCHS`.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use wgrad::train::config::Config;
use wgrad::train::corpus::Corpus;
use wgrad::train::run_directory::RunDirectory;
use wgrad::train::{Setup, Trainer};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, out, epochs] = &arguments[..] else { return Err("expected DIR RUN EPOCHS".into()) };
    let mut config = Config::preset("lstm-attention")?;
    config.data.directory = data.clone();
    config.train.epochs = epochs.parse()?;
    let run = RunDirectory::new(out, config)?;
    let corpus = Corpus::read(Path::new(data), &run.config().data)?;
    let tokenizers = corpus.train_tokenizers(&run.config().data, |_| ())?;
    let mut device = wgrad::device::open("auto")?.device;
    let setup = Setup::new(run.config(), tokenizers, corpus.splits, &*device)?;
    let mut trainer = Trainer::new(setup.allocate(&mut *device)?, &run, false)?;
    trainer.train(&AtomicBool::new(false), &mut ())?;
    println!("{}", run.model_path().display());
    Ok(())
}
