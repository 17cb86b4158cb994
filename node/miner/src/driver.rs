//! The driver of a supplier's claims: feeds blocks and events of the chain to the machine, and does what it asks for.
//!
//! Every new state is kept before its effects run. Effects may run twice after a crash: sealing gives the same root,
//! what the outbox has is that one again, questions are only asked.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use hearth_base::{Clock, Height};
use hearth_chain::{BlockEvents, ChainEvent, Heights};
use hearth_outbox::{DbError, Outbox, PutError};
use tokio::sync::{broadcast, watch};

use crate::{
    claim::{ClaimEffect, ClaimEvent, ClaimState, Outcome, Rules, Slash, step},
    costs::{Costs, CostsError},
    events::MinerEvent,
    facts::{Facts, Key},
    ledger::{Ledger, LedgerError},
    network::{ClaimSeen, LiveParams, NetworkError, SharedNetwork},
    outlook::{Losses, Outlook, ProofsDue},
    session_db::{Record, SessionDb, SessionDbError},
    sessions::Sessions,
};

mod asked;
mod chase;
mod hand;
mod resume;
mod said;

use said::Verdict;

/// How long the evidence of a finished session is kept, for the list of its answers.
const KEEP_EVIDENCE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Blocks after the end of the proof window in which the settlement is looked for.
const SETTLES_WITHIN: u64 = 2;
/// Lost claims that are remembered until their settlement.
const MAX_LOST: u32 = 256;
/// How long the outbox may look for what it sent while a session is told of its end.
const LOOK_WITHIN: Duration = Duration::from_secs(5);
/// Effects that one event may cause in a row: the longest chain of states has eight.
const MAX_STEPS: usize = 12;

/// Drives the claims of one supplier.
pub(crate) struct Driver {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) network: SharedNetwork,
    pub(crate) ledger: Ledger,
    pub(crate) db: SessionDb,
    pub(crate) outbox: Outbox,
    pub(crate) clock: Clock,
    pub(crate) events: broadcast::Sender<MinerEvent>,
    pub(crate) outlook: watch::Sender<Outlook>,
    /// The state of every open claim.
    pub(crate) states: BTreeMap<Key, ClaimState>,
    /// What is known besides. A restart finds all of it again.
    pub(crate) memory: Memory,
}

/// What the driver keeps in mind between blocks.
#[derive(Default)]
pub(crate) struct Memory {
    /// Sessions whose evidence cannot be read, or not yet: their claims go on as far as that goes.
    bare: BTreeMap<Key, (Arc<Facts>, LedgerError)>,
    /// Those of them whose evidence is tried again.
    unopened: Vec<Record>,
    /// The folder of the evidence could not be read whole.
    scan_again: bool,
    /// What was asked of the chain at this head.
    asked: asked::Asked,
    /// Something was handed to the outbox, which does not know that it is all for now.
    has_handed: bool,
    /// What blocks said of the ends of claims, each with its height, until the state shows it.
    told: BTreeMap<Key, Vec<(Height, ClaimEvent)>>,
    /// Something was lost since losses were added up.
    has_new_losses: bool,
    /// Sessions whose claim was lost before its settlement, which may still take a part of the stake. The oldest make
    /// room.
    lost: VecDeque<Arc<Facts>>,
}

/// Why an effect failed. All of it is tried again at the next block, until its window closes.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    SessionDb(#[from] SessionDbError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Put(#[from] PutError),
    #[error(transparent)]
    Outbox(#[from] DbError),
}

impl From<CostsError> for Trouble {
    fn from(error: CostsError) -> Trouble {
        match error {
            CostsError::SessionDb(error) => error.into(),
            CostsError::Network(error) => error.into(),
            CostsError::Outbox(error) => error.into(),
        }
    }
}

impl Trouble {
    /// Whether trying again is useless: only our own record can say so, never what the chain answers.
    fn is_final(&self) -> bool {
        match self {
            Trouble::SessionDb(error) => matches!(error, SessionDbError::Conflict { .. }),
            Trouble::Ledger(error) => matches!(error, LedgerError::Damaged { .. }),
            Trouble::Put(_) | Trouble::Outbox(_) | Trouble::Network(_) => false,
        }
    }
}

