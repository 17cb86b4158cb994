//! Movements of money, from the chain's transactions, the wallet's notes and settled sessions.

use std::collections::BTreeMap;

use hearth_base::Amount;
use hearth_chain::{ChainEvent, FoundTx, ProofStatus};
use hearth_pocket::{Address, tx};
use hearth_wallet::{Accounts, Activity, ActivityKind};

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
    let kind_of = |url: &str| match url {
        "/cosmos.bank.v1beta1.MsgSend" => MovementKind::Sent,
        "/pocket.supplier.MsgStakeSupplier"
        | "/pocket.application.MsgStakeApplication"
        | "/pocket.gateway.MsgStakeGateway" => MovementKind::Stake,
        "/pocket.supplier.MsgUnstakeSupplier"
        | "/pocket.application.MsgUnstakeApplication"
        | "/pocket.gateway.MsgUnstakeGateway" => MovementKind::Unstake,
        _ => MovementKind::Fee,
    };
    let message_kind = decoded
        .body
        .messages
        .first()
        .map_or(MovementKind::Fee, |message| kind_of(&message.type_url));
    let fee = decoded
        .auth_info
        .fee
        .as_ref()
        .and_then(|fee| fee.amount.first())
        .and_then(|coin| coin.amount.parse().ok());
    let transfers = transfers(&found.events);
    // The fee is a transfer of its own, always the first.
    let moved = transfers
        .iter()
        .find(|transfer| Some(transfer.amount) != fee || transfers.len() == 1);
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

/// What the wallet noted of a transaction of its own that a block has.
fn note(line: &Activity) -> Option<Movement> {
    let height = line.height?;
    let kind = match line.kind {
        ActivityKind::Sent => MovementKind::Sent,
        ActivityKind::Received => MovementKind::Received,
        ActivityKind::Stake => MovementKind::Stake,
        ActivityKind::Unstake => MovementKind::Unstake,
        ActivityKind::Delegate | ActivityKind::Service => MovementKind::Fee,
    };
    Some(Movement {
        id: line.tx_hash.to_lowercase(),
        kind,
        direction: if line.kind == ActivityKind::Received {
            Direction::In
        } else {
            Direction::Out
        },
        amount: Upokt(line.amount),
        fee: Some(Upokt(line.fee)),
        height: height.0,
        time: Some(Timestamp::from_ms(line.at_ms)),
        counterparty: line.counterparty.clone(),
        memo: Some(line.note.clone()).filter(|note| !note.is_empty()),
        tx: Some(line.tx_hash.clone()),
        session_id: None,
        standing: Standing {
            trust: Trust::Unverified,
            height: height.0,
            age_s: None,
        },
    })
}

/// One page of all movements, the newest first, each once.
pub(super) fn page(movements: Vec<Movement>, noted: &[Activity], window: Window) -> History {
    let mut by_id: BTreeMap<String, Movement> = BTreeMap::new();
    for movement in movements {
        by_id.entry(movement.id.clone()).or_insert(movement);
    }
    for line in noted {
        // The wallet's own note knows when it was sent, and stays when the endpoint's index has forgotten it.
        match by_id.get_mut(&line.tx_hash.to_lowercase()) {
            Some(movement) => movement.time = Some(Timestamp::from_ms(line.at_ms)),
            None => {
                if let Some(movement) = note(line) {
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

/// A payment of the wallet's notes that is in no block.
fn open_payment(line: &Activity) -> Option<OpenPayment> {
    let (state, why) = match line.outcome.split_once(": ") {
        None if line.outcome == "sent" => (PaymentState::OnItsWay, None),
        Some(("failed", why)) => (PaymentState::Failed, Some(why.to_owned())),
        Some(("unknown", why)) => (PaymentState::Unknown, Some(why.to_owned())),
        Some(_) | None => return None,
    };
    Some(OpenPayment {
        tx: line.tx_hash.clone(),
        state,
        to: line.counterparty.clone(),
        amount: Upokt(line.amount),
        fee: Upokt(line.fee),
        memo: (!line.note.is_empty()).then(|| line.note.clone()),
        time: Timestamp::from_ms(line.at_ms),
        why,
    })
}
