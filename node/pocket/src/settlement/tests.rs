//! Settlement against eight blocks of the real chain.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it wants, all else is a failure"
)]

use std::collections::BTreeMap;

use hearth_base::{Amount, Height};
use num_bigint::BigUint;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    difficulty::{BASE_TARGET, Target},
    golden::{bytes, list, load, number, text},
    message::{TypeUrl, shared},
    session::Timing,
    trie::Root,
};

/// A settlement block of the real chain.
struct Recorded {
    golden: Value,
    index: usize,
}

impl Recorded {
    fn round(&self) -> &Value {
        &self.golden["rounds"][self.index]
    }

    fn actor(&self, name: &str) -> String {
        self.golden["actors"]
            .get(name)
            .map_or_else(|| name.to_owned(), |address| text(address).to_owned())
    }

    /// The events of the settlement that are Pocket's own, and the validator's.
    fn events(&self) -> Vec<(String, BTreeMap<String, String>)> {
        let block = &self.round()["settlement_block"];
        let events = list(&self.round()["end_block_events"][text(&Value::from(block["height"].to_string()))]);
        let own = events
            .iter()
            .filter(|event| text(&event["type"]).starts_with("pocket."));
        own.map(|event| {
            let attributes = event["attributes"].as_object().unwrap();
            let attributes = attributes.iter().filter(|(name, _)| name.as_str() != "mode");
            let attributes = attributes
                .map(|(name, value)| (name.clone(), text(value).to_owned()))
                .collect();
            (text(&event["type"]).to_owned(), attributes)
        })
        .collect()
    }

    fn previous_difficulty(&self, service_id: &str) -> (Option<u64>, Target) {
        let event = self.events().into_iter().find(|(kind, attributes)| {
            kind.ends_with("EventRelayMiningDifficultyUpdated")
                && attributes["service_id"].contains(service_id)
        });
        // In the first round there was no record yet.
        let Some((_, attributes)) = event.filter(|_| self.index > 0) else {
            return (None, BASE_TARGET);
        };
        let plain = |name: &str| attributes[name].trim_matches('"').to_owned();
        let target = hex::decode(plain("prev_target_hash_hex_encoded")).unwrap();
        (
            plain("prev_num_relays_ema").parse().ok(),
            Target::try_from(target.as_slice()).unwrap(),
        )
    }

