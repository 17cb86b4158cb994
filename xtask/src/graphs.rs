//! One set of features in every build: what the headless, the desktop and the test build ask of a foreign crate.
//!
//! Cargo builds a crate once for each set of features, and everything above it again. `hearth-base` names the union
//! (its feature equaliser), so that nothing heavy is built twice; this finds what is missing there.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

/// The builds, as `cargo tree` selects them.
const BUILDS: [(&str, &[&str]); 4] = [
    (
        "headless",
        &["-p", "hearth", "-e", "no-dev", "--no-default-features"],
    ),
    ("headless tests", &["--workspace", "--no-default-features"]),
    ("desktop", &["-p", "hearth", "-e", "no-dev"]),
    ("desktop tests", &["--workspace"]),
];
/// Used by `xtask` alone, which nothing is above of.
const OWN_WAY: [&str; 1] = ["toml_parser"];

/// A crate's name and version, and the sets of features it is built with: one for the program, one for build scripts.
type Graph = BTreeMap<(String, String), BTreeSet<String>>;

pub(crate) fn faults(root: &Path) -> Vec<String> {
    let mut graphs = Vec::new();
    for (name, selection) in BUILDS {
        match graph(root, selection) {
            Ok(graph) => graphs.push((name, graph)),
            Err(error) => return vec![format!("cargo tree ({name}): {error}")],
        }
    }
    let mut faults = Vec::new();
    for (index, (name, graph)) in graphs.iter().enumerate() {
        for (other_name, other) in graphs.iter().skip(index + 1) {
            faults.extend(differences((name, graph), (other_name, other)));
        }
    }
    faults
}

fn graph(root: &Path, selection: &[&str]) -> Result<Graph, String> {
    let output = Command::new(env!("CARGO"))
        .arg("tree")
        .args(selection)
        .args(["--locked", "--prefix", "none", "-f", "{p}|{f}"])
        .current_dir(root)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let mut graph = Graph::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((package, features)) = line.trim_end_matches(" (*)").split_once('|') else {
            continue;
        };
        let mut words = package.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next())
            && !package.contains('/')
            && !OWN_WAY.contains(&name)
        {
            let sets = graph.entry((name.to_owned(), version.to_owned())).or_default();
            sets.insert(features.to_owned());
        }
    }
    Ok(graph)
}

fn differences<'a>(
    (name, graph): (&'a str, &'a Graph),
    (other_name, other): (&'a str, &'a Graph),
) -> impl Iterator<Item = String> + 'a {
    graph.iter().filter_map(move |(package, sets)| {
        let others = other.get(package)?;
        let lacks: Vec<_> = sets.difference(others).map(String::as_str).collect();
        (!lacks.is_empty()).then(|| {
            format!(
                "node/base/Cargo.toml: {} {} is built with [{}] in the {name} build and with [{}] in the {other_name} \
                 build; name the union in the feature equaliser",
                package.0,
                package.1,
                lacks.join("] and ["),
                others.iter().map(String::as_str).collect::<Vec<_>>().join("] and [")
            )
        })
    })
}
