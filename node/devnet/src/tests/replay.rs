//! The recorded chain once more: every transaction in its block, from the recorded genesis on, with the same results.
//!
//! Sequences are set to those of the transactions, since a few are missing in the recording.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hearth_pocket::{
    message::{
        application::Application,
        cosmos::SimulateRequest,
        proof,
        service::{self, RelayMiningDifficulty},
        shared::{self, ApplicationServiceConfig},
        tokenomics,
    },
    tx,
};
use prost::Message;
use serde_json::Value;

use super::golden::{self, number, text};
use crate::{
    address,
    ctx::Ctx,
    events::Event,
    keys,
    machine::{self, Block, TxResult},
    modules::{self, application, auth, bank, params, supplier},
    query,
    state::{State, StoreName},
};

/// The genesis time and the mean time of a block.
const START_NS: u64 = 1_795_251_527_000_000_000;
const STEP_NS: u64 = 1_020_000_000;
const CHAIN_ID: &str = "hearth-golden";

/// A recorded transaction with what became of it.
pub(super) struct Recorded {
    pub(super) label: String,
    pub(super) raw: Vec<u8>,
    pub(super) code: u64,
    pub(super) codespace: String,
    pub(super) log: String,
    pub(super) events: Vec<Event>,
    pub(super) data: Option<Vec<u8>>,
}

/// The chain after every block.
pub(super) struct Replayed {
    pub(super) states: BTreeMap<u64, State>,
    pub(super) block_events: BTreeMap<u64, Vec<Event>>,
    pub(super) results: BTreeMap<(u64, u64), TxResult>,
    pub(super) recorded: BTreeMap<(u64, u64), Recorded>,
}

pub(super) fn time_at(height: u64) -> u64 {
    START_NS + height * STEP_NS
}

/// All included transactions of all recordings.
fn recorded() -> BTreeMap<(u64, u64), Recorded> {
    let mut found = BTreeMap::new();
    let mut put = |label: &Value, raw: &Value, place: &Value, result: &Value| {
        let raw = golden::bytes(raw);
        let data = result["data"].as_str().map(|data| STANDARD.decode(data).unwrap());
        let one = Recorded {
            label: text(label).to_owned(),
            raw,
            code: number(&result["code"]),
            codespace: text(&result["codespace"]).to_owned(),
            log: text(&result["log"]).to_owned(),
            events: result["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(golden::event)
                .collect(),
            data,
        };
        found.insert((number(&place["height"]), number(&place["index"])), one);
    };
    for round in golden::load("chain_settlement")["rounds"].as_array().unwrap() {
        for one in round["txs"].as_array().unwrap() {
            put(&one["hash"], &one["tx_raw"], one, &one["result"]);
        }
    }
    let txs = golden::load("chain_txs");
    for list in ["transactions", "from_blocks"] {
        for one in txs[list].as_array().unwrap() {
            if one.get("included").is_some_and(Value::is_object) {
                put(&one["label"], &one["tx_raw"], &one["included"], &one["included"]);
            }
        }
    }
    found
}

/// The chain, replayed once for all tests.
pub(super) fn replayed() -> &'static Replayed {
    static REPLAYED: OnceLock<Replayed> = OnceLock::new();
    REPLAYED.get_or_init(replay)
}

