//! One round: what was sent is looked for, what is kept is signed and sent, what waits gets a transaction.

use std::time::{Duration, Instant};

use hearth_base::{Amount, Height};
use hearth_chain::{Options, Reason as Refused, TxError, Validity, valid_until};
use hearth_pocket::{address::Address, message::Any, tx::SignedTx};
use time::OffsetDateTime;

use crate::{
    db::{DbError, Kept, OpenTx},
    item::{Item, Outcome, State},
    network::{Draft, Seen},
    outbox::Inner,
};

/// Where the blocks that could hold a transaction are gone everywhere, that is said so long after its last moment.
const GIVEN_UP_AFTER: time::Duration = time::Duration::hours(1);
/// The most bytes of messages that share a transaction: endpoints take a megabyte at least.
const MAX_BATCH_BYTES: usize = 512 << 10;
/// How often what comes after something is tried.
const EARLY_TRIES: u32 = 5;
/// How often a fee is raised before it is given up.
const RAISES: usize = 3;
/// The longest pause before something is tried again.
const MAX_PAUSE: Duration = Duration::from_secs(60);

impl Inner {
    /// Makes one round.
    pub(crate) async fn round(&self) -> Result<(), DbError> {
        let _turn = self.turn.lock().await;
        if !self.memory.lock().has_begun {
            self.give_up_what_was_interrupted().await?;
            self.memory.lock().has_begun = true;
        }
        for tx in self.db.open_txs().await? {
            // What ails one is not in the way of the others.
            self.tell(self.chase(&tx).await);
        }
        let now = Instant::now();
        let waiting: Vec<Item> = {
            let waiting = self.db.waiting().await?;
            let memory = self.memory.lock();
            let is_paused = |item: &Item| memory.pauses.get(&item.id).is_some_and(|(_, until)| *until > now);
            waiting.into_iter().filter(|item| !is_paused(item)).collect()
        };
        for group in groups(self.without_those_before(waiting).await) {
            self.tell(self.make(group).await);
        }
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
        let is_old = |item: &Item| {
            let is_own = item.at_ms >= self.begun_ms || self.memory.lock().own.contains(&item.id);
            !item.is_patient && !is_own
        };
        for item in self.db.waiting().await? {
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

    /// What became of a transaction that was kept.
    async fn chase(&self, tx: &OpenTx) -> Result<(), DbError> {
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
        let validity = Validity {
            first: tx.first_height(),
            until: tx.until_ns.map(moment),
            last: tx.last_height(),
        };
        match self.network.seen(&hash, &validity).await {
            Ok(Seen::Pending) => self.chase_pending(tx, &items).await,
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
            Ok(Seen::Done { height, failed: None }) => {
                let included = |_: &Item| Outcome::Included {
                    tx: tx.hash_text(),
                    height,
                };
                self.over(tx.id, &ended(&items, included)).await
            }
            Ok(Seen::Done {
                height,
                failed: Some(why),
            }) => self.failed(tx, &items, height, &why).await,
            Ok(Seen::Expired) => self.expired(tx, &items).await,
            Ok(Seen::Unknown { why }) => {
                let head = self.network.head().borrow().time;
                let is_given_up = tx
                    .until_ns
                    .is_some_and(|until| head > moment(until) + GIVEN_UP_AFTER);
                if !is_given_up {
                    return Ok(());
                }
                let why = format!("no endpoint has the blocks any more that would prove it: {why}");
                self.over(tx.id, &ended(&items, |_| unknown(tx, &why))).await
            }
            Err(error) => {
                tracing::debug!(hash = %tx.hash_text(), %error, "a transaction cannot be asked for at the moment");
                Ok(())
            }
        }
    }

    /// A transaction in no block: it is sent again, or another one with the same moment of validity in its place.
    async fn chase_pending(&self, tx: &OpenTx, items: &[Item]) -> Result<(), DbError> {
        let Some(signed) = tx.signed() else { return Ok(()) };
        let is_refused = self.memory.lock().refused.contains(&tx.id);
        if is_refused && items.iter().all(|item| item.is_patient) && !self.is_paused(items) {
            self.memory.lock().refused.remove(&tx.id);
            return self.make_in_place(items.to_vec(), Some((&signed, None))).await;
        }
        self.network.send_again(&signed).await;
        Ok(())
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

    /// It failed in a block. One of several was at fault: each is tried alone.
    async fn failed(&self, tx: &OpenTx, items: &[Item], height: Height, why: &str) -> Result<(), DbError> {
        if items.len() > 1 {
            self.db.part(&ids(items)).await?;
            let states: Vec<_> = items.iter().map(|item| (item.id, State::WAITING)).collect();
            return self.over(tx.id, &states).await;
        }
        let why = format!("it failed in block {height}: {why}");
        let states = self.tried_again(items, &why, |_| Outcome::Failed {
            tx: tx.hash_text(),
            height: Some(height),
            why: why.clone(),
        });
        self.over(tx.id, &states).await
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
    fn tried_again(&self, items: &[Item], why: &str, end: impl Fn(&Item) -> Outcome) -> Vec<(i64, State)> {
        let height = self.network.head().borrow().verified_height;
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

    /// Makes a transaction for items.
    async fn make(&self, items: Vec<Item>) -> Result<(), DbError> {
        let head = self.network.head().borrow().verified_height;
        let (late, items): (Vec<Item>, Vec<Item>) = items
            .into_iter()
            .partition(|item| item.last_height.is_some_and(|last| head >= last));
        if !late.is_empty() {
            let why = |item: &Item| {
                item.state
                    .trouble()
                    .unwrap_or("no block was left for it")
                    .to_owned()
            };
            for item in &late {
                let outcome = refused("too_late", &why(item));
                self.note(&[item.id], &State::Ended { outcome }).await?;
            }
        }
        if items.is_empty() {
            return Ok(());
        }
        self.make_in_place(items, None).await
    }

    /// The same, in place of a transaction that may still be included, with a fee of at least so much.
    async fn make_in_place(
        &self,
        items: Vec<Item>,
        former: Option<(&SignedTx, Option<Amount>)>,
    ) -> Result<(), DbError> {
        let mut raised = former.map(|(tx, fee)| (tx.clone(), fee));
        for raises in 0.. {
            let account = items[0].account.clone();
            let (in_place_of, least_fee) = raised.map_or((None, None), |(tx, fee)| (Some(tx), fee));
            let options = Options {
                memo: items[0].memo.clone(),
                timeout_height: items.iter().filter_map(|item| item.last_height).min(),
                in_place_of,
                least_fee,
                ..Options::default()
            };
            let is_replacement = options.in_place_of.is_some();
            let draft = match self.prepared(&account, messages(&items), &options).await {
                Ok(draft) => draft,
                Err(error) => return self.not_prepared(&items, &error, is_replacement).await,
            };
            let most: Amount = items.iter().map(|item| item.max_fee).sum();
            if draft.fee > most {
                let error = TxError::FeeTooHigh {
                    asked: draft.fee,
                    limit: most,
                };
                return self.not_prepared(&items, &error, is_replacement).await;
            }
            let Some(id) = self.keep(&account, &items, &draft).await? else {
                items.iter().for_each(|item| self.pause(item.id));
                return Ok(());
            };
            match self.signed_and_sent(id, &items, &draft).await? {
                Some((tx, asked)) if raises < RAISES => {
                    raised = Some((tx, Some(higher(draft.fee, asked))));
                }
                Some(_) => return self.asks_ever_more(id, &items).await,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    async fn asks_ever_more(&self, id: i64, items: &[Item]) -> Result<(), DbError> {
        self.memory.lock().refused.insert(id);
        items.iter().for_each(|item| self.pause(item.id));
        let why = "the endpoints ask for a higher fee each time";
        let trouble = Some(why.to_owned());
        self.note(&ids(items), &State::Signed { trouble }).await
    }

    async fn prepared(
        &self,
        account: &Address,
        messages: Vec<Any>,
        options: &Options,
    ) -> Result<Draft, TxError> {
        let signer = self.signers.signer(account)?;
        self.network.prepare(&*signer, messages, options).await
    }

    /// Nothing was signed. What shares a transaction is tried alone where the chain refuses it; what is not patient has
    /// ended, unless a former one of it may still be included.
    async fn not_prepared(
        &self,
        items: &[Item],
        error: &TxError,
        is_replacement: bool,
    ) -> Result<(), DbError> {
        let why = hearth_base::failure::chain(error);
        let is_refused = matches!(error, TxError::Refused { .. } | TxError::FeeTooHigh { .. });
        if is_refused && items.len() > 1 && !is_replacement {
            self.db.part(&ids(items)).await?;
            for item in items {
                Box::pin(self.make(vec![item.clone()])).await?;
            }
            return Ok(());
        }
        for item in items {
            let state = if is_replacement {
                State::Signed {
                    trouble: Some(why.clone()),
                }
            } else if item.is_patient || (is_refused && self.may_be_early(item)) {
                State::Waiting {
                    trouble: Some(why.clone()),
                }
            } else {
                State::Ended {
                    outcome: refused(word(error), &why),
                }
            };
            self.pause(item.id);
            self.note(&[item.id], &state).await?;
        }
        Ok(())
    }

    /// Keeps the bytes that are going to be signed.
    async fn keep(&self, account: &Address, items: &[Item], draft: &Draft) -> Result<Option<i64>, DbError> {
        // The moment and the height are in the bytes.
        let unsigned = SignedTx::new(draft.unsigned.clone());
        let until = valid_until(&unsigned);
        let head = self.network.head().borrow().clone();
        let kept = Kept {
            account,
            draft,
            until_ns: until.and_then(|until| i64::try_from(until.unix_timestamp_nanos()).ok()),
            last_height: Validity::of(&unsigned).last,
            // Only a head that was verified says that it was not there before.
            first_height: (head.verified_height.0 > 0).then(|| head.verified_height.plus(1)),
        };
        let id = self.db.keep(&ids(items), kept, self.clock.now_ms()).await?;
        self.changed();
        Ok(id)
    }

    /// Signs kept bytes and sends them; the fee is raised where the chain asks for more.
    async fn sign(&self, id: i64, items: &[Item], draft: &Draft) -> Result<(), DbError> {
        match self.signed_and_sent(id, items, draft).await? {
            Some((tx, asked)) => {
                let fee = higher(draft.fee, asked);
                self.make_in_place(items.to_vec(), Some((&tx, Some(fee)))).await
            }
            None => Ok(()),
        }
    }

    /// Signs kept bytes and sends them. Gives the transaction, and the fee that is asked for, where that is not enough.
    async fn signed_and_sent(
        &self,
        id: i64,
        items: &[Item],
        draft: &Draft,
    ) -> Result<Option<(SignedTx, Option<Amount>)>, DbError> {
        let signed = {
            let signer = self.signers.signer(&items[0].account).map_err(TxError::from);
            signer.and_then(|signer| self.network.sign(&*signer, draft))
        };
        let signed = match signed {
            Ok(signed) => signed,
            Err(error) => return self.not_signed(id, items, &error).await.map(|()| None),
        };
        self.db.signed(id, &signed).await?;
        let why = match self.network.send(&signed).await {
            Ok(_) => return Ok(None),
            Err(TxError::Refused {
                reason: Refused::InsufficientFee { required },
                ..
            }) => return Ok(Some((signed, required))),
            Err(error) => {
                let is_final = |reason: &Refused| !reason.same_bytes_may_pass();
                if error.reason().is_some_and(is_final) {
                    self.memory.lock().refused.insert(id);
                    items.iter().for_each(|item| self.pause(item.id));
                }
                hearth_base::failure::chain(&error)
            }
        };
        self.note(&ids(items), &State::Signed { trouble: Some(why) })
            .await?;
        Ok(None)
    }

    /// The key is locked or away: nothing has left.
    async fn not_signed(&self, id: i64, items: &[Item], error: &TxError) -> Result<(), DbError> {
        let why = hearth_base::failure::chain(error);
        if items.iter().all(|item| item.is_patient) {
            // What is kept is signed as soon as the key is there.
            return self
                .note(&ids(items), &State::Signed { trouble: Some(why) })
                .await;
        }
        self.over(id, &ended(items, |_| refused(word(error), &why))).await
    }

    /// What comes after something may be asked of an endpoint that has not seen it yet.
    fn may_be_early(&self, item: &Item) -> bool {
        let tried = self
            .memory
            .lock()
            .pauses
            .get(&item.id)
            .map_or(0, |(tried, _)| *tried);
        item.after.is_some() && tried < EARLY_TRIES
    }

    fn pause(&self, item: i64) {
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

    async fn note(&self, items: &[i64], state: &State) -> Result<(), DbError> {
        self.db.note(items, state, self.clock.now_ms()).await?;
        self.forget(items.iter().map(|item| (*item, state)));
        self.changed();
        Ok(())
    }

    async fn over(&self, tx: i64, states: &[(i64, State)]) -> Result<(), DbError> {
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
            memory.pauses.remove(&item);
        }
    }
}

/// Items that share a transaction: of one account and reason, no more than it bears, none that must be alone.
fn groups(waiting: Vec<Item>) -> Vec<Vec<Item>> {
    let mut groups: Vec<Vec<Item>> = Vec::new();
    for item in waiting {
        let n_bytes = |items: &[Item]| {
            messages(items)
                .iter()
                .map(|message| message.value.len())
                .sum::<usize>()
        };
        let fits = |group: &&mut Vec<Item>| {
            let first = &group[0];
            !item.is_alone
                && !first.is_alone
                && (first.account == item.account && first.reason == item.reason && first.memo == item.memo)
                && group.len() < item.reason.batch()
                && n_bytes(group) + n_bytes(std::slice::from_ref(&item)) <= MAX_BATCH_BYTES
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups
}

/// A fee that is higher than one that was not enough. What is asked for is believed only where it is.
fn higher(fee: Amount, asked: Option<Amount>) -> Amount {
    let doubled = fee.saturating_add(fee).max(Amount::from_upokt(1));
    asked.filter(|asked| *asked > fee).unwrap_or(doubled)
}

fn messages(items: &[Item]) -> Vec<Any> {
    items.iter().flat_map(|item| item.messages.clone()).collect()
}

fn ids(items: &[Item]) -> Vec<i64> {
    items.iter().map(|item| item.id).collect()
}

fn ended(items: &[Item], outcome: impl Fn(&Item) -> Outcome) -> Vec<(i64, State)> {
    let state = |item: &Item| State::Ended {
        outcome: outcome(item),
    };
    items.iter().map(|item| (item.id, state(item))).collect()
}

fn unknown(tx: &OpenTx, why: &str) -> Outcome {
    Outcome::Unknown {
        tx: tx.hash_text(),
        why: why.to_owned(),
    }
}

fn refused(code: &str, why: &str) -> Outcome {
    Outcome::Refused {
        code: code.to_owned(),
        why: why.to_owned(),
    }
}

/// The stable word of what stands in the way of a transaction that did not leave.
fn word(error: &TxError) -> &'static str {
    match error {
        TxError::Sign(_) => "key_locked",
        TxError::TrustConflict { .. } => "trust_conflict",
        TxError::FeeTooHigh { .. } => "fee_rose",
        TxError::Query(_) => "chain_unreachable",
        TxError::Refused { .. }
        | TxError::NoAccount { .. }
        | TxError::Expired { .. }
        | TxError::NotSeen { .. }
        | TxError::Unsent { .. } => "refused",
    }
}

fn moment(nanoseconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds.into()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
