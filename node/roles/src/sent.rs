//! What was signed elsewhere is sent from here: looked at first, then put into the outbox, which keeps, sends and chases it
//! like all others.

use std::time::Duration;

use hearth_base::{Amount, Height};
use hearth_chain::{FoundTx, Validity};
use hearth_outbox::{Intent, Item, Outcome, Reason, Signed, State, sequence_of};
use hearth_pocket::{
    address::Address,
    message::{Any, cosmos::MsgSend},
    tx::{SignedTx, decode},
};

use crate::{
    elsewhere::Returned,
    plan::Note,
    powers::powers,
    roles::{Error, Roles, about},
    to_sign::check_time,
};

/// A transaction that was signed elsewhere, and that a block holds.
#[derive(Clone, Debug, PartialEq)]
pub struct SentElsewhere {
    pub account: Address,
    pub messages: Vec<Any>,
    pub tx_hash: String,
    pub height: Height,
    /// A block held it before: nothing was sent.
    pub was_there: bool,
    /// What it does besides.
    pub notes: Vec<Note>,
}

/// What would become of a transaction that was signed elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    pub account: Address,
    pub messages: Vec<Any>,
    pub tx_hash: String,
    /// The block that holds it already: nothing would be sent.
    pub placed: Option<Height>,
    pub fee: Amount,
    pub notes: Vec<Note>,
}

/// One that was looked at, and can be sent.
struct Ready {
    returned: Returned,
    tx: SignedTx,
    first_height: Option<Height>,
    placed: Option<Height>,
    notes: Vec<Note>,
}

impl Ready {
    fn done(&self, height: Height) -> SentElsewhere {
        SentElsewhere {
            account: self.returned.account.clone(),
            messages: self.returned.messages.clone(),
            tx_hash: self.tx.hash_text(),
            height,
            was_there: self.placed.is_some(),
            notes: self.notes.clone(),
        }
    }
}

impl Roles {
    /// Takes back what was signed elsewhere, sends it and waits for its block. It is sent only if it was asked for, its
    /// signature holds on this chain, and a block can still take it. What a block holds already is told.
    ///
    /// # Errors
    /// Another transaction, a signature that does not hold, one whose time or turn has passed, a chain that refuses it.
    pub async fn broadcast(
        &self,
        file: &serde_json::Value,
        patience: Duration,
    ) -> Result<SentElsewhere, Error> {
        let ready = self.look(file, patience).await?;
        if let Some(height) = ready.placed {
            return Ok(ready.done(height));
        }
        let Ready {
            returned,
            tx,
            first_height,
            ..
        } = &ready;
        let signed = Signed {
            tx,
            first_height: *first_height,
        };
        let put = self.outbox.put_signed(&intent(returned, tx), signed).await?;
        let item = self.outbox.wait(put.id(), patience).await?;
        let height = ended(item, tx)?;
        // The next block proves it: whoever plans what is left sees it then. A chain that stands still changes nothing.
        let _ = self.chain.reach(height.plus(1), patience).await;
        Ok(ready.done(height))
    }

    /// What [`Roles::broadcast`] would do, by all of its checks and the chain's own trial run. Sends and keeps nothing.
    ///
    /// # Errors
    /// Those of sending.
    pub async fn try_broadcast(&self, file: &serde_json::Value, patience: Duration) -> Result<Trial, Error> {
        let ready = self.look(file, patience).await?;
        let fee = fee(&ready.tx);
        Ok(Trial {
            account: ready.returned.account,
            messages: ready.returned.messages,
            tx_hash: ready.tx.hash_text(),
            placed: ready.placed,
            fee,
            notes: ready.notes,
        })
    }

    /// All that is looked at before anything is sent.
    async fn look(&self, file: &serde_json::Value, patience: Duration) -> Result<Ready, Error> {
        let returned = Returned::read(file)?;
        self.check_asked(&returned).await?;
        let account = self.chain.account(&returned.account).await?.proven()?;
        let known_at = account.height();
        let (number, next) = account
            .into_value()
            .map_or((0, 0), |account| (account.number, account.sequence));
        let tx = returned.checked(self.chain.chain_id().as_str(), number)?;
        if let Some(found) = self.found(&tx, patience).await? {
            return match found.code {
                0 => Ok(Ready {
                    returned,
                    tx,
                    first_height: None,
                    placed: Some(found.height),
                    notes: Vec::new(),
                }),
                _ => Err(failed(&found)),
            };
        }
        let head = self.chain.head().borrow().clone();
        check_time(&head, &Validity::of(&tx))?;
        let sequence = sequence_of(&tx);
        if let Some(sequence) = sequence {
            in_turn(&returned.account, sequence, next)?;
        }
        // What would fail in its block costs its fee all the same.
        self.chain.try_out(&tx).await?;
        let before = self.before(&returned.messages).await;
        let mut notes = powers(&returned.messages, &|address| self.has_key_of(address), &before);
        notes.extend(self.stays(&returned.messages).await);
        Ok(Ready {
            returned,
            tx,
            // Where its sequence was free, none up to there holds it.
            first_height: sequence.map(|_| known_at.plus(1)),
            placed: None,
            notes,
        })
    }

