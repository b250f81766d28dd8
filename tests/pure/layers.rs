//! Each module uses only what stands above it in `src/lib.rs`.

use std::fs;
use std::path::{Path, PathBuf};

pub fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The modules that `line` names as `crate::module`.
fn named(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").map(|(at, word)| {
        let rest = &line[at + word.len()..];
        rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or("")
    })
}

/// Every use of a lower module by a higher one, as `file:line: text`.
fn violations(order: &[String], src: &Path) -> Vec<String> {
    let mut files = Vec::new();
    rust_files(src, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(src).unwrap();
        let module = inside.iter().next().unwrap().to_string_lossy().into_owned();
        let Some(own) = order.iter().position(|m| *m == module) else { continue };
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            // `use crate::{..}` would hide what it names from this test.
            let hidden = line.contains("crate::{");
            let below =
                named(line).any(|m| order.iter().position(|o| o == m).is_some_and(|at| at > own));
            if hidden || below {
                wrong.push(format!("{}:{}: {}", inside.display(), number + 1, line.trim()));
            }
        }
    }
    wrong
}

#[test]
fn modules_use_only_what_stands_above_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
    let order: Vec<String> = lib
        .lines()
        .filter_map(|l| Some(l.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned()))
        .collect();
    assert!(order.len() >= 10, "lib.rs lists the modules: {order:?}");
    let wrong = violations(&order, &src);
    assert!(wrong.is_empty(), "these reach below themselves:\n{}", wrong.join("\n"));
}

#[test]
fn a_violation_would_be_found() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("model")).unwrap();
    let code = "use std::fmt;\nuse crate::cli::main;\nuse crate::{cli};\n";
    fs::write(dir.path().join("model/mod.rs"), code).unwrap();
    let order = ["model".to_owned(), "cli".to_owned()];
    let wrong = violations(&order, dir.path());
    assert_eq!(
        wrong,
        ["model/mod.rs:2: use crate::cli::main;", "model/mod.rs:3: use crate::{cli};"]
    );
}
