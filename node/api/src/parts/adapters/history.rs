//! Movements of money, from the chain's transactions, the wallet's notes and settled sessions.

use std::collections::BTreeMap;

use hearth_base::{Amount, Height};
use hearth_chain::{ChainEvent, FoundTx, ProofStatus};
use hearth_outbox::{Item, Outcome, Reason, State};
use hearth_pocket::{Address, message::Any, tx};
use hearth_wallet::Accounts;

use crate::{
    control::types::{
        ClaimState, Direction, EarnedSession, History, Movement, MovementKind, OpenPayment, PaymentState,
        Standing, Timestamp, Trust, Upokt,
    },
    parts::Window,
};

/// Payments in no block that are shown.
const MAX_OPEN: usize = 50;

/// What a transaction moved, seen from this wallet; `None` where it did not concern it. What `faucet` pays is play
/// money.
pub(super) fn movement(found: &FoundTx, accounts: &Accounts, faucet: Option<&Address>) -> Option<Movement> {
    let decoded = tx::decode(&found.bytes).ok()?;
    let own = |address: &str| address == accounts.main.as_str() || address == accounts.working.as_str();
    let message_kind = kind_of_all(&decoded.body.messages);
    let fee = decoded
        .auth_info
        .fee
        .as_ref()
        .and_then(|fee| fee.amount.first())
        .and_then(|coin| coin.amount.parse().ok());
    let transfers = transfers(&found.events);
    // The fee, where one is paid, is a transfer of its own, always the first.
    let has_fee = transfers.len() > 1 && transfers.first().map(|transfer| transfer.amount) == fee;
    let besides = transfers.iter().skip(usize::from(has_fee));
    // What went between own keys beside it is no movement of its own.
    let abroad = |transfer: &&Transfer| !(own(&transfer.from) && own(&transfer.to));
    let moved = besides.clone().find(abroad).or_else(|| besides.clone().next());
    let from_us = transfers.first().is_some_and(|transfer| own(&transfer.from));
    let (direction, amount, counterparty) = match moved {
        Some(transfer) if found.code == 0 && own(&transfer.from) && own(&transfer.to) => {
            (Direction::Within, transfer.amount, Some(transfer.to.clone()))
        }
        Some(transfer) if found.code == 0 && own(&transfer.to) => {
            (Direction::In, transfer.amount, Some(transfer.from.clone()))
        }
        Some(transfer) if found.code == 0 && own(&transfer.from) => {
            (Direction::Out, transfer.amount, Some(transfer.to.clone()))
        }
        Some(_) | None if from_us => (Direction::Out, fee.unwrap_or_default(), None),
        Some(_) | None => return None,
    };
    let kind = match (message_kind, direction) {
        _ if found.code != 0 => MovementKind::Fee,
        (MovementKind::Sent, Direction::In)
            if faucet.is_some_and(|faucet| counterparty.as_deref() == Some(faucet.as_str())) =>
        {
            MovementKind::Faucet
        }
        (MovementKind::Sent, Direction::In) => MovementKind::Received,
        (kind, _) => kind,
    };
    Some(Movement {
        id: hex::encode(found.hash),
        kind,
        direction,
        amount: Upokt(amount),
        fee: fee.filter(|_| from_us).map(Upokt),
        height: found.height.0,
        time: None,
        counterparty,
        memo: Some(decoded.body.memo).filter(|memo| !memo.is_empty()),
        tx: Some(hex::encode_upper(found.hash)),
        session_id: None,
        standing: Standing {
            trust: match found.how {
                ProofStatus::Proven => Trust::Proven,
                ProofStatus::Unproven => Trust::Unverified,
                ProofStatus::Stale => Trust::Stale,
            },
            height: found.height.0,
            age_s: None,
        },
    })
}

/// What messages move together: a stake is one, also beside a payment between own keys.
fn kind_of_all(messages: &[Any]) -> MovementKind {
    let kinds = || messages.iter().map(|message| kind_of(&message.type_url));
    kinds()
        .find(|kind| matches!(kind, MovementKind::Stake | MovementKind::Unstake))
        .or_else(|| kinds().next())
        .unwrap_or(MovementKind::Fee)
}

/// What a message of this type moves.
fn kind_of(url: &str) -> MovementKind {
    match url {
        "/cosmos.bank.v1beta1.MsgSend" => MovementKind::Sent,
        "/pocket.supplier.MsgStakeSupplier"
        | "/pocket.application.MsgStakeApplication"
        | "/pocket.gateway.MsgStakeGateway" => MovementKind::Stake,
        "/pocket.supplier.MsgUnstakeSupplier"
        | "/pocket.application.MsgUnstakeApplication"
        | "/pocket.gateway.MsgUnstakeGateway" => MovementKind::Unstake,
        _ => MovementKind::Fee,
    }
}

struct Transfer {
    from: String,
    to: String,
    amount: Amount,
}

/// The bank's `transfer` events, in order.
fn transfers(events: &[ChainEvent]) -> Vec<Transfer> {
    events
        .iter()
        .filter_map(|event| {
            let ChainEvent::Other(raw) = event else {
                return None;
            };
            let value = |key: &str| {
                raw.attributes
                    .iter()
                    .find(|found| found.key == key)
                    .map(|found| found.value.clone())
            };
            (raw.kind == "transfer").then_some(())?;
            Some(Transfer {
                from: value("sender")?,
                to: value("recipient")?,
                amount: value("amount")?.parse().ok()?,
            })
        })
        .collect()
}

