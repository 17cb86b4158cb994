//! Sessions against the recorded data.

use serde_json::Value;

use super::*;
use crate::{
    golden::{bytes, list, load, number, text},
    message::session::Session,
};

fn timing(row: &Value) -> Timing {
    Timing {
        blocks_per_session: number(&row["num_blocks_per_session"]),
        grace_period: 1,
        claim_open_offset: 2,
        claim_close_offset: 4,
        proof_open_offset: 1,
        proof_close_offset: 5,
        anchor_height: number(&row["anchor"]),
        anchor_number: number(&row["number_at_anchor"]),
    }
}

#[test]
fn golden_grid_and_windows() {
    let golden = load("session");
    for row in list(&golden["heights"]) {
        let timing = timing(row);
        let bounds = timing.bounds_at(Height(number(&row["height"])));
        let expected = (number(&row["start"]), number(&row["end"]), number(&row["number"]));
        assert_eq!((bounds.start.0, bounds.end.0, bounds.number), expected, "{row}");
        let windows = timing.windows(bounds.end);
        for (name, height) in [
            ("grace_end", windows.last_grace),
            ("claim_open", windows.claim_open),
            ("claim_close", windows.claim_close),
            ("proof_open", windows.proof_open),
            ("proof_close", windows.proof_close),
            ("earliest_claim_commit", windows.claim_open),
            ("earliest_proof_commit", windows.proof_open),
        ] {
            assert_eq!(height.0, number::<u64>(&row[name]), "{name} of {row}");
        }
        if !row["settlement_session_end"].is_null() {
            assert_eq!(
                windows.settlement.0,
                number::<u64>(&row["settlement_session_end"]),
                "{row}"
            );
        }
        assert_eq!(
            timing.pending_sessions(),
            number::<u64>(&row["num_pending_sessions"]),
            "{row}"
        );
    }
}

#[test]
fn golden_ids_and_choice() {
    let golden = load("session");
    for row in list(&golden["sessions"]) {
        let start = Height(number(&row["session_start_block_height"]));
        let preimage = id_preimage(
            &bytes(&row["session_start_block_hash"]),
            text(&row["service_id"]),
            text(&row["application_address"]),
            start,
        );
        assert_eq!(preimage, bytes(&row["session_id_preimage"]));
        assert_eq!(id(&preimage).as_str(), text(&row["session_id"]));
        for (operator, expected) in row["weights_int64"].as_object().unwrap() {
            assert_eq!(weight(&preimage, operator), number::<i64>(expected), "{operator}");
        }
        let stored: Vec<&str> = list(&row["candidates_unsorted"]).iter().map(text).collect();
        let ranked: Vec<&str> = list(&row["candidates_sorted"]).iter().map(text).collect();
        for limit in 0..=stored.len() {
            assert_eq!(
                choose(&preimage, stored.clone(), limit, |operator| operator),
                ranked[..limit]
            );
        }
        assert_eq!(
            choose(&preimage, stored.clone(), stored.len() + 1, |operator| operator),
            stored
        );
    }
    let empty = &golden["empty_block_hash"];
    let preimage = id_preimage(
        &[],
        text(&empty["service_id"]),
        text(&empty["application_address"]),
        Height(1),
    );
    assert_eq!(preimage, bytes(&empty["session_id_preimage"]));
    assert_eq!(id(&preimage).as_str(), text(&empty["session_id"]));
}

#[test]
fn the_real_chain_chose_the_same_sessions() {
    let golden = load("chain_session");
    let mut n_checked = 0;
    for entry in list(&golden["sessions"]) {
        let matches = &entry["recomputed_by_our_rule_matches"];
        if entry["session"].is_null() || matches.is_null() {
            continue;
        }
        let answer: Session = serde_json::from_value(entry["session"].clone()).unwrap();
        let header = answer.header.unwrap();
        let start = Height(header.session_start_block_height.unsigned_abs());
        let inputs = &entry["inputs"];
        let hash = bytes(&inputs["session_start_block_hash"]);
        let preimage = id_preimage(&hash, &header.service_id, &header.application_address, start);
        assert_eq!(
            preimage,
            bytes(&inputs["session_id_preimage"]),
            "{}",
            entry["label"]
        );
        assert_eq!(id(&preimage).as_str(), header.session_id, "{}", entry["label"]);
        // The others record what a later state had left of the session.
        if matches["supplier_order"] != true {
            continue;
        }
        let mut candidates: Vec<&Value> = list(&inputs["candidates_in_store_order"]).iter().collect();
        for candidate in &candidates {
            let operator = text(&candidate["operator"]);
            assert_eq!(weight(&preimage, operator), number::<i64>(&candidate["weight"]));
            let [activation, deactivation] =
                ["activation_height", "deactivation_height"].map(|name| Height(number(&candidate[name])));
            assert!(is_active(activation, deactivation, start));
        }
        candidates.reverse();
        sort_as_stored(&mut candidates, |one| {
            (Height(number(&one["activation_height"])), text(&one["operator"]))
        });
        let limit = number(&inputs["num_suppliers_per_session"]);
        let chosen = choose(&preimage, candidates, limit, |candidate| {
            text(&candidate["operator"])
        });
        let chosen: Vec<&str> = chosen
            .iter()
            .map(|candidate| text(&candidate["operator"]))
            .collect();
        let answered: Vec<&str> = answer
            .suppliers
            .iter()
            .map(|one| one.operator_address.as_str())
            .collect();
        assert_eq!(chosen, answered, "{}", entry["label"]);
        n_checked += 1;
    }
    assert!(n_checked >= 38, "only {n_checked} sessions were checked");
}

#[test]
fn the_real_chain_moved_the_grid_alike() {
    let golden = load("chain_session");
    for row in list(&golden["moved_grid"]["rows"]) {
        let params = &row["params_at_height"];
        let timing = Timing {
            anchor_height: number(&params["session_grid_anchor_height"]),
            anchor_number: number(&params["session_number_at_anchor"]),
            blocks_per_session: number(&params["num_blocks_per_session"]),
            ..timing(&serde_json::json!({"num_blocks_per_session": 1, "anchor": 1, "number_at_anchor": 1}))
        };
        let bounds = timing.bounds_at(Height(number(&row["height"])));
        let expected = (
            number(&row["session_start"]),
            number(&row["session_end"]),
            number(&row["session_number"]),
        );
        assert_eq!((bounds.start.0, bounds.end.0, bounds.number), expected, "{row}");
    }
}
