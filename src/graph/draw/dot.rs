//! Graphviz's language, for those who have it and want to lay a graph out their own way.

use super::{Drawn, Role};

/// The drawing as a DOT digraph.
pub fn dot(drawn: &[Drawn]) -> String {
    let mut text = String::from("digraph wgrad {\n  node [fontname=\"sans-serif\", style=filled];\n");
    for (i, node) in drawn.iter().enumerate() {
        let (shape, colour) = match node.role {
            Role::Input => ("ellipse", "#e8e8e8"),
            Role::Forward => ("box", "#cfe2ff"),
            Role::Backward => ("box", "#ffd8b5"),
        };
        let lines: Vec<&str> =
            (node.label.iter().chain([&node.name]).chain(&node.shapes)).map(String::as_str).collect();
        let label = lines.join("\n").replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        text += &format!("  n{i} [label=\"{label}\", shape={shape}, fillcolor=\"{colour}\"];\n");
    }
    for (i, node) in drawn.iter().enumerate() {
        for read in &node.reads {
            text += &format!("  n{read} -> n{i};\n");
        }
    }
    text + "}\n"
}
