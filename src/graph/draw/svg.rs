//! A drawing as a picture, for pages and browsers.

use super::layout::{Arrow, Curve, layout};
use super::{Drawn, Role};
use crate::markup::escape;

/// Pixels around the drawing, above it for the legend, of a line of text, and of a letter.
const MARGIN: f64 = 24.0;
const TOP: f64 = 32.0;
const LINE: f64 = 13.0;
const LETTER: f64 = 6.3;

const STYLE: &str = "text{font:11px sans-serif;fill:#222;text-anchor:middle}.label{font-weight:bold}\
.shape{fill:#666;font-size:10px}\
path{fill:none;stroke:#6b87b3;stroke-width:1.2}path.backward{stroke:#d98b45}\
path.arrow{fill:#6b87b3;stroke:none}path.backward.arrow{fill:#d98b45}\
.input rect{fill:#eee;stroke:#999}.forward rect{fill:#cfe2ff;stroke:#4a7fc1}\
.backward rect{fill:#ffd8b5;stroke:#c9752a}";

/// The drawing as SVG: the forward pass down the left side, the backward pass up the right side. Every node shows the
/// shape of each of its outputs.
pub fn svg(drawn: &[Drawn]) -> String {
    let texts: Vec<Vec<(&str, String)>> = drawn.iter().map(lines).collect();
    let size = |lines: &Vec<(&str, String)>| {
        let letters = lines.iter().map(|(_, line)| line.chars().count()).max().unwrap_or(0);
        [LETTER * letters as f64 + 14.0, LINE * lines.len() as f64 + 10.0]
    };
    let sizes: Vec<[f64; 2]> = texts.iter().map(size).collect();
    let layout = layout(drawn, &sizes);
    let moved = |[x, y]: [f64; 2]| [x + MARGIN, y + MARGIN + TOP];
    let [width, height] =
        [layout.size[0].max(300.0) + 2.0 * MARGIN, layout.size[1] + 2.0 * MARGIN + TOP].map(f64::ceil);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} \
         {height}\">\n\
         <style>{STYLE}</style>\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    svg += &legend();
    for curve in &layout.curves {
        let bend = curve.bend.map(|y| moved([0.0, y])[1]);
        svg += &edge(&Curve { from: moved(curve.from), to: moved(curve.to), bend, ..*curve });
    }
    for (node, lines) in texts.iter().enumerate() {
        svg += &boxed(&drawn[node], lines, moved(layout.centres[node]), sizes[node]);
    }
    svg + "</svg>\n"
}

/// What a node says of itself, with the style of each line.
fn lines(node: &Drawn) -> Vec<(&'static str, String)> {
    let label = node.label.iter().map(|label| ("label", label.clone()));
    let shapes = node.shapes.iter().map(|shape| ("shape", shape.clone()));
    label.chain([("name", node.name.clone())]).chain(shapes).collect()
}

/// From one row to the next, and at its end an arrow.
fn edge(Curve { from: [x1, y1], to: [x2, y2], bend: [start, end], backward, arrow }: &Curve) -> String {
    let (class, both) = if *backward { (" class=\"backward\"", "backward arrow") } else { ("", "arrow") };
    let middle = (start + end) / 2.0;
    let mut svg = format!(
        "<path{class} d=\"M{x1:.1} {y1:.1}V{start:.1}C{x1:.1} {middle:.1} {x2:.1} {middle:.1} {x2:.1} \
         {end:.1}V{y2:.1}\"/>\n"
    );
    if let Some(arrow) = arrow {
        let (x, y, back) = if *arrow == Arrow::Down { (x2, y2, -6.0) } else { (x1, y1, 6.0) };
        svg += &format!("<path class=\"{both}\" d=\"M{x:.1} {y:.1}l-3 {back}h6z\"/>\n");
    }
    svg
}

fn class(role: Role) -> &'static str {
    match role {
        Role::Input => "input",
        Role::Forward => "forward",
        Role::Backward => "backward",
    }
}

fn boxed(node: &Drawn, lines: &[(&str, String)], [x, y]: [f64; 2], [width, height]: [f64; 2]) -> String {
    let (left, top) = (x - width / 2.0, y - height / 2.0);
    let round = if node.role == Role::Input { height / 2.0 } else { 4.0 };
    let title = escape(&format!("{} {} {}", node.node, node.name, node.shapes.join(", ")));
    let mut text = format!(
        "<g class=\"{}\"><title>{title}</title><rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
         height=\"{height:.1}\" rx=\"{round}\"/>",
        class(node.role)
    );
    for (i, (class, line)) in lines.iter().enumerate() {
        let y = top + 15.0 + LINE * i as f64;
        text += &format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(line));
    }
    text + "</g>\n"
}

fn legend() -> String {
    let entry = |(i, (colour, name)): (usize, (&str, &str))| {
        let x = MARGIN + 96.0 * i as f64;
        format!(
            "<rect x=\"{x}\" y=\"14\" width=\"14\" height=\"14\" fill=\"{colour}\" stroke=\"#888\"/><text \
             style=\"text-anchor:start\" x=\"{}\" y=\"25\">{name}</text>\n",
            x + 20.0
        )
    };
    [("#eee", "input"), ("#cfe2ff", "forward"), ("#ffd8b5", "backward")].into_iter().enumerate().map(entry).collect()
}
