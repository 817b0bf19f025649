//! `wgrad tune`, from the command line: what a study finds, and that nothing disturbs it.

#[allow(dead_code, reason = "other tests use the rest")]
mod cli;

use std::process::Stdio;
use std::time::Duration;

use cli::{Sandbox, stderr};
use serde_json::Value;

/// A trial takes a tenth of a second.
const SPACE: &str = "preset = \"tiny\"\nepochs = 3\nobjective = \"perplexity\"\n
[fixed]\ndata.max_tokens = 40\ntrain.learning_rate = 2e-3\n
[tune]\ntrain.learning_rate = { from = 1e-5, to = 3e-2, log = true }\nmodel.hidden = { from = 8, to = 24, step = 8 }
model.rnn = { choices = [\"lstm\", \"gru\"] }\nmodel.layers = { from = 1, to = 2, when = { model.rnn = \"gru\" } }\n";

const TUNE: &str = "tune space.toml --data data --device cpu";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_captions(120);
    sandbox.write("space.toml", SPACE);
    sandbox
}

/// The study's trials, without what depends on the clock.
fn trials(sandbox: &Sandbox, study: &str) -> Vec<Value> {
    let shown: Value = serde_json::from_str(&sandbox.succeed(&format!("tune --show {study} --json"))).unwrap();
    let mut trials = shown["trials"].as_array().unwrap().clone();
    for trial in &mut trials {
        trial.as_object_mut().unwrap().remove("seconds");
    }
    trials
}

fn refused(sandbox: &Sandbox, arguments: &str) -> String {
    let output = sandbox.wgrad(arguments, None).output().unwrap();
    assert!(!output.status.success(), "wgrad {arguments} succeeded");
    stderr(&output)
}

#[test]
fn one_seed_is_one_study() {
    let sandbox = sandbox();
    for study in ["one.jsonl", "other.jsonl"] {
        sandbox.succeed(&format!("{TUNE} --study {study} --trials 13 --seed 5"));
    }
    let one = trials(&sandbox, "one.jsonl");
    assert_eq!(one.len(), 13);
    assert_eq!(one, trials(&sandbox, "other.jsonl"));
    for file in ["metrics.jsonl", "config.toml"] {
        assert!(sandbox.path("one.trials/0000").join(file).exists());
    }
    // A layer count matters to GRUs only.
    assert!(
        one.iter().all(|t| t["role"] == "default"
            || t["values"]["model.rnn"] == "gru"
            || t["values"]["model.layers"].is_null())
    );
    sandbox.succeed(&format!("{TUNE} --study seventh.jsonl --trials 4 --seed 7"));
    assert_ne!(one[..4], trials(&sandbox, "seventh.jsonl")[..]);
}

/// A trial is a run like any other.
#[test]
fn a_finished_trial_goes_on_and_a_pruned_one_keeps_its_metrics() {
    let sandbox = sandbox();
    sandbox.succeed(&format!("{TUNE} --study s.jsonl --trials 12"));
    sandbox.succeed("train --resume s.trials/0000 --set train.epochs=4 --device cpu");
    let pruned =
        trials(&sandbox, "s.jsonl").into_iter().find(|trial| trial["state"] == "pruned").expect("a pruned trial");
    let folder = sandbox.path(&format!("s.trials/{:04}", pruned["trial"].as_u64().unwrap()));
    let mut left: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["config.toml", "metrics.jsonl"]);
}

/// Killed ten times at moments of no choice, a study is the undisturbed one.
#[test]
fn a_killed_study_goes_on() {
    let sandbox = sandbox();
    sandbox.succeed(&format!("{TUNE} --study calm.jsonl --trials 12"));
    let arguments = format!("{TUNE} --study killed.jsonl --trials 12");
    let mut random = fastrand::Rng::with_seed(3);
    let mut kills = 0;
    while kills < 10 {
        let mut command = sandbox.wgrad(&arguments, None);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(random.u64(20..300)));
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        if std::fs::read_to_string(sandbox.path("killed.jsonl")).is_ok_and(|text| text.matches("\"end\"").count() == 12)
        {
            break;
        }
    }
    assert!(kills >= 3, "{kills} kills");
    sandbox.succeed(&arguments);
    assert_eq!(trials(&sandbox, "killed.jsonl"), trials(&sandbox, "calm.jsonl"));
}

