//! The layers of `src`: which module may import which. ARCHITECTURE.md shows the same table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module of `src`, and those that it may import.
const ALLOWED: [(&str, &[&str]); 20] = [
    ("markup", &[]),
    ("shell", &[]),
    ("hash", &[]),
    ("memory", &[]),
    ("graph", &["markup"]),
    ("ops", &["graph"]),
    ("plan", &["graph", "ops"]),
    ("cpu", &["graph", "memory", "plan"]),
    ("gpu", &["graph", "memory", "ops", "plan"]),
    ("device", &["cpu", "gpu", "plan"]),
    ("check", &["cpu", "gpu", "graph", "ops", "plan"]),
    ("nn", &["graph", "ops"]),
    ("models", &["graph", "nn", "ops"]),
    ("text", &["shell"]),
    ("decode", &["graph", "models", "nn", "ops", "plan", "text"]),
    ("train", &["decode", "graph", "hash", "memory", "models", "nn", "ops", "plan", "text"]),
    ("tune", &["hash", "train"]),
    ("bench", &["cpu", "decode", "graph", "markup", "models", "ops", "plan", "text", "train"]),
    ("report", &["bench", "markup", "train", "tune"]),
    (
        "commands",
        &[
            "bench", "check", "cpu", "decode", "device", "gpu", "graph", "hash", "models", "ops", "plan", "report",
            "shell", "text", "train", "tune",
        ],
    ),
];

/// The modules that the text names as `crate::NAME`, its tests left out.
fn imports(text: &str, known: &BTreeSet<&str>) -> BTreeSet<String> {
    let text = text.split("\n#[cfg(test)]\nmod tests").next().expect("a beginning");
    let named = text
        .split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>());
    named.filter(|name| known.contains(name.as_str())).collect()
}

fn collect(path: &Path, module: &str, known: &BTreeSet<&str>, found: &mut BTreeMap<String, BTreeSet<String>>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder") {
            collect(&entry.expect("an entry").path(), module, known, found);
        }
    } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
        let text = fs::read_to_string(path).expect("a file");
        found.entry(module.into()).or_default().extend(imports(&text, known));
    }
}

#[test]
fn modules_import_only_what_stands_below_them() {
    let known: BTreeSet<&str> = ALLOWED.iter().map(|(module, _)| *module).collect();
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).expect("src") {
        let path = entry.expect("an entry").path();
        let module = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if !["lib", "main", "out_of_memory"].contains(&module.as_str()) {
            assert!(known.contains(module.as_str()), "src/{module} has no line in this test's table");
            collect(&path, &module, &known, &mut found);
        }
    }
    for (i, (module, allowed)) in ALLOWED.iter().enumerate() {
        let below = |name: &&&str| ALLOWED[..i].iter().any(|(lower, _)| lower == *name);
        assert!(allowed.iter().all(|name| below(&name)), "{module}: the table itself has a circle");
        let imports = found.get(*module).cloned().unwrap_or_default();
        let wrong: Vec<_> =
            imports.iter().filter(|name| *name != module && !allowed.contains(&name.as_str())).collect();
        assert!(wrong.is_empty(), "src/{module} imports {wrong:?}");
        let unused: Vec<_> = allowed.iter().filter(|name| !imports.contains(**name)).collect();
        assert!(unused.is_empty(), "src/{module} imports no {unused:?} any more: take it from the table");
    }
}
