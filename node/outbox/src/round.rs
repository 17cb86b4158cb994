//! One round: what was sent is looked for, what is kept is signed and sent, what waits gets a transaction.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use hearth_base::Height;
use hearth_chain::{Standing, TxError, Validity};
use hearth_pocket::tx::SignedTx;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::{
    db::DbError,
    groups::groups,
    item::{Item, Outcome, State},
    network::{Draft, Failure, Moment, Seen},
    open_tx::OpenTx,
    outbox::Inner,
};

/// Where the blocks that could hold a transaction are gone everywhere, that is said so long after its last moment.
const GIVEN_UP_AFTER: time::Duration = time::Duration::hours(1);
/// How often what comes after something is tried.
const EARLY_TRIES: u32 = 5;
/// The longest pause before something is tried again.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Transactions that are looked for, or made, at a time: an endpoint far away costs each question in a row.
const AT_ONCE: usize = 16;
/// How often what is old is forgotten.
const PRUNED_EVERY: Duration = Duration::from_secs(3600);

impl Inner {
    /// Makes one round.
    pub(crate) async fn round(&self) -> Result<(), DbError> {
        let _turn = self.turn.lock().await;
        if !self.memory.lock().has_begun {
            self.db.complete_older().await?;
            self.give_up_what_was_interrupted().await?;
            self.memory.lock().has_begun = true;
        }
        // Read before anything new is kept: nothing is chased while it is being made.
        let open = self.db.open_txs().await?;
        let chased = CancellationToken::new();
        let chase = async {
            self.chase_all(open).await;
            chased.cancel();
        };
        let ((), made) = futures::join!(chase, self.make_while(&chased));
        made?;
        self.prune().await
    }

    /// Makes what waits, again and again until everything was chased, and once more then: what is late has no time for an
    /// endpoint that does not say what became of something else.
    async fn make_while(&self, chased: &CancellationToken) -> Result<(), DbError> {
        let mut wanted = self.wanted.subscribe();
        loop {
            let is_last = chased.is_cancelled();
            wanted.mark_unchanged();
            self.make_waiting().await?;
            if is_last {
                return Ok(());
            }
            let next = tokio::time::sleep(self.next_try());
            tokio::select! {
                () = chased.cancelled() => {}
                _ = wanted.changed() => {}
                () = next => {}
            }
        }
    }

    /// What waits, and was put in whole.
    async fn waiting(&self) -> Result<Vec<Item>, DbError> {
        let _held = self.putting.lock().await;
        self.db.waiting().await
    }

    /// Makes what waits and is not paused.
    async fn make_waiting(&self) -> Result<(), DbError> {
        let now = Instant::now();
        let waiting: Vec<Item> = {
            let waiting = self.waiting().await?;
            let memory = self.memory.lock();
            let is_paused = |item: &Item| memory.pauses.get(&item.id).is_some_and(|(_, until)| *until > now);
            waiting.into_iter().filter(|item| !is_paused(item)).collect()
        };
        let ready = self.without_those_before(waiting).await;
        let shares = ready.iter().any(|item| item.reason.batch() > 1);
        let ceiling = if shares {
            self.network.gas_ceiling().await
        } else {
            None
        };
        let groups = groups(ready, &self.memory.lock().gas, ceiling);
        let made = groups.into_iter().map(|group| self.make(group, ceiling));
        stream::iter(made)
            .buffered(AT_ONCE)
            .for_each(|made| {
                self.tell(made);
                std::future::ready(())
            })
            .await;
        Ok(())
    }

    /// What became of everything that was kept. Those that may stand in for each other are looked at one by one, the
    /// newest last.
    async fn chase_all(&self, open: Vec<OpenTx>) {
        let mut groups: BTreeMap<Option<i64>, Vec<OpenTx>> = BTreeMap::new();
        for tx in open {
            groups.entry(tx.first_item).or_default().push(tx);
        }
        let chased = groups.into_values().map(|txs| async move {
            let newest = txs.last().map(|tx| tx.id);
            for tx in &txs {
                // What ails one is not in the way of the others.
                self.tell(self.chase(tx, newest == Some(tx.id)).await);
            }
        });
        stream::iter(chased)
            .buffered(AT_ONCE)
            .for_each(|()| std::future::ready(()))
            .await;
    }

