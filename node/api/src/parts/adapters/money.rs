//! Money, over chain and wallet.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use futures::{StreamExt as _, stream::BoxStream};
use hearth_base::Amount;
use hearth_chain::{Chain, Faucet, FaucetError, Options, Stage, TxError};
use hearth_outbox::{Intent, Item, Outbox, Outcome, Reason, State};
use hearth_pocket::{
    Address, Signer as _,
    message::{Coin, TypeUrl as _, cosmos::MsgSend},
};
use hearth_roles::{Returns, Settlements};
use hearth_wallet::{Accounts, KeyHandle, Wallet};
use tokio_stream::wrappers::WatchStream;

use super::{chain_error, on_chain, places, standing, transactions};
use crate::{
    control::types::{
        AccountList, Balances, Changed, Discover, Event, FaucetOrder, FeeChoice, FoundAccounts, History,
        SendDraft, SendReview, Sent, TransactionList, Upokt,
    },
    error::ApiError,
    parts::{Answer, Earn, HistoryFilter, Money, Relay, Window},
};

/// A memo is at most this long on the chain, which counts bytes.
const MAX_MEMO_BYTES: usize = 256;
/// How many times the usual fee the higher one is.
const HIGHER: u128 = 4;
/// Payments that are looked through for whom was paid before.
const MOST_PAYMENTS: u32 = 1_000;
/// How long is looked for what has ended, before a payment is made.
const LOOK_WITHIN: Duration = Duration::from_secs(5);
/// Chain and wallet behind the API.
pub struct ChainMoney {
    pub chain: Chain,
    pub wallet: Wallet,
    pub outbox: Outbox,
    /// Settled sessions are rewards of the history.
    pub earn: Arc<dyn Earn>,
    /// Answers that were bought and not settled yet are spoken for.
    pub relay: Arc<dyn Relay>,
    /// Stakes that came back are movements of the history.
    pub returns: Returns,
    /// So is what sessions settled, whoever served.
    pub settlements: Settlements,
    /// What gives play money, on a devnet.
    pub faucet: Option<DevnetFaucet>,
    /// How long a payment may wait for its block.
    pub block_within: Duration,
}

/// The faucet of a devnet as the wallet knows it.
pub struct DevnetFaucet {
    pub faucet: Faucet,
    /// Who pays its gifts.
    pub account: Address,
}

impl ChainMoney {
    /// How long a payment usually waits for its block before the caller is told that it is still on its way.
    pub const BLOCK_WITHIN: Duration = Duration::from_secs(150);

    /// Whether claims and proofs are paid from this account.
    fn is_operator(&self, signer: &KeyHandle) -> bool {
        let accounts = self.wallet.accounts();
        accounts.is_some_and(|accounts| accounts.operators.contains(signer.address()))
    }

    /// Whether a payment leaves the working key what its claims and proofs cost, or is made all the same.
    async fn check_reserve(&self, signer: &KeyHandle, draft: &SendDraft, left: Amount) -> Answer<()> {
        if !self.is_operator(signer) || draft.below_reserve {
            return Ok(());
        }
        let reserve = self.earn.reserve(signer.address()).await?;
        if left >= reserve {
            return Ok(());
        }
        let text = format!(
            "{} POKT would be left, and what is open on the Earn page costs up to {} POKT",
            left.pokt(),
            reserve.pokt()
        );
        Err(ApiError::conflict("below_reserve", text)
            .remedy("Pay less, or from the main key. Without that money claims and proofs are lost."))
    }

    fn own_accounts(&self) -> Answer<Accounts> {
        self.wallet
            .accounts()
            .ok_or_else(|| ApiError::from(hearth_wallet::Error::None))
    }

    fn signer(&self, account: &str) -> Answer<KeyHandle> {
        let entry = self.wallet.find(account)?;
        Ok(self.wallet.signer_of(&entry.address)?)
    }

    /// Reads a draft: who pays whom, how much.
    fn read(&self, draft: &SendDraft) -> Answer<(KeyHandle, Address, MsgSend)> {
        let to = super::address(&draft.to)?;
        if draft.amount.0.is_zero() {
            return Err(ApiError::refused("amount_zero", "an amount of 0 cannot be paid"));
        }
        check_memo(draft.memo.as_deref().unwrap_or_default())?;
        let signer = self.signer(&draft.from)?;
        let message = MsgSend {
            from_address: signer.address().to_string(),
            to_address: to.to_string(),
            amount: vec![Coin {
                denom: "upokt".to_owned(),
                amount: draft.amount.0.upokt().to_string(),
            }],
        };
        Ok((signer, to, message))
    }

