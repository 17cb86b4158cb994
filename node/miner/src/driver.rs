//! The driver of all claims: feeds blocks and events of the chain to the machine, and does what it asks for.
//!
//! Every new state is kept before its effects run. Effects may run twice after a crash: sealing gives the same root,
//! what was signed is found again and sent again, questions are only asked.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hearth_base::{Amount, Clock, Height};
use hearth_chain::{BlockEvents, ChainEvent};
use hearth_pocket::{
    Signer,
    message::{
        Named as _,
        proof::{Claim, ClaimProofStatus, MsgCreateClaim, MsgSubmitProof, ProofRequirementReason},
    },
    proof::{RequirementParams, required_path, requirement},
    tx::SignedTx,
};
use sha2::{Digest as _, Sha256};
use tokio::sync::broadcast;

use crate::{
    book::{Book, BookError, TxKind},
    claim::{ClaimEffect, ClaimEvent, ClaimState, Inclusion, Paid, Rules, Seal, step},
    events::MinerEvent,
    facts::{Facts, Key},
    keys::Keys,
    ledger::{Ledger, LedgerError},
    network::{Found, NetworkError, SendError, SharedNetwork},
    sessions::Sessions,
};

/// A transaction that was signed longer ago than this is in no block any more: unordered ones live nine minutes.
const TX_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// A transaction that was signed so recently is sent again rather than signed anew.
const TX_FRESH: Duration = Duration::from_secs(8 * 60);
/// How long the evidence of a finished session is kept, for the list of its answers.
const KEEP_EVIDENCE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Effects that one event may cause in a row: the longest chain of states has eight.
const MAX_STEPS: usize = 12;

/// Drives claims.
pub(crate) struct Driver {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) network: SharedNetwork,
    pub(crate) ledger: Ledger,
    pub(crate) book: Book,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) clock: Clock,
    pub(crate) min_claim: Amount,
    pub(crate) events: broadcast::Sender<MinerEvent>,
    /// The state of every open claim.
    pub(crate) states: BTreeMap<Key, ClaimState>,
}

/// Why an effect failed. All of it is tried again at the next block, until its window closes.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Book(#[from] BookError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Send(#[from] SendError),
}

impl Trouble {
    fn is_final(&self) -> bool {
        match self {
            Trouble::Book(error) => matches!(error, BookError::Conflict { .. }),
            Trouble::Ledger(error) => matches!(error, LedgerError::Damaged { .. }),
            Trouble::Send(error) => matches!(error, SendError::Final(_)),
            Trouble::Network(_) => false,
        }
    }
}

