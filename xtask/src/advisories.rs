//! Known faults of dependencies: `Cargo.lock` against a list of RUSTSEC ids, without a network.
//!
//! `advisories.txt` is the advisory database of a day, one line each; `cargo run -p xtask -- advisories CLONE` writes it
//! anew from a clone of `rustsec/advisory-db`. What is accepted stands in `deny.toml`, each with its reason; there
//! `cargo deny check advisories` finds it, too.

use std::{collections::BTreeMap, fs, path::Path};

use semver::{Version, VersionReq};

const LIST: &str = "xtask/advisories.txt";

/// One line of the list.
struct Advisory<'a> {
    id: &'a str,
    package: &'a str,
    kind: &'a str,
    /// Ranges of versions that are well.
    well: Vec<VersionReq>,
    title: &'a str,
}

impl Advisory<'_> {
    /// `ID package kind well|well title`, by tabs.
    fn parse(line: &str) -> Option<Advisory<'_>> {
        let mut fields = line.split('\t');
        let (id, package, kind, well) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let ranges = well.split('|').filter(|range| !range.is_empty());
        Some(Advisory {
            id,
            package,
            kind,
            well: ranges.map(VersionReq::parse).collect::<Result<_, _>>().ok()?,
            title: fields.next()?,
        })
    }

    fn concerns(&self, version: &Version) -> bool {
        !self.well.iter().any(|range| range.matches(version))
    }
}

pub(crate) fn faults(root: &Path) -> Vec<String> {
    let read = |path: &str| fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"));
    match (read(LIST), read("Cargo.lock"), read("deny.toml")) {
        (Ok(list), Ok(lock), Ok(deny)) => check(&list, &lock, &deny),
        (list, lock, deny) => [list, lock, deny].into_iter().filter_map(Result::err).collect(),
    }
}

fn check(list: &str, lock: &str, deny: &str) -> Vec<String> {
    let locked = locked(lock);
    let mut faults = Vec::new();
    let mut accepted = match accepted(deny) {
        Ok(accepted) => accepted,
        Err(fault) => return vec![fault],
    };
    let lines = list
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    for line in lines {
        let Some(advisory) = Advisory::parse(line) else {
            faults.push(format!("{LIST}: no advisory: {line}"));
            continue;
        };
        let versions = locked.get(advisory.package).map_or(&[][..], Vec::as_slice);
        let concerned: Vec<String> = versions
            .iter()
            .filter(|version| advisory.concerns(version))
            .map(Version::to_string)
            .collect();
        if concerned.is_empty() || accepted.remove(advisory.id).is_some() {
            continue;
        }
        faults.push(format!(
            "Cargo.lock: {} {} has {} ({}: {}); take another version, or accept it in deny.toml with the reason",
            advisory.package,
            concerned.join(", "),
            advisory.id,
            advisory.kind,
            advisory.title
        ));
    }
    faults.extend(
        accepted.into_keys().map(|id| {
            format!("deny.toml: {id} is accepted and concerns nothing in Cargo.lock: leave it out")
        }),
    );
    faults
}

/// Versions in the lock file by package.
fn locked(lock: &str) -> BTreeMap<&str, Vec<Version>> {
    let mut versions: BTreeMap<&str, Vec<Version>> = BTreeMap::new();
    let mut name = "";
    for line in lock.lines() {
        if let Some(text) = line.strip_prefix("name = ") {
            name = text.trim_matches('"');
        } else if let Some(text) = line.strip_prefix("version = ")
            && let Ok(version) = text.trim_matches('"').parse()
        {
            versions.entry(name).or_default().push(version);
        }
    }
    versions
}

/// What `deny.toml` accepts: id and reason.
fn accepted(deny: &str) -> Result<BTreeMap<String, String>, String> {
    #[derive(serde::Deserialize)]
    struct Deny {
        advisories: Advisories,
    }
    #[derive(serde::Deserialize)]
    struct Advisories {
        ignore: Vec<Accepted>,
    }
    #[derive(serde::Deserialize)]
    struct Accepted {
        id: String,
        reason: String,
    }
    let deny: Deny = toml::from_str(deny)
        .map_err(|error| format!("deny.toml: [advisories] ignore needs id and reason of each: {error}"))?;
    let accepted = deny.advisories.ignore.into_iter();
    let (said, unsaid): (Vec<_>, Vec<_>) = accepted.partition(|accepted| accepted.reason.trim().len() >= 10);
    match unsaid.first() {
        Some(accepted) => Err(format!("deny.toml: {} is accepted without a reason", accepted.id)),
        None => Ok(said
            .into_iter()
            .map(|accepted| (accepted.id, accepted.reason))
            .collect()),
    }
}

