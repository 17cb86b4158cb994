//! The driver of all claims: feeds blocks and events of the chain to the machine, and does what it asks for.
//!
//! Every new state is kept before its effects run. Effects may run twice after a crash: sealing gives the same root,
//! what was signed is found again and sent again, questions are only asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use hearth_base::{Clock, Height};
use hearth_chain::{BlockEvents, ChainEvent};
use tokio::sync::broadcast;

use crate::{
    book::{Book, BookError, Record},
    claim::{ClaimEffect, ClaimEvent, ClaimState, Rules, step},
    costs::CostsError,
    events::MinerEvent,
    facts::{Facts, Key},
    keys::Keys,
    ledger::{Ledger, LedgerError},
    network::{NetworkError, SendError, SharedNetwork},
    sessions::Sessions,
};

mod look;
mod resume;
mod said;
mod sign;

use said::Verdict;

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
    pub(crate) events: broadcast::Sender<MinerEvent>,
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
    /// Transactions that the chain refuses as they are.
    refused: BTreeSet<String>,
    /// What blocks said of the ends of claims, each with its height, until the state shows it.
    told: BTreeMap<Key, Vec<(Height, ClaimEvent)>>,
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

impl From<CostsError> for Trouble {
    fn from(error: CostsError) -> Trouble {
        match error {
            CostsError::Book(error) => error.into(),
            CostsError::Network(error) => error.into(),
        }
    }
}

impl Trouble {
    /// Whether trying again is useless: only our own record can say so, never what the chain answers.
    fn is_final(&self) -> bool {
        match self {
            Trouble::Book(error) => matches!(error, BookError::Conflict { .. }),
            Trouble::Ledger(error) => matches!(error, LedgerError::Damaged { .. }),
            Trouble::Send(_) | Trouble::Network(_) => false,
        }
    }
}

impl Driver {
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
            if let Err(error) = self.on_events(&block).await {
                tracing::error!(height = %block.height, %error, "what a block says of claims could not be kept; trying again");
            }
            let head = self.network.head().borrow().height;
            // While blocks are made up for, only the newest one says what time it is.
            if block.height.plus(1) >= head {
                self.on_block(block.height.max(head)).await;
            }
            if let Err(error) = follower.acknowledge(self.done_up_to(block.height)).await {
                tracing::warn!(%error, "a block could not be acknowledged; it comes again after a restart");
            }
        }
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
        if let Err(error) = self.confirm().await {
            tracing::error!(%error, "the end of a claim could not be kept; trying again at the next block");
        }
        for session in self.sessions.all() {
            let key = session.facts.key();
            self.states.entry(key).or_insert(ClaimState::BEGUN);
        }
        let keys: Vec<Key> = self.states.keys().cloned().collect();
        for key in keys {
            let Some(facts) = self.facts(&key) else { continue };
            let running = self.sessions.get(&key).map_or(0, |session| session.running());
            // Nothing is done that is not kept. The next block tries again from the former state.
            if let Err(error) = self.feed(&facts, ClaimEvent::Block { height, running }).await {
                tracing::error!(session = %key.session_id, %error, "the state of a claim could not be kept");
            }
        }
        if height.0.is_multiple_of(256) {
            self.tidy().await;
        }
    }

    fn facts(&self, key: &Key) -> Option<Arc<Facts>> {
        let served = self.sessions.get(key).map(|session| Arc::clone(&session.facts));
        served.or_else(|| self.memory.bare.get(key).map(|(facts, _)| Arc::clone(facts)))
    }

    /// What happened in a block. It is done with once nothing of it waits any more.
    ///
    /// # Errors
    /// The database takes nothing; what was said is kept in mind for the next block.
    pub(crate) async fn on_events(&mut self, block: &BlockEvents) -> Result<(), BookError> {
        for placed in &block.events {
            self.hear(&placed.event, block.height);
        }
        self.confirm().await
    }

    /// Notes what an event says of the end of one of our claims.
    fn hear(&mut self, event: &ChainEvent, height: Height) {
        let Some((about, said)) = said::said_by(event, height) else {
            return;
        };
        let served = self.sessions.all();
        let all = served
            .iter()
            .map(|session| &session.facts)
            .chain(self.memory.bare.values().map(|(facts, _)| facts));
        let Some(facts) = all.into_iter().find(|facts| about.is_of(facts)).cloned() else {
            return;
        };
        if said::is_end(&said) && height < facts.windows.settlement {
            tracing::warn!(
                session = %facts.header.session_id, %height,
                "an endpoint tells of the end of a claim before its proof window closed: ignored"
            );
            return;
        }
        let told = self.memory.told.entry(facts.key()).or_default();
        if !told.contains(&(height, said.clone())) {
            told.push((height, said));
        }
    }

    /// Believes what blocks said of claims as far as the state shows it. Whoever asks for blocks alone could be made
    /// to drop the evidence of a claim that still has to be proven.
    async fn confirm(&mut self) -> Result<(), BookError> {
        let keys: Vec<Key> = self.memory.told.keys().cloned().collect();
        for key in keys {
            let Some(facts) = self.facts(&key) else {
                self.memory.told.remove(&key);
                continue;
            };
            let seen = match self.claim_seen(&facts).await {
                Ok(seen) => seen,
                Err(error) => {
                    tracing::debug!(session = %key.session_id, %error, "the end of a claim cannot be confirmed yet");
                    continue;
                }
            };
            let mut waiting = self.memory.told.remove(&key).unwrap_or_default();
            while let Some((height, said)) = waiting.first().cloned() {
                match said::verdict(&said, height, &seen, &facts.windows) {
                    Verdict::Open => break,
                    Verdict::False => tracing::warn!(
                        session = %key.session_id, %height,
                        "an endpoint tells of the end of a claim that the state does not show: ignored"
                    ),
                    Verdict::Holds => {
                        if let Err(error) = self.feed(&facts, said).await {
                            self.memory.told.insert(key, waiting);
                            return Err(error);
                        }
                    }
                }
                waiting.remove(0);
            }
            if !waiting.is_empty() && self.states.contains_key(&key) {
                self.memory.told.insert(key, waiting);
            }
        }
        Ok(())
    }

    /// Feeds the machine, and does what it asks for, until it asks for nothing more.
    async fn feed(&mut self, facts: &Arc<Facts>, event: ClaimEvent) -> Result<(), BookError> {
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
                self.book.save(&key, &after, self.clock.now_ms()).await?;
                tracing::info!(session = %key.session_id, state = after.name(), why = after.why(), "a claim moved on");
                metrics::counter!("hearth_miner_claims_total", "state" => after.name()).increment(1);
                self.states.insert(key.clone(), after.clone());
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
            ClaimEffect::Look => self.look(facts).await,
            ClaimEffect::LastLook => self.last_look(facts, state).await,
            ClaimEffect::Close => {
                let key = facts.key();
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

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
