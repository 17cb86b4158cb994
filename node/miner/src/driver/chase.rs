//! What became of what was sent: the transaction itself, the claim in the state, and at the end the settlement.

use hearth_base::{Failure as _, Height, Kind};
use hearth_outbox::{DbError, Item, Outcome, State};
use hearth_pocket::message::proof::ClaimProofStatus;

use super::{Driver, SETTLES_WITHIN, Trouble, said};
use crate::{
    claim::{ClaimEvent, ClaimState, Inclusion},
    facts::Facts,
    network::ClaimSeen,
    session_db::TxKind,
};

/// What the outbox tells of a claim or a proof.
pub(super) enum Told {
    /// It never had it.
    Nothing,
    /// How far it is.
    Moved(ClaimEvent),
    /// A block holds it, and what became of it there is not proven yet.
    Placed { tx: String, height: Height },
    /// It has given it up: its newest transaction, and why.
    Ended { tx: String, why: String },
}

impl Driver {
    /// What the outbox tells of a claim or a proof.
    pub(super) async fn told_by_outbox(&self, facts: &Facts, kind: TxKind) -> Result<Told, DbError> {
        let account = self.sessions.supplier();
        let item = self
            .outbox
            .about(account, kind.reason(), &facts.header.session_id)
            .await?;
        Ok(item.map_or(Told::Nothing, told))
    }

    /// Looks what became of what the outbox has.
    pub(super) async fn chase(
        &mut self,
        facts: &Facts,
        state: &ClaimState,
    ) -> Result<Option<ClaimEvent>, Trouble> {
        let kind = kind_of(state);
        let (last, head) = (last_height(facts, kind), self.network.head().borrow().height);
        let (tx, why) = match self.told_by_outbox(facts, kind).await? {
            Told::Moved(event @ ClaimEvent::Included(_)) => return Ok(Some(event)),
            Told::Moved(event) if head <= last => return Ok(Some(event)),
            Told::Placed { tx, height } if head <= last => {
                return self.placed(facts, kind, tx, height).await.map(Some);
            }
            Told::Moved(_) | Told::Placed { .. } => return self.last_look(facts, state).await,
            Told::Ended { tx, why } => (tx, why),
            Told::Nothing => {
                let why = "the outbox does not know it any more: its database is older than this claim";
                (String::new(), why.to_owned())
            }
        };
        if head > last {
            return self.last_look(facts, state).await;
        }
        // Nothing is handed over anew before the state was asked.
        let seen = self.claim_seen(facts).await?;
        let gone = ClaimEvent::Failed { why, forever: false };
        Ok(Some(shown(kind, &seen, &tx, Height(0)).unwrap_or(gone)))
    }

    /// A block holds it. The next one proves what became of it; where nobody has that proof, the state shows it.
    async fn placed(
        &self,
        facts: &Facts,
        kind: TxKind,
        tx: String,
        height: Height,
    ) -> Result<ClaimEvent, Trouble> {
        if self.is_overdue(height) {
            let seen = self.claim_seen(facts).await?;
            if let Some(event) = shown(kind, &seen, &tx, height) {
                return Ok(event);
            }
        }
        Ok(ClaimEvent::OnItsWay {
            tx: Some(tx),
            trouble: None,
        })
    }

    /// Whether what became of a transaction of this block should be proven by now.
    pub(super) fn is_overdue(&self, height: Height) -> bool {
        self.network.head().borrow().height > height.plus(1)
    }

    /// The window is closed. What was handed over may still be in a block, so the state is asked for the claim; it counts
    /// as missed only when a state after the window shows that it is not there.
    pub(super) async fn last_look(
        &mut self,
        facts: &Facts,
        state: &ClaimState,
    ) -> Result<Option<ClaimEvent>, Trouble> {
        let kind = kind_of(state);
        let told = self.told_by_outbox(facts, kind).await?;
        let is_certain = matches!(told, Told::Ended { .. });
        let (tx, at, because) = match told {
            Told::Nothing => (None, Height(0), None),
            Told::Moved(ClaimEvent::OnItsWay { tx, trouble }) => {
                (Some(tx.unwrap_or_default()), Height(0), trouble)
            }
            Told::Moved(event) => return Ok(Some(event)),
            Told::Placed { tx, height } => (Some(tx), height, None),
            Told::Ended { tx, why } => (Some(tx), Height(0), Some(why)),
        };
        let why = state
            .why()
            .map(str::to_owned)
            .or(because)
            .unwrap_or_else(|| "its transaction was in no block when the window closed".to_owned());
        let Some(tx) = tx else {
            return Ok(Some(ClaimEvent::Missed { why }));
        };
        let seen = self.claim_seen(facts).await?;
        if let Some(event) = shown(kind, &seen, &tx, at) {
            return Ok(Some(event));
        }
        if seen.status.is_none() && seen.height >= facts.windows.settlement {
            let end = self.end_of(facts, seen.height).await?;
            let gone = match kind {
                TxKind::Claim => ClaimEvent::Missed { why },
                TxKind::Proof => ClaimEvent::Vanished { height: seen.height },
            };
            // A claim that is settled is gone, too: whether this one ever was in a block the outbox finds out.
            return Ok(end.or_else(|| is_certain.then_some(gone)));
        }
        let missed = kind == TxKind::Claim && seen.height >= facts.windows.claim_close;
        Ok(missed.then_some(ClaimEvent::Missed { why }))
    }