    /// What the payment costs by the owner's choice.
    async fn fee(&self, signer: &KeyHandle, message: &MsgSend, draft: &SendDraft) -> Answer<Amount> {
        let options = Options {
            memo: draft.memo.clone().unwrap_or_default(),
            ..Options::default()
        };
        let prepared = self
            .chain
            .prepare(signer, vec![message.to_any()], &options)
            .await
            .map_err(tx_error)?;
        Ok(match draft.fee {
            FeeChoice::Normal => prepared.fee,
            FeeChoice::Higher => Amount::from_upokt(prepared.fee.upokt().saturating_mul(HIGHER)),
        })
    }
}

impl ChainMoney {
    /// The same payment, as long as it is on its way.
    async fn same_on_its_way(&self, intent: &Intent) -> Answer<Option<i64>> {
        let newest = self.outbox.about(&intent.account, intent.reason, &intent.about);
        Ok(newest.await?.filter(is_open).map(|item| item.id))
    }

    /// What transactions on their way take from an account, fees included, without those about the same.
    async fn leaving(&self, account: &Address, same: Option<&str>) -> Answer<Amount> {
        let (items, _) = self.outbox.newest(MOST_PAYMENTS, 0).await?;
        let open = items
            .iter()
            .filter(|item| item.account == *account && is_open(item));
        let others = open.filter(|item| item.reason != Reason::Payment || item.about.as_deref() != same);
        let cost = others.map(|item| match item.reason {
            // A claim or proof may cost its worth at most, and costs next to nothing.
            Reason::Claim | Reason::Proof => Amount::ZERO,
            Reason::Payment | Reason::Role | Reason::Setup | Reason::Elsewhere => {
                item.amount.saturating_add(item.max_fee)
            }
        });
        Ok(cost.fold(Amount::ZERO, Amount::saturating_add))
    }
}

#[async_trait::async_trait]
impl Money for ChainMoney {
    async fn balances(&self) -> Answer<Balances> {
        places::balances(self, &self.own_accounts()?).await
    }

    async fn history(&self, window: Window, filter: &HistoryFilter) -> Answer<History> {
        self.read_history(&self.own_accounts()?, window, filter).await
    }

    async fn knows_movement(&self, id: &str) -> Answer<bool> {
        self.knows(&self.own_accounts()?, id).await
    }

    async fn transactions(&self, window: Window) -> Answer<TransactionList> {
        let (items, total) = self.outbox.newest(window.limit, window.offset).await?;
        Ok(TransactionList {
            transactions: items.into_iter().map(transactions::shown).collect(),
            total,
        })
    }

    async fn review(&self, draft: &SendDraft) -> Answer<SendReview> {
        let mut draft = draft.clone();
        if draft.max {
            // First what it costs to pay nearly nothing: the fee does not depend on the amount.
            draft.amount = Upokt(Amount::from_upokt(1));
        }
        let (signer, to, mut message) = self.read(&draft)?;
        self.outbox.shown(self.block_within).await?;
        let balance = self.chain.balance(signer.address()).await.map_err(chain_error)?;
        // What is on its way is spent, but for the same payment, which this one would be.
        let about = (!draft.max).then(|| about(&to, &draft));
        let leaving = self.leaving(signer.address(), about.as_deref()).await?;
        let there = balance.value().saturating_sub(leaving);
        let cost_of = |amount: Amount| not_enough(amount, there);
        // The least fee is one upokt.
        let least = draft.amount.0.saturating_add(Amount::from_upokt(1));
        if there < least {
            return Err(cost_of(least));
        }
        let fee = self.fee(&signer, &message, &draft).await?;
        if draft.max {
            let rest = there.checked_sub(fee).filter(|rest| !rest.is_zero());
            draft.amount = Upokt(rest.ok_or_else(|| cost_of(fee))?);
            (_, _, message) = self.read(&draft)?;
        }
        let cost = draft.amount.0.saturating_add(fee);
        let after = there.checked_sub(cost).ok_or_else(|| cost_of(cost))?;
        // What an account pays to itself comes back.
        let comes_back = if to == *signer.address() {
            draft.amount.0
        } else {
            Amount::ZERO
        };
        // What signs unattended does so for its role; to give its money away is the owner's word, but where money is play.
        let is_asked = signer.is_unattended() && self.faucet.is_none();
        let needs_password = is_asked || self.wallet.state().borrow().is_locked(signer.address());
        let from = self.wallet.find(signer.address().as_str())?.label;
        let to_own = self.own_accounts()?.owns(to.as_str());
        let after = after.saturating_add(comes_back);
        self.check_reserve(&signer, &draft, after).await?;
        Ok(SendReview {
            // The route names the review, and says what is known of the recipient.
            review_id: String::new(),
            from,
            from_address: signer.address().to_string(),
            to_own,
            to: to.to_string(),
            amount: draft.amount,
            fee: Upokt(fee),
            fee_choice: draft.fee,
            memo: draft.memo.clone(),
            balance_before: Upokt(there),
            balance_after: Upokt(after),
            standing: standing(&self.chain, &balance),
            first_payment_to_address: false,
            needs_password,
            to_name: None,
            looks_like: None,
            messages: serde_json::to_value(message.to_any()).into_iter().collect(),
        })
    }

