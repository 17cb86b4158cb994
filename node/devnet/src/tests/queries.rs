//! What the replayed chain holds and answers, beside the recordings.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hearth_pocket::message::session::QueryGetSessionResponse;
use prost::Message;
use serde_json::Value;

use super::{
    golden::{self, bytes, number, text},
    replay::replayed,
};
use crate::{
    query::{self, QueryRequest},
    state::StoreName,
};

/// Every recorded key of every store, present or absent, at both recorded heights. What hangs on the application that
/// was transferred, on fees of governance or on the real validator's rewards is not compared.
#[test]
fn stores_hold_the_same_bytes() {
    let recorded = golden::load("chain_proofs");
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (list, height) in [("proofs_height_344", 344), ("proofs_height_760", 760)] {
        let state = &replayed().states[&height];
        for one in recorded[list].as_array().unwrap() {
            let label = text(&one["label"]);
            let skipped = [
                "application_after_transfer",
                "application_app2",
                "balance_",
                "supply_",
                "difficulty_history_6",
            ];
            if skipped.iter().any(|skipped| label.starts_with(skipped)) && height == 760
                || label == "account_module"
            {
                continue;
            }
            // Most headers' hashes are not recorded.
            let of_height = label
                .strip_prefix("block_hash_")
                .and_then(|height| height.parse().ok());
            if of_height.is_some_and(|height: u64| !golden::block_hashes().contains_key(&height)) {
                continue;
            }
            compared += 1;
            let store = StoreName::parse(text(&one["store"])).unwrap();
            let key = bytes(&one["key"]);
            let wanted = text(&one["value"]);
            let got = state.get(store, &key).map(hex::encode).unwrap_or_default();
            if got != wanted {
                wrong.push(format!("{height} {label}:\n  got    {got}\n  wanted {wanted}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(compared > 100, "{compared}");
}

/// Paths whose answers this chain does not share with the real one.
fn is_out_of_scope(label: &str) -> bool {
    let out = [
        "node_info",    // names another program
        "applications", // lists the transferred application
        "application_transferred",
        "application_in_transfer",
        "pruned_or_future_height", // answered before a state is asked
        "supply_of",               // fees of governance
        "balance",                 // a few transactions and their fees are not in the recording
        "all_balances",
        "difficulty_history", // a few sessions cannot be replayed
    ];
    out.iter().any(|out| label.starts_with(out))
}

#[test]
fn queries_have_the_same_answers() {
    let done = replayed();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for one in golden::load("chain_queries")["queries"].as_array().unwrap() {
        let label = text(&one["label"]);
        if is_out_of_scope(label) {
            continue;
        }
        compared += 1;
        let height = match number(&one["state_height"]) {
            0 => 760,
            height => height,
        };
        let data = bytes(&one["request_bytes"]);
        let asked = QueryRequest {
            state: &done.states[&height],
            height,
            chain_id: "hearth-golden",
            data: &data,
        };
        let response = &one["response"];
        match query::answer(text(&one["path"]), &asked) {
            Ok(value) => {
                let wanted = STANDARD.decode(text(&response["value"])).unwrap();
                if value != wanted {
                    let (got, wanted) = (hex::encode(value), hex::encode(wanted));
                    wrong.push(format!("{label} at {height}:\n  got    {got}\n  wanted {wanted}"));
                }
            }
            Err(error) => {
                let wanted = (
                    number(&response["code"]),
                    text(&response["codespace"]),
                    text(&response["log"]),
                );
                if (u64::from(error.code), error.codespace, error.log.as_str()) != wanted {
                    wrong.push(format!("{label} at {height}: got {error:?}, wanted {wanted:?}"));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(compared > 50, "{compared}");
}

/// Sessions asked of the state of their time. Those asked of the latest state of the recording stand at a height that
/// the recording does not name.
#[test]
fn sessions_are_the_same() {
    let done = replayed();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for one in golden::load("chain_session")["sessions"].as_array().unwrap() {
        let (label, height) = (text(&one["label"]), number(&one["state_height"]));
        if height == 0 || label.starts_with("app2") && height > 740 {
            continue;
        }
        compared += 1;
        let data = bytes(&one["request_bytes"]);
        let asked = QueryRequest {
            state: &done.states[&height],
            height,
            chain_id: "hearth-golden",
            data: &data,
        };
        let got = query::answer("/pocket.session.Query/GetSession", &asked);
        let same = match (&got, one.get("error")) {
            (Ok(value), None) => *value == bytes(&one["response_bytes"]),
            (Err(error), Some(wanted)) => without_id(&error.log) == without_id(text(&wanted["log"])),
            (Ok(_), Some(_)) | (Err(_), None) => false,
        };
        if !same {
            let got = got.map(|value| QueryGetSessionResponse::decode(value.as_slice()).unwrap());
            let wanted = one
                .get("error")
                .cloned()
                .unwrap_or_else(|| one["session"].clone());
            wrong.push(format!("{label} at {height}: got {got:?}\nwanted {wanted}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(compared > 30, "{compared}");
}

/// A text without the session's id, which hangs on a hash that may not be recorded.
fn without_id(log: &str) -> String {
    let is_id = |word: &&str| word.trim_end_matches(':').len() == 64;
    log.split(' ')
        .filter(|word| !is_id(word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Two changes of the session length, height by height.
#[test]
fn the_grid_moves_as_recorded() {
    let done = replayed();
    for row in golden::load("chain_session")["moved_grid"]["rows"]
        .as_array()
        .unwrap()
    {
        let height = number(&row["height"]);
        let state = &done.states[&height];
        let bounds = crate::modules::params::timing_at(state, height).bounds_at(hearth_base::Height(height));
        let got = (bounds.start.0, bounds.end.0, bounds.number);
        let wanted = (
            number(&row["session_start"]),
            number(&row["session_end"]),
            number(&row["session_number"]),
        );
        assert_eq!(got, wanted, "at {height}");
        let check = |params: hearth_pocket::message::shared::Params, wanted: &Value| {
            assert_eq!(
                params.num_blocks_per_session,
                number(&wanted["num_blocks_per_session"]),
                "at {height}"
            );
            assert_eq!(
                params.session_grid_anchor_height,
                number(&wanted["session_grid_anchor_height"]),
                "at {height}"
            );
            assert_eq!(
                params.session_number_at_anchor,
                number(&wanted["session_number_at_anchor"]),
                "at {height}"
            );
        };
        check(
            crate::modules::params::shared_at(state, height),
            &row["params_at_height"],
        );
        check(
            crate::modules::params::of(state, StoreName::Shared),
            &row["params_query"],
        );
    }
}