/// A settled session as income.
pub(super) fn reward(session: &EarnedSession) -> Option<Movement> {
    if session.state != ClaimState::Settled {
        return None;
    }
    let height = session.settled_height?;
    Some(Movement {
        id: format!("reward-{}", session.id),
        kind: MovementKind::Reward,
        direction: Direction::In,
        amount: session.amount,
        fee: None,
        height,
        time: Some(session.updated_at),
        counterparty: None,
        memo: None,
        tx: None,
        session_id: Some(session.id.clone()),
        standing: Standing {
            trust: Trust::Unverified,
            height,
            age_s: None,
        },
    })
}

/// The block of a transaction of our own, and its hash.
fn placed(item: &Item) -> Option<(&str, Height)> {
    match &item.state {
        State::Placed { tx, height }
        | State::Ended {
            outcome: Outcome::Included { tx, height },
        } => Some((tx, *height)),
        State::Ended {
            outcome: Outcome::Failed { tx, height, .. },
        } => Some((tx, (*height)?)),
        State::Ended { .. } | State::Waiting { .. } | State::Signed { .. } => None,
    }
}

/// What this node kept of a transaction of its own that a block has.
fn note(item: &Item) -> Option<Movement> {
    let (hash, height) = placed(item)?;
    let is_done = !matches!(item.state.outcome(), Some(Outcome::Failed { .. }));
    let kind = match item.reason {
        _ if !is_done => MovementKind::Fee,
        Reason::Payment => MovementKind::Sent,
        Reason::Role | Reason::Setup | Reason::Claim | Reason::Proof => kind_of_all(&item.messages),
    };
    let fee = item.tx.as_ref().map(|tx| tx.fee).unwrap_or_default();
    Some(Movement {
        id: hash.to_lowercase(),
        kind,
        direction: Direction::Out,
        amount: Upokt(if kind == MovementKind::Fee {
            fee
        } else {
            item.amount
        }),
        fee: Some(Upokt(fee)),
        height: height.0,
        time: Some(Timestamp::from_ms(item.at_ms)),
        counterparty: item.counterparty.clone(),
        memo: Some(item.memo.clone()).filter(|memo| !memo.is_empty()),
        tx: Some(hash.to_owned()),
        session_id: None,
        standing: Standing {
            trust: Trust::Unverified,
            height: height.0,
            age_s: None,
        },
    })
}

/// One page of all movements, the newest first, each once.
pub(super) fn page(movements: Vec<Movement>, noted: &[Item], window: Window) -> History {
    let mut by_id: BTreeMap<String, Movement> = BTreeMap::new();
    for movement in movements {
        by_id.entry(movement.id.clone()).or_insert(movement);
    }
    for item in noted {
        // What was kept here knows when it was sent, and stays when the endpoint's index has forgotten it.
        let id = placed(item)
            .map(|(hash, _)| hash.to_lowercase())
            .unwrap_or_default();
        match by_id.get_mut(&id) {
            Some(movement) => movement.time = Some(Timestamp::from_ms(item.at_ms)),
            None => {
                if let Some(movement) = note(item) {
                    by_id.insert(movement.id.clone(), movement);
                }
            }
        }
    }
    let mut movements: Vec<Movement> = by_id.into_values().collect();
    movements.sort_by(|one, other| other.height.cmp(&one.height).then_with(|| one.id.cmp(&other.id)));
    let total = movements.len() as u64;
    let page = movements
        .into_iter()
        .skip(window.offset as usize)
        .take(window.limit as usize)
        .collect();
    History {
        movements: page,
        total,
        payments: noted.iter().filter_map(open_payment).take(MAX_OPEN).collect(),
        missing: Vec::new(),
    }
}

/// A payment that is in no block.
fn open_payment(item: &Item) -> Option<OpenPayment> {
    if item.reason != Reason::Payment {
        return None;
    }
    let (state, why) = match &item.state {
        State::Waiting { .. } | State::Signed { .. } => (PaymentState::OnItsWay, None),
        State::Placed { .. } => return None,
        State::Ended { outcome } => match outcome {
            Outcome::Included { .. } => return None,
            Outcome::Failed {
                why, height: None, ..
            } => (PaymentState::Failed, Some(why.clone())),
            // The chain's history has it.
            Outcome::Failed { height: Some(_), .. } => return None,
            Outcome::Expired { .. } => {
                let why = "it was in no block when its time ran out: it never will be, nothing was paid";
                (PaymentState::Failed, Some(why.to_owned()))
            }
            // Whoever asked for it was told so, but where the program was killed over it.
            Outcome::Refused { code, why } if code == "interrupted" => {
                (PaymentState::Failed, Some(why.clone()))
            }
            Outcome::Refused { .. } => return None,
            Outcome::Unknown { why, .. } => (PaymentState::Unknown, Some(why.clone())),
        },
    };
    let tx = item.tx.as_ref();
    Some(OpenPayment {
        tx: tx.and_then(|tx| tx.hash.clone()).unwrap_or_default(),
        state,
        to: item.counterparty.clone(),
        amount: Upokt(item.amount),
        fee: Upokt(tx.map(|tx| tx.fee).unwrap_or_default()),
        memo: (!item.memo.is_empty()).then(|| item.memo.clone()),
        time: Timestamp::from_ms(item.at_ms),
        why,
    })
}