    async fn payees(&self) -> Answer<Vec<String>> {
        let noted = self.outbox.newest_of(Reason::Payment, MOST_PAYMENTS).await?;
        let paid = noted
            .into_iter()
            .filter(|item| matches!(item.state.outcome(), Some(Outcome::Included { .. })));
        Ok(paid.filter_map(|item| item.counterparty).collect())
    }

    async fn pay(&self, draft: &SendDraft, fee: Upokt) -> Answer<Sent> {
        let (signer, to, message) = self.read(draft)?;
        if self.is_operator(&signer) && !draft.below_reserve {
            let balance = self.chain.balance(signer.address()).await.map_err(chain_error)?;
            let cost = draft.amount.0.saturating_add(fee.0);
            // Where it is not enough at all, the chain says so.
            if let Some(left) = balance
                .value()
                .checked_sub(cost)
                .filter(|_| to != *signer.address())
            {
                self.check_reserve(&signer, draft, left).await?;
            }
        }
        let memo = draft.memo.clone().unwrap_or_default();
        let intent = Intent {
            account: signer.address().clone(),
            reason: Reason::Payment,
            // Who tries the same again means that payment, as long as it is on its way.
            about: about(&to, draft),
            messages: vec![message.to_any()],
            memo,
            counterparty: Some(to.to_string()),
            amount: draft.amount.0,
            max_fee: fee.0,
            last_height: None,
            after: None,
            is_patient: false,
        };
        let on_its_way = self.same_on_its_way(&intent).await?;
        // What has ended meanwhile does not stand in the way of the same payment; slow endpoints do not either.
        let _ = tokio::time::timeout(LOOK_WITHIN, self.outbox.look()).await;
        // Whoever ordered it again while it was on its way meant that one, also where a block has it by now.
        if let Some(id) = on_its_way
            && let Some(item) = self.outbox.item(id).await?
            && is_paid(&item)
        {
            return sent(item);
        }
        let put = self.outbox.put_at_its_fee(&intent).await?;
        let item = self.outbox.wait(put.id(), self.block_within).await?;
        sent(item)
    }

    async fn faucet(&self, order: &FaucetOrder) -> Answer<Sent> {
        let Some(devnet) = &self.faucet else {
            return Err(ApiError::conflict("no_faucet", "only a devnet gives play money"));
        };
        let to = self.wallet.find(&order.to)?.address;
        let gift = devnet
            .faucet
            .give(&to, order.amount.0)
            .await
            .map_err(|error| faucet_error(&error))?;
        Ok(Sent {
            tx: gift.tx_hash,
            height: gift.height.map_or(0, |height| height.0),
        })
    }

    async fn accounts(&self) -> Answer<AccountList> {
        on_chain::accounts(&self.chain, &self.wallet).await
    }

    async fn discover(&self, order: Discover) -> Answer<FoundAccounts> {
        on_chain::discover(&self.chain, &self.wallet, order).await
    }

    fn events(&self) -> BoxStream<'static, Event> {
        // Any block may move money; the page reads again what it shows.
        WatchStream::from_changes(self.chain.head())
            .map(|head| {
                Event::Balances(Changed {
                    height: Some(head.height.0),
                })
            })
            .boxed()
    }
}

/// What tells a payment from others: who tries the same again means that payment.
fn about(to: &Address, draft: &SendDraft) -> String {
    let memo = draft.memo.as_deref().unwrap_or_default();
    format!("{to} {} {memo}", draft.amount.0.upokt())
}

fn not_enough(needed: Amount, there: Amount) -> ApiError {
    let text = format!("{} POKT are needed, {} are there", needed.pokt(), there.pokt());
    ApiError::conflict("not_enough", text).remedy("Pay less. Nothing left your wallet.")
}

