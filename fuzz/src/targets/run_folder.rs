//! The folder of a run with one file changed: it is opened to translate, and to be continued.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use arbitrary::Arbitrary;
use wgrad::cpu::Cpu;
use wgrad::decode::{Beam, Limit, Search, Translator};
use wgrad::text::Tokenizer;
use wgrad::train::run_directory::RunDirectory;
use wgrad::train::{Setup, Trainer, load};

use super::Fuzzed;
use super::checkpoint::changed_state;
use crate::mutate::{Edits, JsonEdits};
use crate::parts;
use crate::seeds::{RUN, TEXT};

#[derive(Arbitrary, Debug)]
enum How {
    Bytes(u8, Edits),
    /// A checkpoint's state, under a right checksum.
    State(JsonEdits, Edits),
    /// A tokenizer by its structure.
    Tokenizer(bool, JsonEdits),
    /// One line of the metrics or of the configuration.
    Text(bool, Edits),
}

#[derive(Arbitrary, Debug)]
pub struct Change {
    how: How,
}

impl Fuzzed for Change {
    fn case(&self) -> Vec<u8> {
        let (name, file) = match &self.how {
            How::Bytes(which, edits) => {
                let (name, file) = RUN.iter().nth(usize::from(*which) % RUN.len()).expect("it has as many");
                (name.as_str(), edits.apply(file.clone()))
            }
            How::State(edits, text) => ("last.safetensors", changed_state(&RUN["last.safetensors"], edits, text)),
            How::Tokenizer(source, edits) => {
                let name = if *source { "tokenizer.de.json" } else { "tokenizer.en.json" };
                (name, edits.apply(std::str::from_utf8(&RUN[name]).expect("JSON is text")).into_bytes())
            }
            How::Text(metrics, edits) => {
                let name = if *metrics { "metrics.jsonl" } else { "config.toml" };
                (name, edits.apply(RUN[name].clone()))
            }
        };
        parts::join(&[(name, &file)])
    }

    fn judge(case: &[u8]) -> bool {
        let parts = parts::split(case);
        let folder = super::scratch().join("run");
        fs::create_dir_all(&folder).expect("a temporary folder");
        for (name, file) in RUN.iter() {
            let file = parts.iter().find(|(changed, _)| changed == name).map_or(&file[..], |(_, bytes)| bytes);
            fs::write(folder.join(name), file).expect("a temporary file");
        }
        let translated = translates(&folder);
        let name = parts[0].0.as_str();
        if let (Ok(said), true) = (&translated, name.starts_with("tokenizer.")) {
            assert_eq!(said, &*TRANSLATIONS, "another tokenizer translates");
        }
        let resumed = resumes(&folder);
        fs::remove_dir_all(&folder).expect("a temporary folder");
        translated.is_ok() && resumed.is_ok()
    }
}

/// What the run says, unchanged.
static TRANSLATIONS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, file) in RUN.iter() {
        fs::write(folder.path().join(name), file).expect("a temporary file");
    }
    translates(folder.path()).expect("the run's own files")
});

/// What `wgrad translate` does.
fn translates(folder: &Path) -> Result<Vec<String>, String> {
    let run = RunDirectory::open(folder).map_err(|error| error.to_string())?;
    let load_tokenizer = |path| Tokenizer::load(path).map_err(|error| error.to_string());
    let tokenizers = [load_tokenizer(run.source_tokenizer_path())?, load_tokenizer(run.target_tokenizer_path())?];
    let mut device = Cpu::<f32>::new();
    let both = [&tokenizers[0], &tokenizers[1]];
    let (model, trained) = load(&mut device, &run, both).map_err(|error| error.to_string())?;
    let (limit, seen) =
        trained.map_or((Limit::Usual, 8), |trained| (Limit::Trained(trained.lengths), trained.lengths.source));
    let search = Search::new(model, run.config().data.frame, Beam { width: 2, length_penalty: 1.0 }, limit);
    let mut said = vec![];
    let mut translator = Translator::new(tokenizers, search, seen.max(1));
    let translated = translator.translate(&mut device, &TEXT.source[..2], &|| true, &mut |line| said.push(line.text));
    translated.map_err(|error| error.to_string())?;
    assert_eq!(said.len(), 2);
    Ok(said)
}

/// What `wgrad train --resume` does, for one epoch more.
fn resumes(folder: &Path) -> Result<(), String> {
    let mut run = RunDirectory::resume(folder).map_err(|error| error.to_string())?;
    run.change(&["train.epochs=2"]).map_err(|error| error.to_string())?;
    let load_tokenizer = |path| Tokenizer::load(path).map_err(|error| error.to_string());
    let tokenizers = [load_tokenizer(run.source_tokenizer_path())?, load_tokenizer(run.target_tokenizer_path())?];
    let mut device = Cpu::<f32>::new();
    let setup = Setup::new(run.config(), tokenizers, [TEXT.clone(), TEXT.clone()], &device);
    let ready = setup.and_then(|setup| setup.allocate(&mut device)).map_err(|error| error.to_string())?;
    let mut trainer = Trainer::new(ready, &run, true).map_err(|error| error.to_string())?;
    let _ = (trainer.finished(), trainer.best_is_lost());
    trainer.train(&AtomicBool::new(false), &mut ()).map_err(|error| error.to_string())?;
    Ok(())
}
