//! The Go libraries of the official miners. Where Go is there they are measured in the same run (`tests/bench/rivals`),
//! so that two figures side by side come from the same computer at the same time: what else runs on it may halve both.

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use anyhow::{Context as _, ensure};

/// What they reach on one core of the computer on which the official miners were measured, an EPYC.
const ELSEWHERE: [(&str, f64); 12] = [
    ("ring 2 sign", 714.0),
    (RING_CHECK, 964.0),
    ("ring 3 sign", 548.0),
    ("ring 3 verify", 688.0),
    ("ring 8 sign", 245.0),
    ("ring 8 verify", 271.0),
    ("ecdsa sign", 27_400.0),
    ("ecdsa verify", 7_080.0),
    ("trie 1000 inserts", 255_000.0),
    ("trie 10000 inserts", 152_000.0),
    ("trie 50000 inserts", 121_000.0),
    ("closest proof", 239_000.0),
];
/// What most of an official miner's time goes into.
const RING_CHECK: &str = "ring 2 verify";

/// How often a second each of them is done.
pub(crate) struct Rivals {
    program: Option<PathBuf>,
    here: BTreeMap<String, f64>,
}

impl Rivals {
    /// Rivals of whom nothing is measured yet. Without the program, nothing ever is.
    pub(crate) fn new(program: Option<PathBuf>) -> Rivals {
        Rivals {
            program,
            here: BTreeMap::new(),
        }
    }

    /// Measures all of them.
    pub(crate) fn measure(&mut self) -> anyhow::Result<()> {
        self.here = self.ask(None)?;
        Ok(())
    }

    /// A rival's figure, and how many times as fast `own` is.
    pub(crate) fn beside(&self, name: &str, own: f64) -> String {
        let known = ELSEWHERE.iter().find(|(known, _)| *known == name);
        let (go, place) = match (self.here.get(name), known) {
            (Some(rate), _) => (*rate, "here"),
            (None, Some((_, rate))) => (*rate, "elsewhere"),
            (None, None) => return String::new(),
        };
        format!(
            "Go {}/s {place}, {:.1} times",
            crate::table::grouped(go),
            own / go
        )
    }

    /// How fast this computer is now, beside the one on which the official miners were measured: 0.5 is half.
    pub(crate) fn speed_here(&self) -> anyhow::Result<Option<f64>> {
        let here = self.ask(Some("ring"))?.get(RING_CHECK).copied();
        let elsewhere = ELSEWHERE.iter().find(|(name, _)| *name == RING_CHECK);
        Ok(here.zip(elsewhere).map(|(here, (_, elsewhere))| here / elsewhere))
    }

    fn ask(&self, what: Option<&str>) -> anyhow::Result<BTreeMap<String, f64>> {
        let Some(program) = &self.program else {
            return Ok(BTreeMap::new());
        };
        let output = Command::new(program).args(what).output();
        let output = output.with_context(|| format!("{} cannot be run", program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} failed: {said}", program.display());
        let line = |line: &str| {
            let (name, rate) = line.split_once('\t').context("a rival's line has no tab")?;
            anyhow::Ok((name.to_owned(), rate.parse()?))
        };
        String::from_utf8(output.stdout)?.lines().map(line).collect()
    }
}
