//! Repository rules as a program: `cargo run -p xtask -- tidy`. They also run as a test, so that nobody need
//! remember them. `cargo run -p xtask -- licences` writes the list for the About page, `… advisories CLONE` that of
//! known faults of dependencies.

mod advisories;
mod graphs;
mod licences;
mod modules;
mod ranks;
mod sources;
mod versions;

use std::{path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let faults = match std::env::args().nth(1).as_deref() {
        Some("tidy") => tidy(),
        Some("licences") => licences::write(&root()).err().into_iter().collect(),
        Some("advisories") if std::env::args().len() == 3 => {
            let clone = std::env::args().nth(2).unwrap_or_default();
            advisories::write(&root(), clone.as_ref())
                .err()
                .into_iter()
                .collect()
        }
        Some(_) | None => {
            report("usage: xtask tidy | licences | advisories CLONE-OF-rustsec/advisory-db");
            return ExitCode::from(2);
        }
    };
    for fault in &faults {
        report(fault);
    }
    report(&format!("{} faults", faults.len()));
    if faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[allow(clippy::print_stdout, reason = "this program's only output")]
fn report(line: &str) {
    println!("{line}");
}

/// All faults, each naming the place and the remedy.
fn tidy() -> Vec<String> {
    let root = root();
    let mut faults = sources::faults(&root);
    faults.extend(ranks::faults(&root));
    faults.extend(modules::faults(&root));
    faults.extend(versions::faults(&root));
    faults.extend(licences::faults(&root));
    faults.extend(graphs::faults(&root));
    faults.extend(advisories::faults(&root));
    faults.sort();
    faults
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        let faults = super::tidy();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}
