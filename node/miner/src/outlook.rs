//! What is ahead of the open claims, and what was lost lately: for whoever is about to stop the program, and for whoever
//! looks at it after a while.

use std::time::Duration;

use hearth_base::{Amount, Height};

use crate::{
    claim::{ClaimState, Outcome, Slash, Stage},
    earning::{Reason, ReasonCode},
    facts::Facts,
    session_db::Record,
};

/// How long a loss is told.
const TOLD_FOR: Duration = Duration::from_secs(3 * 24 * 3600);

/// Proofs that the chain wants, or may want, of claims that it has. Without them the answers are not paid, and a part of
/// the stake is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofsDue {
    /// How many sessions.
    pub sessions: usize,
    /// The last block that the first of them may be in.
    pub until: Height,
    /// Our part of what is claimed.
    pub amount: Amount,
}

impl ProofsDue {
    /// What is due of both.
    pub(crate) fn and(self, other: ProofsDue) -> ProofsDue {
        ProofsDue {
            sessions: self.sessions + other.sessions,
            until: self.until.min(other.until),
            amount: self.amount.saturating_add(other.amount),
        }
    }

    /// Adds up what is due of these claims; `None`: nothing.
    pub(crate) fn of<'claims>(
        claims: impl Iterator<Item = (&'claims Facts, &'claims ClaimState)>,
    ) -> Option<ProofsDue> {
        claims.fold(None, |due: Option<ProofsDue>, (facts, state)| {
            let ClaimState::Open(
                Stage::ClaimSent { seal, .. }
                | Stage::ClaimIncluded { seal, .. }
                | Stage::ProofDue { seal, .. }
                | Stage::ProofSent { seal, .. },
            ) = state
            else {
                return due;
            };
            let (until, amount) = (
                facts.windows.proof_close,
                facts.share_of(seal.value.min(facts.budget)),
            );
            let (sessions, first, sum) = due.map_or((0, until, Amount::ZERO), |due| {
                (due.sessions, due.until, due.amount)
            });
            Some(ProofsDue {
                sessions: sessions + 1,
                until: first.min(until),
                amount: sum.saturating_add(amount),
            })
        })
    }
}

/// What was lost in the last days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    sessions: u64,
    answers: u64,
    amount: Amount,
    /// The newest.
    slash: Option<Slash>,
    slashed: Amount,
}

impl Losses {
    /// Adds up the losses among these records, the newest first.
    pub(crate) fn of(records: &[Record], now_ms: i64) -> Losses {
        let since_ms = now_ms.saturating_sub(i64::try_from(TOLD_FOR.as_millis()).unwrap_or(i64::MAX));
        let mut losses = Losses::default();
        for record in records.iter().filter(|record| record.updated_ms >= since_ms) {
            if record.state.outcome().is_some_and(Outcome::is_loss) {
                losses.sessions += 1;
                losses.answers += record.answers;
                losses.amount = losses.amount.saturating_add(record.our_part());
            }
            if let Some(slash) = &record.slash {
                losses.slashed = losses.slashed.saturating_add(slash.amount);
                losses.slash.get_or_insert_with(|| slash.clone());
            }
        }
        losses
    }

    /// The same as notes for the screen.
    pub(crate) fn notes(&self) -> Vec<Reason> {
        let lost = (self.sessions > 0).then(|| Reason {
            code: ReasonCode::AnswersLost,
            fact: format!(
                "sessions: {}; answers: {}; about {} POKT",
                self.sessions,
                self.answers,
                self.amount.pokt()
            ),
        });
        let slashed = self.slash.as_ref().map(|slash| Reason {
            code: ReasonCode::Slashed,
            fact: format!(
                "{} POKT, last in block {}; {} POKT are left",
                self.slashed.pokt(),
                slash.height,
                slash.stake_after.pokt()
            ),
        });
        slashed.into_iter().chain(lost).collect()
    }
}

/// What the driver tells of all claims together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// Proofs that are due.
    pub(crate) due: Option<ProofsDue>,
    /// What was lost lately.
    pub(crate) losses: Losses,
}

#[cfg(test)]
mod tests {
    use hearth_pocket::trie::Root;

    use super::*;
    use crate::{
        claim::{Inclusion, Seal},
        testing::facts,
    };

    fn seal(value: u128) -> Seal {
        Seal {
            root: Root::EMPTY,
            answers: 3,
            leaves: 3,
            value: Amount::from_upokt(value),
        }
    }

    fn inclusion() -> Inclusion {
        Inclusion {
            tx: "AB".to_owned(),
            height: Height(13),
        }
    }

    fn included(value: u128) -> Stage {
        Stage::ClaimIncluded {
            seal: seal(value),
            claim: inclusion(),
        }
    }

    #[test]
    fn a_claim_that_may_need_a_proof_is_due_until_its_window_closes() {
        let (facts, mut later) = (facts(), facts());
        later.windows.proof_close = Height(90);
        let due = |claims: &[(&Facts, ClaimState)]| {
            ProofsDue::of(claims.iter().map(|(facts, state)| (*facts, state)))
        };
        let proven = Stage::ProofIncluded {
            seal: seal(1000),
            claim: inclusion(),
            proof: inclusion(),
        };
        assert_eq!(due(&[(&facts, ClaimState::BEGUN), (&facts, proven.into())]), None);
        let both = [(&later, included(1000).into()), (&facts, included(2000).into())];
        let expected = ProofsDue {
            sessions: 2,
            until: facts.windows.proof_close,
            amount: Amount::from_upokt(2370),
        };
        assert_eq!(due(&both), Some(expected));
    }

    #[test]
    fn losses_are_added_up_and_forgotten_after_some_days() {
        const DAY_MS: i64 = 24 * 3600 * 1000;
        let record = |state: ClaimState, slash: Option<Slash>, updated_ms: i64| Record {
            facts: facts(),
            state,
            sealed_bytes: None,
            answers: 3,
            late: 0,
            slash,
            created_ms: 0,
            updated_ms,
        };
        let missed = included(1_000_000).end(Outcome::ProofMissed {
            why: "late".to_owned(),
        });
        let slash = Slash {
            height: Height(20),
            amount: Amount::from_upokt(10_000_000),
            stake_after: Amount::from_upokt(59_990_000_000),
        };
        let settled = included(5).end(Outcome::Settled { paid: None });
        let records = [
            record(settled, None, 10 * DAY_MS),
            record(missed.clone(), Some(slash), 10 * DAY_MS),
            record(missed, None, 2 * DAY_MS),
        ];
        let told: Vec<(&str, String)> = Losses::of(&records, 10 * DAY_MS)
            .notes()
            .into_iter()
            .map(|note| (note.code.as_str(), note.fact))
            .collect();
        let expected = [
            (
                "slashed",
                "10.000000 POKT, last in block 20; 59990.000000 POKT are left".to_owned(),
            ),
            (
                "answers_lost",
                "sessions: 1; answers: 3; about 0.790000 POKT".to_owned(),
            ),
        ];
        assert_eq!(told, expected);
        assert_eq!(Losses::of(&records, 20 * DAY_MS).notes(), []);
    }
}
