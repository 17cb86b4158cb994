//! The machine of claims: its usual ways, and what holds on every way.

use hearth_pocket::trie::Root;
use hearth_store::stored;
use proptest::prelude::*;

use super::*;
use crate::testing::facts;

fn rules() -> Rules {
    Rules {
        windows: facts().windows,
    }
}

fn seal() -> Seal {
    Seal {
        root: Root::from([1; 48]),
        answers: 5,
        leaves: 5,
        value: Amount::from_upokt(21_000),
    }
}

fn inclusion(height: u64) -> Inclusion {
    Inclusion {
        tx: "AB".to_owned(),
        height: Height(height),
    }
}

fn block(height: u64) -> ClaimEvent {
    ClaimEvent::Block {
        height: Height(height),
        running: 0,
    }
}

/// Runs events and collects the effects of each.
fn run(events: Vec<ClaimEvent>) -> (ClaimState, Vec<Option<ClaimEffect>>) {
    let (mut state, mut all) = (ClaimState::BEGUN, Vec::new());
    for event in events {
        let (next, effect) = step(state, event, &rules());
        state = next;
        all.push(effect);
    }
    (state, all)
}

fn on_its_way(trouble: Option<&str>) -> ClaimEvent {
    ClaimEvent::OnItsWay {
        tx: Some("AB".to_owned()),
        trouble: trouble.map(str::to_owned),
    }
}

#[test]
fn the_way_to_the_money() {
    use ClaimEffect::{Chase, Close, Decide, HandClaim, HandProof, Seal as SealIt};
    let paid = Paid {
        height: Height(20),
        settled: Amount::from_upokt(9),
        ..Paid::default()
    };
    let (state, effects) = run(vec![
        block(11),
        block(12),
        ClaimEvent::Sealed(seal()),
        ClaimEvent::Handed,
        block(13),
        on_its_way(None),
        ClaimEvent::Included(inclusion(13)),
        block(14),
        block(15),
        ClaimEvent::Requirement { required: true },
        block(16),
        ClaimEvent::Handed,
        ClaimEvent::Included(inclusion(17)),
        ClaimEvent::ProofChecked {
            valid: true,
            why: String::new(),
        },
        block(19),
        ClaimEvent::Paid(paid.clone()),
    ]);
    let claim = inclusion(13);
    let proof = Some(inclusion(17));
    assert_eq!(
        state,
        ClaimState::Ended(End {
            outcome: Outcome::Settled { paid: Some(paid) },
            seal: Some(seal()),
            claim: Some(claim),
            proof,
        })
    );
    let expected = vec![
        None,
        Some(SealIt),
        Some(HandClaim),
        None,
        Some(Chase),
        None,
        None,
        None,
        Some(Decide),
        None,
        Some(HandProof),
        None,
        None,
        None,
        None,
        Some(Close),
    ];
    assert_eq!(effects, expected);
}

#[test]
fn running_answers_are_waited_for_until_two_blocks_before_the_end() {
    let busy = |height| ClaimEvent::Block {
        height: Height(height),
        running: 1,
    };
    let (_, effects) = run(vec![busy(12), busy(13), busy(14)]);
    assert_eq!(effects, vec![None, None, Some(ClaimEffect::Seal)]);
}

#[test]
fn what_stands_in_the_way_of_a_claim_in_the_outbox_is_said_and_forgotten() {
    let handed = vec![block(12), ClaimEvent::Sealed(seal()), ClaimEvent::Handed];
    let (state, _) = run(handed.clone());
    let ClaimState::Open(stage) = &state else {
        panic!("{state:?}")
    };
    assert!(stage.is_sent() && stage.sent().is_none() && state.why().is_none());
    let held = [handed, vec![on_its_way(Some("the key is locked"))]].concat();
    let (state, effects) = run(held.clone());
    assert_eq!(
        (state.name(), state.why()),
        ("claim_sent", Some("the key is locked"))
    );
    assert_eq!((state.sent(), effects.last()), (Some("AB"), Some(&None)));
    let (state, _) = run([held, vec![on_its_way(None)]].concat());
    assert_eq!(state.why(), None);
}

