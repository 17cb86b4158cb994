//! One copy of each library whose types or state must not be doubled.

use std::{collections::BTreeMap, fs, path::Path};

/// A second copy of one of these means two curve or tensor libraries whose types do not mix, or a second TLS, HTTP or
/// SQL stack in the program.
const SINGLE: [&str; 10] = [
    "axum",
    "candle-core",
    "k256",
    "libsqlite3-sys",
    "reqwest",
    "rustls",
    "sqlx",
    "tendermint",
    "tokenizers",
    "tokio",
];

pub(crate) fn faults(root: &Path) -> Vec<String> {
    let Ok(lock) = fs::read_to_string(root.join("Cargo.lock")) else {
        return vec![
            "Cargo.lock: is missing; it is committed, since some versions we need others yanked".to_owned(),
        ];
    };
    let mut copies: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = "";
    for line in lock.lines() {
        if let Some(text) = line.strip_prefix("name = ") {
            name = text.trim_matches('"');
        } else if let Some(version) = line.strip_prefix("version = ") {
            copies.entry(name).or_default().push(version.trim_matches('"'));
        }
    }
    SINGLE
        .iter()
        .filter_map(|single| {
            let versions = copies.get(single).map_or(&[][..], Vec::as_slice);
            (versions.len() > 1).then(|| {
                format!(
                    "Cargo.lock: {single} stands in it {} times ({})",
                    versions.len(),
                    versions.join(", ")
                )
            })
        })
        .collect()
}
