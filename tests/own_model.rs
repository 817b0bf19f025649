//! A model of another crate (`ModelConfig::Own`): it trains and resumes as wgrad's own do, and nobody else opens it.

mod small;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use wgrad::cpu::Cpu;
use wgrad::decode::Beam;
use wgrad::models::{self, ModelConfig, OwnModel};
use wgrad::train::config::Config;
use wgrad::train::corpus::Corpus;
use wgrad::train::run_directory::RunDirectory;
use wgrad::train::{RunTranslator, Setup, Trainer};

/// The preset `tiny`, on four pairs that stand in `folder`.
fn tiny(folder: &Path) -> Config {
    for split in ["train", "val"] {
        std::fs::write(folder.join(format!("{split}.de")), small::GERMAN).expect("a file");
        std::fs::write(folder.join(format!("{split}.en")), small::ENGLISH).expect("a file");
    }
    let mut config = Config::preset("tiny").expect("a preset");
    config.set_all(&small::assignments("tiny")).expect("assignments");
    config.set_all(&["train.epochs=2", "train.patience=0"]).expect("assignments");
    config
}

fn train(run: &RunDirectory, folder: &Path, resume: bool) {
    let corpus = Corpus::read(folder, &run.config().data).expect("text");
    let tokenizers = match resume {
        true => run.tokenizers().expect("tokenizers"),
        false => corpus.train_tokenizers(&run.config().data, |_| ()).expect("words"),
    };
    let mut device = Cpu::<f32>::new();
    let setup = Setup::new(run.config(), tokenizers, corpus.splits, &device).expect("memory");
    let mut trainer = Trainer::new(setup.allocate(&mut device).expect("memory"), run, resume).expect("a run");
    trainer.train(&AtomicBool::new(false), &mut ()).expect("it trains");
}

/// Built as the preset builds it, in two sessions, it ends with the preset's bits.
#[test]
fn it_trains_and_resumes_to_the_bits_of_the_same_model_of_wgrad() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = tiny(folder.path());
    let plain = RunDirectory::new(folder.path().join("plain"), config.clone()).expect("a new folder");
    train(&plain, folder.path(), false);

    let model = config.model.clone();
    let own = OwnModel::new("mine", model.dropout(), move |vocabularies| models::build(&model, vocabularies));
    let path = folder.path().join("own");
    let mut first = Config { model: ModelConfig::Own(own.clone()), ..config };
    first.set("train.epochs=1").expect("an assignment keeps the builder");
    train(&RunDirectory::new(&path, first).expect("a new folder"), folder.path(), false);
    let mut run = RunDirectory::resume_own(&path, &own).expect("a run to resume");
    run.change(&["train.epochs=2"]).expect("it may change");
    train(&run, folder.path(), true);
    let weights = |run: &RunDirectory| std::fs::read(run.model_path()).expect("a model");
    assert!(weights(&plain) == weights(&run), "the weights differ");

    let translate = |run: &RunDirectory| {
        let mut translator = RunTranslator::open(run, Beam::GREEDY, None, Box::new(Cpu::<f32>::new())).expect("a run");
        translator.translate(&["ein Hund".into(), "eine Katze".into()]).expect("translations")
    };
    let opened = RunDirectory::open_own(&path, &own).expect("a trained run");
    assert_eq!(translate(&opened), translate(&RunDirectory::open(plain.path()).expect("a trained run")));
}

#[test]
fn only_who_has_the_model_opens_its_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = tiny(folder.path());
    let model = config.model.clone();
    let build = move |vocabularies| models::build(&model, vocabularies);
    let own = OwnModel::new("mine", 0.0, build.clone());
    config.model = ModelConfig::Own(own);
    let path = folder.path().join("run");
    train(&RunDirectory::new(&path, config).expect("a new folder"), folder.path(), false);
    let other = OwnModel::new("yours", 0.0, build);
    for error in [RunDirectory::open(&path).err(), RunDirectory::open_own(&path, &other).err()] {
        let error = error.expect("another model").to_string();
        assert!(error.contains("config.toml is of the model `mine`, which is none of wgrad's"), "{error}");
    }
}