    async fn prune(&self) -> Result<(), DbError> {
        let now = Instant::now();
        let is_due = |pruned: Instant| now.saturating_duration_since(pruned) >= PRUNED_EVERY;
        if self.memory.lock().pruned.is_some_and(|pruned| !is_due(pruned)) {
            return Ok(());
        }
        self.db.prune(self.clock.now_ms()).await?;
        self.memory.lock().pruned = Some(now);
        Ok(())
    }

    /// What waits for nothing else. What waited for something that has ended badly has ended, too.
    async fn without_those_before(&self, waiting: Vec<Item>) -> Vec<Item> {
        let mut ready = Vec::new();
        for item in waiting {
            match self.comes_now(&item).await {
                Ok(true) => ready.push(item),
                Ok(false) => {}
                Err(error) => self.tell(Err(error)),
            }
        }
        ready
    }

    /// Whether nothing that has to be done before is open. Only what is proven is done: an endpoint may not see more yet.
    async fn comes_now(&self, item: &Item) -> Result<bool, DbError> {
        let Some(before) = item.after else { return Ok(true) };
        let before = self.db.item(before).await?.map(|before| before.state);
        match before.as_ref().and_then(State::outcome) {
            Some(Outcome::Included { .. }) => Ok(true),
            None => Ok(before.is_none()),
            Some(outcome) => {
                let why = format!("what had to be done before it was not: {outcome}");
                let outcome = refused("not_first", &why);
                self.note(&[item.id], &State::Ended { outcome }).await?;
                Ok(false)
            }
        }
    }

    /// What a person asked for in a former run, and was not signed by it, is not done behind their back.
    async fn give_up_what_was_interrupted(&self) -> Result<(), DbError> {
        let interrupted = || State::Ended {
            outcome: Outcome::Refused {
                code: "interrupted".to_owned(),
                why: "Hearth ended before it was signed: nothing was sent".to_owned(),
            },
        };
        // Not by the clock, which may have been set back.
        let is_old = |item: &Item| !item.is_patient && !self.memory.lock().own.contains(&item.id);
        for item in self.waiting().await? {
            if is_old(&item) {
                self.note(&[item.id], &interrupted()).await?;
            }
        }
        for tx in self.db.open_txs().await? {
            if tx.draft().is_none() {
                continue;
            }
            let Some(items) = self.db.items_of(tx.id).await? else {
                continue;
            };
            if items.iter().any(is_old) {
                let states = items
                    .iter()
                    .map(|item| (item.id, interrupted()))
                    .collect::<Vec<_>>();
                self.over(tx.id, &states).await?;
            }
        }
        Ok(())
    }

