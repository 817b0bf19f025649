//! A study: what was changed, what each change brought, all trials as parallel coordinates, and which keys matter.

use std::fmt::Write;

use toml::Value;

use super::html::table;
use crate::markup::escape;
use crate::tune::proposal::place;
use crate::tune::space::Assignment;
use crate::tune::summary::Summary;
use crate::tune::{Role, Space, Trial};

/// Between two axes of the parallel coordinates.
const GAP: f64 = 130.0;
/// Where the page is narrow: below, letters are too small to read.
const NARROWEST: usize = 100;
const HEIGHT: f64 = 260.0;
const TOP: f64 = 40.0;

pub fn section(space: &Space, trials: &[Trial]) -> String {
    let summary = Summary::new(space, trials);
    let finished = summary.best();
    let Some(best) = finished.first() else {
        return "<p class=\"note\">No trial of the study has trained all its epochs yet.</p>".into();
    };
    let say = |value: Option<f64>| value.map_or("not trained".into(), |value| space.objective.say(value));
    let mut out = format!("<p>{}, from {}.</p>", summary.states(), escape(&space.start));
    if let Some(default) = summary.default() {
        let (before, after) = (summary.objective(default), summary.objective(best));
        let _ = write!(
            out,
            "<p class=\"before-after\"><span>before <strong>{}</strong></span> <span>after <strong>{}</strong></span> \
             <span>{}</span></p>",
            say(before),
            say(after),
            before.zip(after).map_or(String::new(), |(before, after)| change(after / before))
        );
    }
    let head = ["key", "before", "after", "this change alone", "without this change"].map(str::to_owned);
    let value = |value: &Option<Value>| value.as_ref().map_or("–".into(), |value| escape(&value.to_string()));
    let rows: Vec<Vec<String>> = (summary.changes().iter())
        .map(|change| {
            let (key, from, to) = (escape(&change.key), value(&change.from), value(&change.to));
            vec![key, from, to, say(change.alone), say(change.without)]
        })
        .collect();
    if rows.is_empty() {
        out += "<p class=\"note\">No trial was better than the default.</p>";
    } else {
        out += &table("What was changed, and what each change brings by itself", &head, &rows);
        out += &match &best.role {
            Role::Without(key) => format!("<p>The best of all has the values of “after” without {}.</p>", escape(key)),
            Role::Alone(key) => format!("<p>The best of all is the default with {} alone.</p>", escape(key)),
            Role::Default | Role::Search => String::new(),
        };
    }
    out += "<h3>All trials</h3><p>A line is a trial that trained all its epochs: the thick one the best, the dashed \
            one the default.</p>";
    out += &parallel(space, &finished, &summary);
    let importance = summary.importance();
    if !importance.is_empty() {
        out += "<h3>Which keys matter</h3><p>Share of each key by itself in the differences between finished trials \
                (functional ANOVA). Few trials make it uncertain.</p>";
        let rows: Vec<Vec<String>> = (importance.iter())
            .map(|(key, share)| {
                let percent = 100.0 * share;
                vec![escape(key), format!("<span class=\"bar\" style=\"width:{percent:.1}%\"></span>{percent:.0} %")]
            })
            .collect();
        out += &table("Importance", &["key".into(), "share".into()], &rows);
    }
    if let Some(Ok(toml)) = summary.best_toml() {
        let toml = escape(&toml);
        let _ = write!(
            out,
            "<details><summary>The best configuration, as TOML</summary><pre tabindex=\"0\">{toml}</pre></details>"
        );
    }
    out
}

/// One line a finished trial, through its values and its objective; the best in front.
fn parallel(space: &Space, best: &[&Trial], summary: &Summary) -> String {
    let axes = space.keys.len() + 1;
    let (width, height) = (GAP * axes as f64, TOP + HEIGHT + 30.0);
    let x = |axis: usize| GAP * (axis as f64 + 0.5);
    let y = |share: f64| TOP + HEIGHT * (1.0 - share.clamp(0.0, 1.0));
    let losses: Vec<f64> = best.iter().map(|trial| trial.loss()).collect();
    let (low, high) = (losses[0], losses[losses.len() - 1]);
    let mut out = format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Trials as parallel coordinates\">\
         <svg class=\"parallel\" role=\"img\" aria-label=\"{} trials as parallel coordinates; the table of changes \
         names the best\" viewBox=\"0 0 {width} {height}\" style=\"min-width:{}px\">",
        best.len(),
        NARROWEST * axes
    );
    // The best last, so that it lies on top.
    for (rank, trial) in best.iter().enumerate().rev() {
        let share = if high > low { (high - losses[rank]) / (high - low) } else { 1.0 };
        let mut points = String::new();
        for (axis, key) in space.keys.iter().enumerate() {
            let _ = write!(points, "{:.1},{:.1} ", x(axis), y(place(space, key, &trial.values)));
        }
        let _ = write!(points, "{:.1},{:.1}", x(axes - 1), y(share));
        let class = match trial.role {
            _ if rank == 0 => "best",
            Role::Default => "default",
            _ => "trial",
        };
        let objective = summary.objective(trial).map_or(String::new(), |value| space.objective.say(value));
        let _ = write!(
            out,
            "<polyline class=\"{class}\" points=\"{points}\" stroke-opacity=\"{:.2}\"><title>trial {}: {objective}; \
             {}</title></polyline>",
            0.15 + 0.85 * share * share,
            trial.id,
            escape(&list(&trial.values))
        );
    }
    let mut axis = |index: usize, name: &str, top: &str, bottom: &str| {
        let at = x(index);
        let _ = write!(
            out,
            "<line x1=\"{at}\" x2=\"{at}\" y1=\"{TOP}\" y2=\"{}\"/><text x=\"{at}\" y=\"14\" class=\"name\">{}</text>\
             <text x=\"{at}\" y=\"{}\">{}</text><text x=\"{at}\" y=\"{}\">{}</text>",
            TOP + HEIGHT,
            escape(name),
            TOP - 8.0,
            escape(top),
            TOP + HEIGHT + 18.0,
            escape(bottom)
        );
    };
    for (index, key) in space.keys.iter().enumerate() {
        let name = key.name.split_once('.').map_or(key.name.as_str(), |(_, name)| name);
        let [top, bottom] = key.ends();
        axis(index, name, &cut(&top), &cut(&bottom));
    }
    let [first, last] = [best[0], best[best.len() - 1]]
        .map(|trial| summary.objective(trial).map_or(String::new(), |value| format!("{value:.2}")));
    axis(axes - 1, &format!("{:?}", space.objective).to_lowercase(), &first, &last);
    out + "</svg></div>"
}

/// `−15.8 %`
fn change(ratio: f64) -> String {
    format!("{:+.1} %", 100.0 * (ratio - 1.0)).replace('-', "−")
}

fn cut(text: &str) -> String {
    match text.chars().count() {
        0..=16 => text.into(),
        _ => text.chars().take(15).chain(['…']).collect(),
    }
}

fn list(values: &Assignment) -> String {
    values.iter().map(|(key, value)| format!("{key} = {value}")).collect::<Vec<_>>().join(", ")
}