#[test]
fn bad_ends() {
    let (state, _) = run(vec![block(17)]);
    assert_eq!((state.name(), state.seal()), ("claim_missed", None));
    let empty = Seal {
        leaves: 0,
        answers: 0,
        ..seal()
    };
    let (state, effects) = run(vec![block(12), ClaimEvent::Sealed(empty)]);
    assert_eq!(state.name(), "skipped");
    assert_eq!(effects[1], Some(ClaimEffect::Close));
    let costs = Amount::from_upokt(21_000);
    let priced = vec![
        block(12),
        ClaimEvent::Sealed(seal()),
        ClaimEvent::TooCheap { costs },
    ];
    assert_eq!(run(priced).0.name(), "skipped");

    let later = |why: &str| ClaimEvent::Failed {
        why: why.to_owned(),
        forever: false,
    };
    let tried = vec![
        block(12),
        ClaimEvent::Sealed(seal()),
        later("no endpoint answers"),
        block(13),
    ];
    let (state, effects) = run(tried.clone());
    assert_eq!(
        state,
        ClaimState::Open(Stage::Sealed {
            seal: seal(),
            trouble: None
        })
    );
    assert_eq!(effects[2..], [None, Some(ClaimEffect::HandClaim)]);
    let closed = [tried, vec![later("no endpoint answers"), block(16)]].concat();
    let (state, effects) = run(closed.clone());
    assert_eq!(effects.last().unwrap(), &Some(ClaimEffect::LastLook));
    let why = state.why().unwrap().to_owned();
    assert_eq!((state.name(), why.as_str()), ("sealed", "no endpoint answers"));
    let (state, _) = run([closed, vec![ClaimEvent::Missed { why }]].concat());
    assert_eq!(state.why(), Some("no endpoint answers"));
    assert_eq!(state.name(), "claim_missed");
}

#[test]
fn bad_ends_of_a_claim_that_was_made() {
    let proven = vec![
        block(12),
        ClaimEvent::Sealed(seal()),
        ClaimEvent::Handed,
        ClaimEvent::Included(inclusion(13)),
        ClaimEvent::Requirement { required: true },
    ];
    let why = "no time".to_owned();
    assert_eq!(
        run([proven.clone(), vec![block(20), ClaimEvent::Missed { why }]].concat())
            .0
            .name(),
        "proof_missed"
    );
    // A claim that is gone was paid only where a proof was in, or none was wanted.
    let vanished = ClaimEvent::Vanished { height: Height(22) };
    assert_eq!(
        run([proven.clone(), vec![vanished.clone()]].concat()).0.name(),
        "expired"
    );
    let included = ClaimEvent::Included(inclusion(17));
    assert_eq!(
        run([proven.clone(), vec![ClaimEvent::Handed, included, vanished]].concat())
            .0
            .name(),
        "settled"
    );
    let checked = ClaimEvent::ProofChecked {
        valid: false,
        why: "wrong path".to_owned(),
    };
    assert_eq!(
        run([proven.clone(), vec![ClaimEvent::Handed, checked]].concat())
            .0
            .why(),
        Some("wrong path")
    );
    let expired = ClaimEvent::Expired {
        height: Height(20),
        why: "no proof".to_owned(),
    };
    assert_eq!(run([proven, vec![expired]].concat()).0.name(), "expired");
}