    /// What became of a transaction that was kept. Only the newest of its items has another one put in its place.
    async fn chase(&self, tx: &OpenTx, is_newest: bool) -> Result<(), DbError> {
        let Some(items) = self.db.items_of(tx.id).await? else {
            return Ok(());
        };
        if let Some(draft) = tx.draft() {
            return self.chase_unsigned(tx, &items, &draft).await;
        }
        let Some(hash) = tx.hash() else {
            let why = "its hash is not one";
            return self.over(tx.id, &ended(&items, |_| unknown(tx, why))).await;
        };
        let mut validity = Validity {
            first: tx.first_height(),
            until: tx.until_ns.map(moment),
            last: tx.last_height(),
        };
        let mut seen = self.network.seen(&hash, &validity).await;
        if seen.as_ref().is_ok_and(may_come_yet)
            && let Some(passed) = self.passed(tx, &items).await
        {
            // No later block can hold it, so those up to there tell.
            validity.last = Some(validity.last.map_or(passed, |last| last.min(passed)));
            seen = self.network.seen(&hash, &validity).await;
        }
        match seen {
            Ok(Seen::Pending) if self.is_sent_enough(tx, &items) => {
                let why = "no block took it for a day: it is not sent again from here, and whoever has it still may";
                self.over(tx.id, &ended(&items, |_| unknown(tx, why))).await
            }
            Ok(Seen::Pending) if self.is_unprovable() && self.is_given_up(tx) => {
                let why = "nothing of this chain can be proven, and no endpoint shows it in a block";
                self.over(tx.id, &ended(&items, |_| unknown(tx, why))).await
            }
            Ok(Seen::Pending) => self.chase_pending(tx, &items, is_newest).await,
            Ok(Seen::Placed { height }) => {
                let state = State::Placed {
                    tx: tx.hash_text(),
                    height,
                };
                let is_new =
                    |item: &&Item| matches!(item.state, State::Waiting { .. } | State::Signed { .. });
                let new: Vec<i64> = items.iter().filter(is_new).map(|item| item.id).collect();
                if new.is_empty() {
                    return Ok(());
                }
                self.note(&new, &state).await
            }
            Ok(Seen::Done {
                outcome,
                failed: None,
            }) => {
                let included = |_: &Item| Outcome::Included {
                    tx: tx.hash_text(),
                    height: outcome.height(),
                };
                self.over(tx.id, &ended(&items, included)).await
            }
            Ok(Seen::Done {
                outcome,
                failed: Some(failure),
            }) => {
                self.failed(tx, &items, outcome.height(), &failure, is_newest)
                    .await
            }
            Ok(Seen::Expired) => self.expired(tx, &items).await,
            Ok(Seen::Unknown { why }) => {
                if !self.is_given_up(tx) {
                    return Ok(());
                }
                let why = format!("no endpoint has the blocks any more that would prove it: {why}");
                self.over(tx.id, &ended(&items, |_| unknown(tx, &why))).await
            }
            Err(error) => {
                tracing::debug!(hash = %tx.hash_text(), %error, "a transaction cannot be asked for at the moment");
                // The same bytes once more do no harm, and may be what is missing.
                match tx.signed().filter(|_| is_newest) {
                    Some(signed) => self.send_again(tx.id, &signed, &items).await,
                    None => Ok(()),
                }
            }
        }
    }

    /// Whether its last moment was long ago.
    fn is_given_up(&self, tx: &OpenTx) -> bool {
        let head = self.network.head().borrow().time;
        tx.until_ns
            .is_some_and(|until| head > moment(until) + GIVEN_UP_AFTER)
    }

    /// Whether nothing of this chain can be proven, so that an endpoint's word has to do.
    fn is_unprovable(&self) -> bool {
        matches!(self.network.head().borrow().standing, Standing::Unverified { .. })
    }

    /// The height that decides what is too late.
    pub(crate) fn height(&self) -> Height {
        let head = self.network.head().borrow().clone();
        if self.is_unprovable() {
            head.height
        } else {
            head.verified_height
        }
    }

    /// A transaction in no block: it is sent again, or another one with the same moment of validity in its place.
    async fn chase_pending(&self, tx: &OpenTx, items: &[Item], is_newest: bool) -> Result<(), DbError> {
        // What another one stands in for is not sent any more.
        let Some(signed) = tx.signed().filter(|_| is_newest) else {
            return Ok(());
        };
        let is_refused = self.memory.lock().refused.contains(&tx.id);
        if is_refused && items.iter().all(|item| item.is_patient) && !self.is_paused(items) {
            self.memory.lock().refused.remove(&tx.id);
            return self
                .make_in_place(items.to_vec(), Some((tx.id, &signed, None)), None)
                .await;
        }
        self.send_again(tx.id, &signed, items).await
    }

