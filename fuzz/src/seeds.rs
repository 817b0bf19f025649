//! Real files, as wgrad itself makes them: what cases are changes of.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use wgrad::cpu::Cpu;
use wgrad::models;
use wgrad::text::captions::generate;
use wgrad::text::{ParallelText, Tokenizer, TokenizerKind, TokenizerSettings};
use wgrad::train::checkpoint::{load_last, load_model, save_last};
use wgrad::train::config::Config;
use wgrad::train::metrics::{Record, read_records};
use wgrad::train::run_directory::RunDirectory;
use wgrad::train::{Setup, Trainer};

/// A small corpus, German and English.
pub static TEXT: LazyLock<ParallelText> = LazyLock::new(|| {
    let pairs = generate(24, 7).expect("the grammar makes as many");
    ParallelText {
        source: pairs.iter().map(|pair| pair.german.clone()).collect(),
        target: pairs.iter().map(|pair| pair.english.clone()).collect(),
    }
});

/// `tokenizer.json` of every kind, in lower case and not.
pub static TOKENIZERS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut all = vec![];
    for kind in [TokenizerKind::Word, TokenizerKind::WordsOnly, TokenizerKind::Bpe] {
        for lowercase in [false, true] {
            let settings = TokenizerSettings { kind, vocabulary: 90, min_frequency: 1, lowercase };
            all.push(Tokenizer::train(&TEXT.source, &settings, &mut ()).expect("a vocabulary").to_json());
        }
    }
    all
});

/// The files of a run of one epoch, by name. Times, which no two runs share, are the same in each.
pub static RUN: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("run");
    let run = RunDirectory::new(&path, configuration()).expect("a new folder");
    let tokenizers = [&TEXT.source, &TEXT.target].map(|side| {
        let settings =
            TokenizerSettings { kind: TokenizerKind::Word, vocabulary: 40, min_frequency: 1, lowercase: false };
        Tokenizer::train(side, &settings, &mut ()).expect("a vocabulary")
    });
    let mut device = Cpu::<f32>::new();
    let setup = Setup::new(run.config(), tokenizers, [TEXT.clone(), TEXT.clone()], &device).expect("a small run");
    let ready = setup.allocate(&mut device).expect("little memory");
    let mut trainer = Trainer::new(ready, &run, false).expect("a run that starts");
    trainer.train(&AtomicBool::new(false), &mut ()).expect("an epoch");
    drop(trainer);
    at_no_time(&run);
    let files = fs::read_dir(&path).expect("the run's folder").map(|entry| entry.expect("an entry").path());
    let file = |path: std::path::PathBuf| {
        let name = path.file_name().expect("a name").to_str().expect("UTF-8").to_string();
        (name, fs::read(&path).expect("a file of the run"))
    };
    files.map(file).filter(|(name, _)| name != "train.lock").collect()
});

/// The smallest run that has all parts.
pub fn configuration() -> Config {
    let mut config = Config::preset("tiny").expect("it is one of the presets");
    let small =
        ["model.embedding=4", "model.hidden=4", "train.epochs=1", "train.batch.sentences=8", "data.directory=text"];
    config.set_all(&small).expect("they are in range");
    config
}

/// Names and shapes of that run's parameters.
pub static PARAMETERS: LazyLock<Vec<(String, Vec<usize>)>> = LazyLock::new(|| {
    let model = models::build(&configuration().model, vocabularies());
    model.parameters().iter().map(|parameter| (parameter.name.clone(), parameter.shape.clone())).collect()
});

/// The sizes of its vocabularies.
pub fn vocabularies() -> [usize; 2] {
    ["tokenizer.de.json", "tokenizer.en.json"].map(|name| {
        let json = std::str::from_utf8(&RUN[name]).expect("JSON is text");
        Tokenizer::from_json(json.as_bytes(), Path::new(name)).expect("the run's own").vocabulary_size()
    })
}

/// Puts fixed times into a run's files.
fn at_no_time(run: &RunDirectory) {
    let records = read_records(&run.metrics_path()).expect("the run's own");
    let mut lines = String::new();
    for mut record in records {
        match &mut record {
            Record::Step(step) => step.tokens_per_second = 1000.5,
            Record::Epoch(epoch) => epoch.seconds = 1.25,
        }
        lines += &format!("{}\n", serde_json::to_string(&record).expect("numbers"));
    }
    fs::write(run.metrics_path(), &lines).expect("a file of the run");
    let [source, target] = [run.source_tokenizer_path(), run.target_tokenizer_path()]
        .map(|path| Tokenizer::load(path).expect("the run's own").vocabulary_size());
    let model = models::build(&run.config().model, [source, target]);
    let expected: Vec<_> = model.parameters().iter().map(|p| (p.name.clone(), p.shape.clone())).collect();
    let mut last = load_last(&run.last_path(), &expected).expect("the run's own");
    last.state.seconds = 1.25;
    last.state.metrics_bytes = lines.len() as u64;
    save_last(&run.last_path(), &last.parameters, &last.exp_avg, &last.exp_avg_sq, &last.state).expect("a file");
    load_model(&run.model_path(), &expected).expect("an epoch saves a model");
}
