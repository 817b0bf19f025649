//! Training and translating from the command line, on the CPU: what a run leaves behind, and that neither time nor
//! interruptions change a bit of it.

mod cli;
mod same;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use cli::{Sandbox, stderr};
use safetensors::SafeTensors;
use same::state;
use wgrad::text::{BleuKind, BleuTokenizer, corpus_bleu, read_lines};
use wgrad::train::checkpoint::{load_last, save_last};
use wgrad::train::metrics::{EpochMetrics, Record, read_records};

/// 8 epochs of 50 steps or a few less. Whole epochs lie between two checkpoints of different kinds, since 23 is a
/// prime.
const TRAIN: &str = "train --preset tiny --data data --device cpu --set data.max_tokens=40 --set train.epochs=8 \
                     --set train.checkpoint_every=23";

impl Sandbox {
    fn train(&self, run: &str) {
        self.succeed(&format!("{TRAIN} --out {run}"));
    }

    fn records(&self, run: &str) -> Vec<Record> {
        read_records(&self.path(run).join("metrics.jsonl")).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Whole lines of the log, whose last one may be cut.
    fn lines(&self, run: &str) -> usize {
        let log = fs::read(self.path(run).join("metrics.jsonl")).unwrap_or_default();
        log.iter().filter(|&&byte| byte == b'\n').count()
    }

    fn epochs(&self, run: &str) -> Vec<EpochMetrics> {
        let epoch = |record| match record {
            Record::Epoch(epoch) => Some(epoch),
            Record::Step(_) => None,
        };
        self.records(run).into_iter().filter_map(epoch).collect()
    }

    #[track_caller]
    fn assert_same(&self, one: &str, other: &str) {
        same::assert_same(&self.path(one), &self.path(other));
    }

    /// Starts a training run and waits until it has taken so many steps. Its standard error is a pipe that nobody reads
    /// meanwhile.
    fn start(&self, run: &str, steps: usize) -> Child {
        let child = self
            .wgrad(&format!("{TRAIN} --out {run}"), None)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while self.lines(run) < steps {
            assert!(start.elapsed() < Duration::from_secs(60), "training stands still");
            std::thread::sleep(Duration::from_micros(200));
        }
        child
    }
}

/// Names and shapes of the parameters in a checkpoint.
fn shapes(last: &Path) -> Vec<(String, Vec<usize>)> {
    let bytes = fs::read(last).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let parameters = tensors.iter().filter(|(name, _)| !name.starts_with("exp_avg"));
    parameters.map(|(name, tensor)| (name.to_owned(), tensor.shape().to_vec())).collect()
}

#[test]
fn a_run_leaves_all_it_promises_and_learns() {
    let sandbox = Sandbox::with_captions(200);
    sandbox.train("run");
    let mut names: Vec<String> = fs::read_dir(sandbox.path("run"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "config.toml",
            "last.safetensors",
            "metrics.jsonl",
            "model.safetensors",
            "tokenizer.de.json",
            "tokenizer.en.json",
            "train.lock"
        ]
    );
    // Every step once, and an epoch's line after its last step.
    let (mut steps, mut epochs) = (0, 0);
    for record in sandbox.records("run") {
        match record {
            Record::Step(record) => {
                steps += 1;
                assert_eq!((record.step, record.epoch), (steps, epochs + 1));
            }
            Record::Epoch(record) => {
                epochs += 1;
                assert_eq!((record.epoch, record.step), (epochs, steps));
                assert_eq!(steps, 50 * epochs as u64, "200 pairs are 50 batches of 4");
            }
        }
    }
    assert_eq!(epochs, 8);
    let epochs = sandbox.epochs("run");
    let (first, last) = (&epochs[0], &epochs[7]);
    assert!(last.training_loss < 0.8 * first.training_loss, "{epochs:?}");
    assert!(last.validation_loss < first.validation_loss, "{epochs:?}");
    for language in ["de", "en"] {
        let path = sandbox.path(&format!("run/tokenizer.{language}.json"));
        let tokenizer = tokenizers::Tokenizer::from_file(path).unwrap();
        assert_eq!(tokenizer.get_vocab_size(true), 64);
    }
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let sandbox = Sandbox::with_captions(200);
    sandbox.train("one");
    sandbox.train("two");
    sandbox.assert_same("one", "two");
    sandbox.succeed(&format!("{TRAIN} --out other --set train.seed=2"));
    assert!(sandbox.read("one/model.safetensors") != sandbox.read("other/model.safetensors"));
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let sandbox = Sandbox::with_captions(200);
    sandbox.train("undisturbed");
    // In the first epoch before any checkpoint of its own, in the first epoch, and in a later one.
    for steps in [5, 30, 180] {
        let run = format!("killed-{steps}");
        let mut child = sandbox.start(&run, steps);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(!status.success(), "the run ended before it could be killed");
        assert!(sandbox.lines(&run) < 8 * 51, "killed in the middle");
        sandbox.succeed(&format!("train --resume {run} --device cpu"));
        sandbox.assert_same("undisturbed", &run);
    }
    // Whoever resumes a finished run gets its result again.
    let before = sandbox.read("undisturbed/model.safetensors");
    let printed = sandbox.succeed("train --resume undisturbed --device cpu");
    assert!(printed.contains("best epoch "), "{printed}");
    assert!(sandbox.read("undisturbed/model.safetensors") == before);
}

#[test]
fn a_run_that_goes_on_for_longer_is_the_longer_run() {
    let sandbox = Sandbox::with_captions(200);
    sandbox.train("long");
    sandbox.succeed(&format!("{TRAIN} --out short --set train.epochs=3"));
    sandbox.succeed("train --resume short --device cpu --set train.epochs=8");
    sandbox.assert_same("long", "short");
}

/// A program that asks a line at a time must not wait for ever.
#[test]
fn a_pipe_is_answered_line_by_line() {
    let sandbox = Sandbox::with_captions(40);
    sandbox.train("run");
    let mut command = sandbox.wgrad("translate run --device cpu", None);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut question, mut answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for _ in 0..2 {
        question.write_all(b"Zwei Hunde schlafen.\n").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert!(answer.ends_with('\n') && answer.len() > 1, "{answer:?}");
    }
    drop(question);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_run_says_what_ended_it_and_gets_a_lost_model_back() {
    let sandbox = Sandbox::with_captions(40);
    let train = |arguments: &str| {
        let output = sandbox.wgrad(arguments, None).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    let said = train(&format!("{TRAIN} --out run --set train.patience=1 --set train.learning_rate=0.9"));
    assert!(said.contains("stopped: no smaller validation loss for 1 epochs (train.patience)"), "{said}");
    let said = train("train --resume run --device cpu --set train.epochs=99");
    assert!(said.contains("is finished; for longer: ") && said.contains(" --set train.patience=N"), "{said}");
    fs::remove_file(sandbox.path("run/model.safetensors")).unwrap();
    let said = train("train --resume run --device cpu --set train.epochs=99");
    assert!(said.contains("model.safetensors is missing or damaged"), "{said}");
    assert!(sandbox.path("run/model.safetensors").exists());
}

#[test]
fn a_run_goes_on_where_its_text_was_moved_to() {
    let sandbox = Sandbox::with_captions(40);
    sandbox.train("run");
    fs::rename(sandbox.path("data"), sandbox.path("moved")).unwrap();
    sandbox.succeed("train --resume run --device cpu --data moved");
    sandbox.succeed("train --resume run --device cpu");
}

/// Checkpoints from before there were fingerprints of the text have none, and are resumed as they were.
#[test]
fn a_run_without_fingerprints_resumes() {
    let sandbox = Sandbox::with_captions(40);
    sandbox.train("run");
    let path = sandbox.path("run/last.safetensors");
    let shapes = shapes(&path);
    let mut last = load_last(&path, &shapes).unwrap();
    assert_eq!(last.state.files.len(), 6, "{:?}", last.state.files);
    let files = std::mem::take(&mut last.state.files);
    save_last(&path, &last.parameters, &last.exp_avg, &last.exp_avg_sq, &last.state).unwrap();
    let config = String::from_utf8(sandbox.read("run/config.toml")).unwrap();
    sandbox.write("run/config.toml", config.replace("\nepochs = 8\n", "\nepochs = 9\n"));
    sandbox.succeed("train --resume run --device cpu");
    // From now on it has some.
    assert_eq!(load_last(&path, &shapes).unwrap().state.files, files);
}

#[test]
fn a_run_that_diverges_right_after_a_resume_is_told_apart() {
    let sandbox = Sandbox::with_captions(40);
    sandbox.succeed(&format!("{TRAIN} --out run --set train.epochs=1"));
    let path = sandbox.path("run/last.safetensors");
    let mut last = load_last(&path, &shapes(&path)).unwrap();
    // Finite, and no mean of squares.
    last.exp_avg_sq[0].values[0] = -1.0;
    save_last(&path, &last.parameters, &last.exp_avg, &last.exp_avg_sq, &last.state).unwrap();
    let output = sandbox.wgrad("train --resume run --device cpu --set train.epochs=3", None).output().unwrap();
    let said = stderr(&output);
    assert!(said.contains(" any more at step 12, 2 steps after the run went on from run/last.safetensors, "), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

/// One step an epoch: its loss is still a number, and the parameters after it give none.
#[test]
fn a_validation_loss_that_is_no_number_ends_the_run() {
    let sandbox = Sandbox::with_captions(8);
    let command = format!("{TRAIN} --out run --set train.batch.sentences=8 --set train.learning_rate=1e38");
    let output = sandbox.wgrad(&command, None).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("the loss is not a number any more in the validation of epoch 1: the training div"),
        "{said}"
    );
    assert!(!sandbox.path("run/model.safetensors").exists());
}

#[test]
#[cfg(unix)]
fn ctrl_c_saves_and_says_how_to_resume() {
    let sandbox = Sandbox::with_captions(200);
    sandbox.train("undisturbed");
    let child = sandbox.start("stopped", 70);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let (printed, log) = (String::from_utf8_lossy(&output.stdout), stderr(&output));
    assert_eq!(output.status.code(), Some(130), "{log}");
    assert!(
        printed.contains("Stopped; everything is saved") && printed.contains("wgrad train --resume stopped"),
        "{printed}{log}"
    );
    assert!(log.contains("finishing this step and saving"), "{log}");
    // Saved after the very step that was logged last.
    let state = state(&sandbox.read("stopped/last.safetensors"));
    let steps = sandbox.records("stopped").iter().filter(|r| matches!(r, Record::Step(_))).count();
    assert_eq!(state["step"], steps);
    assert!((70..400).contains(&steps), "{steps}");
    sandbox.succeed("train --resume stopped --device cpu");
    sandbox.assert_same("undisturbed", "stopped");
}

#[test]
fn as_many_lines_out_as_in() {
    let sandbox = Sandbox::with_captions(40);
    sandbox.train("run");
    sandbox.write("input", "\nEin Hund schläft.\n   \n\nZwei Hunde schlafen.\r\nxyz");
    let translate = |input: &str| {
        let output = sandbox.wgrad("translate run --device cpu", Some(input)).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let lines = translate("input");
    let blank: Vec<bool> = lines.iter().map(String::is_empty).collect();
    assert_eq!(blank, [true, false, true, true, false, false], "{lines:?}");
    sandbox.write("empty", "");
    assert!(translate("empty").is_empty());
    // As an editor of Windows writes it.
    sandbox.write("marked", "\u{feff}Zwei Hunde schlafen.\r\n");
    assert_eq!(translate("marked"), [lines[4].clone()]);
    // What came before a line that is no text is translated.
    sandbox.write("spoilt", b"Zwei Hunde schlafen.\n\xff\n");
    let output = sandbox.wgrad("translate run --device cpu", Some("spoilt")).output().unwrap();
    assert!(!output.status.success() && stderr(&output).contains("standard input, line 2: expected UTF-8 text"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{}\n", lines[4]));
    // More than are translated at a time, and each as it is alone.
    sandbox.write("many", "Zwei Hunde schlafen.\n".repeat(1100));
    assert_eq!(translate("many"), vec![lines[4].clone(); 1100]);

    let long = "Hund ".repeat(100);
    sandbox.write("long", format!("{}{long}\nHund\n{long}\n", "Hund\n".repeat(600)));
    let output = sandbox.wgrad("translate run --device cpu", Some("long")).output().unwrap();
    let said = stderr(&output);
    assert!(
        output.status.success() && said.contains("warning: line 601 has 100 tokens, where training took "),
        "{said}"
    );
    assert!(said.contains("; it is translated in pieces; so it is with one line after it\n"), "{said}");

    let hypotheses = translate("data/test.de");
    for (flag, lowercase, tokenizer, signature) in [
        ("", false, BleuTokenizer::V13a, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp"),
        ("--lowercase", true, BleuTokenizer::V13a, "nrefs:1|case:lc|eff:no|tok:13a|smooth:exp"),
        ("--tokenize char", false, BleuTokenizer::Char, "nrefs:1|case:mixed|eff:no|tok:char|smooth:exp"),
    ] {
        let arguments = format!("evaluate run --src data/test.de --ref data/test.en --device cpu --json {flag}");
        let scored: serde_json::Value = serde_json::from_str(&sandbox.succeed(&arguments)).unwrap();
        let references = read_lines(sandbox.path("data/test.en")).unwrap();
        let bleu = corpus_bleu(&hypotheses, &references, BleuKind { tokenizer, lowercase });
        assert_eq!(scored["bleu"], bleu.score);
        assert_eq!((&scored["tokenizer"], &scored["signature"]), (&tokenizer.name().into(), &signature.into()));
        assert_eq!(scored["sentences"], 20);
        assert_eq!(scored["lowercase"], lowercase);
    }
}

/// Chinese is written without spaces: as 13a counts words, one is a whole clause. And a model that writes no capitals
/// cannot be held to any.
#[test]
fn a_score_says_of_what_kind_it_is() {
    let sandbox = Sandbox::with_captions(40);
    for split in ["train", "val", "test"] {
        let english = String::from_utf8(sandbox.read(&format!("data/{split}.en"))).unwrap();
        sandbox.write(&format!("data/{split}.zh"), english.replace(' ', "的"));
        sandbox.write(&format!("data/{split}.ja"), english.replace(' ', "の"));
    }
    let head = |language: &str, flags: &str| {
        let train = "train --preset tiny --data data --device cpu --set train.epochs=1";
        let output =
            sandbox.wgrad(&format!("{train} --out {language} --set data.target={language} {flags}"), None).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        (stderr(&output), String::from_utf8(output.stdout).unwrap())
    };
    let evaluate = |run: &str, flags: &str| {
        let command = format!("evaluate {run} --src data/test.de --ref data/test.{run} --device cpu {flags}");
        let output = sandbox.wgrad(&command, None).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        (stderr(&output), String::from_utf8(output.stdout).unwrap())
    };
    let (log, printed) = head("en", "--set data.lowercase=true");
    assert!(
        log.contains("\nscore     BLEU (lower-cased, 13a) of greedy translations of the validation set\n"),
        "{log}"
    );
    assert!(printed.contains(", BLEU (lower-cased, 13a) "), "{printed}");
    let (note, printed) = evaluate("en", "");
    assert!(
        note.contains("note: this model writes normalized text only: the references themselves, in its form, score "),
        "{note}"
    );
    assert!(printed.starts_with("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp = "), "{printed}");
    assert!(!evaluate("en", "--lowercase").0.contains("note: "));

    assert!(head("zh", "").0.contains("score     BLEU (zh) of "));
    let (note, printed) = evaluate("zh", "");
    assert!(!note.contains("note: ") && printed.contains("|tok:zh|"), "{note}{printed}");
    let (note, printed) = evaluate("zh", "--tokenize 13a");
    assert!(note.contains("--tokenize zh is the usual one") && printed.contains("|tok:13a|"), "{note}{printed}");

    let (log, _) = head("ja", "");
    assert!(log.contains("score     BLEU (char) of ") && log.contains("MeCab"), "{log}");
    let (note, printed) = evaluate("ja", "");
    assert!(note.contains("MeCab") && printed.contains("|tok:char|"), "{note}{printed}");
}

/// A model that cannot learn eight sentences by heart has a wrong gradient somewhere, or a search that loses words.
#[test]
fn eight_pairs_are_learnt_by_heart() {
    let sandbox = Sandbox::with_captions(8);
    for file in ["val.de", "val.en"] {
        sandbox.write(&format!("data/{file}"), sandbox.read(&format!("data/{}", file.replace("val", "train"))));
    }
    sandbox.succeed(
        "train --preset tiny --data data --out run --device cpu --set data.max_tokens=40 \
         --set data.source_vocabulary=200 --set data.target_vocabulary=200 --set model.attention=additive \
         --set model.hidden=32 --set model.embedding=16 --set train.epochs=60 --set train.log_every=50",
    );
    let scored = sandbox.succeed("evaluate run --src data/train.de --ref data/train.en --device cpu --json");
    let scored: serde_json::Value = serde_json::from_str(&scored).unwrap();
    assert!(scored["bleu"].as_f64().unwrap() > 90.0, "{scored}");
}

#[test]
fn a_printed_configuration_is_the_configuration() {
    let sandbox = Sandbox::new();
    let printed = sandbox.succeed(
        "train --preset rnn --set data.source=en --set data.target=de --set model.dropout=0.1 \
         --set train.batch.tokens=999 --print-config",
    );
    assert!(printed.contains("source = \"en\"\n") && printed.contains("tokens = 999"), "{printed}");
    sandbox.write("mine.toml", &printed);
    assert_eq!(sandbox.succeed("train --preset tiny --config mine.toml --print-config"), printed);
    assert_eq!(sandbox.files().len(), 1, "--print-config writes nothing");
}
