//! Rules for single source files, and for the paths that ARCHITECTURE.md names.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Lines after which a file is split.
const MAX_LINES: usize = 600;
/// Words that say that something is not finished, or a test that does not test. Split so that this file passes.
const UNFINISHED: [&str; 6] = [
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("#[ign", "ore"),
    concat!("#[should_", "panic"),
];
const SKIPPED_FOLDERS: [&str; 7] = [
    "target",
    "node_modules",
    "dist",
    ".git",
    "paraglide",
    "generated",
    "vectors",
];

pub(crate) fn faults(root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for path in files(root, &["rs", "ts", "svelte"]) {
        let Ok(text) = fs::read_to_string(&path) else {
            faults.push(format!("{}: is no UTF-8 text", path.display()));
            continue;
        };
        let name = path.strip_prefix(root).unwrap_or(&path).display();
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        if is_rust && !text.starts_with("//!") {
            faults.push(format!("{name}: open the file with //! and say what it is for"));
        }
        let n_lines = text.lines().count();
        if n_lines > MAX_LINES && !path.to_string_lossy().contains("generated") {
            faults.push(format!(
                "{name}: {n_lines} lines, more than {MAX_LINES}: split it by idea"
            ));
        }
        for word in UNFINISHED {
            if text.contains(word) {
                faults.push(format!(
                    "{name}: holds `{word}`: finish it, or open an issue and say so to the user"
                ));
            }
        }
    }
    faults.extend(dead_paths(root));
    faults
}

/// All files below `root` with one of the endings, sorted.
pub(crate) fn files(root: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                if !SKIPPED_FOLDERS.iter().any(|skipped| *skipped == name) {
                    open.push(path);
                }
            } else if endings
                .iter()
                .any(|ending| path.extension().is_some_and(|found| found == *ending))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Paths in back quotes in ARCHITECTURE.md that are not there. A word counts as a path when it holds a slash and
/// begins with a name of the top level.
fn dead_paths(root: &Path) -> Vec<String> {
    let Ok(text) = fs::read_to_string(root.join("ARCHITECTURE.md")) else {
        return vec!["ARCHITECTURE.md: is missing".to_owned()];
    };
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| {
            let top = word.split('/').next().unwrap_or_default();
            word.contains('/')
                && [
                    "engine",
                    "node",
                    "src-tauri",
                    "ui",
                    "assets",
                    "tests",
                    "installers",
                    "xtask",
                    "docs",
                    "fuzz",
                ]
                .contains(&top)
                && !word.contains(' ')
        })
        .filter(|path| !root.join(path).exists())
        .map(|path| format!("ARCHITECTURE.md: names `{path}`, which is not there"))
        .collect()
}