impl Driver {
    /// Follows the chain until it stops. The head says what time it is, and is acted on at once: after a downtime
    /// windows close while older blocks are still made up for. Blocks only tell how claims ended, so no others are
    /// asked for than those in which one can.
    pub(crate) async fn run(mut self) {
        let Some(mut follower) = self.network.follow(self.sessions.supplier()) else {
            return;
        };
        let mut head = self.network.head();
        head.mark_changed();
        let mut outbox = self.outbox.changes();
        let mut newest = Height(0);
        loop {
            follower.need(self.telling_heights());
            // Whichever is there: neither may keep the other waiting.
            tokio::select! {
                changed = head.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let height = head.borrow_and_update().height;
                    // An endpoint that fell behind takes nothing back.
                    if height > newest {
                        newest = height;
                        self.on_block(height).await;
                    }
                }
                changed = outbox.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.on_outbox().await;
                }
                block = follower.next() => match block {
                    Ok(Some(block)) => {
                        if let Err(error) = self.on_events(&block).await {
                            tracing::error!(height = %block.height, %error, "what a block says of claims could not be kept; trying again");
                        }
                        if let Err(error) = follower.acknowledge(self.done_up_to(block.height)).await {
                            tracing::warn!(%error, "a block could not be acknowledged; it comes again after a restart");
                        }
                    }
                    Ok(None) => return,
                    Err(error) => {
                        tracing::error!(%error, "the chain cannot be followed");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        }
    }

    /// The blocks that may tell how a claim of ours ended: from the first that can take its proof to its settlement.
    fn telling_heights(&self) -> Heights {
        let ours = self.states.keys().filter_map(|key| self.facts(key));
        ours.chain(self.memory.lost.iter().cloned())
            .map(|facts| facts.windows.proof_open..=facts.windows.settlement.plus(SETTLES_WITHIN))
            .collect()
    }

    /// The newest block up to which everything is kept: what waits for the state or for the disk comes again after a
    /// restart.
    fn done_up_to(&self, height: Height) -> Height {
        let waiting = self.memory.told.values().flatten().map(|(height, _)| *height);
        waiting
            .map(|height| Height(height.0.saturating_sub(1)))
            .fold(height, Height::min)
    }

    /// A new block.
    pub(crate) async fn on_block(&mut self, height: Height) {
        if let Err(error) = self.reopen().await {
            tracing::error!(%error, "open claims cannot be taken up; trying again at the next block");
        }
        for session in self.sessions.all() {
            let key = session.facts.key();
            self.states.entry(key).or_insert(ClaimState::BEGUN);
        }
        let mut open = self.most_urgent_first(height);
        let over = open.split_off(open.partition_point(|facts| next_close(facts, height).is_some()));
        self.memory.asked.clear();
        self.ask_about(&open, height).await;
        self.feed_block(&open, height).await;
        // What blocks said of claims is known before the state is asked for those that are over.
        if let Err(error) = self.confirm().await {
            tracing::error!(%error, "the end of a claim could not be kept; trying again at the next block");
        }
        self.ask_about(&over, height).await;
        self.feed_block(&over, height).await;
        self.memory.asked.clear();
        self.tell_outlook(height).await;
        if height.0.is_multiple_of(256) {
            self.tidy().await;
        }
    }

    /// Tells which proofs are due.
    fn tell_due(&self) {
        let open: Vec<(Arc<Facts>, &ClaimState)> = self
            .states
            .iter()
            .filter_map(|(key, state)| Some((self.facts(key)?, state)))
            .collect();
        let due = ProofsDue::of(open.iter().map(|(facts, state)| (&**facts, *state)));
        self.outlook.send_modify(|outlook| outlook.due = due);
    }

    /// Tells what is ahead of all claims together, and what was lost lately.
    async fn tell_outlook(&mut self, height: Height) {
        self.tell_due();
        // Besides what is new, what is old is forgotten.
        if !std::mem::take(&mut self.memory.has_new_losses) && !height.0.is_multiple_of(64) {
            return;
        }
        let supplier = self.sessions.supplier().as_str();
        match self.db.records_of(supplier, MAX_LOST).await {
            Ok(records) => {
                let losses = Losses::of(&records, self.clock.now_ms());
                self.outlook.send_modify(|outlook| outlook.losses = losses);
            }
            Err(error) => {
                self.memory.has_new_losses = true;
                tracing::warn!(%error, "what was lost lately cannot be read; trying again at the next block");
            }
        }
    }

    async fn feed_block(&mut self, sessions: &[Arc<Facts>], height: Height) {
        for facts in sessions {
            let key = facts.key();
            for _ in 0..MAX_STEPS {
                let Some(before) = self.states.get(&key).cloned() else {
                    break;
                };
                let running = self.sessions.get(&key).map_or(0, |session| session.running());
                // Nothing is done that is not kept. The next block tries again from the former state.
                if let Err(error) = self.feed(facts, ClaimEvent::Block { height, running }).await {
                    tracing::error!(session = %key.session_id, %error, "the state of a claim could not be kept");
                    break;
                }
                // After a downtime one block allows several steps, and there may be no time for another block. What was
                // handed over, or is held up, waits for the next one.
                let goes_on =
                    |after: &ClaimState| *after != before && !is_sent(after) && after.why().is_none();
                if !self.states.get(&key).is_some_and(goes_on) {
                    break;
                }
            }
        }
        if std::mem::take(&mut self.memory.has_handed) {
            self.outbox.wake();
        }
    }

    /// Something became of what the outbox has.
    pub(crate) async fn on_outbox(&mut self) {
        let sent = self.states.iter().filter(|(_, state)| is_sent(state));
        let sent: Vec<(Key, ClaimState)> = sent.map(|(key, state)| (key.clone(), state.clone())).collect();
        for (key, state) in sent {
            let Some(facts) = self.facts(&key) else { continue };
            let fed = match self.told_by_outbox(&facts, chase::kind_of(&state)).await {
                Ok(chase::Told::Moved(event)) => self.feed(&facts, event).await,
                Ok(chase::Told::Placed { tx, .. }) => {
                    let (tx, trouble) = (Some(tx), None);
                    self.feed(&facts, ClaimEvent::OnItsWay { tx, trouble }).await
                }
                // The next block asks the state for it.
                Ok(chase::Told::Ended { .. } | chase::Told::Nothing) => continue,
                Err(error) => {
                    tracing::error!(session = %key.session_id, %error, "what became of a claim cannot be read");
                    continue;
                }
            };
            if let Err(error) = fed {
                tracing::error!(session = %key.session_id, %error, "the state of a claim could not be kept");
            }
        }
    }

    /// The sessions of all open claims: those whose window closes next come first, those whose windows are closed last.
    fn most_urgent_first(&self, height: Height) -> Vec<Arc<Facts>> {
        let mut open: Vec<Arc<Facts>> = self.states.keys().filter_map(|key| self.facts(key)).collect();
        open.sort_by_key(|facts| {
            let next = next_close(facts, height);
            (next.is_none(), next)
        });
        open
    }

    fn facts(&self, key: &Key) -> Option<Arc<Facts>> {
        let served = self.sessions.get(key).map(|session| Arc::clone(&session.facts));
        let bare = || self.memory.bare.get(key).map(|(facts, _)| Arc::clone(facts));
        let lost = || self.memory.lost.iter().find(|facts| facts.key() == *key).cloned();
        served.or_else(bare).or_else(lost)
    }

    /// What happened in a block. It is done with once nothing of it waits any more.
    ///
    /// # Errors
    /// The database takes nothing; what was said is kept in mind for the next block.
    pub(crate) async fn on_events(&mut self, block: &BlockEvents) -> Result<(), SessionDbError> {
        for placed in &block.events {
            self.note_event(&placed.event, block.height);
        }
        self.confirm().await
    }

    /// Notes what an event says of the end of one of our claims.
    fn note_event(&mut self, event: &ChainEvent, height: Height) {
        let Some((about, mut said)) = said::said_by(event, height) else {
            return;
        };
        let served = self.sessions.all();
        let all = served
            .iter()
            .map(|session| &session.facts)
            .chain(self.memory.bare.values().map(|(facts, _)| facts))
            .chain(&self.memory.lost);
        let Some(facts) = all.into_iter().find(|facts| about.is_of(facts)).cloned() else {
            return;
        };
        if said::is_of_settlement(&said) && height < facts.windows.settlement {
            tracing::warn!(
                session = %facts.header.session_id, %height,
                "an endpoint tells of the end of a claim before its proof window closed: ignored"
            );
            return;
        }
        if let ClaimEvent::Expired { why, .. } = &mut said
            && self.sessions.is_unpaid(&facts)
        {
            *why = format!(
                "the chain discards the claim, since the supplier was unstaked, or dropped the service, before it was settled: {why}"
            );
        }
        let told = self.memory.told.entry(facts.key()).or_default();
        if !told.contains(&(height, said.clone())) {
            told.push((height, said));
        }
    }

    /// Believes what blocks said of claims as far as the state shows it. Whoever asks for blocks alone could be made
    /// to drop the evidence of a claim that still has to be proven.
    async fn confirm(&mut self) -> Result<(), SessionDbError> {
        let keys: Vec<Key> = self.memory.told.keys().cloned().collect();
        let mut known: Vec<Arc<Facts>> = Vec::new();
        for key in keys {
            match self.facts(&key) {
                Some(facts) => known.push(facts),
                None => drop(self.memory.told.remove(&key)),
            }
        }
        for (facts, seen) in self.claims_seen(known).await {
            let key = facts.key();
            let seen = match seen {
                Ok(seen) => seen,
                Err(error) => {
                    tracing::debug!(session = %key.session_id, %error, "the end of a claim cannot be confirmed yet");
                    continue;
                }
            };
            let mut waiting = self.memory.told.remove(&key).unwrap_or_default();
            while let Some((height, said)) = waiting.first().cloned() {
                let state = self.states.get(&key);
                if state.is_some_and(|state| said::is_early(&said, state, seen.height, &facts.windows)) {
                    break;
                }
                let proof = state.and_then(ClaimState::proof).map(|proof| proof.height);
                let at_least = proof.unwrap_or(height).max(height);
                match said::verdict(&said, at_least, &seen, &facts.windows) {
                    Verdict::Open => break,
                    Verdict::False => tracing::warn!(
                        session = %key.session_id, %height, "{}", said::not_so(&said, height, proof)
                    ),
                    Verdict::Holds => {
                        let kept = if let ClaimEvent::Slashed(slash) = said {
                            self.on_slash(&key, &slash).await
                        } else {
                            match self.note_block_of(&facts, &said).await {
                                Ok(()) => self.feed(&facts, said).await,
                                Err(error) => Err(error),
                            }
                        };
                        if let Err(error) = kept {
                            self.memory.told.insert(key, waiting);
                            return Err(error);
                        }
                    }
                }
                waiting.remove(0);
            }
            if !waiting.is_empty() && self.facts(&key).is_some() {
                self.memory.told.insert(key, waiting);
            }
        }
        Ok(())
    }

    /// What is over is not looked at again: the block of what the outbox sent for it is noted before. Where several share
    /// a block, the settlement may be heard of before the outbox has told of each.
    async fn note_block_of(&mut self, facts: &Arc<Facts>, said: &ClaimEvent) -> Result<(), SessionDbError> {
        let state = self.states.get(&facts.key());
        let Some(kind) = state.filter(|state| is_sent(state)).map(chase::kind_of) else {
            return Ok(());
        };
        let mut told = self.told_by_outbox(facts, kind).await;
        if matches!(told, Ok(chase::Told::Moved(ClaimEvent::OnItsWay { .. }))) {
            // One look tells of all that share a transaction. An endpoint that hangs is in no other session's way.
            let _ = tokio::time::timeout(LOOK_WITHIN, self.outbox.look()).await;
            told = self.told_by_outbox(facts, kind).await;
        }
        let included = match told {
            Ok(chase::Told::Moved(event @ ClaimEvent::Included(_))) => event,
            // What was paid was in that block.
            Ok(chase::Told::Placed { tx, height }) if matches!(said, ClaimEvent::Paid(_)) => {
                chase::included(&tx, height)
            }
            Ok(_) => return Ok(()),
            Err(error) => {
                tracing::warn!(%error, "the block of a claim cannot be looked up");
                return Ok(());
            }
        };
        self.feed(facts, included).await
    }

    /// Feeds the machine, and does what it asks for, until it asks for nothing more.
    async fn feed(&mut self, facts: &Arc<Facts>, event: ClaimEvent) -> Result<(), SessionDbError> {
        let key = facts.key();
        let rules = Rules {
            windows: facts.windows,
        };
        let mut event = Some(event);
        for _ in 0..MAX_STEPS {
            let Some(next_event) = event.take() else { break };
            let before = self.states.get(&key).cloned().unwrap_or(ClaimState::BEGUN);
            let (after, effect) = step(before.clone(), next_event, &rules);
            if after != before {
                let served = self.sessions.get(&key);
                let answers = served.map(|session| session.answers.load(Ordering::SeqCst));
                self.db.save(facts, &after, answers, self.clock.now_ms()).await?;
                tracing::info!(session = %key.session_id, state = after.name(), why = after.why(), "a claim moved on");
                metrics::counter!("hearth_miner_claims_total", "state" => after.name()).increment(1);
                self.states.insert(key.clone(), after.clone());
                // A claim that is handed out may need a proof from here on.
                self.tell_due();
                self.tell(&key).await;
            }
            let Some(effect) = effect else { break };
            event = match self.run_effect(facts, &after, effect).await {
                Ok(next) => next,
                Err(trouble) => {
                    let (why, forever) = (hearth_base::failure::chain(&trouble), trouble.is_final());
                    tracing::warn!(session = %key.session_id, %why, "a claim is held up");
                    // A question without an answer says nothing of what was sent.
                    effect
                        .makes_something()
                        .then_some(ClaimEvent::Failed { why, forever })
                }
            };
        }
        Ok(())
    }

    /// Remembers a session for whose claim the chain may still take a part of the stake.
    fn remember_lost(&mut self, facts: &Arc<Facts>, state: &ClaimState) {
        if !state.outcome().is_some_and(Outcome::is_loss) {
            return;
        }
        self.memory.has_new_losses = true;
        if state.claim().is_none() || self.memory.lost.iter().any(|lost| lost.key() == facts.key()) {
            return;
        }
        if self.memory.lost.len() >= MAX_LOST as usize {
            self.memory.lost.pop_front();
        }
        self.memory.lost.push_back(Arc::clone(facts));
    }

    /// Keeps what the chain took of the stake, once.
    async fn on_slash(&mut self, key: &Key, slash: &Slash) -> Result<(), SessionDbError> {
        let Some(record) = self.db.record(key).await? else {
            return Ok(());
        };
        if record.slash.is_some() || !record.state.outcome().is_some_and(Outcome::is_loss) {
            return Ok(());
        }
        self.db.keep_slash(key, slash, self.clock.now_ms()).await?;
        tracing::error!(
            session = %key.session_id, height = %slash.height, amount = %slash.amount, left = %slash.stake_after,
            "the chain took a part of the supplier's stake: a claim had no valid proof"
        );
        metrics::counter!("hearth_miner_slashes_total").increment(1);
        self.memory.has_new_losses = true;
        self.tell(key).await;
        Ok(())
    }

    async fn tell(&self, key: &Key) {
        if let Ok(Some(record)) = self.db.record(key).await {
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
            ClaimEffect::HandClaim => self.hand_claim(facts, state).await,
            ClaimEffect::HandProof => self.hand_proof(facts, state).await.map(Some),
            ClaimEffect::Chase => self.chase(facts, state).await,
            ClaimEffect::Decide => self.decide(facts, state).await,
            ClaimEffect::Look => self.look(facts).await,
            ClaimEffect::LastLook => self.last_look(facts, state).await,
            ClaimEffect::Close => {
                let key = facts.key();
                self.remember_lost(facts, state);
                self.sessions.remove(&key);
                self.states.remove(&key);
                self.memory.bare.remove(&key);
                self.memory.told.remove(&key);
                self.ledger.close(key).await?;
                Ok(None)
            }
        }
    }

    /// Deletes the evidence of sessions that were over long ago.
    async fn tidy(&self) {
        let before_ms = self.clock.now_ms().saturating_sub(millis(KEEP_EVIDENCE));
        match self.db.ended_before(before_ms).await {
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

/// The last block of the next window that is not closed yet.
fn next_close(facts: &Facts, height: Height) -> Option<Height> {
    let closes = [facts.windows.claim_close, facts.windows.proof_close];
    closes.into_iter().find(|close| *close > height)
}

/// Whether the outbox has what a claim waits for.
fn is_sent(state: &ClaimState) -> bool {
    matches!(state, ClaimState::Open(stage) if stage.is_sent())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
