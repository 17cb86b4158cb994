//! The state of earning, as a pure machine.
//!
//! ```text
//! Off{why} → Starting → Idle ⇄ Serving
//!     ↑                   └→ Draining ──┐
//!     └──────────────────────────────────┘
//! ```

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "an event that a state does not wait for changes nothing"
)]

use hearth_base::Amount;
use hearth_pocket::Address;

/// What stands in the way of earning, or is worth knowing. The texts of the screen are the screen's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Which.
    pub code: ReasonCode,
    /// A fact about it: how many blocks, how many bytes.
    pub fact: String,
}

impl Reason {
    /// The same, of one supplier among several.
    pub(crate) fn of(&self, operator: &Address) -> Reason {
        let fact = match self.fact.as_str() {
            "" => operator.to_string(),
            fact if fact.contains(operator.as_str()) => fact.to_owned(),
            fact => format!("{operator}: {fact}"),
        };
        Reason {
            code: self.code,
            fact,
        }
    }
}

/// What stands in the way of earning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReasonCode {
    /// There is no wallet.
    NoWallet,
    /// There is a wallet, and none of its keys is the operator.
    NoOperator,
    /// The working key is locked.
    KeyLocked,
    /// No service is configured, or its model cannot be loaded.
    NoModel,
    /// The backend cannot be reached, or fails.
    Backend,
    /// The supplier is not staked, or its last session is over.
    NeedsStake,
    /// The supplier is staked, but for none of the services that are sold here.
    NoStakedService,
    /// The chain is not followed yet.
    ChainSyncing,
    /// Nothing of the chain can be proven yet, so nothing that decides about money.
    ChainUnverified,
    /// No endpoint has a new block, although it is time for one.
    ChainStalled,
    /// No endpoint gives a usable answer: none is there, or those that are gave false ones.
    ChainUnreachable,
    /// The newest trusted block is too old to verify others from.
    TrustExpired,
    /// Trust anchor and chain contradict each other: a person decides.
    TrustConflict,
    /// This computer's clock is wrong.
    ClockSkew,
    /// The disk of the evidence is nearly full.
    DiskLow,
    /// The relay port cannot be taken.
    PortTaken,
    /// The working key could not pay for the claims and proofs of another session.
    NoFunds,
    /// The stake counts from the next session on.
    StartsLater,
    /// The supplier leaves the network.
    Unbonding,
    /// Buyers are sent to another URL than `miner.public_url`.
    UrlDiffers,
    /// Buyers are sent to an address that means their own computer or network.
    UrlLocal,
    /// The supplier belongs to somebody whose key is not here: what it earns goes there.
    OtherOwner,
    /// Answers were given in the last days that nobody pays.
    AnswersLost,
    /// The chain took a part of the stake in the last days.
    Slashed,
    /// Somebody else changed the supplier's record on the chain.
    RecordChanged,
    /// Another program claims with the operator's key.
    KeyElsewhere,
}

impl ReasonCode {
    /// The code as the API writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ReasonCode::NoWallet => "no_wallet",
            ReasonCode::NoOperator => "no_operator",
            ReasonCode::KeyLocked => "key_locked",
            ReasonCode::NoModel => "no_model",
            ReasonCode::Backend => "backend",
            ReasonCode::NeedsStake => "needs_stake",
            ReasonCode::ChainSyncing => "chain_syncing",
            ReasonCode::ChainUnverified => "chain_unverified",
            ReasonCode::ChainStalled => "chain_stalled",
            ReasonCode::ChainUnreachable => "chain_unreachable",
            ReasonCode::TrustExpired => "trust_expired",
            ReasonCode::TrustConflict => "trust_conflict",
            ReasonCode::ClockSkew => "clock_skew",
            ReasonCode::DiskLow => "disk_low",
            ReasonCode::PortTaken => "port_taken",
            ReasonCode::NoFunds => "no_funds",
            ReasonCode::NoStakedService => "no_staked_service",
            ReasonCode::StartsLater => "starts_later",
            ReasonCode::Unbonding => "unbonding",
            ReasonCode::UrlDiffers => "url_differs",
            ReasonCode::UrlLocal => "url_local",
            ReasonCode::OtherOwner => "other_owner",
            ReasonCode::AnswersLost => "answers_lost",
            ReasonCode::Slashed => "slashed",
            ReasonCode::RecordChanged => "record_changed",
            ReasonCode::KeyElsewhere => "key_elsewhere",
        }
    }
}

/// Why earning is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OffWhy {
    /// Nobody started it.
    Stopped,
    /// Something stands in the way; it starts by itself once that is gone.
    Reasons,
}

/// The state of earning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EarningState {
    /// Nothing is served.
    Off(OffWhy),
    /// The backend gets ready.
    Starting,
    /// Waiting for work.
    Idle,
    /// Answers are being made.
    Serving,
    /// No new work is taken; what runs is finished.
    Draining,
}

