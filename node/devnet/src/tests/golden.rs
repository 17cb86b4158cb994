//! The recorded files.

use std::{collections::BTreeMap, sync::OnceLock};

use serde_json::Value;

use crate::{
    events::Event,
    genesis::{Account, Genesis, Params},
};

/// A recorded file.
pub(super) fn load(name: &str) -> Value {
    let path = format!(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/{}.json"),
        name
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// The numbers that CometBFT writes as text.
pub(super) fn number(value: &Value) -> u64 {
    if value.is_null() {
        return 0;
    }
    value
        .as_str()
        .map_or_else(|| value.as_u64().unwrap(), |text| text.parse().unwrap())
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub(super) fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).unwrap()
}

/// An event in any of the recorded forms.
pub(super) fn event(value: &Value) -> Event {
    let attributes = &value["attributes"];
    let attributes = if let Some(list) = attributes.as_array() {
        list.iter()
            .map(|one| (text(&one["key"]).to_owned(), text(&one["value"]).to_owned()))
            .collect()
    } else {
        let map = attributes.as_object().unwrap();
        map.iter()
            .map(|(key, value)| (key.clone(), text(value).to_owned()))
            .collect()
    };
    Event {
        kind: text(&value["type"]).to_owned(),
        attributes,
    }
}

/// The recorded genesis: parameters and accounts.
pub(super) fn genesis() -> Genesis {
    let light = load("chain_light");
    let app = &light["genesis"]["genesis"]["app_state"];
    let params: BTreeMap<&str, Value> = [
        "auth",
        "shared",
        "session",
        "proof",
        "tokenomics",
        "application",
        "gateway",
        "supplier",
        "service",
        "migration",
    ]
    .into_iter()
    .map(|module| (module, app[module]["params"].clone()))
    .collect();
    let params: Params = serde_json::from_value(serde_json::to_value(params).unwrap()).unwrap();
    let balances: BTreeMap<&str, &str> = app["bank"]["balances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (text(&one["address"]), text(&one["coins"][0]["amount"])))
        .collect();
    let actors = load("chain_settlement");
    let validator = text(&actors["actors"]["validator"]).to_owned();
    let accounts = app["auth"]["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| text(&one["@type"]).ends_with("BaseAccount"))
        .map(|one| {
            let address = text(&one["address"]);
            let name = if address == validator { "validator" } else { "" };
            Account::foreign(name, address, balances[address].parse().unwrap())
        })
        .collect();
    let authorizations = serde_json::from_value(app["authz"]["authorization"].clone()).unwrap();
    Genesis {
        accounts,
        authorizations,
        ..Genesis::minimal(params.clone())
    }
    .with_params(params)
}

impl Genesis {
    fn with_params(mut self, params: Params) -> Genesis {
        self.params = params;
        self
    }
}

/// Header hashes that the recordings tell, by height.
pub(super) fn block_hashes() -> &'static BTreeMap<u64, [u8; 32]> {
    static HASHES: OnceLock<BTreeMap<u64, [u8; 32]>> = OnceLock::new();
    HASHES.get_or_init(|| {
        let mut hashes = BTreeMap::new();
        let mut put = |height: u64, hash: &Value| {
            if let Ok(hash) = <[u8; 32]>::try_from(bytes(hash)) {
                hashes.insert(height, hash);
            }
        };
        for one in load("chain_session")["sessions"].as_array().unwrap() {
            if one.get("session").is_some() {
                let start = number(&one["session"]["header"]["session_start_block_height"]);
                put(start, &one["inputs"]["session_start_block_hash"]);
            }
        }
        for round in load("chain_settlement")["rounds"].as_array().unwrap() {
            put(
                number(&round["session_start"]),
                &round["block_hashes"]["session_start"],
            );
            put(
                number(&round["windows"]["proof_open"]) - 1,
                &round["block_hashes"]["before_proof_window_open"],
            );
        }
        for one in load("chain_light")["heights"].as_array().unwrap() {
            put(
                number(&one["height"]),
                &one["commit"]["signed_header"]["commit"]["block_id"]["hash"],
            );
        }
        hashes
    })
}

/// The recorded settlements.
pub(super) fn rounds() -> &'static Vec<Value> {
    static ROUNDS: OnceLock<Vec<Value>> = OnceLock::new();
    ROUNDS.get_or_init(|| load("chain_settlement")["rounds"].as_array().unwrap().clone())
}

/// The addresses of the recorded actors, by name.
pub(super) fn actors() -> &'static Value {
    static ACTORS: OnceLock<Value> = OnceLock::new();
    ACTORS.get_or_init(|| load("chain_settlement")["actors"].clone())
}