    fn input(&self) -> Round {
        let round = self.round();
        let now = &round["params_at_settlement"];
        let from = |value: &Value| value.clone();
        let stakes = round["settlement_block"]["stakes_before"].as_object().unwrap();
        let of = |kind: &'static str| {
            stakes.iter().filter_map(move |(key, state)| {
                let address = key.strip_prefix(kind)?.strip_prefix(':')?;
                let unbonding = state["unstake_session_end_height"] != "0";
                Some((
                    address.to_owned(),
                    Amount::from_upokt(number(&state["stake"])),
                    unbonding,
                ))
            })
        };
        Round {
            height: Height(number(&round["settlement_block"]["height"])),
            claims: list(&round["claims_before_settlement"])
                .iter()
                .map(|claim| self.claim(claim))
                .collect(),
            applications: of("application")
                .map(|(address, stake, unbonding)| {
                    let spend_limit = self.spend_limit(&address);
                    (
                        address,
                        ApplicationState {
                            stake,
                            spend_limit,
                            unbonding,
                        },
                    )
                })
                .collect(),
            suppliers: of("supplier")
                .map(|(address, stake, unbonding)| self.supplier(address, stake, unbonding))
                .collect(),
            services: round["services"]
                .as_object()
                .unwrap()
                .keys()
                .map(|id| (id.clone(), self.service(id)))
                .collect(),
            tokenomics: serde_json::from_value(from(&now["tokenomics"])).unwrap(),
            proof: serde_json::from_value(from(&now["proof"])).unwrap(),
            target_num_relays: number(&now["service"]["target_num_relays"]),
            application_min_stake: Amount::from_upokt(number(&now["application"]["min_stake"]["amount"])),
            supplier_min_stake: Amount::from_upokt(number(&now["supplier"]["min_stake"]["amount"])),
            proposer: Proposer {
                account: self.actor("validator"),
                operator: "poktvaloper1r0apn6x5f8sd9le38azfk0054d3knt4c78jld5".to_owned(),
                commission_e18: 10_u128.pow(17),
                stake: Amount::from_upokt(500_000_000_000),
            },
        }
    }

    /// The limits that app3 had; they are in no record of the state.
    fn spend_limit(&self, application: &str) -> Option<Amount> {
        if application != self.actor("app3") {
            return None;
        }
        match self.index {
            0 | 1 => Some(Amount::from_upokt(2_000_000)),
            2 | 3 => None,
            _ => Some(Amount::from_upokt(30_000_000)),
        }
    }

    fn claim(&self, claim: &Value) -> PendingClaim {
        let round = self.round();
        let then: shared::Params =
            serde_json::from_value(round["params_at_session_start"]["shared"].clone()).unwrap();
        let service_id = text(&claim["session_header"]["service_id"]);
        let record = &round["services"][service_id]["difficulty_at_session_start"];
        let target: crate::message::service::RelayMiningDifficulty =
            serde_json::from_value(record.clone()).unwrap();
        PendingClaim {
            claim: serde_json::from_value(claim.clone()).unwrap(),
            price: Price {
                target: Target::try_from(target.target_hash.as_slice()).unwrap(),
                compute_units_to_tokens_multiplier: then.compute_units_to_tokens_multiplier,
                granularity: then.compute_unit_cost_granularity,
            },
            pending_sessions: Timing::from(&then).pending_sessions(),
            seed_hash: bytes(&round["block_hashes"]["before_proof_window_open"]),
        }
    }

    fn supplier(&self, operator: String, stake: Amount, unbonding: bool) -> (String, SupplierState) {
        let name = self.golden["actors"]
            .as_object()
            .unwrap()
            .iter()
            .find(|(_, address)| **address == *operator);
        let name = name.map_or(operator.as_str(), |(name, _)| name.as_str());
        let shares = self.golden["revenue_shares"]
            .get(name)
            .map_or(&[][..], |shares| list(shares));
        let shares: Vec<_> = shares
            .iter()
            .map(|share| shared::ServiceRevenueShare {
                address: self.actor(text(&share[0])),
                rev_share_percentage: number(&share[1]),
            })
            .collect();
        let owner = if name == "op1" {
            self.actor("owner1")
        } else {
            operator.clone()
        };
        let services = ["hearth-llm", "hearth-alt"];
        let rev_shares = services
            .map(|service_id| (service_id.to_owned(), shares.clone()))
            .into();
        (
            operator,
            SupplierState {
                owner,
                stake,
                unbonding,
                rev_shares,
            },
        )
    }

    fn service(&self, id: &str) -> ServiceState {
        let (num_relays_ema, target) = self.previous_difficulty(id);
        ServiceState {
            owner: self.actor("svcowner"),
            num_relays_ema,
            target,
        }
    }
}

/// An event as the chain shows it: every attribute is the JSON of a field.
fn shown<T: TypeUrl + serde::Serialize>(event: &T) -> (String, BTreeMap<String, String>) {
    let fields = serde_json::to_value(event).unwrap();
    let fields = fields
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.to_string()))
        .collect();
    (T::TYPE_URL.trim_start_matches('/').to_owned(), fields)
}

fn shown_event(event: &Event, session_end: i64) -> (String, BTreeMap<String, String>) {
    match event {
        Event::Overserviced(event) => shown(event),
        Event::ReimbursementRequest(event) => shown(event),
        Event::RevShareFallback(event) => shown(event),
        Event::Settled(event) => shown(event),
        Event::Expired(event) => shown(event),
        Event::Discarded(event) => shown(event),
        Event::ValidatorReward(event) => shown(event),
        Event::Batch(operation) => shown(&operation.event(session_end)),
        Event::Slashed { event, .. } => shown(event),
        Event::Difficulty(event) => shown(event),
        Event::ApplicationBelowMinStake { application } => (
            "pocket.application.EventApplicationUnbondingBegin".to_owned(),
            [(application.clone(), String::new())].into(),
        ),
        Event::SupplierBelowMinStake { operator } => (
            "pocket.supplier.EventSupplierUnbondingBegin".to_owned(),
            [(operator.clone(), String::new())].into(),
        ),
    }
}

