//! A drawing as a picture, for pages and browsers.

use super::layout::{Layout, layout};
use super::{Drawn, Role};

/// Distances and sizes in pixels: a node holds three lines of 11 pixels and about 16 letters.
const NODE: [f64; 2] = [112.0, 46.0];
const STEP: [f64; 2] = [156.0, 60.0];
const MARGIN: f64 = 24.0;
/// Room for the legend.
const TOP: f64 = 40.0;
/// Letters that fit into a node.
const LETTERS: usize = 17;

const STYLE: &str = "text{font:11px sans-serif;fill:#222;text-anchor:middle}.label{font-weight:bold}.shape{fill:#666;font-size:10px}\
path{fill:none;stroke:#9aa4b2;stroke-width:1.2}path.backward{stroke:#e0a26b}\
.input rect{fill:#eee;stroke:#999}.forward rect{fill:#cfe2ff;stroke:#4a7fc1}.backward rect{fill:#ffd8b5;stroke:#c9752a}";

/// The drawing as SVG: forward from left to right, below it backward from right to left.
pub fn svg(drawn: &[Drawn]) -> String {
    let layout = layout(drawn);
    let size = [
        2.0 * MARGIN + (layout.layers.max(1) - 1) as f64 * STEP[0] + NODE[0],
        TOP + 2.0 * MARGIN + (layout.tallest[0] + layout.tallest[1]).max(1) as f64 * STEP[1],
    ];
    let [width, height] = size;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <style>{STYLE}</style>\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    svg += &legend();
    let centres: Vec<[f64; 2]> = (0..drawn.len()).map(|node| centre(&layout, node)).collect();
    for (node, drawn_node) in drawn.iter().enumerate() {
        for &read in &drawn_node.reads {
            svg += &edge(centres[read], centres[node], drawn_node.role);
        }
    }
    drawn.iter().zip(&centres).for_each(|(node, &centre)| svg += &boxed(node, centre));
    svg + "</svg>\n"
}

fn centre(layout: &Layout, node: usize) -> [f64; 2] {
    let x = MARGIN + NODE[0] / 2.0 + layout.layer[node] as f64 * STEP[0];
    [x, TOP + MARGIN + (layout.tallest[0] as f64 + layout.place[node]) * STEP[1]]
}

fn class(role: Role) -> &'static str {
    match role {
        Role::Input => "input",
        Role::Forward => "forward",
        Role::Backward => "backward",
    }
}

/// A curve between the sides that face each other, or between bottom and top within a layer.
fn edge(from: [f64; 2], to: [f64; 2], role: Role) -> String {
    let side = (to[0] - from[0]).signum() * if from[0] == to[0] { 0.0 } else { NODE[0] / 2.0 };
    let (x1, x2) = (from[0] + side, to[0] - side);
    let bend = (x2 - x1) / 2.0;
    let end = if side == 0.0 { (to[1] - from[1]).signum() * NODE[1] / 2.0 } else { 0.0 };
    let (y1, y2) = (from[1] + end, to[1] - end);
    let class = if role == Role::Backward { " class=\"backward\"" } else { "" };
    format!("<path{class} d=\"M{x1:.1} {y1:.1}C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}\"/>\n", x1 + bend, x2 - bend)
}

fn boxed(node: &Drawn, [x, y]: [f64; 2]) -> String {
    let (left, top) = (x - NODE[0] / 2.0, y - NODE[1] / 2.0);
    let round = if node.role == Role::Input { NODE[1] / 2.0 } else { 4.0 };
    let title = escape(&format!("{} {} {}", node.node, node.name, node.shapes.join(", ")));
    let mut text = format!(
        "<g class=\"{}\"><title>{title}</title><rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{}\" height=\"{}\" rx=\"{round}\"/>",
        class(node.role),
        NODE[0],
        NODE[1]
    );
    let lines = (node.label.iter().map(|label| ("label", label.clone())))
        .chain([("name", node.name.clone()), ("shape", node.shapes.join(" "))])
        .collect::<Vec<_>>();
    let first = y + 4.0 - (lines.len() as f64 - 1.0) * 6.5;
    for (i, (class, line)) in lines.iter().enumerate() {
        let line = escape(&shorten(line));
        text += &format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\">{line}</text>", first + 13.0 * i as f64);
    }
    text + "</g>\n"
}

fn shorten(line: &str) -> String {
    if line.chars().count() <= LETTERS { line.into() } else { line.chars().take(LETTERS - 1).chain(['…']).collect() }
}

fn legend() -> String {
    let entry = |(i, (colour, name)): (usize, (&str, &str))| {
        let x = MARGIN + 110.0 * i as f64;
        format!(
            "<rect x=\"{x}\" y=\"14\" width=\"14\" height=\"14\" fill=\"{colour}\" stroke=\"#888\"/><text style=\"text-anchor:start\" x=\"{}\" y=\"25\">{name}</text>\n",
            x + 20.0
        )
    };
    [("#eee", "input"), ("#cfe2ff", "forward"), ("#ffd8b5", "backward")].into_iter().enumerate().map(entry).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
