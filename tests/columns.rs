//! No line of the project is longer than 120 columns, but for rows of Markdown's tables, which cannot be broken.

use std::fs;
use std::path::Path;

const FOLDERS: [&str; 10] =
    ["benches", "data/presets", "data/spaces", "docs", "examples", "fuzz", "shaders", "src", "tests", ".github"];
const ENDINGS: [&str; 8] = ["rs", "wgsl", "md", "toml", "sh", "py", "js", "yml"];

fn long_lines(path: &Path, found: &mut Vec<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            if !["target", "artifacts", "regressions", "node_modules"].iter().any(|name| entry.file_name() == *name) {
                long_lines(&entry.path(), found);
            }
        }
    } else if path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) {
        let text = fs::read_to_string(path).unwrap();
        for (number, line) in text.lines().enumerate() {
            if line.chars().count() > 120 && !line.starts_with('|') {
                found.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
}

#[test]
fn no_line_is_longer_than_120_columns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![];
    for folder in
        FOLDERS.into_iter().chain(["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "Cargo.toml"])
    {
        long_lines(&root.join(folder), &mut found);
    }
    assert_eq!(found, Vec::<String>::new());
}