/// A line that a killed process did not finish costs that line.
#[test]
fn a_torn_line_is_dropped() {
    let sandbox = sandbox();
    sandbox.succeed(&format!("{TUNE} --study s.jsonl --trials 3"));
    let whole = sandbox.read("s.jsonl");
    sandbox.write("s.jsonl", &whole[..whole.len() - 9]);
    sandbox.succeed(&format!("{TUNE} --study s.jsonl --trials 3"));
    let [before, after] = [&whole[..], &sandbox.read("s.jsonl")].map(|text| String::from_utf8(text.to_vec()).unwrap());
    assert_eq!(before.lines().count(), after.lines().count());
    assert_eq!(trials(&sandbox, "s.jsonl").len(), 3);
}

#[test]
fn processes_share_a_study() {
    let sandbox = sandbox();
    let arguments = format!("{TUNE} --study s.jsonl --trials 10");
    let children: Vec<_> = (0..3)
        .map(|_| sandbox.wgrad(&arguments, None).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let trials = trials(&sandbox, "s.jsonl");
    let numbers: Vec<_> = trials.iter().map(|trial| trial["trial"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
    assert!(trials.iter().all(|trial| trial["state"] != "running"), "{trials:?}");
}

/// The default's rate is a hundred times too small.
#[test]
fn a_planted_optimum_is_found() {
    let sandbox = Sandbox::with_captions(200);
    let fixed = "[fixed]\ndata.max_tokens = 40\ntrain.learning_rate = 1e-4\n";
    let tune = "[tune]\ntrain.learning_rate = { from = 1e-5, to = 1e-1, log = true }\n";
    sandbox.write("space.toml", format!("preset = \"tiny\"\nepochs = 3\nobjective = \"perplexity\"\n{fixed}{tune}"));
    sandbox.succeed(&format!("{TUNE} --study s.jsonl --trials 12 --changes"));
    let trials = trials(&sandbox, "s.jsonl");
    let objective = |trial: &Value| trial["objective"].as_f64().unwrap_or(f64::INFINITY);
    let best = trials.iter().min_by(|a, b| objective(a).total_cmp(&objective(b))).unwrap();
    // The preset's own rate, which is known to be good.
    sandbox.succeed(
        "train --preset tiny --set data.max_tokens=40 --set train.epochs=3 --data data --device cpu --out good",
    );
    let log = String::from_utf8(sandbox.read("good/metrics.jsonl")).unwrap();
    let epochs = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let good = epochs.filter_map(|epoch| epoch["validation_perplexity"].as_f64()).fold(f64::INFINITY, f64::min);
    assert!(objective(best) <= good, "{best} {good}");
    assert!(objective(best) < 0.5 * objective(&trials[0]), "{best} {}", trials[0]);
}

#[test]
fn what_each_change_brings_is_trained() {
    let sandbox = sandbox();
    let said = sandbox.succeed(&format!("{TUNE} --study s.jsonl --trials 6 --changes"));
    let trials = trials(&sandbox, "s.jsonl");
    let of = |start: &str| trials.iter().filter(|trial| trial["role"].as_str().unwrap().starts_with(start)).count();
    assert!(of("alone") >= 2, "{trials:?}");
    // Of two changes, one alone is the best without the other.
    assert_eq!(of("without"), if of("alone") == 2 { 0 } else { of("alone") }, "{trials:?}");
    assert!(!said.contains("not trained"), "{said}");
    assert!(said.contains("what each change of trial ") && said.contains(" in preset tiny\n"), "{said}");
    let page = said.lines().find_map(|line| line.split_once("wgrad report ")).expect("a command for a page");
    sandbox.succeed(&format!("report {} --device cpu", page.1));
    assert!(sandbox.path("report.html").exists());
    // Nothing is left to do.
    sandbox.succeed(&format!("{TUNE} --study s.jsonl --trials 6 --changes"));
    assert_eq!(trials, self::trials(&sandbox, "s.jsonl"));
}

/// Time is for the search: what comes in the end comes all the same.
#[test]
fn changes_are_trained_when_time_is_up() {
    let sandbox = sandbox();
    sandbox.succeed(&format!("{TUNE} --study s.jsonl --trials 6"));
    let said = sandbox.succeed(&format!("{TUNE} --study s.jsonl --hours 0.00001 --changes --final"));
    let trials = trials(&sandbox, "s.jsonl");
    assert!(trials.iter().any(|trial| trial["role"].as_str().unwrap().starts_with("alone")), "{trials:?}");
    assert!(trials.iter().all(|trial| trial["state"] != "running"), "{trials:?}");
    assert!(!said.contains("not trained"), "{said}");
    let best = format!("s.trials/final-{:04}", best(&trials));
    assert!(sandbox.path(&best).join("model.safetensors").exists());
}

/// The number of the best trial, by perplexity.
fn best(trials: &[Value]) -> u64 {
    let objective = |trial: &&Value| trial["objective"].as_f64().unwrap_or(f64::INFINITY);
    let best = trials.iter().min_by(|a, b| objective(a).total_cmp(&objective(b)));
    best.unwrap()["trial"].as_u64().unwrap()
}

#[test]
fn the_best_trains_to_its_end() {
    let sandbox = sandbox();
    sandbox.succeed(&format!("{TUNE} --study s.jsonl --trials 2 --final"));
    let first = format!("s.trials/final-{:04}", best(&trials(&sandbox, "s.jsonl")));
    let log = String::from_utf8(sandbox.read(&format!("{first}/metrics.jsonl"))).unwrap();
    // As many as the preset has.
    assert_eq!(log.matches("\"kind\":\"epoch\"").count(), 2);
    sandbox.succeed(&format!("evaluate {first} --src data/test.de --ref data/test.en --device cpu"));
    // A better one that is found later is trained too, and not from the first one's parameters.
    sandbox.succeed(&format!("{TUNE} --study s.jsonl --trials 12 --final"));
    let second = format!("s.trials/final-{:04}", best(&trials(&sandbox, "s.jsonl")));
    assert_ne!(first, second);
    let own = String::from_utf8(sandbox.read(&format!("{second}/config.toml"))).unwrap();
    assert_ne!(own, String::from_utf8(sandbox.read(&format!("{first}/config.toml"))).unwrap());
    assert!(sandbox.path(&second).join("model.safetensors").exists());
}

/// The estimator has no prior: it proposed the end of a range again and again.
#[test]
fn no_configuration_is_tried_twice() {
    let sandbox = sandbox();
    sandbox.write(
        "space.toml",
        "preset = \"tiny\"\nepochs = 1\nobjective = \"perplexity\"\n[fixed]\ndata.max_tokens = 40\n
[tune]\nmodel.hidden = { from = 8, to = 30, step = 8 }\nmodel.rnn = { choices = [\"lstm\", \"gru\", \"rnn\"] }\n",
    );
    let output = sandbox.wgrad(&format!("{TUNE} --study s.jsonl --trials 40"), None).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("Every combination of the space's values was tried."), "{}", stderr(&output));
    // 8, 16 and 24 beside three kinds, of which one is the default.
    let trials = trials(&sandbox, "s.jsonl");
    let searched = trials.iter().filter(|trial| trial["role"] == "search");
    let mut values: Vec<_> = searched.map(|trial| trial["values"].to_string()).collect();
    values.sort();
    let all = values.len();
    values.dedup();
    assert_eq!((values.len(), all), (8, 8), "{values:?}");
    assert!(values.iter().all(|values| !values.contains("30")), "{values:?}");
}

#[test]
fn a_trial_that_fails_is_a_result() {
    let sandbox = sandbox();
    let head = SPACE.replace("epochs = 3\n", "epochs = 3\n[limits]\nparameters = 4000\n");
    sandbox.write(
        "space.toml",
        head.replace("objective = \"perplexity\"\n", "").replace("[limits]", "objective = \"perplexity\"\n[limits]"),
    );
    sandbox.succeed(&format!("{TUNE} --study s.jsonl --trials 6"));
    let trials = trials(&sandbox, "s.jsonl");
    let failed: Vec<_> = trials.iter().filter(|trial| trial["state"] == "failed").collect();
    assert!(!failed.is_empty() && failed.len() < trials.len(), "{trials:?}");
    assert!(
        failed.iter().all(|trial| trial["why"].as_str().unwrap().ends_with("; the space allows 4000")),
        "{failed:?}"
    );

    let wild = "[tune]\ntrain.learning_rate = { from = 1e30, to = 3e38, log = true }\n";
    sandbox
        .write("space.toml", format!("preset = \"tiny\"\nobjective = \"bleu\"\n[fixed]\ndata.max_tokens = 40\n{wild}"));
    sandbox.succeed(&format!("{TUNE} --study wild.jsonl --trials 3"));
    let wild = self::trials(&sandbox, "wild.jsonl");
    assert!(wild[1..].iter().all(|trial| trial["state"] == "failed"), "{wild:?}");
    assert!(wild[1]["why"].as_str().unwrap().contains("diverged"), "{wild:?}");
}

#[test]
fn another_study_is_refused() {
    let sandbox = sandbox();
    sandbox.succeed(&format!("{TUNE} --study s.jsonl --trials 1"));
    let begun = sandbox.read("s.jsonl");
    sandbox.write("space.toml", SPACE.replace("to = 24", "to = 32"));
    let error = refused(&sandbox, &format!("{TUNE} --study s.jsonl"));
    let what = "`tune model.hidden` is from 8 to 24, step 8 there and from 8 to 32, step 8 here";
    assert!(error.contains(what) && error.contains("s.jsonl"), "{error}");
    sandbox.write("space.toml", SPACE);
    let error = refused(&sandbox, &format!("{TUNE} --study s.jsonl --seed 2"));
    assert!(error.contains("the seed is 1 there and 2 here. ") && error.contains("--seed 1 is the seed"), "{error}");
    let text = String::from_utf8(sandbox.read("data/train.en")).unwrap();
    sandbox.write("data/train.en", text.replacen("a ", "one ", 1));
    let error = refused(&sandbox, &format!("{TUNE} --study s.jsonl"));
    assert!(error.contains("`train.en` is "), "{error}");
    assert_eq!(sandbox.read("s.jsonl"), begun);

    sandbox.write("mine.txt", "dear diary");
    let error = refused(&sandbox, &format!("{TUNE} --study mine.txt"));
    assert!(error.contains("mine.txt is no study of wgrad's") && error.contains("tune --study FILE` makes"), "{error}");
    assert_eq!(sandbox.read("mine.txt"), b"dear diary");
    let error = refused(&sandbox, "tune nothing.toml --study s.jsonl");
    assert!(error.contains("cannot read nothing.toml; expected a space's file, or one of seq2seq"), "{error}");
    assert!(refused(&sandbox, TUNE).contains("--study is missing"));
}

/// Runs that lie there were continued as if they were the new study's.
#[test]
fn runs_of_another_study_are_no_trials() {
    let sandbox = sandbox();
    sandbox.succeed(&format!("{TUNE} --study s.jsonl --trials 2"));
    let error = refused(&sandbox, &format!("{TUNE} --study s.other"));
    assert!(error.contains("s.trials has runs of another study than s.other"), "{error}");
    std::fs::remove_file(sandbox.path("s.jsonl")).unwrap();
    let error = refused(&sandbox, &format!("{TUNE} --study s.jsonl"));
    let advice = "take another name, or remove the folder. --study FILE takes another name\n";
    assert!(error.contains(advice), "{error}");
    let error = refused(&sandbox, &format!("{TUNE} --study s.trials"));
    assert!(error.contains("expected one with another ending, e.g. s.jsonl"), "{error}");
    // A trial that goes on is the study's own.
    sandbox.succeed(&format!("{TUNE} --study own.jsonl --trials 1"));
    let config = String::from_utf8(sandbox.read("own.trials/0000/config.toml")).unwrap();
    sandbox.write("own.trials/0000/config.toml", config.replace("dropout = 0.0", "dropout = 0.5"));
    let text = String::from_utf8(sandbox.read("own.jsonl")).unwrap();
    let begun: Vec<_> = text.lines().take(2).collect();
    sandbox.write("own.jsonl", format!("{}\n", begun.join("\n")));
    let error = refused(&sandbox, &format!("{TUNE} --study own.jsonl --trials 1"));
    assert!(error.contains("0000 is not trial 0: its configuration has other values"), "{error}");
}
