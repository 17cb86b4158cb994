//! What settlements moved: rewards of this node's own sessions and of suppliers that others run, what was taken of
//! stakes, what answers cost.

use std::collections::{BTreeMap, BTreeSet};

use hearth_roles::{Settled, SettledKind};

use super::plain;
use crate::control::types::{
    ClaimState, Direction, EarnedSession, Movement, MovementKind, Trust, UpoktChange,
};

/// Movements of the settlements. What an own session earned is told once: by its own words where blocks were not looked
/// at, else by what they paid to all accounts of this wallet.
pub(super) fn movements(
    sessions: &[EarnedSession],
    found: &[Settled],
    is_own: impl Fn(&str) -> bool,
) -> Vec<Movement> {
    let mut rewards: BTreeMap<(String, String), Movement> = BTreeMap::new();
    let mut others = Vec::new();
    for one in found {
        let Some(session) = &one.session_id else {
            others.push(lost(one));
            continue;
        };
        match one.kind {
            SettledKind::Slash | SettledKind::Spent => others.push(lost(one)),
            SettledKind::Reward => {
                let key = (session.clone(), one.operator.clone());
                let id = format!("reward-{session}-{}", one.operator);
                let reward = of_settled(one, id, session);
                match rewards.get_mut(&key) {
                    Some(known) => add(known, &reward),
                    None => drop(rewards.insert(key, reward)),
                }
            }
        }
    }
    for (session, id) in with_ids(sessions) {
        let key = (session.id.clone(), session.supplier.clone());
        if let Some(known) = rewards.get_mut(&key) {
            // What it is called stays, however it is known.
            known.id = id;
        } else if let Some(reward) = of_session(session, id).filter(|_| is_own(&session.owner)) {
            rewards.insert(key, reward);
        }
    }
    let known: BTreeSet<&str> = found
        .iter()
        .filter(|one| one.kind == SettledKind::Slash)
        .map(|one| one.about.as_str())
        .collect();
    let slashed = sessions.iter().filter(|session| is_own(&session.owner));
    others.extend(slashed.filter_map(|session| slash_of(session, &known)));
    others.extend(rewards.into_values());
    others
}

/// The ids of the rewards of sessions, of which the newest come first. Where two suppliers of this node served in one
/// session, the id of the one that began later names its supplier, too: the others stay as they always were.
fn with_ids(sessions: &[EarnedSession]) -> impl Iterator<Item = (&EarnedSession, String)> {
    let mut seen = BTreeSet::new();
    sessions.iter().rev().map(move |session| {
        let id = format!("reward-{}", session.id);
        if seen.insert(&session.id) {
            (session, id)
        } else {
            (session, format!("{id}-{}", session.supplier))
        }
    })
}

fn trust(one: &Settled) -> Trust {
    if one.is_proven {
        Trust::Proven
    } else {
        Trust::Unverified
    }
}

/// What a block paid to one account.
fn of_settled(one: &Settled, id: String, session: &str) -> Movement {
    Movement {
        balance_change: UpoktChange::more(one.amount),
        account: Some(one.account.clone()),
        session_id: Some(session.to_owned()),
        supplier: Some(one.operator.clone()),
        service: Some(one.service.clone()),
        ..plain(
            id,
            MovementKind::Reward,
            (Direction::In, one.amount),
            one.height.0,
            trust(one),
        )
    }
}

/// Another account of this wallet has its part of the same claim: the one with more is named.
fn add(known: &mut Movement, part: &Movement) {
    if part.amount > known.amount {
        known.account.clone_from(&part.account);
    }
    known.amount.0 = known.amount.0.saturating_add(part.amount.0);
    known.balance_change = known.balance_change.and(part.balance_change);
    if part.standing.trust != Trust::Proven {
        known.standing = part.standing;
    }
}

/// A part of a stake that is gone.
fn lost(one: &Settled) -> Movement {
    let (word, kind) = match one.kind {
        SettledKind::Spent => ("spent", MovementKind::Spent),
        SettledKind::Slash => ("slashed", MovementKind::Slashed),
        SettledKind::Reward => ("reward", MovementKind::Reward),
    };
    let (direction, balance_change, stake_change) = match one.kind {
        SettledKind::Reward => (
            Direction::In,
            UpoktChange::more(one.amount),
            UpoktChange::default(),
        ),
        SettledKind::Spent | SettledKind::Slash => (
            Direction::Out,
            UpoktChange::default(),
            UpoktChange::less(one.amount),
        ),
    };
    let about = one.about.replace(' ', "-");
    Movement {
        balance_change,
        stake_change,
        account: Some(one.account.clone()),
        session_id: one.session_id.clone(),
        supplier: Some(one.operator.clone()),
        service: Some(one.service.clone()),
        ..plain(
            format!("{word}-{about}"),
            kind,
            (direction, one.amount),
            one.height.0,
            trust(one),
        )
    }
}

/// A settled session as income.
fn of_session(session: &EarnedSession, id: String) -> Option<Movement> {
    if session.state != ClaimState::Settled {
        return None;
    }
    let height = session.settled_height?;
    Some(Movement {
        balance_change: UpoktChange::more(session.amount.0),
        account: Some(session.owner.clone()),
        session_id: Some(session.id.clone()),
        supplier: Some(session.supplier.clone()),
        service: Some(session.service.clone()),
        ..plain(
            id,
            MovementKind::Reward,
            (Direction::In, session.amount.0),
            height,
            Trust::Unverified,
        )
    })
}

/// What the chain took of the stake for an own session, where no look at its block told so.
fn slash_of(session: &EarnedSession, known: &BTreeSet<&str>) -> Option<Movement> {
    let slash = session.slash.as_ref()?;
    let about = format!(
        "{} {} {} {}",
        session.application, session.service, session.end_height, session.supplier
    );
    (!known.contains(about.as_str())).then(|| Movement {
        stake_change: UpoktChange::less(slash.amount.0),
        account: Some(session.supplier.clone()),
        session_id: Some(session.id.clone()),
        supplier: Some(session.supplier.clone()),
        service: Some(session.service.clone()),
        ..plain(
            format!("slashed-{}", about.replace(' ', "-")),
            MovementKind::Slashed,
            (Direction::Out, slash.amount.0),
            slash.height,
            Trust::Unverified,
        )
    })
}