impl EarningState {
    /// The name as the API writes it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            EarningState::Off(_) => "off",
            EarningState::Starting => "starting",
            EarningState::Idle => "idle",
            EarningState::Serving => "serving",
            EarningState::Draining => "draining",
        }
    }
}

/// The state with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earning {
    /// The state.
    pub state: EarningState,
    /// Whether the owner wants it to run.
    pub wanted: bool,
    /// Since when, in milliseconds since the epoch.
    pub since_ms: i64,
    /// Answers that are being made.
    pub serving: usize,
    /// What stands in the way of all of it. Empty: it can start.
    pub reasons: Vec<Reason>,
    /// What is worth knowing and does not stop all of it.
    pub notes: Vec<Reason>,
    /// Each supplier for itself, the usual one first.
    pub suppliers: Vec<SupplierEarning>,
}

/// What of earning is one supplier's alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupplierEarning {
    /// Its operator.
    pub operator: Address,
    /// Whose it is, where the chain has said so.
    pub owner: Option<String>,
    /// What stands in its way, and in no other's. Empty: it serves while earning runs.
    pub reasons: Vec<Reason>,
    /// What is worth knowing and stops nothing.
    pub notes: Vec<Reason>,
}

impl Earning {
    /// Off, before anything was looked at.
    #[must_use]
    pub fn off(now_ms: i64) -> Earning {
        Earning {
            state: EarningState::Off(OffWhy::Stopped),
            wanted: false,
            since_ms: now_ms,
            serving: 0,
            reasons: Vec::new(),
            notes: Vec::new(),
            suppliers: Vec::new(),
        }
    }

    /// The state of one supplier that is making so many answers.
    #[must_use]
    pub fn state_of(&self, supplier: &SupplierEarning, serving: usize) -> EarningState {
        let is_blocked = !supplier.reasons.is_empty();
        match &self.state {
            EarningState::Off(OffWhy::Stopped) => EarningState::Off(OffWhy::Stopped),
            EarningState::Idle | EarningState::Serving if serving > 0 && !is_blocked => EarningState::Serving,
            EarningState::Idle | EarningState::Serving if !is_blocked => EarningState::Idle,
            EarningState::Idle | EarningState::Serving | EarningState::Draining if serving > 0 => {
                EarningState::Draining
            }
            EarningState::Starting if !is_blocked => EarningState::Starting,
            EarningState::Off(OffWhy::Reasons)
            | EarningState::Starting
            | EarningState::Idle
            | EarningState::Serving => EarningState::Off(OffWhy::Reasons),
            EarningState::Draining => EarningState::Off(off_why(self)),
        }
    }

    /// Whether a supplier took requests when it was looked at last.
    pub(crate) fn serves(&self, operator: &Address) -> bool {
        let runs = matches!(self.state, EarningState::Idle | EarningState::Serving);
        let mut served = self.suppliers.iter().filter(|one| one.reasons.is_empty());
        runs && served.any(|one| one.operator == *operator)
    }

