//! Who may import whom: a crate imports only crates of lower rank, and some not even those.

use std::{collections::BTreeMap, fs, path::Path};

/// Crate, folder, rank, and the own crates it may import.
const CRATES: [(&str, &str, &[&str]); 20] = [
    ("hearth-base", "node/base", &[]),
    ("hearth-engine", "engine", &[]),
    ("hearth-pocket", "node/pocket", &["base"]),
    ("hearth-store", "node/store", &["base"]),
    ("hearth-outbound", "node/outbound", &["base"]),
    ("hearth-listen", "node/listen", &["base"]),
    ("hearth-wallet", "node/wallet", &["base", "pocket"]),
    ("hearth-connect", "node/connect", &["base", "store"]),
    (
        "hearth-chain",
        "node/chain",
        &["base", "outbound", "pocket", "store"],
    ),
    (
        "hearth-outbox",
        "node/outbox",
        &["base", "chain", "pocket", "store", "wallet"],
    ),
    (
        "hearth-roles",
        "node/roles",
        &["base", "chain", "outbox", "pocket", "store", "wallet"],
    ),
    ("hearth-answers", "node/answers", &["base", "engine", "outbound"]),
    ("hearth-weights", "node/weights", &["base", "outbound", "store"]),
    ("hearth-chats", "node/chats", &["base", "store"]),
    (
        "hearth-miner",
        "node/miner",
        &[
            "base", "listen", "outbound", "wallet", "chain", "outbox", "pocket", "store", "answers",
        ],
    ),
    (
        "hearth-gateway",
        "node/gateway",
        &[
            "base", "outbound", "wallet", "chain", "pocket", "store", "answers",
        ],
    ),
    ("hearth-devnet", "node/devnet", &["base", "listen", "pocket"]),
    (
        "hearth-api",
        "node/api",
        &[
            "base", "listen", "engine", "pocket", "store", "wallet", "chain", "answers", "weights", "chats",
            "miner", "gateway", "devnet", "connect", "outbox", "roles",
        ],
    ),
    (
        "hearth-node",
        "node/app",
        &[
            "base", "listen", "engine", "pocket", "store", "wallet", "chain", "answers", "weights", "chats",
            "miner", "gateway", "devnet", "connect", "outbox", "roles", "api",
        ],
    ),
    ("hearth", "src-tauri", &["base", "node", "outbound"]),
];

pub(crate) fn faults(root: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, folder, allowed) in CRATES {
        let manifest = root.join(folder).join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&manifest) else {
            faults.push(format!("{folder}/Cargo.toml: is missing"));
            continue;
        };
        for import in own_imports(&text) {
            if !allowed.contains(&import.as_str()) {
                faults.push(format!(
                    "{folder}/Cargo.toml: {name} may not import hearth-{import} (ranks: ARCHITECTURE.md); \
                     move the code to the crate that may, or pass a value in"
                ));
            }
        }
    }
    faults
}

/// Own crates in `[dependencies]`; tests may import more.
fn own_imports(manifest: &str) -> Vec<String> {
    let mut section = String::new();
    let mut imports: BTreeMap<String, ()> = BTreeMap::new();
    for line in manifest.lines() {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        } else if section == "dependencies"
            && let Some(rest) = line.strip_prefix("hearth-")
        {
            let end = rest.find(['.', ' ', '=']).unwrap_or(rest.len());
            imports.insert(rest[..end].to_owned(), ());
        }
    }
    imports.into_keys().collect()
}
