//! Each recorded round straight into the settlement step: stakes, parameters, claims and hashes are set, nothing else.

use std::sync::Arc;

use hearth_base::Amount;
use hearth_pocket::message::{
    Coin,
    application::Application,
    proof::Claim,
    service::{RelayMiningDifficulty, RelayMiningDifficultyUpdate},
    shared::Supplier,
};
use serde_json::Value;

use super::{
    golden::{self, number, text},
    replay::replayed,
};
use crate::{
    ctx::Ctx,
    keys,
    modules::{application, session, supplier, tokenomics},
    state::{State, StoreName},
};

fn coin(value: &Value) -> Option<Coin> {
    Some(Coin::upokt(Amount::from_upokt(u128::from(number(value)))))
}

/// A state that holds what a round tells, and what the replay knows of limits and shares at that height.
fn prepared(round: &Value, height: u64) -> State {
    let known = &replayed().states[&(height - 1)];
    let mut state = known.at(height);
    let (start, seed) = (
        number(&round["session_start"]),
        number(&round["windows"]["proof_open"]) - 1,
    );
    for (of, name) in [(start, "session_start"), (seed, "before_proof_window_open")] {
        let hash = golden::bytes(&round["block_hashes"][name]).try_into().unwrap();
        session::keep_block_hash(&mut state, of, hash);
    }
    for (id, one) in round["services"].as_object().unwrap() {
        let difficulty: RelayMiningDifficulty =
            serde_json::from_value(one["difficulty_at_session_start"].clone()).unwrap();
        let key = keys::at_height(&keys::difficulty_history(id), start);
        let update = RelayMiningDifficultyUpdate {
            effective_height: start as i64,
            difficulty: Some(difficulty),
        };
        if !state
            .prefix(StoreName::Service, keys::difficulty_history(id).as_bytes())
            .is_empty()
        {
            state.write(StoreName::Service, &key, &update);
        }
    }
    for (actor, stake) in round["settlement_block"]["stakes_before"].as_object().unwrap() {
        let (kind, address) = actor.split_once(':').unwrap();
        let unstake_session_end_height = number(&stake["unstake_session_end_height"]);
        if kind == "application" {
            let found = application::record(&state, address).unwrap_or_default();
            let record = Application {
                address: address.to_owned(),
                stake: coin(&stake["stake"]),
                unstake_session_end_height,
                ..found
            };
            application::put(&mut state, &record);
        } else {
            let found = supplier::record(&state, address).unwrap_or_default();
            let record = Supplier {
                operator_address: address.to_owned(),
                stake: coin(&stake["stake"]),
                unstake_session_end_height,
                ..found
            };
            supplier::put(&mut state, &record);
        }
    }
    state
}

#[test]
fn rounds_settle_to_the_upokt() {
    let settlement = golden::load("chain_settlement");
    for round in settlement["rounds"].as_array().unwrap() {
        let label = text(&round["label"]);
        let block = &round["settlement_block"];
        let height = number(&block["height"]);
        let claims: Vec<Claim> = round["claims_before_settlement"]
            .as_array()
            .unwrap()
            .iter()
            .map(|claim| serde_json::from_value(claim.clone()).unwrap())
            .collect();
        let mut ctx = Ctx {
            state: prepared(round, height),
            height,
            time_ns: 0,
            chain_id: Arc::from("hearth-golden"),
            proposer: golden::genesis().proposer(),
            events: Vec::new(),
        };
        tokenomics::settle_claims(&mut ctx, claims);
        for (actor, stake) in block["stakes_after"].as_object().unwrap() {
            let (kind, address) = actor.split_once(':').unwrap();
            let found = if kind == "application" {
                application::record(&ctx.state, address).and_then(|found| found.stake)
            } else {
                supplier::record(&ctx.state, address).and_then(|found| found.stake)
            };
            assert_eq!(found, coin(&stake["stake"]), "{label}: {actor}");
        }
        let wanted: Vec<String> = round["end_block_events"][height.to_string()]
            .as_array()
            .unwrap()
            .iter()
            .map(golden::event)
            .filter(|event| {
                event.kind.starts_with("pocket.tokenomics.") || event.kind.starts_with("pocket.service.")
            })
            .map(|mut event| {
                event.attributes.retain(|(key, _)| key != "mode");
                event.attributes.sort();
                format!("{event:?}")
            })
            .collect();
        let got: Vec<String> = ctx
            .events
            .iter()
            .filter(|event| {
                event.kind.starts_with("pocket.tokenomics.") || event.kind.starts_with("pocket.service.")
            })
            .map(|event| format!("{event:?}"))
            .collect();
        for (got, wanted) in got.iter().zip(&wanted) {
            assert_eq!(got, wanted, "{label}");
        }
        assert_eq!(got.len(), wanted.len(), "{label}");
    }
}
