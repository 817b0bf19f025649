//! A page that shows runs and a study: one HTML file, which needs no network and nothing beside it.
//!
//! [`Page`] is plain data: the caller reads runs, translates and looks at attention. What cannot be shown is said on
//! the page, and the rest is shown. All text that comes from outside is escaped: a corpus with `<script>` in it stays
//! text. Curves are drawn by uPlot, which is part of the page; everything else is SVG and HTML that is made here.

mod attention;
mod curves;
mod html;
mod study;
mod translations;

use std::fmt::Write;

use crate::bench::report::Report as Bench;
use crate::bench::roofline;
use crate::markup::escape;
use crate::train::config::Config;
use crate::train::metrics::{EpochMetrics, StepMetrics, duration};
use crate::tune::{Space, Trial};

use html::{picture, table};

/// All that a page shows.
#[derive(Default)]
pub struct Page {
    pub runs: Vec<Run>,
    pub study: Option<(Space, Vec<Trial>)>,
    pub bench: Option<Bench>,
    /// The computation graph of the first run, as SVG.
    pub graph: Option<String>,
    /// Program, machine and command, so that somebody else can repeat it: name and value.
    pub made: Vec<[String; 2]>,
}

/// A training run.
#[derive(Default)]
pub struct Run {
    /// What the page calls it.
    pub name: String,
    /// What the reader should know of it first: that it goes on, or what of it could not be read.
    pub notes: Vec<String>,
    pub config: Option<Config>,
    pub epochs: Vec<EpochMetrics>,
    pub steps: Vec<StepMetrics>,
    /// Files of its text, and their hashes.
    pub text: Vec<(String, u64)>,
    /// What was translated, e.g. "300 sentences of test_2016_flickr".
    pub translated: String,
    pub translations: Vec<Translation>,
    pub attention: Vec<Attention>,
}

/// A sentence, what should have come of it and what did.
#[derive(Clone, Debug)]
pub struct Translation {
    pub source: String,
    pub reference: String,
    pub hypothesis: String,
    /// 0 to 100.
    pub chrf: f64,
}

/// Where each target token looked.
#[derive(Clone, Debug)]
pub struct Attention {
    pub sentence: String,
    pub source: Vec<String>,
    pub target: Vec<String>,
    /// Weights [T, S] of each head.
    pub heads: Vec<Vec<f32>>,
}

/// What every page begins with.
pub const BEGINNING: &str = "<!doctype html>";

const TITLE: &str = "wgrad report";

impl Page {
    /// The page as HTML.
    pub fn html(&self) -> String {
        let mut sections: Vec<(&str, &str, String)> = vec![("runs", "Runs", self.overview())];
        sections.push(("curves", "Curves", curves::section(&self.runs)));
        if let Some((space, trials)) = &self.study {
            sections.push(("tuning", "Before and after tuning", study::section(space, trials)));
        }
        sections.push(("translations", "Translations", translations::section(&self.runs)));
        sections.push(("attention", "Attention", attention::section(&self.runs)));
        sections.push(("configuration", "Configurations", self.configurations()));
        if let Some(graph) = &self.graph {
            let drawn = format!(
                "<p>Forward and backward pass of a training step of the first run, for two sentences of five tokens \
                 and vocabularies of 32.</p>{}",
                picture("The computation graph as nodes and edges", graph)
            );
            sections.push(("graph", "Computation graph", drawn));
        }
        if let Some(bench) = &self.bench {
            sections.push(("roofline", "Roofline", self.roofline(bench)));
        }
        sections.push(("repeat", "To repeat it", self.repeat()));

        let mut nav = String::new();
        let mut main = String::new();
        for (id, title, body) in &sections {
            let _ = write!(nav, "<a href=\"#{id}\">{title}</a>");
            let _ = write!(
                main,
                "<section id=\"{id}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{title}</h2>{body}</section>"
            );
        }
        let names: Vec<&str> = self.runs.iter().map(|run| run.name.as_str()).collect();
        let title = escape(&format!("{}: {TITLE}", names.join(", ")));
        format!(
            "{}\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <link rel=\"icon\" href=\"data:,\">\n<style>{}\n{}</style>\n</head>\n<body>\n\
             <header><h1>{}</h1><p>{TITLE}</p><nav aria-label=\"Sections\">{nav}</nav></header>\n\
             <main>{main}</main>\n\
             <script id=\"data\" type=\"application/json\">{}</script>\n<script>{}</script>\n<script>{}</script>\n\
             </body>\n</html>\n",
            BEGINNING,
            include_str!("../../data/report/uPlot.min.css"),
            include_str!("../../data/report/page.css"),
            escape(&names.join(", ")),
            curves::json(&self.runs),
            include_str!("../../data/report/uPlot.iife.min.js"),
            include_str!("../../data/report/page.js"),
        )
    }

