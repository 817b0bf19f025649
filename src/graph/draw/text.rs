//! One line a node, for terminals and diffs.

use super::{Drawn, Role};

/// Number, pass, name, what it reads, shapes and label of every node.
pub fn text(drawn: &[Drawn]) -> String {
    let mut lines = String::new();
    for node in drawn {
        let pass = match node.role {
            Role::Input => "input",
            Role::Forward => "forward",
            Role::Backward => "backward",
        };
        let reads: Vec<String> = node.reads.iter().map(|&read| drawn[read].node.to_string()).collect();
        let call = format!("{}({})", node.name, reads.join(", "));
        let label = node.label.as_ref().map_or(String::new(), |label| format!("  {label}"));
        lines += &format!("{:5}  {pass:8}  {call:40} {}{label}\n", node.node, node.shapes.join(", "));
    }
    lines
}