/// What the coins of each account and module change by.
fn balance_changes(events: &[Event]) -> BTreeMap<String, i128> {
    let mut changes: BTreeMap<String, i128> = BTreeMap::new();
    let mut add = |who: String, amount: Amount, sign: i128| {
        *changes.entry(who).or_default() += sign * i128::try_from(amount.upokt()).unwrap();
    };
    for event in events {
        match event {
            Event::Batch(operation) => {
                let module = format!("module:{}", operation.module);
                match operation.kind {
                    OperationKind::Mint => add(module, operation.amount, 1),
                    OperationKind::Burn => add(module, operation.amount, -1),
                    OperationKind::ModuleToModule => {
                        add(module, operation.amount, -1);
                        add(format!("module:{}", operation.recipient), operation.amount, 1);
                    }
                    OperationKind::ModuleToAccount => {
                        add(module, operation.amount, -1);
                        add(operation.recipient.clone(), operation.amount, 1);
                    }
                }
            }
            Event::Slashed { penalty, .. } => add("module:supplier".to_owned(), *penalty, -1),
            _ => {}
        }
    }
    changes.retain(|_, change| *change != 0);
    changes
}

#[test]
fn the_real_chain_settled_alike() {
    let n_rounds = list(&load("chain_settlement")["rounds"]).len();
    assert_eq!(n_rounds, 8);
    for index in 0..n_rounds {
        let recorded = Recorded {
            golden: load("chain_settlement"),
            index,
        };
        let round = recorded.input();
        let outcome = settle(&round).unwrap();
        let session_end = number(&recorded.round()["session_end"]);
        let ours: Vec<_> = outcome
            .events
            .iter()
            .map(|event| shown_event(event, session_end))
            .collect();
        let theirs = recorded.events();
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours.0, theirs.0, "round {index}");
            if !ours.0.ends_with("UnbondingBegin") {
                assert_eq!(ours.1, theirs.1, "round {index}: {}", ours.0);
            }
        }
        assert_eq!(ours.len(), theirs.len(), "round {index}");

        let block = &recorded.round()["settlement_block"];
        let changes = block["balance_changes"].as_object().unwrap().iter();
        let changes: BTreeMap<_, _> = changes
            .map(|(name, change)| (recorded.actor(name), number::<i128>(change)))
            .collect();
        let ours = balance_changes(&outcome.events);
        // A transaction of the same block may have paid a fee besides.
        let mut fees: BTreeMap<&String, i128> = BTreeMap::new();
        for (who, change) in &changes {
            *fees.entry(who).or_default() += change;
        }
        for (who, change) in &ours {
            *fees.entry(who).or_default() -= change;
        }
        fees.retain(|_, fee| *fee != 0);
        let to_distribution = fees.remove(&"module:distribution".to_owned()).unwrap_or_default();
        let paid: Vec<i128> = fees.into_values().collect();
        assert!(
            paid.is_empty() || paid == [-to_distribution],
            "round {index}: {paid:?}"
        );
        for (key, state) in block["stakes_after"].as_object().unwrap() {
            let (kind, address) = key.split_once(':').unwrap();
            let stakes = if kind == "supplier" {
                &outcome.supplier_stakes
            } else {
                &outcome.application_stakes
            };
            assert_eq!(
                stakes[address].upokt(),
                number::<u128>(&state["stake"]),
                "round {index}: {key}"
            );
        }
    }
}

#[test]
fn golden_amounts() {
    let golden = load("relay_messages");
    for row in list(&golden["claimed_upokt"]) {
        let price = Price {
            target: Target::try_from(bytes(&row["target_hash"]).as_slice()).unwrap(),
            compute_units_to_tokens_multiplier: number(&row["compute_units_to_tokens_multiplier"]),
            granularity: number(&row["compute_unit_cost_granularity"]),
        };
        let claimed = price
            .of_compute_units(number(&row["claimed_compute_units"]))
            .unwrap();
        assert_eq!(claimed.upokt(), number::<u128>(&row["claimed_upokt"]), "{row}");
    }
}

#[test]
fn the_worked_example() {
    let price = Price {
        target: BASE_TARGET,
        compute_units_to_tokens_multiplier: 145_990,
        granularity: 1_000_000,
    };
    let mut root = [7; 48];
    root[32..40].copy_from_slice(&10_000_000_u64.to_be_bytes());
    root[40..].copy_from_slice(&500_u64.to_be_bytes());
    let root = Root::from(root);
    assert_eq!(price.claimed(&root), Ok(Amount::from_upokt(1_459_900)));
    assert_eq!(
        price.estimates(&root),
        Estimates {
            compute_units: 10_000_000,
            relays: 500
        }
    );
    let stake = Amount::from_upokt(1_000_000_000);
    assert_eq!(session_floor(stake, None, 2, 5), Amount::from_upokt(100_000_000));
    assert_eq!(session_floor(stake, None, 2, 50), Amount::from_upokt(10_000_000));
    let zero = Price {
        granularity: 0,
        ..price
    };
    assert_eq!(zero.claimed(&root), Err(PriceError::DivisionByZero));
}