    /// Sends the same bytes again, and says what the endpoints say of them now.
    pub(crate) async fn send_again(&self, id: i64, signed: &SignedTx, items: &[Item]) -> Result<(), DbError> {
        let trouble = match self.network.send_again(signed).await {
            None => return Ok(()),
            Some(Ok(_)) => None,
            Some(Err(error)) => {
                self.note_refusal(id, items, &error);
                Some(hearth_base::failure::chain(&error))
            }
        };
        let state = State::Signed { trouble };
        let is_news = |item: &&Item| item.state.stage() == "signed" && item.state != state;
        let news: Vec<i64> = items.iter().filter(is_news).map(|item| item.id).collect();
        if news.is_empty() {
            return Ok(());
        }
        self.note(&news, &state).await
    }

    /// Bytes that were kept and not signed never left.
    async fn chase_unsigned(&self, tx: &OpenTx, items: &[Item], draft: &Draft) -> Result<(), DbError> {
        let head = self.network.head().borrow().clone();
        // An endpoint's word of the time gives nothing up.
        let is_known = head.verified_height.0 > 0;
        let is_late = tx.until_ns.is_some_and(|until| head.time > moment(until))
            || tx.last_height().is_some_and(|last| head.verified_height > last);
        let is_late = is_known && is_late;
        if is_late {
            let why = "its time ran out before it was signed";
            let states = self.tried_again(items, why, |_| refused("too_late", why));
            return self.over(tx.id, &states).await;
        }
        self.sign(tx.id, items, draft).await
    }

    /// It failed in a block. Where a later one may hold the same bytes, it has not ended: what a person asked for is in
    /// doubt until its moment has passed, and what is patient is signed once more, of which the chain takes one. One of
    /// several was at fault otherwise: each is tried alone.
    async fn failed(
        &self,
        tx: &OpenTx,
        items: &[Item],
        height: Height,
        failure: &Failure,
        is_newest: bool,
    ) -> Result<(), DbError> {
        let why = format!("it failed in block {height}: {}", failure.why);
        let is_patient = items.iter().all(|item| item.is_patient);
        let is_over = match failure.moment {
            Moment::Used => true,
            // Claims and proofs may be made twice, and their window does not wait.
            Moment::Unclear => is_patient,
            Moment::Free => false,
        };
        if !is_over {
            return self.in_doubt(tx, items, why, is_newest && is_patient).await;
        }
        if items.len() > 1 {
            self.db.part(&ids(items)).await?;
            let states: Vec<_> = items.iter().map(|item| (item.id, State::WAITING)).collect();
            return self.over(tx.id, &states).await;
        }
        let states = self.tried_again(items, &why, |_| Outcome::Failed {
            tx: tx.hash_text(),
            height: Some(height),
            why: why.clone(),
        });
        self.over(tx.id, &states).await
    }

