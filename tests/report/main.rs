//! `wgrad report`, and its page as headless Chromium shows it.

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../cli/mod.rs"]
mod cli;

use std::path::Path;
use std::process::Command;

use cli::{Sandbox, stderr};
use serde_json::Value;

const SPACE: &str = "preset = \"tiny\"\nepochs = 2\nobjective = \"perplexity\"\n[fixed]\ndata.max_tokens = 40
[tune]\ntrain.learning_rate = { from = 1e-4, to = 3e-2, log = true }\nmodel.hidden = { from = 8, to = 24, step = 8 }
model.rnn = { choices = [\"lstm\", \"gru\"] }\n";

/// As `wgrad bench --save` writes it: a test measures nothing.
const BENCH: &str = r#"{
    "wgrad": "0.1.0", "device": "a <device>",
    "ceilings": {
        "copied": 1048576, "copy": {"median": 1e-4, "low": 9e-5, "high": 2e-4, "count": 20}, "bandwidth": 2e10,
        "flops": 6e9, "half_flops": null, "dispatch": 1e-7, "dependent": 1e-7, "round_trip": 3e-7
    },
    "kernels": [{
        "op": "relu", "name": "forward, 64 x 64", "seconds": {"median": 2e-3, "low": 1e-3, "high": 4e-3, "count": 9},
        "flops": 5e6, "bytes": 4e7, "roofline": 0.9, "memory_bound": true, "dispatches": 1, "timestamps": false,
        "difference": 0.0
    }],
    "step": null
}"#;

/// What no page may run.
const HOSTILE: &str = "<script>alert(1)</script> <img src=x onerror=alert(2)> \"'&amp; </title>";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_captions(120);
    let line = |name: &str, line: &str| {
        let text = String::from_utf8(sandbox.read(name)).unwrap();
        let rest = text.split_once('\n').unwrap().1;
        sandbox.write(name, format!("{line}\n{rest}"));
    };
    for half in ["de", "en"] {
        line(&format!("data/test.{half}"), HOSTILE);
        line(&format!("data/train.{half}"), "<script>alert(3)</script> a b");
    }
    let train = "train --preset tiny --data data --device cpu --set data.max_tokens=40";
    sandbox.succeed(&format!("{train} --out one"));
    sandbox.succeed(&format!("{train} --out two --set train.learning_rate=2e-3 --set model.rnn=gru"));
    sandbox
}

/// What a browser sees; pictures stay where somebody looks at them.
fn see(page: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/browser.js");
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&pictures).unwrap();
    let output = Command::new("node").arg(script).arg(page).arg(&pictures).output().expect("node runs");
    assert!(
        output.status.success(),
        "{}\nIf Chromium, playwright-core or axe-core is missing: tests/install_browser.sh",
        stderr(&output)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn records(sandbox: &Sandbox, run: &str, kind: &str) -> Vec<Value> {
    let log = String::from_utf8(sandbox.read(&format!("{run}/metrics.jsonl"))).unwrap();
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|record: &Value| record["kind"] == kind)
        .collect()
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
}

