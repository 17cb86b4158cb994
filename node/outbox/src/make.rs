//! From what is wanted to a transaction that was sent: prepared, kept, signed, kept again, sent.

use futures::future::join_all;
use hearth_base::Amount;
use hearth_chain::{Options, Reason as Refused, TxError, Validity, valid_until};
use hearth_pocket::{address::Address, message::Any, tx::SignedTx};

use crate::{
    db::{DbError, Kept},
    groups::{gas_limit, messages, parts},
    item::{Item, State},
    network::Draft,
    outbox::Inner,
    round::{ended, ids, refused},
};

/// How often a fee is raised before it is given up.
const RAISES: usize = 3;

impl Inner {
    /// Makes a transaction for items, which asks for so much gas at most.
    pub(crate) async fn make(&self, items: Vec<Item>, ceiling: Option<u64>) -> Result<(), DbError> {
        let head = self.height();
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
        self.make_in_place(items, None, ceiling).await
    }

    /// The same, in place of a transaction that may still be included, with a fee of at least so much.
    pub(crate) async fn make_in_place(
        &self,
        items: Vec<Item>,
        former: Option<(i64, &SignedTx, Option<Amount>)>,
        ceiling: Option<u64>,
    ) -> Result<(), DbError> {
        let mut raised = former.map(|(id, tx, fee)| (id, tx.clone(), fee));
        for raises in 0.. {
            let account = items[0].account.clone();
            let (former, in_place_of, asked) = match raised {
                Some((id, tx, fee)) => (Some(id), Some(tx), fee),
                None => (None, None, None),
            };
            let least_fee = asked.max(self.chosen_fee(&items));
            let options = Options {
                memo: items[0].memo.clone(),
                timeout_height: items.iter().filter_map(|item| item.last_height).min(),
                in_place_of,
                least_fee,
                ..Options::default()
            };
            let draft = match self.prepared(&account, messages(&items), &options).await {
                Ok(draft) => draft,
                Err(error) => return self.not_prepared(&items, &error, former.is_some(), ceiling).await,
            };
            let gas = gas_limit(&draft.unsigned);
            self.memory.lock().gas.note(items[0].reason, items.len(), gas);
            if former.is_none()
                && let Some(parts) = parts(&items, gas, ceiling)
            {
                return self.make_all(parts, ceiling).await;
            }
            let most: Amount = items.iter().map(|item| item.max_fee).sum();
            if draft.fee > most {
                let error = TxError::FeeTooHigh {
                    asked: draft.fee,
                    limit: most,
                };
                return self.not_prepared(&items, &error, former.is_some(), ceiling).await;
            }
            let Some(id) = self.keep(&account, &items, &draft).await? else {
                items.iter().for_each(|item| self.pause(item.id));
                // Nothing else is to be signed than what is signed.
                return match (former, &options.in_place_of) {
                    (Some(id), Some(signed)) => self.send_again(id, signed, &items).await,
                    (None | Some(_), _) => Ok(()),
                };
            };
            match self.signed_and_sent(id, &items, &draft).await? {
                Some((tx, asked)) if raises < RAISES => {
                    raised = Some((id, tx, Some(higher(draft.fee, asked))));
                }
                Some(_) => return self.asks_ever_more(id, &items).await,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// What was chosen to be paid for an item that has a transaction of its own.
    fn chosen_fee(&self, items: &[Item]) -> Option<Amount> {
        match items {
            [item] => self.memory.lock().fees.get(&item.id).copied(),
            [..] => None,
        }
    }

    /// Makes a transaction of each part, at once.
    async fn make_all(&self, parts: Vec<Vec<Item>>, ceiling: Option<u64>) -> Result<(), DbError> {
        let made = parts.into_iter().map(|part| self.make(part, ceiling));
        for made in Box::pin(join_all(made)).await {
            made?;
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

    /// Nothing was signed. What shares a transaction is halved where the chain refuses it, until what is wrong is alone;
    /// what is not patient has ended, unless a former one of it may still be included.
    async fn not_prepared(
        &self,
        items: &[Item],
        error: &TxError,
        is_replacement: bool,
        ceiling: Option<u64>,
    ) -> Result<(), DbError> {
        let why = hearth_base::failure::chain(error);
        let is_refused = matches!(error, TxError::Refused { .. } | TxError::FeeTooHigh { .. });
        if is_refused && items.len() > 1 && !is_replacement {
            let halves = items.chunks(items.len().div_ceil(2)).map(<[Item]>::to_vec);
            return self.make_all(halves.collect(), ceiling).await;
        }
        if is_refused && items.len() == 1 && !is_replacement {
            // It is in nobody's way any more.
            self.db.part(&ids(items)).await?;
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
    pub(crate) async fn sign(&self, id: i64, items: &[Item], draft: &Draft) -> Result<(), DbError> {
        match self.signed_and_sent(id, items, draft).await? {
            Some((tx, asked)) => {
                let fee = higher(draft.fee, asked);
                self.make_in_place(items.to_vec(), Some((id, &tx, Some(fee))), None)
                    .await
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
                self.note_refusal(id, items, &error);
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
}

/// A fee that is higher than one that was not enough. What is asked for is believed only where it is.
fn higher(fee: Amount, asked: Option<Amount>) -> Amount {
    let doubled = fee.saturating_add(fee).max(Amount::from_upokt(1));
    asked.filter(|asked| *asked > fee).unwrap_or(doubled)
}

/// The stable word of what stands in the way of a transaction that did not leave.
fn word(error: &TxError) -> &'static str {
    match error {
        TxError::Sign(_) => "key_locked",
        TxError::TrustConflict { .. } => "trust_conflict",
        TxError::FeeTooHigh { .. } => "fee_rose",
        TxError::Query(_) => "chain_unreachable",
        TxError::Refused { .. } | TxError::NoAccount { .. } | TxError::Unsent { .. } => "refused",
    }
}