fn check_memo(memo: &str) -> Answer<()> {
    if memo.len() <= MAX_MEMO_BYTES {
        return Ok(());
    }
    let message = format!(
        "the note has {} bytes, and the network takes {MAX_MEMO_BYTES}",
        memo.len()
    );
    Err(ApiError::new(StatusCode::BAD_REQUEST, "memo_too_long", message)
        .remedy("Shorten it. Letters beyond a to z count two to four bytes."))
}

fn faucet_error(error: &FaucetError) -> ApiError {
    let text = hearth_base::failure::chain(error);
    match error {
        FaucetError::Client(_) | FaucetError::Unreachable(_) => {
            ApiError::unavailable("faucet_unreachable", text)
        }
        FaucetError::Refused(_) => ApiError::conflict("faucet_refused", text),
    }
}

fn is_open(item: &Item) -> bool {
    matches!(item.state, State::Waiting { .. } | State::Signed { .. })
}

fn is_paid(item: &Item) -> bool {
    matches!(item.state, State::Placed { .. })
        || matches!(item.state.outcome(), Some(Outcome::Included { .. }))
}

/// A payment of which it is not certain whether it is made.
fn in_doubt(text: String) -> ApiError {
    ApiError::unavailable("not_seen", text).remedy(
        "Hearth looks for it until it is certain, ten minutes at most while the chain is followed. Until a block has it, \
         paying the same again sends this payment again, not a second one: look at the transactions first.",
    )
}

/// What became of a payment, for whoever waits for it.
fn sent(item: Item) -> Answer<Sent> {
    let hash = item.tx.and_then(|tx| tx.hash).unwrap_or_default();
    let outcome = match item.state {
        State::Placed { tx, height } => Outcome::Included { tx, height },
        State::Ended { outcome } => outcome,
        State::Waiting { trouble } | State::Signed { trouble } => {
            let name = if hash.is_empty() {
                String::new()
            } else {
                format!(" {hash}")
            };
            let why = trouble.unwrap_or_else(|| format!("the payment{name} is in no block yet"));
            return Err(in_doubt(why));
        }
    };
    match outcome {
        Outcome::Included { tx, height } => Ok(Sent { tx, height: height.0 }),
        Outcome::Failed { why, .. } => Err(ApiError::conflict(
            "payment_refused",
            format!("the payment did nothing, and its fee is lost: {why}"),
        )),
        Outcome::Expired { tx } => Err(ApiError::conflict(
            "payment_refused",
            format!(
                "the payment {tx} was in no block when its time ran out: it never will be, nothing was paid"
            ),
        )),
        Outcome::Unknown { why, .. } => Err(ApiError::unavailable("not_seen", why)
            .remedy("Nobody can prove how it ended: look at the balances before you pay again.")),
        Outcome::Refused { code, why } => Err(refused(&code, why)),
    }
}

/// Why nothing was sent.
fn refused(code: &str, why: String) -> ApiError {
    match code {
        "key_locked" => ApiError::conflict("key_locked", why),
        "trust_conflict" => ApiError::conflict("trust_conflict", why)
            .remedy("Nothing left your wallet. Decide on the Network page."),
        "fee_rose" => {
            ApiError::conflict("fee_rose", why).remedy("Look at the payment again. Nothing left your wallet.")
        }
        "chain_unreachable" => {
            ApiError::unavailable("chain_unreachable", why).remedy("Nothing left your wallet.")
        }
        _ => ApiError::conflict("payment_refused", why),
    }
}

pub(super) fn tx_error(error: TxError) -> ApiError {
    let text = hearth_base::failure::chain(&error);
    match &error {
        TxError::Unsent { .. } => in_doubt(text),
        TxError::Refused {
            stage: Stage::Check,
            log,
            ..
        } => in_doubt(text).details(log),
        TxError::Sign(_) => ApiError::conflict("key_locked", text),
        TxError::TrustConflict { .. } => ApiError::conflict("trust_conflict", text)
            .remedy("Nothing left your wallet. Decide on the Network page."),
        TxError::Refused { log, .. } => ApiError::conflict("payment_refused", text).details(log),
        TxError::NoAccount { .. } | TxError::FeeTooHigh { .. } => ApiError::conflict("payment_refused", text),
        TxError::Query(_) => ApiError::unavailable("chain_unreachable", text)
            .remedy("Nothing left your wallet unless the history shows it."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_measured_as_the_chain_measures_it() {
        // W34
        assert!(check_memo(&"a".repeat(256)).is_ok());
        assert!(check_memo(&"é".repeat(128)).is_ok());
        let error = check_memo(&"é".repeat(129)).unwrap_err();
        assert_eq!(
            (error.status, error.code),
            (StatusCode::BAD_REQUEST, "memo_too_long")
        );
        assert!(error.message.contains("258"), "{error}");
    }
}
