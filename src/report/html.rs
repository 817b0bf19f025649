//! Pieces of HTML.

use std::fmt::Write;

/// Text as it stands in HTML, between tags or in an attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // What would end or reorder the page's text.
            '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push('\u{fffd}')
            }
            other => out.push(other),
        }
    }
    out
}

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

/// `1:32`, from an hour on `1:02:03`.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// JSON as it stands in a script: no end of the script can be in it.
pub fn json(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escape("<script>alert('x') & \"y\"</script>"),
            "&lt;script&gt;alert(&#39;x&#39;) &amp; &quot;y&quot;&lt;/script&gt;"
        );
        assert_eq!(escape("a\u{202e}b\0"), "a\u{fffd}b\u{fffd}");
        assert_eq!(json(&serde_json::json!("</script>")), "\"\\u003c/script>\"");
    }
}
