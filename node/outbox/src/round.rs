//! One round: what was sent is looked for, what is kept is signed and sent, what waits gets a transaction.

use std::time::{Duration, Instant};

use hearth_base::{Amount, Height};
use hearth_chain::{Options, Reason as Refused, Stage, TxError, Validity, valid_until};
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
/// How often a fee is raised before it is given up.
const RAISES: usize = 3;
/// The longest pause before something is tried again.
const MAX_PAUSE: Duration = Duration::from_secs(60);

impl Inner {
    /// Makes one round.
    pub(crate) async fn round(&self) -> Result<(), DbError> {
        let _turn = self.turn.lock().await;
        let is_first = !std::mem::replace(&mut self.memory.lock().has_begun, true);
        if is_first {
            self.give_up_what_was_interrupted().await?;
        }
        for tx in self.db.open_txs().await? {
            self.chase(&tx).await?;
        }
        let now = Instant::now();
        let waiting: Vec<Item> = {
            let waiting = self.db.waiting().await?;
            let memory = self.memory.lock();
            let is_paused = |item: &Item| memory.pauses.get(&item.id).is_some_and(|(_, until)| *until > now);
            waiting.into_iter().filter(|item| !is_paused(item)).collect()
        };
        for group in groups(self.without_those_before(waiting).await?) {
            self.make(group).await?;
        }
        Ok(())
    }

    /// What waits for nothing else. What waited for something that has ended badly has ended, too.
    async fn without_those_before(&self, waiting: Vec<Item>) -> Result<Vec<Item>, DbError> {
        let mut ready = Vec::new();
        for item in waiting {
            let Some(before) = item.after else {
                ready.push(item);
                continue;
            };
            match self.db.item(before).await?.map(|before| before.state) {
                Some(
                    State::Placed { .. }
                    | State::Ended {
                        outcome: Outcome::Included { .. },
                    },
                ) => ready.push(item),
                Some(State::Waiting { .. } | State::Signed { .. }) => {}
                Some(State::Ended { outcome }) => {
                    let why = format!("what had to be done before it was not: {outcome}");
                    let outcome = refused("not_first", &why);
                    self.note(&[item.id], &State::Ended { outcome }).await?;
                }
                None => ready.push(item),
            }
        }
        Ok(ready)
    }

    /// What a person asked for in a former run, and was not signed by it, is not done behind their back.
    async fn give_up_what_was_interrupted(&self) -> Result<(), DbError> {
        let interrupted = || State::Ended {
            outcome: Outcome::Refused {
                code: "interrupted".to_owned(),
                why: "Hearth ended before it was signed: nothing was sent".to_owned(),
            },
        };
        let is_old = |item: &Item| !item.is_patient && !self.memory.lock().own.contains(&item.id);
        for item in self.db.waiting().await? {
            if is_old(&item) {
                self.note(&[item.id], &interrupted()).await?;
            }
        }
        for tx in self.db.open_txs().await? {
            if tx.draft().is_none() {
                continue;
            }
            let items = self.db.items_of(tx.id).await?;
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
        let items = self.db.items_of(tx.id).await?;
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
        let is_late = tx.until_ns.is_some_and(|until| head.time > moment(until))
            || tx.last_height().is_some_and(|last| head.height > last);
        if is_late {
            let why = "its time ran out before it was signed";
            let states = self.tried_again(items, why, |_| refused("too_late", why));
            return self.over(tx.id, &states).await;
        }
        self.sign(tx.id, items, draft, 0).await
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
        let mut states = Vec::new();
        for (item, state) in self.tried_again(items, why, |_| Outcome::Expired { tx: tx.hash_text() }) {
            // Another one in its place may still be included.
            if self.db.n_open_txs(item).await? <= 1 {
                states.push((item, state));
            }
        }
        self.over(tx.id, &states).await
    }

    /// The states of items whose transaction is certainly none: the patient ones wait for another one while they have
    /// time, the others have ended.
    fn tried_again(&self, items: &[Item], why: &str, end: impl Fn(&Item) -> Outcome) -> Vec<(i64, State)> {
        let height = self.network.head().borrow().height;
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
        let head = self.network.head().borrow().height;
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
                return Ok(());
            };
            match self.signed_and_sent(id, &items, &draft).await? {
                Some((tx, asked)) if raises < RAISES => {
                    let doubled = draft.fee.saturating_add(draft.fee);
                    raised = Some((tx, Some(asked.unwrap_or(doubled))));
                }
                Some(_) | None => return Ok(()),
            }
        }
        Ok(())
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
        let is_refused = matches!(
            error,
            TxError::Refused {
                stage: Stage::Simulation,
                ..
            }
        );
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
            } else if item.is_patient {
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
    async fn sign(&self, id: i64, items: &[Item], draft: &Draft, raises: usize) -> Result<(), DbError> {
        match self.signed_and_sent(id, items, draft).await? {
            Some((tx, asked)) if raises < RAISES => {
                let doubled = draft.fee.saturating_add(draft.fee);
                let fee = asked.unwrap_or(doubled);
                self.make_in_place(items.to_vec(), Some((&tx, Some(fee)))).await
            }
            Some(_) | None => Ok(()),
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