fn replay() -> Replayed {
    let genesis = golden::genesis();
    let recorded = recorded();
    let last = recorded.keys().next_back().unwrap().0;
    let mut done = Replayed {
        states: BTreeMap::new(),
        block_events: BTreeMap::new(),
        results: BTreeMap::new(),
        recorded,
    };
    let mut state = genesis.state();
    for height in 1..=last {
        let mut txs = Vec::new();
        let mut places = Vec::new();
        let mut signed = BTreeSet::new();
        state = state.at(height);
        set_what_is_not_recorded(&mut state, height);
        if height == 661 {
            set_what_unknown_sessions_left(&mut state, &golden::rounds()[5]);
        }
        for (place, one) in done.recorded.range((height, 0)..(height + 1, 0)) {
            if !is_known_session(&one.raw) {
                continue;
            }
            set_sequence(&mut state, &one.raw, &mut signed);
            txs.push(one.raw.clone());
            places.push(*place);
        }
        let hash = golden::block_hashes().get(&height).copied().unwrap_or([7; 32]);
        let block = Block {
            height,
            time_ns: time_at(height),
            hash,
            chain_id: Arc::from(CHAIN_ID),
            proposer: genesis.proposer(),
            txs: &txs,
        };
        let executed = machine::execute(state, &block);
        state = executed.state;
        done.results.extend(places.into_iter().zip(executed.results));
        done.block_events.insert(height, executed.events);
        done.states.insert(height, state.clone());
    }
    done
}

/// Some of the foundation's changes and one stake are not among the recorded transactions. What they brought about is
/// known from the settlement rounds, and set before the session of each begins.
fn set_what_is_not_recorded(state: &mut State, height: u64) {
    for (index, round) in golden::rounds().iter().enumerate().skip(1) {
        let wanted: shared::Params =
            serde_json::from_value(round["params_at_session_start"]["shared"].clone()).unwrap();
        let now: shared::Params = params::of(state, StoreName::Shared);
        if height + 1 == wanted.session_grid_anchor_height && now.session_grid_anchor_height <= height {
            let num_blocks_per_session = wanted.num_blocks_per_session;
            params::update_shared(
                state,
                height,
                &shared::Params {
                    num_blocks_per_session,
                    ..now
                },
            );
        }
        if height + 1 == number(&round["session_start"]) {
            if params::shared_at(state, height + 1) != wanted {
                params::update_shared(state, height, &wanted);
            }
            set_plain_params(state, &round["params_at_session_start"]);
            set_stakes(state, round, index);
        }
        if height + 1 == number(&round["settlement_block"]["height"]) {
            set_plain_params(state, &round["params_at_settlement"]);
        }
    }
}

fn set_plain_params(state: &mut State, round: &Value) {
    let of = |module: &str| round[module].clone();
    let proof: proof::Params = serde_json::from_value(of("proof")).unwrap();
    params::put(state, StoreName::Proof, &proof);
    let tokenomics: tokenomics::Params = serde_json::from_value(of("tokenomics")).unwrap();
    params::put(state, StoreName::Tokenomics, &tokenomics);
    let service: service::Params = serde_json::from_value(of("service")).unwrap();
    params::put(state, StoreName::Service, &service);
}

/// Stakes as they were before a round, with the application that had left and came back in between.
fn set_stakes(state: &mut State, round: &Value, index: usize) {
    let actors = golden::actors();
    for (actor, stake) in round["settlement_block"]["stakes_before"].as_object().unwrap() {
        let (kind, address) = actor.split_once(':').unwrap();
        let wanted = u128::from(number(&stake["stake"]));
        if kind == "supplier" {
            let Some(mut found) = supplier::record(state, address) else {
                continue;
            };
            found.stake = Some(modules::upokt(wanted));
            supplier::put(state, &found);
            continue;
        }
        let mut found = application::record(state, address).unwrap_or_else(|| Application {
            address: address.to_owned(),
            service_configs: vec![ApplicationServiceConfig {
                service_id: "hearth-llm".to_owned(),
            }],
            delegatee_gateway_addresses: vec![text(&actors["gateway1"]).to_owned()],
            ..Application::default()
        });
        if address == text(&actors["app3"]) {
            let limit = if index < 4 { 2_000_000 } else { 30_000_000 };
            found.per_session_spend_limit = Some(modules::upokt(limit));
        }
        let missing = wanted.saturating_sub(modules::amount(found.stake.as_ref()));
        pay_stake(state, address, missing);
        found.stake = Some(modules::upokt(wanted));
        application::put(state, &found);
    }
}