#[test]
fn a_browser_shows_every_part() {
    let sandbox = sandbox();
    sandbox.write("space.toml", SPACE);
    sandbox.write("bench.json", BENCH);
    sandbox.succeed("tune space.toml --data data --device cpu --study s.jsonl --trials 8 --changes");
    let mut command = sandbox.wgrad("report one two --study s.jsonl --bench bench.json --device cpu --sentence", None);
    let output = command.arg(HOSTILE).args(["--out", "page.html"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let size = sandbox.read("page.html").len();
    assert!(size < 3 << 20, "{size} bytes");

    let seen = see(&sandbox.path("page.html"));
    for nothing in ["requests", "errors", "axe", "overflow", "cut"] {
        assert_eq!(seen[nothing], Value::Array(vec![]), "{nothing}");
    }
    assert_eq!(seen["dialogs"], 0);
    let page = &seen["page"];
    let sections = "runs curves tuning translations attention configuration graph roofline repeat";
    assert_eq!(strings(&page["sections"]).join(" "), sections);
    assert_eq!(page["charts"], serde_json::json!([1, 1, 1, 1, 1]));
    assert_eq!(page["pictures"], serde_json::json!([true, true]), "graph and roofline");
    // Of each run the given sentence and two of the test set.
    assert_eq!(page["maps"], 6);
    assert!(seen["pdf"].as_u64().unwrap() > 10_000);
    assert!(page["text"].as_str().unwrap().contains("<script>alert(1)</script>"), "text stays text");
    assert!(page["tables"]["The text"].to_string().contains("train.de"));

    // What is drawn and what stands in tables is what the logs say.
    for (index, run) in ["one", "two"].into_iter().enumerate() {
        let drawn = &page["data"]["runs"][index];
        let steps = records(&sandbox, run, "step");
        let of = |key: &str| Value::from(steps.iter().map(|step| step[key].clone()).collect::<Vec<_>>());
        for (drawn, logged) in [
            (&drawn["steps"]["step"], of("step")),
            (&drawn["steps"]["loss"], of("loss")),
            (&drawn["steps"]["rate"], of("learning_rate")),
            (&drawn["steps"]["norm"], of("grad_norm")),
        ] {
            assert_eq!(*drawn, logged, "{run}");
        }
        let epochs = records(&sandbox, run, "epoch");
        let table = page["tables"][format!("Epochs of {run}")].as_array().unwrap();
        assert_eq!(table.len(), 1 + epochs.len());
        for (row, epoch) in table[1..].iter().zip(&epochs) {
            let perplexity = epoch["validation_perplexity"].as_f64().unwrap();
            assert_eq!(row[4], format!("{perplexity:.3}"));
            assert_eq!(row[5], format!("{:.2}", epoch["bleu"].as_f64().unwrap()));
        }
    }
    let differ = page["tables"]["Keys in which the runs differ"].to_string();
    assert!(differ.contains("train.learning_rate") && differ.contains("model.rnn"), "{differ}");

    // The study as `wgrad tune --show` has it.
    let study: Value = serde_json::from_str(&sandbox.succeed("tune --show s.jsonl --json")).unwrap();
    let complete = study["trials"].as_array().unwrap().iter().filter(|trial| trial["state"] == "complete").count();
    assert_eq!(page["trials"], complete);
    let changes = page["tables"]["What was changed, and what each change brings by itself"].as_array().unwrap();
    assert_eq!(changes.len(), 1 + study["changes"].as_array().unwrap().len());
    for (row, change) in changes[1..].iter().zip(study["changes"].as_array().unwrap()) {
        assert_eq!(row[0], change["key"]);
        assert_eq!(row[3], format!("perplexity {:.2}", change["alone"].as_f64().unwrap()));
    }

    // A person hovers, enlarges, hides a curve, and gets through by keyboard.
    let used = &seen["use"];
    assert_ne!(used["before"], used["hovered"]);
    assert_eq!([&used["enlarged"], &used["hidden"]], [true, true]);
    let stops = strings(&used["stops"]);
    for stop in ["A", "SUMMARY", "DIV wide"] {
        assert!(stops.contains(&stop), "no {stop} in {stops:?}");
    }
}

/// Every sentence gets its attention, cut at the positions that a model has.
#[test]
fn attention_of_a_sentence_longer_than_the_model() {
    let sandbox = Sandbox::with_captions(40);
    let small = "--set model.max_positions=12 --set data.max_tokens=10 --set model.hidden=8 --set model.heads=2";
    sandbox.succeed(&format!(
        "train --preset course-transformer {small} --data data --device cpu --set train.epochs=1 --out run"
    ));
    let long = "ein Hund und ein Hund und ein Hund und ein Hund und ein Hund und ein Hund und ein Hund";
    let mut command = sandbox.wgrad("report run --device cpu --out page.html --sentence", None);
    let output = command.arg(long).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let page = String::from_utf8(sandbox.read("page.html")).unwrap();
    assert!(page.contains("Attention of run to sentence 3, head 2"), "two of the test set beside the given one");
    assert!(!page.contains("no attention"), "{page}");
}

/// A run that goes on, is damaged or has no attention gives a page that says so.
#[test]
fn what_cannot_be_shown_is_said() {
    let sandbox = sandbox();
    sandbox.succeed("train --preset tiny --data data --device cpu --set model.attention=none --out plain");
    let says = |runs: &str, said: &[&str]| {
        sandbox.succeed(&format!("report {runs} --device cpu --sentence Hund --out page.html"));
        let page = String::from_utf8(sandbox.read("page.html")).unwrap();
        for said in said {
            assert!(page.contains(said), "{runs}: no {said:?}");
        }
    };
    let curves = "Validation perplexity, over epochs</figcaption>";
    says("plain", &["<strong>plain</strong> has no attention to show.", curves]);

    // It goes on, and is just writing a line.
    let log = sandbox.read("one/metrics.jsonl");
    sandbox.write("one/metrics.jsonl", [&log[..], b"{\"kind\":\"st"].concat());
    let config = String::from_utf8(sandbox.read("one/config.toml")).unwrap();
    sandbox.write("one/config.toml", config.replace("epochs = 2", "epochs = 9"));
    says("one two", &["<strong>one</strong>: 2 of 9 epochs so far, or stopped early", "<td>2 of 2</td>", curves]);

    let text = String::from_utf8(log.clone()).unwrap();
    let (first, _) = text.split_once('\n').unwrap();
    sandbox.write("one/metrics.jsonl", format!("{first}\nnonsense\n{text}"));
    says("one", &["its log is shown as far as it can be read: ", "line 2", curves]);
    std::fs::remove_file(sandbox.path("one/metrics.jsonl")).unwrap();
    says("one", &["its log cannot be read: ", "No run has finished a step that its log tells of."]);

    let model = sandbox.read("two/model.safetensors");
    sandbox.write("two/model.safetensors", &model[..model.len() / 2]);
    says("two", &["no translations and no attention: ", "<strong>two</strong> has no translations to show.", curves]);
    sandbox.write("two/model.safetensors", model);
    std::fs::rename(sandbox.path("data"), sandbox.path("moved")).unwrap();
    says("two", &["its text cannot be read: ", "Attention of two to sentence 1: Hund", curves]);
    sandbox.write("two/config.toml", "nonsense");
    says("two", &["its configuration cannot be read: ", "No configuration could be read."]);

    // A page may be made anew; what is none is kept.
    let kept = sandbox.read("two/metrics.jsonl");
    let output = sandbox.wgrad("report two --device cpu --out two/metrics.jsonl", None).output().unwrap();
    assert!(stderr(&output).contains("two/metrics.jsonl is there and no page; expected a free name"));
    assert_eq!(sandbox.read("two/metrics.jsonl"), kept);

    let output = sandbox.wgrad("report nothing", None).output().unwrap();
    assert!(stderr(&output).contains("nothing is no folder; expected the folder of a training run"));
}