impl Driver {
    /// Takes up what the database and the disk have.
    pub(crate) async fn resume(&mut self) -> Result<(), BookError> {
        let found = self.ledger.found().unwrap_or_else(|error| {
            tracing::error!(%error, "the folder of the evidence cannot be read");
            Vec::new()
        });
        // Evidence without a record: the database is older than the disk. Its own head says what it is.
        for facts in found
            .iter()
            .filter(|facts| facts.supplier == self.sessions.supplier().as_str())
        {
            self.book.enter(facts, self.clock.now_ms()).await?;
        }
        for record in self.book.open_records().await? {
            if record.facts.supplier != self.sessions.supplier().as_str() {
                continue;
            }
            let key = record.facts.key();
            match self.sessions.resume(&record).await {
                Ok(session) => {
                    let answers = session.answers.load(std::sync::atomic::Ordering::SeqCst);
                    tracing::info!(session = %key.session_id, answers, state = record.state.name(), "a session goes on");
                    self.states.insert(key, record.state);
                }
                Err(error) => {
                    tracing::error!(session = %key.session_id, %error, "evidence cannot be taken up");
                    if let (LedgerError::Damaged { .. }, Some(lost)) = (&error, lost(record.state, &error)) {
                        self.book.save(&key, &lost, self.clock.now_ms()).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Follows the chain until it stops.
    pub(crate) async fn run(mut self) {
        let Some(mut follower) = self.network.follow() else {
            return;
        };
        loop {
            let block = match follower.next().await {
                Ok(Some(block)) => block,
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "the chain cannot be followed");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            self.on_events(&block).await;
            let head = self.network.head().borrow().height;
            // While blocks are made up for, only the newest one says what time it is.
            if block.height.plus(1) >= head {
                self.on_block(block.height.max(head)).await;
            }
            if let Err(error) = follower.acknowledge(block.height).await {
                tracing::warn!(%error, "a block could not be acknowledged; it comes again after a restart");
            }
        }
    }

    /// A new block.
    pub(crate) async fn on_block(&mut self, height: Height) {
        for session in self.sessions.all() {
            let key = session.facts.key();
            self.states.entry(key).or_insert(ClaimState::Accumulating);
        }
        let keys: Vec<Key> = self.states.keys().cloned().collect();
        for key in keys {
            let Some(session) = self.sessions.get(&key) else {
                continue;
            };
            let running = session.running();
            self.feed(&session.facts, ClaimEvent::Block { height, running })
                .await;
        }
        if height.0.is_multiple_of(256) {
            self.tidy().await;
        }
    }

    /// What happened in a block.
    pub(crate) async fn on_events(&mut self, block: &BlockEvents) {
        for placed in &block.events {
            if let Some((session, event)) = self.concerns(&placed.event, block.height) {
                self.feed(&session, event).await;
            }
        }
    }

    /// The session that an event of the chain is about, and what it says of it.
    fn concerns(&self, event: &ChainEvent, height: Height) -> Option<(Arc<Facts>, ClaimEvent)> {
        let (about, said) = said_by(event, height)?;
        let all = self.sessions.all();
        let session = all.iter().find(|session| about.is_of(&session.facts))?;
        Some((Arc::clone(&session.facts), said))
    }

    /// Feeds the machine, and does what it asks for, until it asks for nothing more.
    async fn feed(&mut self, facts: &Arc<Facts>, event: ClaimEvent) {
        let key = facts.key();
        let rules = Rules {
            windows: facts.windows,
            min_claim: self.min_claim,
        };
        let mut event = Some(event);
        for _ in 0..MAX_STEPS {
            let Some(next_event) = event.take() else { return };
            let before = self.states.get(&key).cloned().unwrap_or(ClaimState::Accumulating);
            let (after, effects) = step(before.clone(), next_event, &rules);
            if after != before {
                if let Err(error) = self.book.save(&key, &after, self.clock.now_ms()).await {
                    // Nothing is done that is not kept. The next block tries again from the former state.
                    tracing::error!(session = %key.session_id, %error, "the state of a claim could not be kept");
                    return;
                }
                tracing::info!(session = %key.session_id, state = after.name(), why = after.why(), "a claim moved on");
                metrics::counter!("hearth_miner_claims_total", "state" => after.name()).increment(1);
                self.states.insert(key.clone(), after.clone());
                self.tell(&key).await;
            }
            for effect in effects {
                let outcome = self.run_effect(facts, &after, effect).await;
                event = match outcome {
                    Ok(next) => next,
                    Err(trouble) => {
                        let (why, forever) = (hearth_base::failure::chain(&trouble), trouble.is_final());
                        tracing::warn!(session = %key.session_id, %why, "a claim is held up");
                        Some(ClaimEvent::Failed { why, forever })
                    }
                };
            }
        }
    }

    async fn tell(&self, key: &Key) {
        if let Ok(Some(record)) = self.book.record(key).await {
            // Nobody may be listening.
            let _ = self.events.send(MinerEvent::Claim(Box::new(record)));
        }
    }

    /// Does one thing. Returns what came of it.
    async fn run_effect(
        &mut self,
        facts: &Arc<Facts>,
        state: &ClaimState,
        effect: ClaimEffect,
    ) -> Result<Option<ClaimEvent>, Trouble> {
        match effect {
            ClaimEffect::Seal => self.seal(facts).await.map(Some),
            ClaimEffect::SignClaim => self.sign_claim(facts, state).await,
            ClaimEffect::SignProof => self.sign_proof(facts).await.map(Some),
            ClaimEffect::Chase => self.chase(facts, state).await,
            ClaimEffect::Decide => self.decide(facts, state).await,
            ClaimEffect::Look => {
                let status = self
                    .network
                    .claim_status(&facts.header.session_id, self.sessions.supplier())
                    .await?;
                Ok(status.is_none().then_some(ClaimEvent::Vanished))
            }
            ClaimEffect::Close => {
                let key = facts.key();
                self.sessions.remove(&key);
                self.states.remove(&key);
                self.ledger.close(key).await?;
                Ok(None)
            }
        }
    }

    async fn seal(&self, facts: &Facts) -> Result<ClaimEvent, Trouble> {
        let key = facts.key();
        let sealed = self.ledger.seal(key.clone()).await?;
        self.book.save_seal(&key, sealed.tally.bytes).await?;
        Ok(ClaimEvent::Sealed(Seal {
            root: sealed.root,
            answers: sealed.tally.answers,
            leaves: sealed.tally.leaves,
            value: facts.price.claimed(&sealed.root).unwrap_or_default(),
        }))
    }

    async fn sign_claim(&self, facts: &Facts, state: &ClaimState) -> Result<Option<ClaimEvent>, Trouble> {
        let Some(seal) = state.seal() else { return Ok(None) };
        let message = MsgCreateClaim {
            supplier_operator_address: facts.supplier.clone(),
            session_header: Some(facts.header.clone()),
            root_hash: seal.root.as_bytes().to_vec(),
        };
        let last = facts.windows.claim_close;
        let content = seal.root.as_bytes();
        let tx = self
            .signed(facts, TxKind::Claim, content, message.to_any(), last)
            .await?;
        Ok(Some(ClaimEvent::Signed { tx }))
    }

    async fn sign_proof(&self, facts: &Facts) -> Result<ClaimEvent, Trouble> {
        let seed = self.network.block_hash(facts.windows.proof_seed()).await?;
        let path = required_path(&seed, &facts.header.session_id);
        let proof = self.ledger.prove(facts.key(), path).await?;
        let content = Sha256::digest(&proof);
        let message = MsgSubmitProof {
            supplier_operator_address: facts.supplier.clone(),
            session_header: Some(facts.header.clone()),
            proof,
        };
        let last = facts.windows.proof_close;
        let tx = self
            .signed(facts, TxKind::Proof, &content, message.to_any(), last)
            .await?;
        Ok(ClaimEvent::Signed { tx })
    }

    /// Commits to the content, signs, and keeps the bytes. A transaction that was kept shortly before is taken again.
    async fn signed(
        &self,
        facts: &Facts,
        kind: TxKind,
        content: &[u8],
        message: hearth_pocket::message::Any,
        last: Height,
    ) -> Result<String, Trouble> {
        let (key, now_ms) = (facts.key(), self.clock.now_ms());
        self.book.commit(&key, kind, content, now_ms).await?;
        let fresh_ms = now_ms.saturating_sub(millis(TX_FRESH));
        if let Some(tx) = self.book.tx_since(&key, kind, fresh_ms).await?
            && !matches!(self.network.find(&tx).await?, Found::Failed(..))
        {
            return Ok(tx.hash_text());
        }
        let signer: Arc<dyn Signer> = self.keys.signer().map_err(|_| SendError::Locked)?;
        let tx = self.network.sign(&*signer, message, last).await?;
        self.book.save_tx(&key, kind, &tx, last, now_ms).await?;
        Ok(tx.hash_text())
    }

    /// Looks for a transaction that was sent, and sends the very same bytes again where it is in no block.
    async fn chase(&self, facts: &Facts, state: &ClaimState) -> Result<Option<ClaimEvent>, Trouble> {
        let Some(hash) = state.sent() else { return Ok(None) };
        let Some((tx, signed_ms)) = self.book.tx(hash).await? else {
            return Ok(Some(ClaimEvent::Lost));
        };
        match self.network.find(&tx).await? {
            Found::Included(height) => {
                return Ok(Some(ClaimEvent::Included(Inclusion {
                    tx: hash.to_owned(),
                    height,
                })));
            }
            Found::Failed(height, why) => {
                let why = format!("it failed in block {height}: {why}");
                return Ok(Some(ClaimEvent::Failed { why, forever: false }));
            }
            Found::No => {}
        }
        let is_claim = matches!(state, ClaimState::ClaimSent { .. });
        let last = if is_claim {
            facts.windows.claim_close
        } else {
            facts.windows.proof_close
        };
        let age_ms = self.clock.now_ms().saturating_sub(signed_ms);
        if self.network.head().borrow().height > last || age_ms > millis(TX_LIFETIME) {
            return Ok(Some(ClaimEvent::Lost));
        }
        self.send(&tx).await.map(|()| None)
    }

    async fn send(&self, tx: &SignedTx) -> Result<(), Trouble> {
        match self.network.send(tx).await {
            Ok(()) => Ok(()),
            // It may have been taken: the next block shows it, or it is sent again.
            Err(SendError::Later(why)) => {
                tracing::debug!(%why, "a transaction is sent again at the next block");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn decide(&self, facts: &Facts, state: &ClaimState) -> Result<Option<ClaimEvent>, Trouble> {
        let Some(seal) = state.seal() else { return Ok(None) };
        let seed = self.network.block_hash(facts.windows.proof_seed()).await?;
        let live = self.network.live_params().await?;
        let coin = live.proof.proof_requirement_threshold;
        let params = RequirementParams {
            threshold: coin.and_then(|coin| coin.amount.parse().ok()).unwrap_or_default(),
            request_probability: live.proof.proof_request_probability,
        };
        let claim = Claim {
            supplier_operator_address: facts.supplier.clone(),
            session_header: Some(facts.header.clone()),
            root_hash: seal.root.as_bytes().to_vec(),
            proof_validation_status: i32::from(ClaimProofStatus::PendingValidation),
        };
        let reason = requirement(&claim, seal.value, &seed, &params);
        Ok(Some(ClaimEvent::Requirement {
            required: reason != ProofRequirementReason::NotRequired,
        }))
    }

    /// Deletes the evidence of sessions that were over long ago.
    async fn tidy(&self) {
        let before_ms = self.clock.now_ms().saturating_sub(millis(KEEP_EVIDENCE));
        match self.book.ended_before(before_ms).await {
            Ok(keys) => {
                for key in keys {
                    if let Err(error) = self.ledger.forget(key).await {
                        tracing::warn!(%error, "old evidence could not be deleted");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "old evidence could not be looked for"),
        }
    }
}

/// How an event names a claim: most have no session id.
struct About<'event> {
    application: &'event str,
    service: &'event str,
    session_end: i64,
    operator: &'event str,
}

impl About<'_> {
    fn is_of(&self, facts: &Facts) -> bool {
        facts.supplier == self.operator
            && facts.header.application_address == self.application
            && facts.header.service_id == self.service
            && facts.header.session_end_block_height == self.session_end
    }
}

macro_rules! about {
    ($event:expr) => {
        About {
            application: &$event.application_address,
            service: &$event.service_id,
            session_end: $event.session_end_block_height,
            operator: &$event.supplier_operator_address,
        }
    };
}

/// What an event of the chain says of a claim, if it is about one.
fn said_by(event: &ChainEvent, height: Height) -> Option<(About<'_>, ClaimEvent)> {
    if let ChainEvent::ProofValidityChecked(event) = event {
        let valid = event.claim_proof_status_int == i32::from(ClaimProofStatus::Validated);
        let why = event.failure_reason.clone();
        return Some((about!(event), ClaimEvent::ProofChecked { valid, why }));
    }
    if let ChainEvent::ClaimSettled(event) = event {
        let upokt = |text: &str| text.parse().unwrap_or_default();
        let rewards = event.reward_distribution.iter();
        let paid = Paid {
            height,
            claimed: upokt(&event.claimed_upokt),
            settled: upokt(&event.settled_upokt),
            minted: upokt(&event.minted_upokt),
            rewards: rewards
                .map(|(who, amount)| (who.clone(), upokt(amount)))
                .collect(),
        };
        return Some((about!(event), ClaimEvent::Paid(paid)));
    }
    if let ChainEvent::ClaimExpired(event) = event {
        let why = "the chain had no valid proof".to_owned();
        return Some((about!(event), ClaimEvent::Expired { height, why }));
    }
    if let ChainEvent::ClaimDiscarded(event) = event {
        let why = event.error.clone();
        return Some((about!(event), ClaimEvent::Expired { height, why }));
    }
    None
}

/// What becomes of a claim whose evidence is damaged.
fn lost(state: ClaimState, error: &LedgerError) -> Option<ClaimState> {
    let why = error.to_string();
    match state {
        ClaimState::Accumulating => Some(ClaimState::ClaimMissed { seal: None, why }),
        ClaimState::Sealed { seal, .. } => Some(ClaimState::ClaimMissed {
            seal: Some(seal),
            why,
        }),
        ClaimState::ProofDue { seal, claim, .. } | ClaimState::ClaimIncluded { seal, claim } => {
            Some(ClaimState::ProofMissed { seal, claim, why })
        }
        // The tree is needed no more, or nothing can be said yet.
        ClaimState::ClaimSent { .. }
        | ClaimState::ProofNotRequired { .. }
        | ClaimState::ProofSent { .. }
        | ClaimState::ProofIncluded { .. }
        | ClaimState::Settled { .. }
        | ClaimState::Skipped { .. }
        | ClaimState::ClaimMissed { .. }
        | ClaimState::ProofMissed { .. }
        | ClaimState::ProofInvalid { .. }
        | ClaimState::Expired { .. } => None,
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
