//! Modules of a crate form layers too: no cycle between the top-level modules by `use crate::…`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::sources::files;

pub(crate) fn faults(root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let mut crates: Vec<_> = fs::read_dir(root.join("node"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    crates.push(root.join("engine"));
    crates.push(root.join("src-tauri"));
    crates.sort();
    for folder in crates {
        let source = folder.join("src");
        if let Some(cycle) = cycle(&imports(&source)) {
            let name = folder.strip_prefix(root).unwrap_or(&folder).display();
            faults.push(format!(
                "{name}: modules import each other in a circle: {}; move what they share below them",
                cycle.join(" -> ")
            ));
        }
    }
    faults
}

/// Top-level module → top-level modules that it uses. What is re-exported at the crate root counts as the root.
fn imports(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files(source, &["rs"]) {
        let Ok(inside) = path.strip_prefix(source) else {
            continue;
        };
        let Some(first) = inside.components().next() else {
            continue;
        };
        let module = first
            .as_os_str()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        if module == "lib" || module == "main" || path.to_string_lossy().contains("tests") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        // What stands below the tests' line may use anything.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for used in used_modules(text) {
            if used != module {
                graph.entry(module.clone()).or_default().insert(used);
            }
        }
    }
    graph
}

/// Names after `crate::`, in `use` lines and paths: `crate::a::B`, `use crate::{a::B, c::D}`.
fn used_modules(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for line in text.split("crate::").skip(1) {
        if let Some(list) = line.strip_prefix('{') {
            let mut depth = 1_u32;
            let mut item = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ if depth == 1 => item.push(c),
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            used.extend(item.split(',').map(first_name));
        } else {
            used.insert(first_name(line));
        }
    }
    // A capital letter is a type at the crate root.
    used.retain(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
    used
}

fn first_name(path: &str) -> String {
    path.trim_start()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect()
}

fn cycle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    graph.keys().find_map(|start| {
        let mut path = vec![start.clone()];
        walk(graph, start, start, &mut path, &mut BTreeSet::new()).then_some(path)
    })
}

fn walk(
    graph: &BTreeMap<String, BTreeSet<String>>,
    from: &str,
    to: &str,
    path: &mut Vec<String>,
    seen: &mut BTreeSet<String>,
) -> bool {
    for next in graph.get(from).into_iter().flatten() {
        path.push(next.clone());
        if next == to || (seen.insert(next.clone()) && walk(graph, next, to, path, seen)) {
            return true;
        }
        path.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_found_and_cycles_named() {
        assert_eq!(
            used_modules("use crate::{a::{B, c}, d, Error}; let x = crate::e::f();"),
            BTreeSet::from(["a".to_owned(), "d".to_owned(), "e".to_owned()])
        );
        let graph = BTreeMap::from([
            ("a".to_owned(), BTreeSet::from(["b".to_owned()])),
            ("b".to_owned(), BTreeSet::from(["c".to_owned()])),
            ("c".to_owned(), BTreeSet::from(["b".to_owned()])),
        ]);
        assert_eq!(
            cycle(&graph),
            Some(vec!["b".to_owned(), "c".to_owned(), "b".to_owned()])
        );
    }
}
