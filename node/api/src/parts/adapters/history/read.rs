//! The history as it is read: what the chain, the outbox and the settlements know, with the times of the blocks.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use hearth_base::Height;
use hearth_chain::{FoundTx, QueryError};
use hearth_outbox::Item;
use hearth_pocket::Address;
use hearth_wallet::Accounts;

use super::{
    super::{chain_error, money::ChainMoney},
    all, asked_at, moved, page, returned, settled,
};
use crate::{
    control::types::{EarnedSession, History, Movement, Timestamp, Trust},
    error::ApiError,
    parts::{Answer, HistoryFilter, Window},
};

/// Transactions of an account that the history looks back on.
const HISTORY_TXS: usize = 200;
/// Those that a whole table looks back on: what an endpoint's index gives in a minute. What this wallet sent and
/// earned is in the database and has no such limit.
const EXPORTED_TXS: usize = 10_000;
/// Blocks whose times are asked for at most, and at once.
const MOST_TIMES: usize = 2_000;
const TIMES_AT_ONCE: usize = 16;
/// Transactions that are proven for one table at most, and how long that may take: the next one goes on there.
const MOST_PROOFS: usize = 2_000;
const PROVEN_WITHIN: Duration = Duration::from_secs(20);
/// How long the chain may take for either, before the wallet's own notes are shown without it.
const HISTORY_WITHIN: Duration = Duration::from_secs(10);
const EXPORTED_WITHIN: Duration = Duration::from_secs(120);

impl ChainMoney {
    /// One page of the movements that fit.
    pub(in super::super) async fn read_history(
        &self,
        accounts: &Accounts,
        window: Window,
        filter: &HistoryFilter,
    ) -> Answer<History> {
        let mut read = OnChain::default();
        let (missing, is_away) = match self.on_chain(accounts, window, &mut read).await {
            Ok(missing) => (missing, false),
            Err(away) => (Some(away), true),
        };
        let mut movements = read.movements;
        let sessions = self.all_sessions().await?;
        self.off_transactions(accounts, &sessions, &mut movements).await?;
        // What the miner sends has its sessions.
        let noted = self.outbox.asked_for().await?;
        let mut all = all(movements, &noted, &|address: &str| accounts.owns(address));
        all.retain(|movement| filter.fits(movement));
        let times = Times::new(&noted, &sessions);
        if filter.has_times() {
            times.fill(self, &mut all, is_away).await?;
        }
        all.retain(|movement| filter.is_within(movement));
        let mut page = page(all, &noted, window);
        times.fill(self, &mut page.movements, is_away).await?;
        prove(self, &mut page.movements, &read.provable, is_away).await?;
        page.missing.extend(missing.map(|missing| missing.detail()));
        page.missing
            .extend(self.gaps().await?.map(|missing| missing.detail()));
        page.missing
            .extend(self.before(accounts).await?.map(|missing| missing.detail()));
        Ok(page)
    }

    /// Whether there is a movement of this id. Only of a transaction that is not noted here the chain is asked.
    pub(in super::super) async fn knows(&self, accounts: &Accounts, id: &str) -> Answer<bool> {
        let mut movements = Vec::new();
        self.off_transactions(accounts, &self.all_sessions().await?, &mut movements)
            .await?;
        let noted = self.outbox.asked_for().await?;
        let all = all(movements, &noted, &|address: &str| accounts.owns(address));
        if all.iter().any(|movement| movement.id == id) {
            return Ok(true);
        }
        let mut hash = [0; 32];
        // The row of another account of a transaction names that, too.
        let (tx, account) = id
            .split_once('-')
            .map_or((id, None), |(tx, account)| (tx, Some(account)));
        if account.is_some_and(|account| !accounts.owns(account))
            || hex::decode_to_slice(tx, &mut hash).is_err()
        {
            return Ok(false);
        }
        let found = self.chain.tx(&hash).await.map_err(chain_error)?;
        Ok(found.is_some_and(|found| moved::found(&found, accounts, None).is_some()))
    }

