//! Money, over chain and wallet.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use axum::http::StatusCode;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use hearth_base::{Amount, Height};
use hearth_chain::{Chain, Faucet, FaucetError, FoundTx, Options, QueryError, Stage, TxError};
use hearth_outbox::{Intent, Item, Outbox, Outcome, Reason, State};
use hearth_pocket::{
    Address, Signer as _,
    message::{Coin, TypeUrl as _, cosmos::MsgSend},
};
use hearth_wallet::{Accounts, KeyHandle, KeyState, Role, Wallet};
use tokio_stream::wrappers::WatchStream;

use super::{
    chain_error, history,
    stakes::{StakedAs, stakes},
    standing, transactions, weaker,
};
use crate::{
    control::types::{
        Balances, Changed, Event, FaucetOrder, History, KeyRole, Movement, Place, PlaceKind, SendDraft,
        SendReview, Sent, Standing, Timestamp, TransactionList, Upokt,
    },
    error::ApiError,
    parts::{Answer, Earn, Money, Window},
};

/// A memo is at most this long on the chain, which counts bytes.
const MAX_MEMO_BYTES: usize = 256;
/// Transactions of an account that the history looks back on.
const HISTORY_TXS: usize = 200;
/// Blocks whose times are asked for at most, and at once.
const MOST_TIMES: usize = 2_000;
const TIMES_AT_ONCE: usize = 16;
/// Those that a whole table looks back on: what an endpoint's index gives in a minute. What this wallet sent and
/// earned is in the database and has no such limit.
const EXPORTED_TXS: usize = 10_000;
/// How long is looked for what has ended, before a payment is made.
const LOOK_WITHIN: Duration = Duration::from_secs(5);
/// How long the chain may take for either, before the wallet's own notes are shown without it.
const HISTORY_WITHIN: Duration = Duration::from_secs(10);
const EXPORTED_WITHIN: Duration = Duration::from_secs(120);

/// Chain and wallet behind the API.
pub struct ChainMoney {
    pub chain: Chain,
    pub wallet: Wallet,
    pub outbox: Outbox,
    /// Settled sessions are rewards of the history.
    pub earn: Arc<dyn Earn>,
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