#[test]
fn doubles_count_as_their_shortest_text() {
    let of = |value: f64, whole: u32| Decimal::try_from(value).unwrap().floor_of(&BigUint::from(whole));
    assert_eq!(of(0.975, 1000), BigUint::from(975_u32));
    assert_eq!(of(0.1, 10), BigUint::from(1_u32));
    assert_eq!(of(0.29, 100), BigUint::from(29_u32));
    assert_eq!(of(1.0, 7), BigUint::from(7_u32));
    assert_eq!(of(1e-6, 1_000_000), BigUint::from(1_u32));
    for bad in [f64::NAN, f64::INFINITY, -0.5] {
        assert!(Decimal::try_from(bad).is_err());
    }
}

#[test]
fn broken_shares_go_to_the_owner_and_missing_ones_discard() {
    let mut round = Recorded {
        golden: load("chain_settlement"),
        index: 7,
    }
    .input();
    let operator = round.claims[1].claim.supplier_operator_address.clone();
    let supplier = round.suppliers.get_mut(&operator).unwrap();
    supplier.rev_shares.get_mut("hearth-llm").unwrap()[0].rev_share_percentage += 1;
    supplier.owner = "pokt1owner".to_owned();
    let outcome = settle(&round).unwrap();
    assert!(
        outcome
            .events
            .iter()
            .any(|event| matches!(event, Event::RevShareFallback(_)))
    );
    assert_eq!(balance_changes(&outcome.events)["pokt1owner"], 1);
    round.suppliers.get_mut(&operator).unwrap().rev_shares.clear();
    let before = round.applications.clone();
    let outcome = settle(&round).unwrap();
    assert!(matches!(outcome.claims[1], ClaimOutcome::Discarded { .. }));
    let application = &round.claims[1]
        .claim
        .session_header
        .as_ref()
        .unwrap()
        .application_address;
    assert_eq!(outcome.application_stakes[application], before[application].stake);
}

proptest! {
    /// No coin appears or vanishes but by a mint or a burn, and no application pays more than it has.
    #[test]
    fn coins_are_conserved(
        sums in proptest::collection::vec(0_u64..100_000_000, 10),
        stake in 0_u128..2_000_000_000,
        multiplier in 0_u64..5,
        inflation in prop::sample::select(vec![0.0, 1e-6, 0.05, 0.333]),
        mint_ratio in prop::sample::select(vec![1.0, 0.975, 0.5]),
    ) {
        let mut round = Recorded { golden: load("chain_settlement"), index: 6 }.input();
        round.tokenomics.overservicing_bonus_multiplier = multiplier;
        round.tokenomics.global_inflation_per_claim = inflation;
        round.tokenomics.mint_ratio = mint_ratio;
        round.applications.values_mut().for_each(|state| state.stake = Amount::from_upokt(stake));
        for (claim, sum) in round.claims.iter_mut().zip(&sums) {
            claim.claim.root_hash[32..40].copy_from_slice(&sum.to_be_bytes());
        }
        let outcome = settle(&round).unwrap();
        let (mut minted, mut burnt) = (0_i128, 0_i128);
        for event in &outcome.events {
            if let Event::Batch(operation) = event {
                let amount = i128::try_from(operation.amount.upokt()).unwrap();
                match operation.kind {
                    OperationKind::Mint => minted += amount,
                    OperationKind::Burn => burnt += amount,
                    OperationKind::ModuleToModule | OperationKind::ModuleToAccount => {}
                }
            } else if let Event::Slashed { penalty, .. } = event {
                burnt += i128::try_from(penalty.upokt()).unwrap();
            }
        }
        let changes = balance_changes(&outcome.events);
        prop_assert_eq!(changes.values().sum::<i128>(), minted - burnt);
        prop_assert_eq!(changes.get("module:tokenomics"), None);
        prop_assert!(outcome.application_stakes.values().all(|left| left.upokt() <= stake));
    }
}