    /// Reads what the chain says of all accounts with a key here into `into`, where it answers; gives what is missing
    /// of it all the same.
    ///
    /// # Errors
    /// The chain is away: what was read until then stands.
    async fn on_chain(
        &self,
        accounts: &Accounts,
        window: Window,
        into: &mut OnChain,
    ) -> Result<Option<ApiError>, ApiError> {
        let (most, within) = if window == Window::ALL {
            (EXPORTED_TXS, EXPORTED_WITHIN)
        } else {
            (HISTORY_TXS, HISTORY_WITHIN)
        };
        let faucet = self.faucet.as_ref().map(|faucet| &faucet.account);
        let read = async {
            let mut has_more = false;
            for address in accounts
                .all
                .iter()
                .filter(|entry| !entry.is_watched())
                .map(|entry| &entry.address)
            {
                let mut found = |tx: FoundTx| into.add(&tx, accounts, faucet);
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

    /// What no transaction tells: settlements, and stakes that came back.
    async fn off_transactions(
        &self,
        accounts: &Accounts,
        sessions: &[EarnedSession],
        movements: &mut Vec<Movement>,
    ) -> Answer<()> {
        let found = self.settlements.all().await?;
        let is_own = |owner: &str| accounts.owns(owner);
        movements.extend(settled::movements(sessions, &found, is_own));
        movements.extend(self.returns.all().await?.iter().map(returned));
        Ok(())
    }

    /// All sessions that this node served, the newest first.
    async fn all_sessions(&self) -> Answer<Vec<EarnedSession>> {
        let (mut offset, mut all) = (0, Vec::new());
        loop {
            let sessions = self.earn.sessions(Window::page(offset)).await?.sessions;
            let is_last = sessions.len() < Window::PAGE as usize;
            all.extend(sessions);
            if is_last {
                return Ok(all);
            }
            offset += Window::PAGE;
        }
    }

    /// Settlements that nobody could be asked about.
    async fn gaps(&self) -> Answer<Option<ApiError>> {
        let gaps = self.settlements.gaps().await?;
        let (Some((first, _)), Some((_, last))) = (gaps.first(), gaps.last()) else {
            return Ok(None);
        };
        let text = format!(
            "no endpoint has all blocks from {first} to {last} any more: rewards and losses that others' miners settled in \
             them are missing"
        );
        let missing = ApiError::refused("history_gap", text);
        Ok(Some(missing.value("first", first.0).value("last", last.0)))
    }

    /// Settlements that nobody was asked about, since they are older than what is looked at.
    async fn before(&self, accounts: &Accounts) -> Answer<Option<ApiError>> {
        let here = accounts.all.iter().filter(|entry| !entry.is_watched());
        let labels: BTreeMap<&str, &str> = here
            .map(|entry| (entry.address.as_str(), entry.label.as_str()))
            .collect();
        let mut blocks: BTreeMap<Height, Vec<&str>> = BTreeMap::new();
        let known = self.settlements.known_from().await?;
        for one in known.iter().filter(|one| one.height.0 > 0) {
            if let Some(label) = labels.get(one.account.as_str()) {
                blocks.entry(one.height).or_default().push(label);
            }
        }
        if blocks.is_empty() {
            return Ok(None);
        }
        let blocks = blocks
            .iter()
            .map(|(height, labels)| format!("{height} ({})", labels.join(", ")))
            .collect::<Vec<String>>()
            .join(", ");
        let text = format!(
            "what sessions settled before block {blocks} is not known: rewards and losses of then that this node did not \
             serve itself are missing"
        );
        Ok(Some(
            ApiError::refused("history_before", text).value("blocks", blocks),
        ))
    }
}

/// What the chain says of the accounts.
#[derive(Default)]
struct OnChain {
    movements: Vec<Movement>,
    /// Transactions that prove their movements, once they are proven themselves, with their outcomes.
    provable: BTreeMap<String, i64>,
}

impl OnChain {
    fn add(&mut self, tx: &FoundTx, accounts: &Accounts, faucet: Option<&Address>) {
        let Some(found) = moved::found(tx, accounts, faucet) else {
            return;
        };
        if found.is_provable {
            self.provable.insert(hex::encode(tx.hash), tx.code);
        }
        self.movements.extend(found.rows);
    }
}

/// Marks what is proven. What is not known yet the chain is asked for, each transaction once and for ever.
async fn prove(
    money: &ChainMoney,
    movements: &mut [Movement],
    provable: &BTreeMap<String, i64>,
    is_away: bool,
) -> Answer<()> {
    let mut proven = money.settlements.proven_txs().await?;
    if !is_away {
        let open: BTreeSet<String> = movements
            .iter()
            .filter(|one| one.standing.trust == Trust::Unverified)
            .filter_map(|one| one.tx.as_deref().map(str::to_lowercase))
            .filter(|tx| provable.contains_key(tx) && !proven.contains_key(tx))
            .take(MOST_PROOFS)
            .collect();
        let new: BTreeMap<String, (Height, i64)> = stream::iter(open)
            .map(|tx| async move {
                let mut hash = [0; 32];
                hex::decode_to_slice(&tx, &mut hash).ok()?;
                let found = money.chain.tx(&hash).await.ok()??;
                let outcome = found.outcome?;
                Some((tx, (outcome.height(), outcome.value().code)))
            })
            .buffer_unordered(TIMES_AT_ONCE)
            .take_until(tokio::time::sleep(PROVEN_WITHIN))
            .filter_map(std::future::ready)
            .collect()
            .await;
        money.settlements.note_proven(&new).await?;
        proven.extend(new.into_iter().map(|(tx, (_, code))| (tx, code)));
    }
    for movement in movements.iter_mut() {
        let tx = movement.tx.as_deref().map(str::to_lowercase).unwrap_or_default();
        if provable
            .get(&tx)
            .is_some_and(|code| proven.get(&tx) == Some(code))
        {
            movement.standing.trust = Trust::Proven;
        }
    }
    Ok(())
}

/// When movements happened: by the blocks they are in, else by what was noted here.
struct Times {
    /// When something was noted, by movement.
    noted: BTreeMap<String, Timestamp>,
    /// When sessions were last looked at, by session and supplier.
    sessions: BTreeMap<(String, String), Timestamp>,
}

impl Times {
    fn new(noted: &[Item], sessions: &[EarnedSession]) -> Times {
        let sessions = sessions.iter();
        Times {
            noted: asked_at(noted),
            sessions: sessions
                .map(|one| ((one.id.clone(), one.supplier.clone()), one.updated_at))
                .collect(),
        }
    }

    /// Sets times that are not set. Blocks are asked for once, and their times kept.
    async fn fill(&self, money: &ChainMoney, movements: &mut [Movement], is_away: bool) -> Answer<()> {
        let mut known = money.settlements.moments().await?;
        if !is_away {
            let new = ask(money, movements, &known).await;
            money.settlements.note_moments(&new).await?;
            known.extend(new);
        }
        for movement in movements.iter_mut().filter(|one| one.time.is_none()) {
            let of_block = known.get(&movement.height);
            movement.time = of_block
                .map(|at_ms| Timestamp::from_ms(*at_ms))
                .or_else(|| self.noted.get(&movement.id).copied())
                .or_else(|| {
                    let key = (movement.session_id.clone()?, movement.supplier.clone()?);
                    self.sessions.get(&key).copied()
                });
        }
        Ok(())
    }
}

/// The times of blocks that are not known yet. A header that is too old to be verified leaves its height alone.
async fn ask(money: &ChainMoney, movements: &[Movement], known: &BTreeMap<u64, i64>) -> BTreeMap<u64, i64> {
    let unknown: BTreeSet<u64> = movements
        .iter()
        .filter(|movement| movement.time.is_none())
        .map(|movement| movement.height)
        .filter(|height| !known.contains_key(height))
        .collect();
    // The newest first: of a very long table the oldest rows go without.
    stream::iter(unknown.into_iter().rev().take(MOST_TIMES))
        .map(|height| async move {
            let time = money.chain.block_time(Height(height)).await.ok()?;
            let at_ms = i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()?;
            Some((height, at_ms))
        })
        .buffer_unordered(TIMES_AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// The chain's part of a history is not to be had.
fn history_away(why: String) -> ApiError {
    ApiError::unavailable(
        "history_chain_away",
        "the chain does not answer: only what this wallet noted and earned itself is here",
    )
    .details(why)
}