    /// The times of blocks that nobody noted. A header that is too old to be verified leaves its height alone.
    async fn fill_times(&self, page: &mut History) {
        let unknown = |movement: &&mut Movement| movement.time.is_none();
        let heights: BTreeSet<u64> = page
            .movements
            .iter_mut()
            .filter(unknown)
            .map(|movement| movement.height)
            .collect();
        // The newest first: of a very long table the oldest rows go without.
        let newest = heights.into_iter().rev().take(MOST_TIMES);
        let times: BTreeMap<u64, Timestamp> = stream::iter(newest)
            .map(|height| async move {
                let time = self.chain.block_time(Height(height)).await.ok()?;
                Some((height, Timestamp::from(time)))
            })
            .buffer_unordered(TIMES_AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await;
        for movement in page.movements.iter_mut().filter(unknown) {
            movement.time = times.get(&movement.height).copied();
        }
    }

    /// Reads what the chain says of both accounts into `movements`, where it answers; gives what is missing of it all the
    /// same.
    ///
    /// # Errors
    /// The chain is away: what was read until then stands.
    async fn on_chain(
        &self,
        accounts: &Accounts,
        window: Window,
        movements: &mut Vec<Movement>,
    ) -> Result<Option<ApiError>, ApiError> {
        let (most, within) = if window == Window::ALL {
            (EXPORTED_TXS, EXPORTED_WITHIN)
        } else {
            (HISTORY_TXS, HISTORY_WITHIN)
        };
        let faucet = self.faucet.as_ref().map(|faucet| &faucet.account);
        let read = async {
            let mut has_more = false;
            for address in [&accounts.main, &accounts.working] {
                let mut found = |tx: FoundTx| movements.extend(history::movement(&tx, accounts, faucet));
                has_more |= self.chain.history(address, most, &mut found).await?;
            }
            Ok::<_, QueryError>(has_more)
        };
        match tokio::time::timeout(within, read).await {
            Ok(Ok(false)) => Ok(None),
            Ok(Ok(true)) => {
                let text = format!(
                    "the newest {most} transactions that each account sent and received are here; older ones that this \
                     wallet did not note itself are missing"
                );
                Ok(Some(ApiError::refused("history_cut", text).value("most", most)))
            }
            Ok(Err(error)) => Err(history_away(hearth_base::failure::chain(&error))),
            Err(_) => Err(history_away(format!("no answer within {} s", within.as_secs()))),
        }
    }

    /// What this node signed for its owner; what the miner sends has its sessions.
    async fn own_transactions(&self, most: u32) -> Answer<Vec<Item>> {
        let (all, _) = self.outbox.newest(most, 0).await?;
        let is_own = |item: &Item| !matches!(item.reason, Reason::Claim | Reason::Proof);
        Ok(all.into_iter().filter(is_own).collect())
    }

    fn accounts(&self) -> Answer<Accounts> {
        self.wallet
            .accounts()
            .ok_or_else(|| ApiError::from(hearth_wallet::Error::None))
    }

    fn signer(&self, role: KeyRole) -> Answer<KeyHandle> {
        let role = match role {
            KeyRole::Main => Role::Main,
            KeyRole::Working => Role::Working,
        };
        Ok(self.wallet.signer(role)?)
    }

    /// Reads a draft: who pays whom, how much.
    fn read(&self, draft: &SendDraft) -> Answer<(KeyHandle, Address, MsgSend)> {
        let to: Address =
            draft
                .to
                .trim()
                .parse()
                .map_err(|error: hearth_pocket::address::AddressError| {
                    ApiError::refused("address_wrong", error.to_string())
                        .remedy("Copy the whole address again.")
                })?;
        if draft.amount.0.is_zero() {
            return Err(ApiError::refused("amount_zero", "an amount of 0 cannot be paid"));
        }
        check_memo(draft.memo.as_deref().unwrap_or_default())?;
        let signer = self.signer(draft.from)?;
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

    fn options(&self, draft: &SendDraft) -> Options {
        Options {
            memo: draft.memo.clone().unwrap_or_default(),
            ..Options::default()
        }
    }
}

#[async_trait::async_trait]
impl Money for ChainMoney {
    async fn balances(&self) -> Answer<Balances> {
        let accounts = self.accounts()?;
        let mut places = Vec::new();
        for (kind, address) in [
            (PlaceKind::SpendableMain, &accounts.main),
            (PlaceKind::SpendableWorking, &accounts.working),
        ] {
            let balance = self.chain.balance(address).await.map_err(chain_error)?;
            places.push(place(
                kind,
                address,
                balance.value,
                standing(&self.chain, &balance),
                None,
            ));
        }
        for stake in stakes(&self.chain, &accounts).await? {
            let kind = match stake.staked_as {
                StakedAs::Supplier => PlaceKind::Supplier,
                StakedAs::Application => PlaceKind::Application,
                StakedAs::Gateway => PlaceKind::Gateway,
            };
            let held = amount(stake.coin.as_ref())?;
            places.push(place(
                kind,
                &stake.address,
                held,
                stake.standing,
                stake.unstakes_at,
            ));
        }
        let sum = |places: &[Place]| Upokt(places.iter().map(|place| place.amount.0).sum());
        let spendable: Vec<Place> = places
            .iter()
            .filter(|place| matches!(place.kind, PlaceKind::SpendableMain | PlaceKind::SpendableWorking))
            .cloned()
            .collect();
        let weakest = places.iter().map(|place| place.standing).reduce(weaker);
        Ok(Balances {
            total: sum(&places),
            spendable: sum(&spendable),
            // Both keys are always among the places.
            standing: weakest.unwrap_or(Standing {
                trust: crate::control::types::Trust::Unverified,
                height: 0,
                age_s: None,
            }),
            places,
        })
    }

    async fn history(&self, window: Window) -> Answer<History> {
        let accounts = self.accounts()?;
        let mut movements = Vec::new();
        let (missing, is_away) = match self.on_chain(&accounts, window, &mut movements).await {
            Ok(missing) => (missing, false),
            Err(away) => (Some(away), true),
        };
        let mut offset = 0;
        loop {
            let sessions = self.earn.sessions(Window::page(offset)).await?.sessions;
            movements.extend(sessions.iter().filter_map(history::reward));
            if sessions.len() < Window::PAGE as usize {
                break;
            }
            offset += Window::PAGE;
        }
        let noted = self.own_transactions(u32::MAX).await?;
        let mut page = history::page(movements, &noted, window);
        page.missing.extend(missing.map(|missing| missing.detail()));
        if !is_away {
            self.fill_times(&mut page).await;
        }
        Ok(page)
    }

    async fn transactions(&self, window: Window) -> Answer<TransactionList> {
        let (items, total) = self.outbox.newest(window.limit, window.offset).await?;
        Ok(TransactionList {
            transactions: items.into_iter().map(transactions::shown).collect(),
            total,
        })
    }

    async fn review(&self, draft: &SendDraft) -> Answer<SendReview> {
        let (signer, to, message) = self.read(draft)?;
        self.outbox.shown(self.block_within).await?;
        let balance = self.chain.balance(signer.address()).await.map_err(chain_error)?;
        let not_enough = |needed: Amount| {
            let text = format!(
                "{} POKT are needed, {} are there",
                needed.pokt(),
                balance.value.pokt()
            );
            ApiError::conflict("not_enough", text).remedy("Pay less. Nothing left your wallet.")
        };
        if balance.value < draft.amount.0 {
            return Err(not_enough(draft.amount.0));
        }
        let options = self.options(draft);
        let prepared = self
            .chain
            .prepare(&signer, vec![message.to_any()], &options)
            .await
            .map_err(tx_error)?;
        let cost = draft.amount.0.saturating_add(prepared.fee);
        let Some(after) = balance.value.checked_sub(cost) else {
            return Err(not_enough(cost));
        };
        // What an account pays to itself comes back.
        let comes_back = if to == *signer.address() {
            draft.amount.0
        } else {
            Amount::ZERO
        };
        let after = after.saturating_add(comes_back);
        let noted = self.outbox.newest_of(Reason::Payment, 1000).await?;
        let paid_before = |item: &Item| {
            item.counterparty.as_deref() == Some(to.as_str())
                && matches!(item.state.outcome(), Some(Outcome::Included { .. }))
        };
        let state = self.wallet.state().borrow().clone();
        let locked = match draft.from {
            KeyRole::Main => state.main == KeyState::Locked,
            KeyRole::Working => state.working == KeyState::Locked,
        };
        Ok(SendReview {
            // The route names the review.
            review_id: String::new(),
            from: draft.from,
            from_address: signer.address().to_string(),
            to: to.to_string(),
            amount: draft.amount,
            fee: Upokt(prepared.fee),
            memo: draft.memo.clone(),
            balance_before: Upokt(balance.value),
            balance_after: Upokt(after),
            standing: standing(&self.chain, &balance),
            first_payment_to_address: !noted.iter().any(paid_before),
            needs_password: locked,
        })
    }

    async fn pay(&self, draft: &SendDraft, fee: Upokt) -> Answer<Sent> {
        let (signer, to, message) = self.read(draft)?;
        let memo = draft.memo.clone().unwrap_or_default();
        let intent = Intent {
            account: signer.address().clone(),
            reason: Reason::Payment,
            // Who tries the same again means that payment, as long as it is on its way.
            about: format!("{to} {} {memo}", draft.amount.0.upokt()),
            messages: vec![message.to_any()],
            memo,
            counterparty: Some(to.to_string()),
            amount: draft.amount.0,
            max_fee: fee.0,
            last_height: None,
            after: None,
            is_patient: false,
        };
        // What has ended meanwhile does not stand in the way of the same payment; slow endpoints do not either.
        let _ = tokio::time::timeout(LOOK_WITHIN, self.outbox.look()).await;
        let put = self.outbox.put(&intent).await?;
        let item = self.outbox.wait(put.id(), self.block_within).await?;
        sent(item)
    }

    async fn faucet(&self, order: &FaucetOrder) -> Answer<Sent> {
        let Some(devnet) = &self.faucet else {
            return Err(ApiError::conflict("no_faucet", "only a devnet gives play money"));
        };
        let accounts = self.accounts()?;
        let to = match order.to {
            KeyRole::Main => &accounts.main,
            KeyRole::Working => &accounts.working,
        };
        let gift = devnet
            .faucet
            .give(to, order.amount.0)
            .await
            .map_err(|error| faucet_error(&error))?;
        Ok(Sent {
            tx: gift.tx_hash,
            height: gift.height.map_or(0, |height| height.0),
        })
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

/// The chain's part of a history is not to be had.
fn history_away(why: String) -> ApiError {
    ApiError::unavailable(
        "history_chain_away",
        "the chain does not answer: only what this wallet noted and earned itself is here",
    )
    .details(why)
}

fn place(kind: PlaceKind, address: &Address, amount: Amount, standing: Standing, free: Option<u64>) -> Place {
    Place {
        kind,
        address: address.to_string(),
        amount: Upokt(amount),
        standing,
        free_at_height: free,
    }
}

fn amount(coin: Option<&Coin>) -> Answer<Amount> {
    let Some(coin) = coin else { return Ok(Amount::ZERO) };
    let text = || {
        ApiError::conflict(
            "chain_refused",
            format!("the chain says \"{}\" where an amount belongs", coin.amount),
        )
    };
    coin.amount.parse().map_err(|_| text())
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
            let why = trouble.unwrap_or_else(|| format!("the payment {hash} is in no block yet"));
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
        TxError::NotSeen { .. } | TxError::Unsent { .. } => in_doubt(text),
        TxError::Refused {
            stage: Stage::Check, ..
        } => in_doubt(text),
        TxError::Sign(_) => ApiError::conflict("key_locked", text),
        TxError::TrustConflict { .. } => ApiError::conflict("trust_conflict", text)
            .remedy("Nothing left your wallet. Decide on the Network page."),
        TxError::Refused { .. }
        | TxError::NoAccount { .. }
        | TxError::FeeTooHigh { .. }
        | TxError::Expired { .. } => ApiError::conflict("payment_refused", text),
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
