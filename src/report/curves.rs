//! Curves of the runs: the numbers for uPlot, and the same as tables, for who sees no picture.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Run;
use super::html::{self, table};
use crate::markup::escape;

/// Points of a curve of steps that a page holds: more are no pixels.
const POINTS: usize = 1500;

/// A chart: what it is called, and its curves of a run's steps or epochs.
const CHARTS: [(&str, &str); 5] = [
    ("loss", "Loss in nats a token, over optimizer steps"),
    ("perplexity", "Validation perplexity, over epochs"),
    ("bleu", "Validation BLEU, over epochs"),
    ("rate", "Learning rate, over steps"),
    ("norm", "Gradient norm before clipping, over steps"),
];

pub fn section(runs: &[Run]) -> String {
    if runs.iter().all(|run| run.epochs.is_empty() && run.steps.is_empty()) {
        return "<p class=\"note\">No run has finished a step that its log tells of.</p>".into();
    }
    let mut out = String::from(
        "<p>Drag over a curve to enlarge a part, double-click for the whole; a click on a name \
         hides its curve.</p><div class=\"charts\">",
    );
    for (id, title) in CHARTS {
        let _ = write!(
            out,
            "<figure><figcaption id=\"chart-{id}\">{title}</figcaption>\
             <div class=\"chart\" data-chart=\"{id}\" role=\"img\" aria-labelledby=\"chart-{id}\"></div></figure>"
        );
    }
    out += "</div>";
    for run in runs.iter().filter(|run| !run.epochs.is_empty()) {
        let head =
            ["epoch", "step", "training loss", "validation loss", "validation perplexity", "BLEU", "learning rate"];
        let rows: Vec<Vec<String>> = (run.epochs.iter())
            .map(|epoch| {
                vec![
                    epoch.epoch.to_string(),
                    epoch.step.to_string(),
                    format!("{:.4}", epoch.training_loss),
                    format!("{:.4}", epoch.validation_loss),
                    format!("{:.3}", epoch.validation_perplexity),
                    epoch.bleu.map_or("–".into(), |bleu| format!("{bleu:.2}")),
                    format!("{:.2e}", epoch.learning_rate),
                ]
            })
            .collect();
        let name = escape(&run.name);
        let table = table(&format!("Epochs of {}", run.name), &head.map(str::to_owned), &rows);
        let _ = write!(out, "<details><summary>Numbers of {name}</summary>{table}</details>");
    }
    out
}

/// What the page's script draws.
pub fn json(runs: &[Run]) -> String {
    let runs: Vec<Value> = runs.iter().map(of_run).collect();
    html::json(&json!({ "runs": runs }))
}

fn of_run(run: &Run) -> Value {
    // The last one is always there.
    let stride = run.steps.len().div_ceil(POINTS).max(1);
    let steps: Vec<_> = run.steps.iter().rev().step_by(stride).rev().collect();
    json!({
        "name": run.name,
        "steps": {
            "step": steps.iter().map(|s| s.step).collect::<Vec<_>>(),
            "loss": steps.iter().map(|s| s.loss).collect::<Vec<_>>(),
            "rate": steps.iter().map(|s| decimal(s.learning_rate)).collect::<Vec<_>>(),
            "norm": steps.iter().map(|s| s.grad_norm).collect::<Vec<_>>(),
        },
        "epochs": {
            "step": run.epochs.iter().map(|e| e.step).collect::<Vec<_>>(),
            "epoch": run.epochs.iter().map(|e| e.epoch).collect::<Vec<_>>(),
            "loss": run.epochs.iter().map(|e| e.validation_loss).collect::<Vec<_>>(),
            "perplexity": run.epochs.iter().map(|e| e.validation_perplexity).collect::<Vec<_>>(),
            "bleu": run.epochs.iter().map(|e| e.bleu).collect::<Vec<_>>(),
        },
    })
}

/// The number as the log has it: 0.01, where an f32 made longer is 0.009999999776482582.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().expect("it is a number")
}
