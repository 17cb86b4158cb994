//! Recorded events.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it wants, all else is a failure"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::{
    golden::{list, load, number, read, text},
    rpc::wire::{Attribute, Pushed, Subscription},
};

#[test]
fn every_recorded_event_is_read_and_loses_nothing() {
    let golden = load("chain_events");
    let mut kinds = BTreeSet::new();
    for sample in list(&golden["samples"]) {
        let raw: RawEvent = read(&sample["event"]);
        let event = decode(&raw);
        if !raw.kind.starts_with("pocket.") {
            assert_eq!(event, ChainEvent::Other(raw));
            continue;
        }
        kinds.insert(raw.kind.clone());
        assert!(!matches!(event, ChainEvent::Other(_)), "{}", raw.kind);
        if raw.kind.contains("EventTransfer") {
            continue;
        }
        // Written again, every attribute has the value that was recorded.
        let again = event.to_json();
        for attribute in raw
            .attributes
            .iter()
            .filter(|a| a.key != "mode" && a.key != "msg_index")
        {
            let recorded: Value = serde_json::from_str(&attribute.value).unwrap();
            assert_eq!(again[&attribute.key], recorded, "{} {}", raw.kind, attribute.key);
        }
    }
    let counted: BTreeSet<String> = list(&golden["counts"])
        .iter()
        .map(|count| text(&count["type"]).to_owned())
        .filter(|kind| kind.starts_with("pocket."))
        .collect();
    assert_eq!(kinds, counted);
    assert_eq!(kinds.len(), 28);
}

#[test]
fn a_settled_claim_says_who_gets_what() {
    let golden = load("chain_events");
    let settled = list(&golden["samples"])
        .iter()
        .map(|sample| decode(&read(&sample["event"])))
        .find_map(|event| {
            if let ChainEvent::ClaimSettled(settled) = event {
                Some(settled)
            } else {
                None
            }
        });
    let settled = settled.unwrap();
    assert_eq!(settled.claimed_upokt, "1680upokt");
    assert_eq!(
        settled.reward_distribution["pokt188myadvavpprxdfpg9p4ft3crv8plj65fr9lh7"],
        "1294upokt"
    );
    assert_eq!(settled.reward_distribution_detailed.len(), 5);
    assert_eq!(settled.session_end_block_height, 250);
}

#[test]
fn a_broken_or_newer_event_is_no_error() {
    let attribute = |key: &str, value: &str| Attribute {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let kind = "pocket.supplier.EventSupplierStaked".to_owned();
    let broken = RawEvent {
        kind: kind.clone(),
        attributes: vec![attribute("session_end_height", "\"soon\"")],
    };
    assert!(matches!(decode(&broken), ChainEvent::Other(_)));
    let newer = RawEvent {
        kind,
        attributes: vec![
            attribute("session_end_height", "\"7\""),
            attribute("invented_in_2030", "{\"a\":[1]}"),
            attribute("operator_address", "\"pokt1\""),
        ],
    };
    let ChainEvent::SupplierStaked(staked) = decode(&newer) else {
        panic!("not read")
    };
    assert_eq!(
        (staked.session_end_height, staked.operator_address.as_str()),
        (7, "pokt1")
    );
}

#[test]
fn a_block_keeps_the_order_of_its_execution() {
    let event =
        |kind: &str, mode: &str| json!({ "type": kind, "attributes": [{ "key": "mode", "value": mode }] });
    let results: BlockResults = read(&json!({
        "height": "9",
        "txs_results": [
            { "code": 5, "events": [event("paid", "")] },
            { "code": 0, "events": [event("in_tx", "")] },
        ],
        "finalize_block_events": [event("end", "EndBlock"), event("begin", "BeginBlock")],
        "validator_updates": null,
        "consensus_param_updates": {},
    }));
    let order: Vec<(EventOrigin, String)> = of_block(&results)
        .into_iter()
        .map(|placed| match placed.event {
            ChainEvent::Other(raw) => (placed.origin, raw.kind),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        (EventOrigin::BeginBlock, "begin"),
        (EventOrigin::Tx(1), "in_tx"),
        (EventOrigin::EndBlock, "end"),
    ];
    assert_eq!(order, expected.map(|(origin, kind)| (origin, kind.to_owned())));
}

#[test]
fn recorded_subscription_traffic_is_read() {
    let golden = load("chain_websocket");
    for acknowledgement in list(&golden["acknowledgements"]) {
        let read: Subscription = read(&acknowledgement["result"]);
        assert!(read.data.is_none() && read.query.is_empty());
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in list(&golden["events"]) {
        let pushed: Subscription = read(&entry["message"]["result"]);
        assert_eq!(pushed.query, text(&entry["subscription"]));
        let value = &entry["message"]["result"]["data"]["value"];
        let kind = match pushed.data.unwrap() {
            Pushed::Header(answer) => {
                assert_eq!(answer.header.height.value(), number(&value["header"]["height"]));
                "header"
            }
            Pushed::Block(block) => {
                let results = &value["result_finalize_block"];
                assert_eq!(
                    block.block.header.height.value(),
                    number(&value["block"]["header"]["height"])
                );
                let count = |value: &Value| value.as_array().map_or(0, Vec::len);
                assert_eq!(
                    block.result_finalize_block.events.len(),
                    count(&results["events"])
                );
                assert_eq!(
                    block.result_finalize_block.tx_results.len(),
                    count(&results["tx_results"])
                );
                "block"
            }
            Pushed::Tx(tx) => {
                let recorded = &value["TxResult"];
                assert_eq!(
                    u64::try_from(tx.tx_result.height).unwrap(),
                    number(&recorded["height"])
                );
                assert_eq!(
                    u64::try_from(tx.tx_result.result.gas_used).unwrap(),
                    number(&recorded["result"]["gas_used"])
                );
                assert!(hearth_pocket::tx::decode(&tx.tx_result.tx).is_ok());
                assert_eq!(
                    of_tx(&tx.tx_result.result).len(),
                    list(&recorded["result"]["events"]).len()
                );
                "tx"
            }
        };
        *seen.entry(kind).or_default() += 1;
    }
    assert_eq!(seen.values().sum::<usize>(), 15);
    assert_eq!(seen.len(), 3);
}