    /// Looks whether a claim that only waits for its settlement is still there.
    pub(super) async fn look(&mut self, facts: &Facts) -> Result<Option<ClaimEvent>, Trouble> {
        let seen = self.claim_seen(facts).await?;
        if seen.status.is_some() || seen.height < facts.windows.settlement {
            return Ok(None);
        }
        let end = self.end_of(facts, seen.height).await?;
        Ok(Some(end.unwrap_or(ClaimEvent::Vanished { height: seen.height })))
    }

    /// What the blocks that may have settled a claim say of it; `None` where nobody has them any more.
    async fn end_of(&mut self, facts: &Facts, up_to: Height) -> Result<Option<ClaimEvent>, Trouble> {
        let first = facts.windows.settlement;
        for height in first.0..=up_to.0.min(first.plus(SETTLES_WITHIN).0) {
            let block = match self.block_events(Height(height)).await {
                Ok(block) => block,
                Err(error) if error.kind() == Kind::Retry => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(%height, %error, "a block that may have settled a claim cannot be had");
                    continue;
                }
            };
            let said = block.events.iter().find_map(|placed| {
                let (about, event) = said::said_by(&placed.event, block.height)?;
                (about.is_of(facts) && said::is_end(&event)).then_some(event)
            });
            if said.is_some() {
                return Ok(said);
            }
        }
        Ok(None)
    }
}

/// What an item of the outbox tells. That a block holds it is not proven before it says so.
fn told(item: Item) -> Told {
    let newest = item.tx.and_then(|tx| tx.hash);
    let on_its_way = |tx, trouble| Told::Moved(ClaimEvent::OnItsWay { tx, trouble });
    match item.state {
        State::Waiting { trouble } | State::Signed { trouble } => on_its_way(newest, trouble),
        State::Placed { tx, height } => Told::Placed { tx, height },
        State::Ended {
            outcome: Outcome::Included { tx, height },
        } => Told::Moved(included(&tx, height)),
        State::Ended { outcome } => Told::Ended {
            tx: newest.unwrap_or_default(),
            why: outcome.to_string(),
        },
    }
}

/// What a state of a claim waits for.
pub(super) fn kind_of(state: &ClaimState) -> TxKind {
    if state.claim().is_some() {
        TxKind::Proof
    } else {
        TxKind::Claim
    }
}

fn last_height(facts: &Facts, kind: TxKind) -> Height {
    match kind {
        TxKind::Claim => facts.windows.claim_close,
        TxKind::Proof => facts.windows.proof_close,
    }
}

pub(super) fn included(tx: &str, height: Height) -> ClaimEvent {
    ClaimEvent::Included(Inclusion {
        tx: tx.to_owned(),
        height,
    })
}

/// What the state shows of a transaction that was sent, and may be in a block. `None`: nothing, which says nothing about
/// later states.
fn shown(kind: TxKind, seen: &ClaimSeen, tx: &str, height: Height) -> Option<ClaimEvent> {
    let status = seen.status?;
    let is = |wanted: ClaimProofStatus| status == i32::from(wanted);
    match kind {
        TxKind::Claim => Some(included(tx, height)),
        TxKind::Proof if is(ClaimProofStatus::Validated) => Some(included(tx, height)),
        TxKind::Proof if is(ClaimProofStatus::Invalid) => Some(ClaimEvent::ProofChecked {
            valid: false,
            why: "the chain's state says that the proof is not valid".to_owned(),
        }),
        TxKind::Proof => None,
    }
}