fn event() -> impl Strategy<Value = ClaimEvent> {
    prop_oneof![
        4 => (1_u64..25, 0_usize..2).prop_map(|(height, running)| ClaimEvent::Block { height: Height(height), running }),
        2 => (0_u64..3).prop_map(|leaves| ClaimEvent::Sealed(Seal { leaves, ..seal() })),
        2 => Just(ClaimEvent::Handed),
        1 => any::<bool>().prop_map(|forever| ClaimEvent::Failed { why: "why".to_owned(), forever }),
        2 => any::<bool>().prop_map(|held| on_its_way(held.then_some("the key is locked"))),
        1 => Just(ClaimEvent::Missed { why: "why".to_owned() }),
        1 => Just(ClaimEvent::TooCheap { costs: Amount::from_upokt(1) }),
        2 => (12_u64..20).prop_map(|height| ClaimEvent::Included(inclusion(height))),
        1 => Just(ClaimEvent::Replaced { why: "why".to_owned() }),
        2 => any::<bool>().prop_map(|required| ClaimEvent::Requirement { required }),
        1 => any::<bool>().prop_map(|valid| ClaimEvent::ProofChecked { valid, why: String::new() }),
        1 => Just(ClaimEvent::Paid(Paid::default())),
        1 => Just(ClaimEvent::Expired { height: Height(20), why: String::new() }),
        1 => Just(ClaimEvent::Vanished { height: Height(22) }),
    ]
}

/// How far a claim is; bad ends are at the end of where they branch off.
fn progress(state: &ClaimState) -> u8 {
    match state {
        ClaimState::Open(Stage::Accumulating) => 0,
        ClaimState::Open(Stage::Sealed { .. } | Stage::ClaimSent { .. }) => 1,
        ClaimState::Open(Stage::ClaimIncluded { .. }) => 2,
        ClaimState::Open(Stage::ProofDue { .. } | Stage::ProofSent { .. }) => 3,
        ClaimState::Open(Stage::ProofNotRequired { .. } | Stage::ProofIncluded { .. }) => 4,
        ClaimState::Ended(_) => 5,
    }
}

proptest! {
    #[test]
    fn whatever_happens(events in proptest::collection::vec(event(), 0..60)) {
        let mut state = ClaimState::BEGUN;
        let mut root = None;
        for event in events {
            let height = if let ClaimEvent::Block { height, .. } = &event { Some(height.0) } else { None };
            let (next, effect) = step(state.clone(), event, &rules());
            // It never goes back, and an end is an end.
            prop_assert!(progress(&next) >= progress(&state));
            let had_ended = state.outcome().is_some();
            if had_ended {
                prop_assert_eq!(&next, &state);
                prop_assert_eq!(effect, None);
            }
            // One session has one root, for ever.
            if let (Some(root), Some(seal)) = (root, next.seal()) {
                prop_assert_eq!(root, seal.root);
            }
            root = root.or_else(|| next.seal().map(|seal| seal.root));
            // Nothing is signed outside its window.
            if let Some(height) = height {
                prop_assert!(effect != Some(ClaimEffect::HandClaim) || height < 16);
                prop_assert!(effect != Some(ClaimEffect::HandProof) || (16..20).contains(&height));
                prop_assert!(effect != Some(ClaimEffect::Seal) || (12..=16).contains(&height));
            }
            prop_assert_eq!(effect == Some(ClaimEffect::Close), next.outcome().is_some() && !had_ended);
            // What is kept is read back.
            let kept = stored::write(&next).unwrap();
            prop_assert_eq!(&stored::read::<ClaimState>(&kept, "a row").unwrap(), &next);
            state = next;
        }
    }
}