    /// Whether this node may send it: it was given out here, or the owner's key of this wallet has signed it.
    async fn check_asked(&self, returned: &Returned) -> Result<(), Error> {
        let asked: Option<String> =
            sqlx::query_scalar("SELECT account FROM role_asked_elsewhere WHERE about = ?")
                .bind(about(&returned.messages))
                .fetch_optional(self.store.pool())
                .await?;
        // What the owner's key has signed was looked at when it signed, wherever it was made. Keys that sign unattended
        // sign no such files.
        let own = self.wallet.signer_of(&returned.account);
        let signs = |message: &Any| message.signer().as_deref() == Some(returned.account.as_str());
        let is_own = own.is_ok_and(|key| !key.is_unattended()) && returned.messages.iter().all(signs);
        if is_own || asked.as_deref() == Some(returned.account.as_str()) {
            return Ok(());
        }
        Err(Error::NotAsked)
    }

    /// The transaction in its block, with what became of it proven; `None` where no block is known to hold it.
    async fn found(&self, tx: &SignedTx, patience: Duration) -> Result<Option<FoundTx>, Error> {
        let Some(found) = self.chain.tx(&tx.hash()).await? else {
            return Ok(None);
        };
        let found = if found.is_placed && found.outcome.is_none() {
            // The next block proves what became of it.
            let _ = self.chain.reach(found.height.plus(1), patience).await;
            self.chain.tx(&tx.hash()).await?
        } else {
            Some(found)
        };
        Ok(found.filter(|found| found.outcome.is_some() && (found.code == 0 || !found.may_come_again())))
    }
}

/// Whether it is this transaction's turn.
fn in_turn(account: &Address, sequence: u64, next: u64) -> Result<(), Error> {
    let account = account.clone();
    match sequence.cmp(&next) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(Error::SequenceUsed {
            account,
            sequence,
            next,
        }),
        std::cmp::Ordering::Greater => Err(Error::SequenceAhead {
            account,
            sequence,
            next,
        }),
    }
}

fn intent(returned: &Returned, tx: &SignedTx) -> Intent {
    let decoded = decode(tx.raw()).ok();
    let payments: Vec<MsgSend> = returned
        .messages
        .iter()
        .filter_map(|message| message.unpack::<MsgSend>()?.ok())
        .collect();
    let paid = payments.iter().flat_map(|send| &send.amount);
    Intent {
        account: returned.account.clone(),
        reason: Reason::Elsewhere,
        about: tx.hash_text(),
        messages: returned.messages.clone(),
        memo: decoded.map(|decoded| decoded.body.memo).unwrap_or_default(),
        counterparty: payments.first().map(|send| send.to_address.clone()),
        amount: paid.filter_map(|coin| coin.amount.parse::<Amount>().ok()).sum(),
        max_fee: fee(tx),
        last_height: None,
        after: None,
        is_patient: false,
    }
}

/// What it pays for itself.
fn fee(tx: &SignedTx) -> Amount {
    let fee = decode(tx.raw()).ok().and_then(|decoded| decoded.auth_info.fee);
    let coins = fee.into_iter().flat_map(|fee| fee.amount);
    coins.filter_map(|coin| coin.amount.parse::<Amount>().ok()).sum()
}

/// The block that holds it, or how it is.
fn ended(item: Item, tx: &SignedTx) -> Result<Height, Error> {
    let hash = tx.hash_text();
    let outcome = match item.state {
        State::Placed { height, .. } => return Ok(height),
        State::Waiting { trouble: Some(why) } | State::Signed { trouble: Some(why) } => {
            return Err(Error::NotTaken { hash, why });
        }
        State::Waiting { trouble: None } | State::Signed { trouble: None } => {
            return Err(Error::NotSeen { hash });
        }
        State::Ended { outcome } => outcome,
    };
    match outcome {
        Outcome::Included { height, .. } => Ok(height),
        Outcome::Failed { height, why, .. } => Err(Error::Failed {
            height: height.unwrap_or_default(),
            why,
        }),
        Outcome::Expired { .. } => Err(Error::Late(format!("{hash} is in no block and never will be"))),
        Outcome::Refused { why, .. } | Outcome::Unknown { why, .. } => Err(Error::NotTaken { hash, why }),
    }
}

fn failed(found: &FoundTx) -> Error {
    let reason = hearth_chain::reason_of(&found.codespace, found.code, &found.log);
    Error::Failed {
        height: found.height,
        why: reason.words(&found.codespace, found.code, &found.log),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_next_one_is_sent() {
        let account: Address = "pokt188myadvavpprxdfpg9p4ft3crv8plj65fr9lh7".parse().unwrap();
        assert!(in_turn(&account, 4, 4).is_ok());
        assert!(matches!(in_turn(&account, 3, 4), Err(Error::SequenceUsed { .. })));
        assert!(matches!(
            in_turn(&account, 5, 4),
            Err(Error::SequenceAhead { .. })
        ));
    }
}
