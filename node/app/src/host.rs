//! What the API asks of the program around it.

use hearth_api::{
    Host,
    control::types::{Check, ConfiguredValue, Licence, Setup},
};
use hearth_connect::Workplace;
use serde::Deserialize;
use tokio::sync::watch;

use crate::{
    config::{self, Layered},
    data_dir::Layout,
    doctor::{self, DoctorInput},
    setup::SetupRunner,
};

/// Written by `cargo run -p xtask -- licences` from the lock file.
const LICENCES: &str = include_str!("../../../assets/licences.json");

/// The program, seen from its API.
pub(crate) struct Program {
    pub(crate) input: DoctorInput,
    pub(crate) setup: SetupRunner,
    pub(crate) layered: Layered,
    pub(crate) layout: Layout,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    version: String,
    licence: String,
    repository: Option<String>,
}

#[async_trait::async_trait]
impl Host for Program {
    async fn doctor(&self) -> Vec<Check> {
        doctor::run_checks(&self.input).await
    }

    fn setup(&self) -> watch::Receiver<Setup> {
        self.setup.state()
    }

    fn run_setup(&self) {
        self.setup.run();
    }

    fn licences(&self) -> Vec<Licence> {
        // The file is made by a program and read by a test.
        let entries: Vec<Entry> = serde_json::from_str(LICENCES).unwrap_or_default();
        let licence = |entry: Entry| Licence {
            name: entry.name,
            version: entry.version,
            licence: entry.licence,
            repository: entry.repository,
        };
        entries.into_iter().map(licence).collect()
    }

    fn workplace(&self) -> Option<Workplace> {
        let places = config::places()?;
        config::is_a_person(&places, self.layout.root()).then(|| Workplace {
            places,
            record: self.layout.connections(),
        })
    }

    fn configured(&self) -> Vec<ConfiguredValue> {
        let value = |(key, (value, origin)): (&String, &(serde_json::Value, String))| ConfiguredValue {
            key: key.clone(),
            value: match (value.is_null(), value.as_str()) {
                (true, _) => String::new(),
                (false, Some(text)) => text.to_owned(),
                (false, None) => value.to_string(),
            },
            origin: origin.clone(),
        };
        self.layered.origins.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_licences_are_readable_and_complete() {
        let entries: Vec<Entry> = serde_json::from_str(LICENCES).unwrap();
        for wanted in ["tokio", "k256", "candle-core", "sqlx"] {
            assert!(
                entries
                    .iter()
                    .any(|entry| entry.name == wanted && !entry.licence.is_empty()),
                "{wanted}"
            );
        }
    }
}
