//! What became of what was sent: the transaction itself, the claim in the state, and at the end the settlement.

use hearth_base::{Failure as _, Height, Kind};
use hearth_pocket::{message::proof::ClaimProofStatus, tx::SignedTx};

use super::{Driver, SETTLES_WITHIN, TX_LIFETIME, Trouble, millis, said};
use crate::{
    claim::{ClaimEvent, ClaimState, Inclusion},
    facts::Facts,
    network::{ClaimSeen, Found, SendError},
    session_db::TxKind,
};

impl Driver {
    /// Looks for a transaction that was sent, and sends the very same bytes again where it is in no block.
    pub(super) async fn chase(
        &mut self,
        facts: &Facts,
        state: &ClaimState,
    ) -> Result<Option<ClaimEvent>, Trouble> {
        let Some(hash) = state.sent() else { return Ok(None) };
        let kind = kind_of(state);
        let (last, head) = (last_height(facts, kind), self.network.head().borrow().height);
        let gone = match self.db.tx(hash).await? {
            None => Some(ClaimEvent::Lost),
            Some((tx, signed_ms)) => match self.network.find(&tx).await? {
                Found::Included(height) => return Ok(Some(included(hash, height))),
                Found::Failed(height, why) => {
                    let why = format!("it failed in block {height}: {why}");
                    Some(ClaimEvent::Failed { why, forever: false })
                }
                Found::No if self.clock.now_ms().saturating_sub(signed_ms) > millis(TX_LIFETIME) => {
                    Some(ClaimEvent::Lost)
                }
                Found::No if head < last => return self.send(&tx).await,
                Found::No => None,
            },
        };
        if head > last {
            return self.last_look(facts, state).await;
        }
        let Some(gone) = gone else { return Ok(None) };
        // An index of transactions may lag or lie: nothing is signed anew before the state was asked.
        let seen = self.claim_seen(facts).await?;
        Ok(Some(shown(kind, &seen, hash).unwrap_or(gone)))
    }

    /// Sends signed bytes. What is refused for good has to be signed anew; all else is sent again at the next block.
    async fn send(&mut self, tx: &SignedTx) -> Result<Option<ClaimEvent>, Trouble> {
        match self.network.send(tx).await {
            Ok(()) => Ok(None),
            // It may have been taken: the next block shows it, or it is sent again.
            Err(SendError::Later(why)) => {
                tracing::warn!(%why, "a transaction was not taken; it is sent again at the next block");
                Ok(None)
            }
            Err(SendError::Anew(why)) => {
                self.memory.refused.insert(tx.hash_text());
                Ok(Some(ClaimEvent::Failed { why, forever: false }))
            }
            Err(error @ SendError::Locked) => Err(error.into()),
        }
    }

    /// The window is closed. What was signed may still be in a block, so the blocks are asked for it, and the state
    /// for the claim; it counts as missed only when a state after the window shows that it is not there.
    pub(super) async fn last_look(
        &self,
        facts: &Facts,
        state: &ClaimState,
    ) -> Result<Option<ClaimEvent>, Trouble> {
        let kind = kind_of(state);
        let why = state
            .why()
            .unwrap_or("its transaction was in no block when the window closed")
            .to_owned();
        let txs = self.db.txs(&facts.key(), kind).await?;
        let Some(newest) = txs.first().map(SignedTx::hash_text) else {
            return Ok(Some(ClaimEvent::Missed { why }));
        };
        for tx in &txs {
            if let Found::Included(height) = self.network.find(tx).await? {
                return Ok(Some(included(&tx.hash_text(), height)));
            }
        }
        let seen = self.claim_seen(facts).await?;
        if let Some(event) = shown(kind, &seen, &newest) {
            return Ok(Some(event));
        }
        if seen.status.is_none() && seen.height >= facts.windows.settlement {
            let end = self.end_of(facts, seen.height).await?;
            return Ok(Some(end.unwrap_or(match kind {
                TxKind::Claim => ClaimEvent::Missed { why },
                TxKind::Proof => ClaimEvent::Vanished { height: seen.height },
            })));
        }
        let missed = kind == TxKind::Claim && seen.height >= facts.windows.claim_close;
        Ok(missed.then_some(ClaimEvent::Missed { why }))
    }

    /// Looks whether a claim that only waits for its settlement is still there.
    pub(super) async fn look(&self, facts: &Facts) -> Result<Option<ClaimEvent>, Trouble> {
        let seen = self.claim_seen(facts).await?;
        if seen.status.is_some() || seen.height < facts.windows.settlement {
            return Ok(None);
        }
        let end = self.end_of(facts, seen.height).await?;
        Ok(Some(end.unwrap_or(ClaimEvent::Vanished { height: seen.height })))
    }

    /// What the blocks that may have settled a claim say of it; `None` where nobody has them any more.
    async fn end_of(&self, facts: &Facts, up_to: Height) -> Result<Option<ClaimEvent>, Trouble> {
        let first = facts.windows.settlement;
        for height in first.0..=up_to.0.min(first.plus(SETTLES_WITHIN).0) {
            let block = match self.network.events_of(Height(height)).await {
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

    pub(super) async fn claim_seen(&self, facts: &Facts) -> Result<ClaimSeen, Trouble> {
        let supplier = self.sessions.supplier();
        Ok(self
            .network
            .claim_status(&facts.header.session_id, supplier)
            .await?)
    }
}

/// What a state of a claim waits for.
fn kind_of(state: &ClaimState) -> TxKind {
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

fn included(tx: &str, height: Height) -> ClaimEvent {
    ClaimEvent::Included(Inclusion {
        tx: tx.to_owned(),
        height,
    })
}

/// What the state shows of a transaction that was sent. `None`: nothing, which says nothing about later states.
fn shown(kind: TxKind, seen: &ClaimSeen, tx: &str) -> Option<ClaimEvent> {
    let status = seen.status?;
    let is = |wanted: ClaimProofStatus| status == i32::from(wanted);
    match kind {
        TxKind::Claim => Some(included(tx, Height(0))),
        TxKind::Proof if is(ClaimProofStatus::Validated) => Some(included(tx, Height(0))),
        TxKind::Proof if is(ClaimProofStatus::Invalid) => Some(ClaimEvent::ProofChecked {
            valid: false,
            why: "the chain's state says that the proof is not valid".to_owned(),
        }),
        TxKind::Proof => None,
    }
}
