//! The list of what Hearth is built from, for the About page: `assets/licences.json`, from the lock file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use serde_json::{Value, json};

const FILE: &str = "assets/licences.json";

/// Writes the file.
pub(crate) fn write(root: &Path) -> Result<(), String> {
    fs::write(root.join(FILE), list(root)?).map_err(|error| format!("{FILE}: {error}"))
}

/// A fault where the file is not what the lock file says.
pub(crate) fn faults(root: &Path) -> Vec<String> {
    match list(root) {
        Ok(wanted) if fs::read_to_string(root.join(FILE)).is_ok_and(|text| text == wanted) => Vec::new(),
        Ok(_) => vec![format!(
            "{FILE}: is not what Cargo.lock says: cargo run -p xtask -- licences"
        )],
        Err(error) => vec![error],
    }
}

/// Every crate that is linked into `hearth` on Linux, in the desktop build.
fn list(root: &Path) -> Result<String, String> {
    let output = Command::new("cargo")
        .args([
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages: BTreeMap<&str, &Value> = array(&metadata["packages"])
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let nodes: BTreeMap<&str, &Value> = array(&metadata["resolve"]["nodes"])
        .filter_map(|node| Some((node["id"].as_str()?, node)))
        .collect();
    let start = packages
        .iter()
        .find(|(_, package)| package["name"] == "hearth")
        .map(|(id, _)| *id);
    let mut linked = BTreeSet::new();
    let mut open: Vec<&str> = start.into_iter().collect();
    while let Some(id) = open.pop() {
        if !linked.insert(id) {
            continue;
        }
        let Some(node) = nodes.get(id) else { continue };
        // `null` is the kind of an ordinary dependency; those of build scripts and tests are not shipped.
        let ordinary = |dep: &&Value| array(&dep["dep_kinds"]).any(|kind| kind["kind"].is_null());
        open.extend(
            array(&node["deps"])
                .filter(ordinary)
                .filter_map(|dep| dep["pkg"].as_str()),
        );
    }
    let entries: Vec<Value> = linked
        .iter()
        .filter_map(|id| packages.get(id))
        .filter(|package| !package["source"].is_null())
        .map(|package| {
            json!({
                "name": package["name"],
                "version": package["version"],
                "licence": package["license"].as_str().unwrap_or("see the package"),
                "repository": package["repository"],
            })
        })
        .collect();
    let mut entries = entries;
    entries.sort_by_key(|entry| entry["name"].as_str().map(str::to_owned));
    let lines: Vec<String> = entries.iter().map(Value::to_string).collect();
    Ok(format!("[\n{}\n]\n", lines.join(",\n")))
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
