//! Pieces of HTML.

use std::fmt::Write;

use crate::markup::escape;

/// A table that scrolls by itself where the page is narrow. Cells are HTML.
pub fn table(caption: &str, head: &[String], rows: &[Vec<String>]) -> String {
    let label = escape(caption);
    let mut out = format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table>\
         <caption>{label}</caption><thead><tr>"
    );
    for cell in head {
        let _ = write!(out, "<th scope=\"col\">{cell}</th>");
    }
    out += "</tr></thead><tbody>";
    for row in rows {
        out += "<tr>";
        for (column, cell) in row.iter().enumerate() {
            let _ = match column {
                0 => write!(out, "<th scope=\"row\">{cell}</th>"),
                _ => write!(out, "<td>{cell}</td>"),
            };
        }
        out += "</tr>";
    }
    out + "</tbody></table></div>"
}

/// An SVG as an image, so that its styles are its own.
pub fn picture(label: &str, svg: &str) -> String {
    let mut uri = String::with_capacity(svg.len());
    for character in svg.chars() {
        match character {
            '%' | '#' | '"' | '<' | '>' | '&' | '\'' => {
                let _ = write!(uri, "%{:02X}", character as u32);
            }
            '\n' => uri.push(' '),
            other => uri.push(other),
        }
    }
    let label = escape(label);
    format!(
        "<div class=\"wide paper\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><img alt=\"{label}\" \
         src=\"data:image/svg+xml,{uri}\"></div>"
    )
}

/// JSON as it stands in a script: no end of the script can be in it.
pub fn json(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_ends_where_it_ends() {
        assert_eq!(json(&serde_json::json!("</script>")), "\"\\u003c/script>\"");
    }
}