/// Reads what Hearth wrote before stage and outcome were told apart.
fn read(text: &str) -> ClaimState {
    let root = serde_json::to_string(&seal().root).unwrap().replace('"', "");
    let seal = r#""seal":{"root":"ROOT","answers":5,"leaves":5,"value":"21000"}"#.replace("ROOT", &root);
    let text = text
        .replace("SEAL", &seal)
        .replace("CLAIM", r#""claim":{"tx":"AB","height":13}"#)
        .replace("PROOF", r#""proof":{"tx":"AB","height":17}"#);
    stored::read(&text, "a row").unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn states_of_the_first_form_are_read_for_ever() {
    assert_eq!(read(r#"{"state":"accumulating"}"#), ClaimState::BEGUN);
    let claimed = Stage::ClaimIncluded {
        seal: seal(),
        claim: inclusion(13),
    };
    assert_eq!(
        read(r#"{"state":"proof_due",SEAL,CLAIM,"trouble":"no endpoint"}"#),
        Stage::ProofDue {
            seal: seal(),
            claim: inclusion(13),
            trouble: Some("no endpoint".to_owned())
        }
        .into()
    );
    assert_eq!(
        read(r#"{"state":"claim_sent",SEAL,"tx":"AB"}"#),
        Stage::ClaimSent {
            seal: seal(),
            tx: Some("AB".to_owned()),
            trouble: None,
        }
        .into()
    );
    // The second form always named the transaction.
    let second = read(r#"{"version":2,"open":{"stage":"claim_sent",SEAL,"tx":"AB"}}"#);
    assert_eq!((second.name(), second.sent()), ("claim_sent", Some("AB")));
    let why = || "why".to_owned();
    assert_eq!(
        read(r#"{"state":"claim_missed","seal":null,"why":"why"}"#),
        Stage::Accumulating.end(Outcome::ClaimMissed { why: why() })
    );
    assert_eq!(
        read(r#"{"state":"skipped","why":"why"}"#),
        Stage::Accumulating.end(Outcome::Skipped { why: why() })
    );
    assert_eq!(
        read(r#"{"state":"expired",SEAL,CLAIM,"height":20,"why":"why"}"#),
        claimed.clone().end(Outcome::Expired {
            height: Height(20),
            why: why()
        })
    );
    let paid = r#"{"height":20,"claimed":"9","settled":"9","minted":"8","rewards":{"pokt1a":"8"}}"#;
    let settled = read(&r#"{"state":"settled",SEAL,CLAIM,"proof":null,"paid":PAID}"#.replace("PAID", paid));
    assert_eq!(settled.paid().unwrap().rewards["pokt1a"], Amount::from_upokt(8));
    assert_eq!(
        read(r#"{"state":"settled",SEAL,CLAIM,"proof":null,"paid":null}"#),
        claimed.end(Outcome::Settled { paid: None })
    );
}

#[test]
fn stages_of_the_first_form_are_read_for_ever() {
    let claimed = Stage::ClaimIncluded {
        seal: seal(),
        claim: inclusion(13),
    };
    let why = || "why".to_owned();
    let proven = Stage::ProofIncluded {
        seal: seal(),
        claim: inclusion(13),
        proof: inclusion(17),
    };
    for (text, wanted) in [
        (
            r#"{"state":"sealed",SEAL,"trouble":null}"#,
            Stage::Sealed {
                seal: seal(),
                trouble: None,
            }
            .into(),
        ),
        (r#"{"state":"claim_included",SEAL,CLAIM}"#, claimed.clone().into()),
        (
            r#"{"state":"proof_not_required",SEAL,CLAIM}"#,
            Stage::ProofNotRequired {
                seal: seal(),
                claim: inclusion(13),
            }
            .into(),
        ),
        (
            r#"{"state":"proof_sent",SEAL,CLAIM,"tx":"AB"}"#,
            Stage::ProofSent {
                seal: seal(),
                claim: inclusion(13),
                tx: Some("AB".to_owned()),
                trouble: None,
            }
            .into(),
        ),
        (
            r#"{"state":"proof_included",SEAL,CLAIM,PROOF}"#,
            proven.clone().into(),
        ),
        (
            r#"{"state":"proof_missed",SEAL,CLAIM,"why":"why"}"#,
            claimed.end(Outcome::ProofMissed { why: why() }),
        ),
        (
            r#"{"state":"proof_invalid",SEAL,CLAIM,PROOF,"why":"why"}"#,
            proven.end(Outcome::ProofInvalid { why: why() }),
        ),
    ] {
        assert_eq!(read(text), wanted);
    }
}
