//! Movements of money: put together from the chain's transactions, the wallet's notes and what sessions settled.

mod messages;
mod moved;
mod read;
mod settled;
mod transfers;

use std::collections::BTreeMap;

use hearth_base::{Amount, Height};
use hearth_outbox::{Item, Outcome, Reason, State};
use hearth_roles::Returned;

use crate::{
    control::types::{
        Direction, History, Movement, MovementKind, OpenPayment, PaymentState, Standing, Timestamp, Trust,
        Upokt, UpoktChange,
    },
    parts::Window,
};

/// Payments in no block that are shown.
const MAX_OPEN: usize = 50;

/// A movement of which no more is known than this.
fn plain(
    id: String,
    kind: MovementKind,
    (direction, amount): (Direction, Amount),
    height: u64,
    trust: Trust,
) -> Movement {
    Movement {
        id,
        kind,
        direction,
        amount: Upokt(amount),
        fee: None,
        charge: None,
        balance_change: UpoktChange::default(),
        stake_change: UpoktChange::default(),
        height,
        time: None,
        account: None,
        counterparty: None,
        memo: None,
        tx: None,
        session_id: None,
        supplier: None,
        service: None,
        messages: Vec::new(),
        standing: Standing {
            trust,
            height,
            age_s: None,
        },
        label: None,
        name: None,
    }
}

/// The block of a transaction of our own, also of one that failed in it, and its hash.
fn placed(item: &Item) -> Option<(&str, Height)> {
    let failed = || match item.state.outcome()? {
        Outcome::Failed { tx, height, .. } => Some((tx.as_str(), (*height)?)),
        Outcome::Included { .. }
        | Outcome::Refused { .. }
        | Outcome::Expired { .. }
        | Outcome::Unknown { .. } => None,
    };
    item.placed().or_else(failed)
}

/// When transactions of our own were asked for, by their movement.
fn asked_at(noted: &[Item]) -> BTreeMap<String, Timestamp> {
    let placed = noted
        .iter()
        .filter_map(|item| Some((placed(item)?.0, item.at_ms)));
    placed
        .map(|(hash, at_ms)| (hash.to_lowercase(), Timestamp::from_ms(at_ms)))
        .collect()
}

/// What this node kept of a transaction of its own that a block has: a row of each account of this wallet.
fn note(item: &Item, is_own: &impl Fn(&str) -> bool) -> Vec<Movement> {
    let Some((hash, height)) = placed(item) else {
        return Vec::new();
    };
    // What somebody else signed and was only sent from here moved their money.
    if !is_own(item.account.as_str()) {
        return Vec::new();
    }
    let is_done = !matches!(item.state.outcome(), Some(Outcome::Failed { .. }));
    let kind = match item.reason {
        _ if !is_done => MovementKind::Fee,
        Reason::Payment => MovementKind::Sent,
        Reason::Role | Reason::Setup | Reason::Claim | Reason::Proof | Reason::Elsewhere => {
            messages::kind_of_all(&messages::opened(&item.messages))
        }
    };
    // How much came by a claim, the chain's history alone says.
    if kind == MovementKind::Morse {
        return Vec::new();
    }
    let fee = item.tx.as_ref().map(|tx| tx.fee).unwrap_or_default();
    let amount = if kind == MovementKind::Fee {
        fee
    } else {
        item.amount
    };
    let to_own = item.counterparty.as_deref().filter(|other| is_own(other));
    let moves = match kind {
        // What it pays to itself stays.
        MovementKind::Sent if to_own == Some(item.account.as_str()) => UpoktChange::default(),
        MovementKind::Sent | MovementKind::Stake => UpoktChange::less(amount),
        MovementKind::Received
        | MovementKind::Reward
        | MovementKind::Unstake
        | MovementKind::Returned
        | MovementKind::Slashed
        | MovementKind::Spent
        | MovementKind::Faucet
        | MovementKind::Morse
        | MovementKind::Fee => UpoktChange::default(),
    };
    // The outbox says that it ended well once that is proven, and what a payment moves its messages say.
    let is_proven = kind == MovementKind::Sent && matches!(item.state, State::Ended { .. });
    let trust = if is_proven {
        Trust::Proven
    } else {
        Trust::Unverified
    };
    let direction = if to_own.is_some() {
        Direction::Within
    } else {
        Direction::Out
    };
    let (supplier, session_id, service) = messages::about(&messages::opened(&item.messages));
    let main = Movement {
        fee: (kind != MovementKind::Fee).then_some(Upokt(fee)),
        balance_change: moves.and(UpoktChange::less(fee)),
        stake_change: match kind == MovementKind::Stake {
            true => UpoktChange::more(amount),
            false => UpoktChange::default(),
        },
        account: Some(item.account.to_string()),
        counterparty: item.counterparty.clone(),
        memo: Some(item.memo.clone()).filter(|memo| !memo.is_empty()),
        tx: Some(hash.to_owned()),
        supplier,
        session_id,
        service,
        messages: if is_done {
            messages::names(&messages::opened(&item.messages))
        } else {
            Vec::new()
        },
        ..plain(hash.to_lowercase(), kind, (direction, amount), height.0, trust)
    };
    let to_own = to_own.filter(|to| kind == MovementKind::Sent && *to != item.account.as_str());
    let payer = (item.account.as_str(), Direction::Within);
    let other = to_own.map(|to| moved::other_side(&main, to, UpoktChange::more(amount), payer));
    std::iter::once(main).chain(other).collect()
}

/// A stake that came back.
fn returned(one: &Returned) -> Movement {
    let id = format!("returned-{}-{}-{}", one.role.word(), one.address, one.height.0);
    let is_supplier = one.role == hearth_roles::Role::Supplier;
    Movement {
        balance_change: UpoktChange::more(one.amount),
        stake_change: UpoktChange::less(one.amount),
        account: one.account.clone(),
        supplier: is_supplier.then(|| one.address.clone()),
        ..plain(
            id,
            MovementKind::Returned,
            (Direction::In, one.amount),
            one.height.0,
            Trust::Unverified,
        )
    }
}

/// All movements, the newest first, each once.
fn all(movements: Vec<Movement>, noted: &[Item], is_own: &impl Fn(&str) -> bool) -> Vec<Movement> {
    let mut by_id: BTreeMap<String, Movement> = BTreeMap::new();
    for movement in movements {
        by_id.entry(movement.id.clone()).or_insert(movement);
    }
    for item in noted {
        // What was kept here stays when the endpoint's index has forgotten it.
        let rows = note(item, is_own);
        if rows.first().is_some_and(|main| !by_id.contains_key(&main.id)) {
            by_id.extend(rows.into_iter().map(|row| (row.id.clone(), row)));
        }
    }
    let mut movements: Vec<Movement> = by_id.into_values().collect();
    movements.sort_by(|one, other| other.height.cmp(&one.height).then_with(|| one.id.cmp(&other.id)));
    movements
}

/// One page of them.
fn page(movements: Vec<Movement>, noted: &[Item], window: Window) -> History {
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