/// Writes the list anew from a clone of `rustsec/advisory-db`.
pub(crate) fn write(root: &Path, clone: &Path) -> Result<(), String> {
    let text = |error: std::io::Error| format!("{}: {error}", clone.display());
    let mut lines = Vec::new();
    let mut newest = String::new();
    for package in fs::read_dir(clone.join("crates")).map_err(text)? {
        for file in fs::read_dir(package.map_err(text)?.path()).map_err(text)? {
            let page = fs::read_to_string(file.map_err(text)?.path()).map_err(text)?;
            let (date, line) = line_of(&page).ok_or_else(|| format!("no advisory: {page}"))?;
            newest = newest.max(date);
            lines.extend(line);
        }
    }
    lines.sort();
    let head = format!(
        "# Advisories of rustsec/advisory-db up to {newest}: id, package, kind, versions that are well, title."
    );
    fs::write(root.join(LIST), format!("{head}\n{}\n", lines.join("\n"))).map_err(text)
}

/// The date of an advisory's page, and its line, unless it was withdrawn.
fn line_of(page: &str) -> Option<(String, Option<String>)> {
    let (front, body) = page.strip_prefix("```toml\n")?.split_once("\n```")?;
    let front: toml::Value = toml::from_str(front).ok()?;
    let advisory = front.get("advisory")?;
    let field = |name: &str| {
        advisory
            .get(name)
            .and_then(toml::Value::as_str)
            .unwrap_or_default()
    };
    let date = field("date").to_owned();
    if advisory.get("withdrawn").is_some() {
        return Some((date, None));
    }
    let ranges = |name: &str| {
        let list = front.get("versions").and_then(|versions| versions.get(name));
        let list = list.and_then(toml::Value::as_array).cloned().unwrap_or_default();
        list.iter()
            .filter_map(|range| Some(range.as_str()?.to_owned()))
            .collect::<Vec<_>>()
    };
    let well = [ranges("patched"), ranges("unaffected")].concat().join("|");
    let kind = match field("informational") {
        "" => "vulnerability",
        kind => kind,
    };
    let title = body
        .lines()
        .find_map(|line| line.strip_prefix("# "))
        .unwrap_or_default()
        .trim();
    let line = [field("id"), field("package"), kind, &well, title].join("\t");
    Some((date, Some(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# of a day\nRUSTSEC-1\tone\tvulnerability\t>= 1.2.3|< 1.0.0\tIt overflows\n\
                        RUSTSEC-2\ttwo\tunmaintained\t\tNobody looks after it\n";

    fn lock(versions: &[(&str, &str)]) -> String {
        let package = |(name, version): &(&str, &str)| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n")
        };
        versions.iter().map(package).collect()
    }

    fn deny(ignore: &str) -> String {
        format!("[advisories]\nignore = [{ignore}]\n")
    }

    #[test]
    fn a_version_with_a_known_fault_is_named() {
        let faults = check(LIST, &lock(&[("one", "1.1.0"), ("one", "1.2.3")]), &deny(""));
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains("one 1.1.0 has RUSTSEC-1"), "{faults:?}");
        for well in ["1.2.3", "2.0.0", "0.9.9"] {
            assert!(
                check(LIST, &lock(&[("one", well)]), &deny("")).is_empty(),
                "{well}"
            );
        }
        assert_eq!(check(LIST, &lock(&[("two", "7.0.0")]), &deny("")).len(), 1);
    }

    #[test]
    fn what_is_accepted_has_a_reason_and_is_there() {
        let accepted = deny("{ id = \"RUSTSEC-2\", reason = \"only while building\" }");
        assert!(check(LIST, &lock(&[("two", "7.0.0")]), &accepted).is_empty());
        assert!(check(LIST, &lock(&[]), &accepted)[0].contains("leave it out"));
        let unsaid = deny("{ id = \"RUSTSEC-2\", reason = \"\" }");
        assert!(check(LIST, &lock(&[("two", "7.0.0")]), &unsaid)[0].contains("without a reason"));
    }

    #[test]
    fn a_page_of_the_database_makes_a_line() {
        let page = "```toml\n[advisory]\nid = \"RUSTSEC-3\"\npackage = \"three\"\ndate = \"2026-01-02\"\n\n\
                    [versions]\npatched = [\">= 3.1\"]\nunaffected = [\"< 2\"]\n```\n\n# It hangs\n\nText.\n";
        let (date, line) = line_of(page).unwrap();
        assert_eq!(date, "2026-01-02");
        assert_eq!(
            line.unwrap(),
            "RUSTSEC-3\tthree\tvulnerability\t>= 3.1|< 2\tIt hangs"
        );
        let withdrawn = page.replace("date =", "withdrawn = \"2026-02-01\"\ndate =");
        assert_eq!(line_of(&withdrawn).unwrap().1, None);
    }
}