fn pay_stake(state: &mut State, payer: &str, amount: u128) {
    let mut ctx = context(state.clone(), state.height(), 0);
    bank::send(
        &mut ctx,
        &address::parse(payer).unwrap(),
        &address::module("application"),
        amount,
    )
    .unwrap();
    *state = ctx.state;
}

/// The sessions from 591 to 650 began with blocks whose hashes are in no recording, so their claims cannot be replayed.
/// What they left behind is known from the next round.
fn set_what_unknown_sessions_left(state: &mut State, round: &Value) {
    for (id, one) in round["services"].as_object().unwrap() {
        let difficulty: RelayMiningDifficulty =
            serde_json::from_value(one["difficulty_at_session_start"].clone()).unwrap();
        state.write(StoreName::Service, &keys::difficulty(id), &difficulty);
    }
    for (actor, stake) in round["settlement_block"]["stakes_before"].as_object().unwrap() {
        let address = actor.strip_prefix("application:").unwrap_or_default();
        if let Some(mut found) = application::record(state, address) {
            found.stake = Some(modules::upokt(u128::from(number(&stake["stake"]))));
            application::put(state, &found);
        }
    }
}

/// Whether a transaction is about a session whose first block has a known hash, or about none.
fn is_known_session(raw: &[u8]) -> bool {
    let body = tx::decode(raw).unwrap().body;
    body.messages.iter().all(|any| {
        let header = match (
            any.unpack::<proof::MsgCreateClaim>(),
            any.unpack::<proof::MsgSubmitProof>(),
        ) {
            (Some(claim), _) => claim.unwrap().session_header,
            (_, Some(proof)) => proof.unwrap().session_header,
            (None, None) => return true,
        };
        let start = header.unwrap().session_start_block_height as u64;
        golden::block_hashes().contains_key(&start)
    })
}

/// Several transactions of one account in a block have rising sequences, so the first one is set.
fn set_sequence(state: &mut State, raw: &[u8], signed: &mut BTreeSet<address::Account>) {
    let tx = tx::decode(raw).unwrap();
    let info = &tx.auth_info.signer_infos[0];
    if tx.body.unordered {
        return;
    }
    let key = auth::secp256k1(info.public_key.as_ref().unwrap()).unwrap();
    let account = hearth_pocket::Address::from_public_key(&key).to_bytes();
    if !signed.insert(account) {
        return;
    }
    let mut base = auth::base(state, &account).unwrap();
    base.sequence = info.sequence;
    auth::put(state, &account, &base);
}