    /// The same bytes may still be included.
    async fn in_doubt(
        &self,
        tx: &OpenTx,
        items: &[Item],
        why: String,
        is_tried_again: bool,
    ) -> Result<(), DbError> {
        let state = State::Signed {
            trouble: Some(format!(
                "{why}; it may still be included until its time has passed"
            )),
        };
        let is_news = |item: &&Item| item.state != state;
        let news: Vec<i64> = items.iter().filter(is_news).map(|item| item.id).collect();
        if !news.is_empty() {
            self.note(&news, &state).await?;
        }
        match tx.signed() {
            Some(signed) if is_tried_again && !self.is_paused(items) => {
                items.iter().for_each(|item| self.pause(item.id));
                self.make_in_place(items.to_vec(), Some((tx.id, &signed, None)), None)
                    .await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// No block holds it, and none ever will.
    async fn expired(&self, tx: &OpenTx, items: &[Item]) -> Result<(), DbError> {
        let why = "its time ran out before a block held it";
        if items.len() > 1 {
            self.db.part(&ids(items)).await?;
        }
        let states = self.tried_again(items, why, |_| Outcome::Expired { tx: tx.hash_text() });
        self.over(tx.id, &states).await
    }

    /// The states of items whose transaction is certainly none: the patient ones wait for another one while they have
    /// time, the others have ended.
    pub(crate) fn tried_again(
        &self,
        items: &[Item],
        why: &str,
        end: impl Fn(&Item) -> Outcome,
    ) -> Vec<(i64, State)> {
        let height = self.height();
        let state = |item: &Item| {
            let has_time = item.last_height.is_none_or(|last| height < last);
            if item.is_patient && has_time {
                self.pause(item.id);
                return State::Waiting {
                    trouble: Some(why.to_owned()),
                };
            }
            State::Ended { outcome: end(item) }
        };
        items.iter().map(|item| (item.id, state(item))).collect()
    }

    /// What comes after something may be asked of an endpoint that has not seen it yet.
    pub(crate) fn may_be_early(&self, item: &Item) -> bool {
        let tried = self
            .memory
            .lock()
            .pauses
            .get(&item.id)
            .map_or(0, |(tried, _)| *tried);
        item.after.is_some() && tried < EARLY_TRIES
    }

    /// Notes that others have to be signed in place of bytes that are refused as they are.
    pub(crate) fn note_refusal(&self, id: i64, items: &[Item], error: &TxError) {
        if error.reason().is_some_and(|reason| !reason.same_bytes_may_pass()) {
            self.memory.lock().refused.insert(id);
            items.iter().for_each(|item| self.pause(item.id));
        }
    }

    pub(crate) fn pause(&self, item: i64) {
        let mut memory = self.memory.lock();
        let (tried, until) = memory.pauses.entry(item).or_insert((0, Instant::now()));
        *until = Instant::now()
            + self
                .first_pause
                .saturating_mul(1 << (*tried).min(6))
                .min(MAX_PAUSE);
        *tried += 1;
    }

    fn is_paused(&self, items: &[Item]) -> bool {
        let memory = self.memory.lock();
        let pause = |item: &Item| memory.pauses.get(&item.id).map(|(_, until)| *until);
        items.iter().filter_map(pause).any(|until| until > Instant::now())
    }

    pub(crate) async fn note(&self, items: &[i64], state: &State) -> Result<(), DbError> {
        self.db.note(items, state, self.clock.now_ms()).await?;
        self.forget(items.iter().map(|item| (*item, state)));
        self.changed();
        Ok(())
    }

    pub(crate) async fn over(&self, tx: i64, states: &[(i64, State)]) -> Result<(), DbError> {
        self.db.over(tx, states, self.clock.now_ms()).await?;
        self.memory.lock().refused.remove(&tx);
        self.forget(states.iter().map(|(item, state)| (*item, state)));
        self.changed();
        Ok(())
    }

    /// What has ended is kept in mind no longer.
    fn forget<'a>(&self, states: impl Iterator<Item = (i64, &'a State)>) {
        let mut memory = self.memory.lock();
        for (item, _) in states.filter(|(_, state)| state.outcome().is_some()) {
            memory.own.remove(&item);
            memory.fees.remove(&item);
            memory.pauses.remove(&item);
        }
    }
}

pub(crate) fn ids(items: &[Item]) -> Vec<i64> {
    items.iter().map(|item| item.id).collect()
}

pub(crate) fn ended(items: &[Item], outcome: impl Fn(&Item) -> Outcome) -> Vec<(i64, State)> {
    let state = |item: &Item| State::Ended {
        outcome: outcome(item),
    };
    items.iter().map(|item| (item.id, state(item))).collect()
}

/// Whether a later block may hold it, by what is known of it alone.
fn may_come_yet(seen: &Seen) -> bool {
    match seen {
        Seen::Pending => true,
        Seen::Done { failed, .. } => failed
            .as_ref()
            .is_some_and(|failure| failure.moment != Moment::Used),
        Seen::Placed { .. } | Seen::Expired | Seen::Unknown { .. } => false,
    }
}

fn unknown(tx: &OpenTx, why: &str) -> Outcome {
    Outcome::Unknown {
        tx: tx.hash_text(),
        why: why.to_owned(),
    }
}

pub(crate) fn refused(code: &str, why: &str) -> Outcome {
    Outcome::Refused {
        code: code.to_owned(),
        why: why.to_owned(),
    }
}

fn moment(nanoseconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds.into()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