    /// One row a run: its best epoch.
    fn overview(&self) -> String {
        let head = ["run", "model", "epochs", "best epoch", "validation perplexity", "validation BLEU", "time"]
            .map(str::to_owned);
        let row = |run: &Run| {
            let best = run.epochs.iter().min_by(|a, b| a.validation_loss.total_cmp(&b.validation_loss));
            let of = |value: Option<String>| value.unwrap_or_else(|| "–".into());
            let planned = run.config.as_ref().map_or(String::new(), |config| format!(" of {}", config.train.epochs));
            vec![
                escape(&run.name),
                of(run.config.as_ref().map(|config| config.model.kind().to_string())),
                format!("{}{planned}", run.epochs.len()),
                of(best.map(|best| best.epoch.to_string())),
                of(best.map(|best| format!("{:.2}", best.validation_perplexity))),
                of(best.and_then(|best| best.bleu).map(|bleu| format!("{bleu:.1}"))),
                of(run.epochs.last().map(|last| duration(last.seconds))),
            ]
        };
        let mut out = table("Runs and their best epochs", &head, &self.runs.iter().map(row).collect::<Vec<_>>());
        for run in &self.runs {
            for note in &run.notes {
                let _ = write!(out, "<p class=\"note\"><strong>{}</strong>: {}</p>", escape(&run.name), escape(note));
            }
        }
        out
    }

    /// Each key's value in each run; those that differ stand out, the others are folded away.
    fn configurations(&self) -> String {
        let known: Vec<(&Run, toml::Table)> = (self.runs.iter())
            .filter_map(|run| Some((run, run.config.as_ref()?.to_toml().parse().expect("it is TOML"))))
            .collect();
        if known.is_empty() {
            return "<p class=\"note\">No configuration could be read.</p>".into();
        }
        let mut keys: Vec<String> = vec![];
        for (_, config) in &known {
            for (section, fields) in config.iter().filter_map(|(name, value)| Some((name, value.as_table()?))) {
                for field in fields.keys() {
                    let key = format!("{section}.{field}");
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
            }
        }
        let value = |config: &toml::Table, key: &str| {
            let (section, field) = key.split_once('.').expect("two parts");
            config.get(section).and_then(|fields| fields.get(field)).map_or("–".into(), toml::Value::to_string)
        };
        let head: Vec<String> =
            std::iter::once("key".into()).chain(known.iter().map(|(run, _)| escape(&run.name))).collect();
        let (mut same, mut different) = (vec![], vec![]);
        for key in keys {
            let values: Vec<String> = known.iter().map(|(_, config)| value(config, &key)).collect();
            let differs = values.iter().any(|value| *value != values[0]);
            let row = std::iter::once(escape(&key)).chain(values.iter().map(|value| escape(value))).collect();
            if differs { different.push(row) } else { same.push(row) }
        }
        let mut out = String::new();
        if known.len() > 1 {
            out += &if different.is_empty() {
                "<p>The configurations are the same.</p>".into()
            } else {
                table("Keys in which the runs differ", &head, &different)
            };
        }
        let open = if known.len() > 1 { "" } else { " open" };
        let same = table(if known.len() > 1 { "Keys that all runs share" } else { "Configuration" }, &head, &same);
        let _ = write!(
            out,
            "<details{open}><summary>{} keys{}</summary>{same}</details>",
            same.matches("<tr>").count() - 1,
            if known.len() > 1 { " that all share" } else { "" }
        );
        out
    }

    fn roofline(&self, bench: &Bench) -> String {
        let device = escape(&bench.device);
        format!(
            "<p>Kernels of wgrad {} on {device}: operations a second over operations a byte, below what the device \
             reaches at most.</p>{}",
            escape(&bench.wgrad),
            picture("Kernels below the roofline", &roofline::svg(bench))
        )
    }

    fn repeat(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .made
            .iter()
            .map(|[name, value]| vec![escape(name), format!("<code>{}</code>", escape(value))])
            .collect();
        let mut out = table("How this page was made", &["what".into(), "value".into()], &rows);
        let mut files: Vec<(&str, u64)> = vec![];
        for (name, hash) in self.runs.iter().flat_map(|run| &run.text) {
            if !files.contains(&(name, *hash)) {
                files.push((name, *hash));
            }
        }
        let rows: Vec<Vec<String>> =
            files.iter().map(|(name, hash)| vec![escape(name), format!("<code>{hash:016x}</code>")]).collect();
        if !rows.is_empty() {
            out += &table("The text", &["file".into(), "hash of its sentences (FNV-1a)".into()], &rows);
        }
        out
    }
}