/// Without the path that the real chain's error wrapper writes into some texts.
pub(super) fn plain(log: &str) -> String {
    let mut plain = String::new();
    let mut rest = log;
    while let Some((before, after)) = rest.split_once(" [<module cache>") {
        plain.push_str(before);
        rest = after.split_once(']').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[test]
fn every_included_transaction_has_the_same_result() {
    let done = replayed();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (place, one) in &done.recorded {
        let Some(result) = done.results.get(place) else {
            continue;
        };
        compared += 1;
        if let Some(data) = one.data.as_ref().filter(|data| **data != result.data) {
            wrong.push(format!(
                "{place:?} {}: data {}, wanted {}",
                one.label,
                hex::encode(&result.data),
                hex::encode(data)
            ));
        }
        if (u64::from(result.code), result.codespace.as_str()) != (one.code, one.codespace.as_str())
            || result.log != plain(&one.log)
        {
            wrong.push(format!(
                "{place:?} {}: got {} {} {:?}, wanted {} {} {:?}",
                one.label, result.code, result.codespace, result.log, one.code, one.codespace, one.log
            ));
        } else if result.events != one.events {
            let first = result
                .events
                .iter()
                .zip(&one.events)
                .find(|(got, wanted)| got != wanted);
            let counts = (result.events.len(), one.events.len());
            wrong.push(format!("{place:?} {}: events {counts:?}: {first:?}", one.label));
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

/// What the mempool said to transactions that never came into a block. They stand in the recording between those that
/// did, so the height at which they were sent is known. Where the gas ends depends on the real meter, so how much of it
/// was used is not compared.
#[test]
fn every_refused_transaction_is_refused_in_the_same_words() {
    let done = replayed();
    let mut height = 1;
    let (mut compared, mut seen) = (0, 0);
    let mut wrong = Vec::new();
    for one in golden::load("chain_txs")["transactions"].as_array().unwrap() {
        if one["included"].is_object() {
            height = number(&one["included"]["height"]);
            continue;
        }
        let (label, answer) = (text(&one["label"]), &one["broadcast_tx_sync"]);
        if answer["code"].as_i64().unwrap_or(0) < 0 {
            // The same bytes again: the mempool knows them, whatever they are.
            assert_eq!(
                answer["rpc_error"]["data"], "tx already exists in cache",
                "{label}"
            );
            seen += 1;
            continue;
        }
        compared += 1;
        let log = text(&answer["log"]);
        // The one text that names the block's time.
        let time_ns = match log.starts_with("block time: ") {
            true => 1_795_251_582_296_064_595,
            false => time_at(height),
        };
        let mut ctx = context(done.states[&height].at(height), height, time_ns);
        let error = machine::check(&mut ctx, &golden::bytes(&one["tx_raw"]), 1).err();
        let got = error
            .map(|error| (u64::from(error.code), error.codespace, without_gas(&error.log)))
            .unwrap_or_default();
        let wanted = (
            number(&answer["code"]),
            text(&answer["codespace"]).to_owned(),
            without_gas(&plain(log)),
        );
        if got != wanted {
            wrong.push(format!("{label} at {height}: got {got:?}, wanted {wanted:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(compared > 25 && seen == 2, "{compared} {seen}");
}

fn context(state: State, height: u64, time_ns: u64) -> Ctx {
    Ctx {
        state,
        height,
        time_ns,
        chain_id: Arc::from(CHAIN_ID),
        proposer: [0; 20],
        events: Vec::new(),
    }
}

/// Without the number that follows `gasUsed: `, or `gas used: `.
fn without_gas(log: &str) -> String {
    let at = ["gasUsed: ", "gas used: "]
        .iter()
        .find_map(|words| log.find(words).map(|at| at + words.len()));
    let Some((before, after)) = at.and_then(|at| log.split_at_checked(at)) else {
        return log.to_owned();
    };
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '\'');
    format!("{before}{after}")
}

/// What a simulation said before each transaction was sent: the same refusals, in the form that queries have.
#[test]
fn every_simulation_says_the_same() {
    let done = replayed();
    let mut height = 1;
    let (mut refused, mut wrong) = (0, Vec::new());
    for one in golden::load("chain_txs")["transactions"].as_array().unwrap() {
        let raw = golden::bytes(&one["tx_raw"]);
        let included = one["included"].is_object();
        let last = height;
        if included {
            height = number(&one["included"]["height"]);
        }
        let recorded = &one["simulate"];
        if recorded.is_null() || !is_known_session(&raw) {
            continue;
        }
        // Asked of the block before it; several of one account in a block were all asked first. The same bytes again were
        // asked before the first ones had a block.
        let is_again = one["broadcast_tx_sync"]["code"] == -1;
        let asked = if included || is_again { height - 1 } else { last };
        let mut state = done.states[&asked].at(asked);
        if included || is_again {
            set_sequence(&mut state, &raw, &mut BTreeSet::new());
        }
        let log = text(&recorded["log"]);
        let time_ns = match log.contains("block time: ") {
            true => 1_795_251_582_296_064_595,
            false => time_at(asked),
        };
        let request = SimulateRequest { tx_bytes: raw }.encode_to_vec();
        let answer = query::simulate(context(state, asked, time_ns), &request);
        let got = answer
            .err()
            .map(|error| (u64::from(error.code), without_gas(&error.log)));
        let wanted = (number(&recorded["code"]) != 0)
            .then(|| (number(&recorded["code"]), without_gas(&without_place(log))));
        refused += usize::from(wanted.is_some());
        if got != wanted {
            wrong.push(format!(
                "{} at {asked}: got {got:?}, wanted {wanted:?}",
                text(&one["label"])
            ));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(refused > 35, "{refused}");
}

/// Without the place in the real chain's source, as in ` [cosmos/cosmos-sdk@v0.53.7/baseapp/baseapp.go:1052]`.
fn without_place(log: &str) -> String {
    let Some((before, after)) = log.rsplit_once("] with gas used") else {
        return log.to_owned();
    };
    let before = before.rsplit_once(" [").map_or(before, |(before, _)| before);
    format!("{before} with gas used{after}")
}

/// What the end of a block did, block by block, for the events of Pocket's own modules and the money they move.
/// Proof checks run side by side on the real chain, so their order says nothing.
#[test]
fn ends_of_blocks_have_the_same_events() {
    let done = replayed();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for round in golden::load("chain_settlement")["rounds"].as_array().unwrap() {
        for (height, events) in round["end_block_events"].as_object().unwrap() {
            let wanted: BTreeSet<String> = shown(events.as_array().unwrap().iter().map(golden::event));
            let got = shown(done.block_events[&height.parse::<u64>().unwrap()].iter().cloned());
            compared += wanted.len();
            let missing: Vec<_> = wanted.difference(&got).collect();
            let extra: Vec<_> = got
                .difference(&wanted)
                .filter(|event| event.starts_with("pocket."))
                .collect();
            if !missing.is_empty() || !extra.is_empty() {
                wrong.push(format!("at {height}: missing {missing:#?}\nextra {extra:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 300, "{compared}");
}

/// Events as text, their attributes in order, without those of modules that this chain has not.
fn shown(events: impl Iterator<Item = Event>) -> BTreeSet<String> {
    let mode = |event: &Event| {
        event
            .attributes
            .iter()
            .any(|(key, value)| key == "mode" && value == "EndBlock")
    };
    events
        .filter(mode)
        .map(|mut event| {
            event.attributes.sort();
            format!("{} {:?}", event.kind, event.attributes)
        })
        .collect()
}

/// Stakes and balances before and after each settlement.
#[test]
fn settlements_move_the_same_amounts() {
    let done = replayed();
    let settlement = golden::load("chain_settlement");
    let actors = settlement["actors"].as_object().unwrap();
    let mut wrong = Vec::new();
    for round in settlement["rounds"].as_array().unwrap() {
        let block = &round["settlement_block"];
        let height = number(&block["height"]);
        let (before, after) = (&done.states[&(height - 1)], &done.states[&height]);
        for (name, change) in block["balance_changes"].as_object().unwrap() {
            let account = match name.strip_prefix("module:") {
                Some("fee_collector" | "distribution") => continue,
                Some(module) => address::module(module),
                None => address::parse(text(&actors[name])).unwrap(),
            };
            let balance = |state| crate::modules::bank::balance(state, &account, "upokt") as i128;
            let got = balance(after) - balance(before);
            let wanted: i128 = change
                .as_i64()
                .map_or_else(|| text(change).parse().unwrap(), i128::from);
            // What transactions of the block itself paid in fees is not the settlement's.
            if (got - wanted).abs() > 5 {
                wrong.push(format!("{height} {name}: got {got}, wanted {wanted}"));
            }
        }
        for (actor, stake) in block["stakes_after"].as_object().unwrap() {
            let (kind, address) = actor.split_once(':').unwrap();
            let found = match kind {
                "application" => {
                    crate::modules::application::record(after, address).and_then(|found| found.stake)
                }
                _ => crate::modules::supplier::record(after, address).and_then(|found| found.stake),
            };
            let got = crate::modules::amount(found.as_ref());
            if got != u128::from(number(&stake["stake"])) {
                wrong.push(format!("{height} {actor}: got {got}, wanted {}", stake["stake"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