    /// Why it is in this state, as a code.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match &self.state {
            EarningState::Off(OffWhy::Stopped) => Some("stopped"),
            EarningState::Off(OffWhy::Reasons) => self.reasons.first().map(|reason| reason.code.as_str()),
            EarningState::Starting | EarningState::Idle | EarningState::Serving | EarningState::Draining => {
                None
            }
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EarningEvent {
    /// The owner wants it.
    Start,
    /// The owner does not want it any more.
    Stop,
    /// What stands in the way now, and what is worth knowing.
    Looked {
        reasons: Vec<Reason>,
        notes: Vec<Reason>,
        suppliers: Vec<SupplierEarning>,
    },
    /// The backend is ready and the port is taken.
    Ready,
    /// It could not be made ready.
    NotReady(Reason),
    /// So many answers are being made.
    Running(usize),
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EarningEffect {
    /// Load models, take the port.
    Prepare,
    /// Take no new work.
    Close,
}

/// One step.
#[must_use]
pub(crate) fn step(mut earning: Earning, event: EarningEvent, now_ms: i64) -> (Earning, Vec<EarningEffect>) {
    let before = earning.state.clone();
    let mut effects = Vec::new();
    match event {
        EarningEvent::Start => earning.wanted = true,
        EarningEvent::Stop => earning.wanted = false,
        EarningEvent::Looked {
            reasons,
            notes,
            suppliers,
        } => {
            earning.reasons = reasons;
            earning.notes = notes;
            earning.suppliers = suppliers;
        }
        EarningEvent::Ready => {
            if earning.state == EarningState::Starting {
                earning.state = EarningState::Idle;
            }
        }
        EarningEvent::NotReady(reason) => {
            earning.reasons.retain(|known| known.code != reason.code);
            earning.reasons.push(reason);
        }
        EarningEvent::Running(running) => earning.serving = running,
    }
    let may_run = earning.wanted && earning.reasons.is_empty();
    earning.state = match earning.state {
        EarningState::Off(_) if may_run => {
            effects.push(EarningEffect::Prepare);
            EarningState::Starting
        }
        EarningState::Off(_) => EarningState::Off(off_why(&earning)),
        EarningState::Starting if !may_run => {
            effects.push(EarningEffect::Close);
            EarningState::Off(off_why(&earning))
        }
        EarningState::Idle | EarningState::Serving if !may_run => {
            effects.push(EarningEffect::Close);
            drained(&earning)
        }
        EarningState::Draining => drained(&earning),
        EarningState::Idle if earning.serving > 0 => EarningState::Serving,
        EarningState::Serving if earning.serving == 0 => EarningState::Idle,
        other => other,
    };
    if earning.state != before {
        earning.since_ms = now_ms;
    }
    (earning, effects)
}

/// Off once nothing runs any more.
fn drained(earning: &Earning) -> EarningState {
    if earning.serving > 0 {
        EarningState::Draining
    } else {
        EarningState::Off(off_why(earning))
    }
}

fn off_why(earning: &Earning) -> OffWhy {
    if earning.wanted {
        OffWhy::Reasons
    } else {
        OffWhy::Stopped
    }
}

/// Why no session is begun where the working key could not pay for what is open and one more, and what would help.
#[must_use]
pub(crate) fn low_funds(key: &str, balance: Amount, needed: Amount) -> Option<Reason> {
    let missing = needed.checked_sub(balance).filter(|missing| !missing.is_zero())?;
    Some(Reason {
        code: ReasonCode::NoFunds,
        fact: format!(
            "send {} POKT or more to {key}: it holds {}, and what is open and one more session need up to {}",
            missing.pokt(),
            balance.pokt(),
            needed.pokt()
        ),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason() -> Reason {
        Reason {
            code: ReasonCode::DiskLow,
            fact: "1 MB left".to_owned(),
        }
    }

    fn run(events: &[EarningEvent]) -> Earning {
        events.iter().fold(Earning::off(0), |earning, event| {
            step(earning, event.clone(), 1).0
        })
    }

    #[test]
    fn it_starts_serves_and_drains() {
        use EarningEvent::{Ready, Running, Start, Stop};
        assert_eq!(run(&[Start]).state, EarningState::Starting);
        assert_eq!(run(&[Start, Ready]).state, EarningState::Idle);
        assert_eq!(run(&[Start, Ready, Running(2)]).state, EarningState::Serving);
        assert_eq!(
            run(&[Start, Ready, Running(2), Stop]).state,
            EarningState::Draining
        );
        assert_eq!(
            run(&[Start, Ready, Running(2), Stop, Running(0)]).state,
            EarningState::Off(OffWhy::Stopped)
        );
        // Who changes their mind while it drains gets it back.
        let again = run(&[Start, Ready, Running(1), Stop, Start, Running(0)]);
        assert_eq!(step(again, Running(0), 1).0.state, EarningState::Starting);
    }

    #[test]
    fn a_reason_stops_it_and_it_comes_back_by_itself() {
        use EarningEvent::{Looked, Ready, Start};
        let bad = Looked {
            reasons: vec![reason()],
            notes: vec![],
            suppliers: vec![],
        };
        let good = Looked {
            reasons: vec![],
            notes: vec![],
            suppliers: vec![],
        };
        let off = run(&[Start, Ready, bad.clone()]);
        assert_eq!(off.state, EarningState::Off(OffWhy::Reasons));
        assert_eq!(off.why(), Some("disk_low"));
        assert_eq!(run(&[Start, Ready, bad, good]).state, EarningState::Starting);
    }

    fn event() -> impl Strategy<Value = EarningEvent> {
        prop_oneof![
            Just(EarningEvent::Start),
            Just(EarningEvent::Stop),
            any::<bool>().prop_map(|bad| EarningEvent::Looked {
                reasons: if bad { vec![reason()] } else { vec![] },
                notes: vec![],
                suppliers: vec![],
            }),
            Just(EarningEvent::Ready),
            Just(EarningEvent::NotReady(reason())),
            (0_usize..3).prop_map(EarningEvent::Running),
        ]
    }

    proptest! {
        #[test]
        fn it_never_serves_against_a_reason_or_the_owner(events in proptest::collection::vec(event(), 0..40)) {
            let mut earning = Earning::off(0);
            for event in events {
                earning = step(earning, event, 1).0;
                let works = matches!(earning.state, EarningState::Idle | EarningState::Serving | EarningState::Starting);
                prop_assert!(!works || earning.wanted && earning.reasons.is_empty());
                prop_assert!(earning.state != EarningState::Idle || earning.serving == 0);
                prop_assert!(earning.state != EarningState::Draining || earning.serving > 0);
            }
        }
    }
}
