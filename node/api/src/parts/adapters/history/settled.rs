//! What settlements moved: rewards of this node's own sessions and of suppliers that others run, what was taken of
//! stakes, what answers cost.

use std::collections::{BTreeMap, BTreeSet};

use hearth_roles::{Settled, SettledKind};

use super::plain;
use crate::control::types::{
    ClaimState, Direction, EarnedSession, Movement, MovementKind, Trust, UpoktChange,
};

/// Movements of the settlements, one for each account that a claim paid. What an own session earned is told once: by its
/// own words where blocks were not looked at, else by what they paid to all accounts of this wallet.
pub(super) fn movements(
    sessions: &[EarnedSession],
    found: &[Settled],
    is_own: impl Fn(&str) -> bool,
) -> Vec<Movement> {
    let mut rewards: BTreeMap<(String, String), Vec<&Settled>> = BTreeMap::new();
    let mut movements = Vec::new();
    for one in found {
        match (&one.session_id, one.kind) {
            (Some(session), SettledKind::Reward) => rewards
                .entry((session.clone(), one.operator.clone()))
                .or_default()
                .push(one),
            (None, _) | (Some(_), SettledKind::Slash | SettledKind::Spent) => movements.push(lost(one)),
        }
    }
    // What it is called stays, however it is known.
    let mut ids: BTreeMap<(String, String), String> = BTreeMap::new();
    for (session, id) in with_ids(sessions) {
        let key = (session.id.clone(), session.supplier.clone());
        if !rewards.contains_key(&key) {
            movements.extend(of_session(session, id.clone()).filter(|_| is_own(&session.owner)));
        }
        ids.insert(key, id);
    }
    for ((session, operator), mut parts) in rewards {
        let id = ids.remove(&(session.clone(), operator.clone()));
        let id = id.unwrap_or_else(|| format!("reward-{session}-{operator}"));
        // The claim's own id is that of whoever got most.
        parts.sort_by(|one, other| {
            other
                .amount
                .cmp(&one.amount)
                .then_with(|| one.account.cmp(&other.account))
        });
        movements.extend(parts.iter().enumerate().map(|(at, part)| {
            let id = if at == 0 {
                id.clone()
            } else {
                format!("{id}-{}", part.account)
            };
            of_settled(part, id, &session)
        }));
    }
    let known: BTreeSet<&str> = found
        .iter()
        .filter(|one| one.kind == SettledKind::Slash)
        .map(|one| one.about.as_str())
        .collect();
    let slashed = sessions.iter().filter(|session| is_own(&session.owner));
    movements.extend(slashed.filter_map(|session| slash_of(session, &known)));
    movements
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

#[cfg(test)]
mod tests {
    use hearth_base::{Amount, Height};

    use super::*;

    fn reward(account: &str, amount: u128, is_proven: bool) -> Settled {
        Settled {
            kind: SettledKind::Reward,
            height: Height(44),
            about: "pokt1buyer anvil 20 pokt1op".to_owned(),
            account: account.to_owned(),
            session_id: Some("abc".to_owned()),
            operator: "pokt1op".to_owned(),
            service: "anvil".to_owned(),
            amount: Amount::from_upokt(amount),
            is_proven,
            endpoint: "one:443".to_owned(),
        }
    }

    #[test]
    fn a_claim_that_pays_two_own_accounts_is_a_row_of_each() {
        let found = [reward("pokt1op", 20, false), reward("pokt1owner", 70, true)];
        let mut rows = movements(&[], &found, |_| true);
        rows.sort_by_key(|row| row.amount.0);
        let told = rows.iter().map(|row| {
            let account = row.account.as_deref().unwrap();
            (account, row.balance_change.0, row.standing.trust, row.id.as_str())
        });
        // Whoever got most has the id that the whole had: what the owner called it stays there.
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("pokt1op", 20, Trust::Unverified, "reward-abc-pokt1op-pokt1op"),
                ("pokt1owner", 70, Trust::Proven, "reward-abc-pokt1op"),
            ]
        );
    }
}
