//! Of every setting what kind of value it takes: for what people type, and for the page that asks for it.

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A file or a folder.
    Path,
    Url,
    /// Where something listens.
    Address,
    Number,
    YesNo,
    Choice(&'static [&'static str]),
    /// Several texts.
    List,
    /// Names that people choose, each with a text.
    Names,
    /// Names that people choose, each with settings of its own.
    Tables,
}

/// Every setting whose name is fixed.
pub(super) const SETTINGS: &[(&str, Kind)] = &[
    ("network", Kind::Text),
    ("stop_within_s", Kind::Number),
    ("api.listen", Kind::Address),
    ("api.allowed_hosts", Kind::List),
    ("api.allowed_origins", Kind::List),
    ("api.trusted_proxies", Kind::List),
    ("backends", Kind::Tables),
    ("chain.rpc", Kind::List),
    ("chain.trust.height", Kind::Number),
    ("chain.trust.hash", Kind::Text),
    ("devnet.listen", Kind::Address),
    ("devnet.setup", Kind::YesNo),
    ("devnet.block_ms", Kind::Number),
    ("devnet.session_blocks", Kind::Number),
    ("devnet.grace_blocks", Kind::Number),
    ("devnet.claim_open_blocks", Kind::Number),
    ("devnet.claim_close_blocks", Kind::Number),
    ("devnet.proof_open_blocks", Kind::Number),
    ("devnet.proof_close_blocks", Kind::Number),
    ("engine.threads", Kind::Number),
    ("engine.context_tokens", Kind::Number),
    ("gateway.first_byte_within_s", Kind::Number),
    ("gateway.answer_within_s", Kind::Number),
    ("gateway.max_answer_bytes", Kind::Number),
    ("gateway.max_part_bytes", Kind::Number),
    ("gateway.max_parts", Kind::Number),
    ("gateway.daily_cap_upokt", Kind::Number),
    ("gateway.direct_signing", Kind::YesNo),
    ("log.filter", Kind::Text),
    ("log.format", Kind::Choice(&["text", "json"])),
    ("miner.listen", Kind::Address),
    ("miner.public_url", Kind::Url),
    ("miner.backend", Kind::Url),
    ("miner.backend_health", Kind::Text),
    ("miner.backend_key_file", Kind::Path),
    ("miner.services", Kind::Names),
    ("miner.aliases", Kind::Names),
    ("miner.first_byte_within_s", Kind::Number),
    ("miner.answer_within_s", Kind::Number),
    ("miner.max_request_bytes", Kind::Number),
    ("miner.max_answer_bytes", Kind::Number),
    ("miner.max_answer_parts", Kind::Number),
    ("miner.slots", Kind::Number),
    ("miner.queue", Kind::Number),
    ("miner.start", Kind::YesNo),
    ("models.aliases", Kind::Names),
    ("wallet.auto_lock_minutes", Kind::Number),
    ("wallet.passphrase_file", Kind::Path),
    ("weights.quota_gb", Kind::Number),
    ("weights.gateways", Kind::List),
    ("weights.demo_folder", Kind::Path),
];

/// Every setting of a backend.
pub(super) const BACKEND: &[(&str, Kind)] = &[
    ("kind", Kind::Choice(&["url", "null"])),
    ("url", Kind::Url),
    ("key_file", Kind::Path),
    ("key_env", Kind::Text),
    ("models", Kind::List),
    ("weight", Kind::Number),
    ("slots", Kind::Number),
    ("health", Kind::Text),
    ("first_byte_within_s", Kind::Number),
    ("answer_within_s", Kind::Number),
    ("hedge_after_ms", Kind::Number),
];

/// A setting as it is named: where it stands in the file, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Names of tables, and the last one its own. A name that people chose may have dots.
    pub path: Vec<String>,
    pub kind: Kind,
}

impl Setting {
    /// The setting of a dotted key; `None` where there is none. What follows an open table is the name in it as a whole.
    #[must_use]
    pub fn of(key: &str) -> Option<Setting> {
        let path = |key: &str| key.split('.').map(str::to_owned).collect::<Vec<_>>();
        if let Some((name, kind)) = SETTINGS.iter().find(|(name, _)| *name == key) {
            return Some(Setting {
                path: path(name),
                kind: *kind,
            });
        }
        if let Some(rest) = key.strip_prefix("backends.") {
            return Setting::of_backend(rest);
        }
        let (table, name) = SETTINGS
            .iter()
            .filter(|(_, kind)| *kind == Kind::Names)
            .find_map(|(table, _)| Some((*table, key.strip_prefix(table)?.strip_prefix('.')?)))?;
        let mut path = path(table);
        path.push(name.to_owned());
        (!name.is_empty()).then_some(Setting {
            path,
            kind: Kind::Text,
        })
    }

    /// `NAME.FIELD`, or `NAME` alone for the whole backend.
    fn of_backend(rest: &str) -> Option<Setting> {
        let table = "backends".to_owned();
        if let Some((name, field)) = rest.rsplit_once('.')
            && let Some((_, kind)) = BACKEND.iter().find(|(own, _)| *own == field)
        {
            return (!name.is_empty()).then(|| Setting {
                path: vec![table, name.to_owned(), field.to_owned()],
                kind: *kind,
            });
        }
        // An unknown field must not pass for a name with a dot.
        (!rest.is_empty() && !rest.contains('.')).then(|| Setting {
            path: vec![table, rest.to_owned()],
            kind: Kind::Tables,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::{BackendSettings, Settings, layers::flat_json};

    #[test]
    fn every_setting_has_a_kind_and_every_kind_a_setting() {
        let of = |value: serde_json::Value| flat_json(&value).into_keys().collect::<BTreeSet<_>>();
        let listed = |list: &[(&str, Kind)]| list.iter().map(|(key, _)| (*key).to_owned()).collect();
        assert_eq!(
            of(serde_json::to_value(Settings::default()).unwrap()),
            listed(SETTINGS)
        );
        assert_eq!(
            of(serde_json::to_value(BackendSettings::default()).unwrap()),
            listed(BACKEND)
        );
    }

    #[test]
    fn names_of_people_are_taken_as_a_whole() {
        let path = |key: &str| Setting::of(key).map(|setting| setting.path.join("/"));
        for (key, wanted) in [
            ("models.aliases.gpt-4.1", Some("models/aliases/gpt-4.1")),
            ("miner.slots", Some("miner/slots")),
            ("backends.my.box.url", Some("backends/my.box/url")),
            ("backends.big", Some("backends/big")),
            ("backends.big.urll", None),
            ("models.aliases.", None),
            ("miner.slot", None),
            ("miner", None),
        ] {
            assert_eq!(path(key).as_deref(), wanted, "{key}");
        }
    }
}
