//! Attention as heat maps: a row for each target token, a column for each source token.

use std::fmt::Write;

use super::{Attention, Run};
use crate::markup::escape;

const CELL: usize = 22;
/// Room for a token's letters, each about 7 wide.
const LETTER: usize = 7;

pub fn section(runs: &[Run]) -> String {
    let mut out = String::new();
    for run in runs {
        let name = escape(&run.name);
        if run.attention.is_empty() {
            let _ = write!(out, "<p class=\"note\"><strong>{name}</strong> has no attention to show.</p>");
            continue;
        }
        let _ = write!(out, "<h3>{name}</h3><div class=\"maps\">");
        for (number, attention) in (1..).zip(&run.attention) {
            for (head, weights) in (1..).zip(&attention.heads) {
                let head = if attention.heads.len() > 1 { format!(", head {head}") } else { String::new() };
                let label = format!("Attention of {name} to sentence {number}{head}");
                out += &map(attention, weights, &label, &head);
            }
        }
        out += "</div>";
    }
    out
}

fn map(attention: &Attention, weights: &[f32], label: &str, head: &str) -> String {
    let (source, target) = (&attention.source, &attention.target);
    let longest = |tokens: &[String]| tokens.iter().map(|token| token.chars().count().min(24)).max().unwrap_or(0);
    let (left, top) = (longest(target) * LETTER + 12, longest(source) * LETTER + 12);
    let (width, height) = (left + source.len() * CELL + 40, top + target.len() * CELL + 6);
    let sentence = escape(&attention.sentence);
    let mut out = format!(
        "<figure><figcaption>{sentence}{head}</figcaption><div class=\"wide\" tabindex=\"0\" role=\"region\" \
         aria-label=\"{label}\"><svg role=\"img\" aria-label=\"{label}: {sentence}\" \
         width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">"
    );
    for (s, token) in source.iter().enumerate() {
        let (x, y, token) = (left + s * CELL + CELL / 2, top - 6, short(token));
        let _ = write!(out, "<text transform=\"translate({x} {y}) rotate(-60)\">{token}</text>");
    }
    for (t, token) in target.iter().enumerate() {
        let (y, token) = (top + t * CELL, short(token));
        let _ = write!(out, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{token}</text>", left - 6, y + 15);
        for (s, heard) in source.iter().enumerate() {
            let weight = weights.get(t * source.len() + s).copied().unwrap_or(0.0).clamp(0.0, 1.0);
            let (x, heard) = (left + s * CELL, escape(heard));
            let _ = write!(
                out,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" fill-opacity=\"{weight:.3}\">\
                 <title>{token} looks at {heard}: {:.0} %</title></rect>",
                100.0 * weight
            );
        }
    }
    out + "</svg></div></figure>"
}

fn short(token: &str) -> String {
    match token.chars().count() {
        0..=24 => escape(token),
        _ => escape(&token.chars().take(23).chain(['…']).collect::<String>()),
    }
}
