//! Earning, over the miner.

mod sums;
mod words;

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt as _, stream::BoxStream};
use hearth_base::{Amount, Clock};
use hearth_chain::Chain;
use hearth_miner::{Error, Miner, MinerEvent, ReasonCode, SessionView};
use hearth_pocket::Address;
use tokio_stream::wrappers::BroadcastStream;

use super::chain_error;
use crate::{
    control::types::{
        EarnedRelay, EarnedRelayList, EarnedSessionList, Earning, EarningPage, EarningState, EarningSummary,
        Event, RelayServed, RunningAnswer, ServedService, Timestamp, Upokt,
    },
    error::ApiError,
    parts::{Answer, Earn, Window},
};

/// The miner behind the API.
#[derive(Clone)]
pub struct MinerEarn {
    miner: Miner,
    chain: Chain,
    clock: Clock,
}

/// How long the sums wait for what is spendable: endpoints that hang would hold up all the others.
const SPENDABLE_WITHIN: Duration = Duration::from_secs(3);
/// How long a command may take to show in the state.
const SETTLE_WITHIN: Duration = Duration::from_secs(2);

impl MinerEarn {
    /// The chain tells what is spendable.
    #[must_use]
    pub fn new(miner: Miner, chain: Chain, clock: Clock) -> MinerEarn {
        MinerEarn { miner, chain, clock }
    }

    fn now(&self) -> Earning {
        words::earning(&self.miner.state().borrow(), &self.miner.running().borrow())
    }

    /// Waits a moment for the state that a command leads to: the earning task takes commands from a queue, and may
    /// also stay where it is because something stands in the way.
    async fn settle(&self, is_there: impl Fn(EarningState) -> bool) {
        let mut state = self.miner.state();
        let there = state.wait_for(|earning| is_there(words::state(&earning.state)));
        // Not in time: the answer says what is.
        let _ = tokio::time::timeout(SETTLE_WITHIN, there).await;
    }

    /// What the suppliers' keys hold, and those of their owners that are here. `None` where there is no supplier to ask
    /// for.
    async fn spendable(&self) -> Answer<Option<Amount>> {
        let operators = self.miner.operators();
        if operators.is_empty() {
            return Ok(None);
        }
        let asked = operators.iter().map(|operator| self.chain.supplier(operator));
        let records = futures::future::try_join_all(asked).await.map_err(chain_error)?;
        let owners = records
            .into_iter()
            .filter_map(|record| Address::parse(&record.into_value()?.owner_address).ok())
            .filter(|owner| self.miner.is_own(owner));
        let accounts: BTreeSet<Address> = operators.iter().cloned().chain(owners).collect();
        let asked = accounts.iter().map(|account| self.chain.balance(account));
        let balances = futures::future::try_join_all(asked).await.map_err(chain_error)?;
        Ok(Some(
            balances.into_iter().map(|balance| balance.into_value()).sum(),
        ))
    }
}

#[async_trait::async_trait]
impl Earn for MinerEarn {
    async fn state(&self) -> Earning {
        self.now()
    }

    async fn page(&self) -> Answer<EarningPage> {
        let figures = self.miner.figures();
        let earning = self.now();
        let running = self.miner.running().borrow().answers.clone();
        let is_off = earning.state == crate::control::types::EarningState::Off;
        Ok(EarningPage {
            supplier: self.miner.operators().first().map(ToString::to_string),
            listen: (!is_off).then(|| self.miner.relay_addr().to_string()),
            public_url: Some(self.miner.relay_url().to_string()),
            services: self
                .miner
                .config()
                .services
                .keys()
                .map(|id| ServedService { id: id.to_string() })
                .collect(),
            running: running
                .into_iter()
                .map(|(number, answer)| RunningAnswer {
                    id: number.to_string(),
                    service: answer.service,
                    session_id: answer.session_id,
                    supplier: answer.supplier,
                    started_at: Timestamp::from_ms(answer.started_ms),
                })
                .collect(),
            max_running: u32::try_from(self.miner.max_running()).unwrap_or(u32::MAX),
            answered: figures.answered,
            refused: figures.refused,
            unpaid_late: figures.unpaid_late,
            earning,
        })
    }

    async fn start(&self) -> Answer<Earning> {
        self.miner.earn_start().await?;
        self.settle(|state| state != EarningState::Off).await;
        Ok(self.now())
    }

    async fn stop(&self) -> Answer<Earning> {
        self.miner.earn_stop().await?;
        self.settle(|state| matches!(state, EarningState::Off | EarningState::Draining))
            .await;
        Ok(self.now())
    }

    async fn acknowledge(&self, supplier: Option<&str>) -> Answer<Earning> {
        self.miner.acknowledge_record(supplier).await?;
        let mut state = self.miner.state();
        let is_told = |earning: &hearth_miner::Earning| {
            let meant = earning
                .suppliers
                .iter()
                .filter(|one| supplier.is_none_or(|named| named == one.operator.as_str()));
            let mut notes = meant.flat_map(|one| &one.notes);
            !notes.any(|note| note.code == ReasonCode::RecordChanged)
        };
        // Not in time: the answer says what is.
        let _ = tokio::time::timeout(SETTLE_WITHIN, state.wait_for(is_told)).await;
        Ok(self.now())
    }

    async fn reserve(&self, operator: &Address) -> Answer<Amount> {
        Ok(self.miner.reserve(operator).await?)
    }

    async fn open_claims(&self, operator: &Address) -> Answer<u64> {
        Ok(self.miner.n_open(operator).await?)
    }

    async fn summary(&self) -> Answer<EarningSummary> {
        let now = self.clock.now();
        let totals = self.miner.totals(sums::chart_begins(now)).await?;
        let open = totals.open.iter().cloned().map(|record| self.miner.view(record));
        let open: Vec<SessionView> = open.collect();
        // A chain that does not answer leaves the other stages readable; this one is then not known.
        let spendable = match tokio::time::timeout(SPENDABLE_WITHIN, self.spendable()).await {
            Ok(Ok(spendable)) => spendable,
            Ok(Err(error)) => {
                tracing::debug!(%error, "what is spendable is not known at present");
                None
            }
            Err(_) => None,
        };
        let is_own = |owner: &str| self.miner.owns(owner);
        Ok(sums::summary(now, &totals, &open, spendable, &is_own))
    }

    async fn sessions(&self, window: Window) -> Answer<EarnedSessionList> {
        let views = self.miner.sessions(window.limit, window.offset).await?;
        Ok(EarnedSessionList {
            sessions: views.iter().map(words::session).collect(),
            total: self.miner.n_sessions().await?,
        })
    }

    async fn relays(
        &self,
        session_id: &str,
        supplier: Option<&str>,
        window: Window,
    ) -> Answer<EarnedRelayList> {
        let page = self
            .miner
            .relay_page(session_id, supplier, window.limit, window.offset)
            .await?;
        let relays = page.entries.into_iter().map(|entry| EarnedRelay {
            hash: hex::encode(entry.hash),
            answered_at: Timestamp::from_ms(entry.answered_ms),
            duration_ms: Some(u64::from(entry.duration_ms)),
            bytes_out: entry.bytes_out,
            completion_tokens: entry.tokens,
            status: entry.status,
            in_tree: entry.in_tree,
            failure: (entry.status >= 500)
                .then(|| format!("the backend answered with status {}", entry.status)),
        });
        Ok(EarnedRelayList {
            relays: relays.collect(),
            total: page.total,
        })
    }

    fn events(&self) -> BoxStream<'static, Event> {
        let miner = self.miner.clone();
        let events = BroadcastStream::new(self.miner.events()).filter_map(move |event| {
            let event = match event {
                Ok(MinerEvent::Earning(earning)) => {
                    let running = miner.running();
                    let running = running.borrow();
                    Some(Event::Earning(words::earning(&earning, &running)))
                }
                Ok(MinerEvent::Relays) => Some(Event::Relay(RelayServed {
                    answered: miner.figures().answered,
                    running: u32::try_from(miner.running().borrow().answers.len()).unwrap_or(u32::MAX),
                })),
                Ok(MinerEvent::Claim(record)) => {
                    let view: SessionView = miner.view(*record);
                    Some(Event::Claim(Box::new(words::session(&view))))
                }
                // A listener that fell behind reads its page anew with the next event.
                Err(_) => None,
            };
            std::future::ready(event)
        });
        events.boxed()
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> ApiError {
        match &error {
            Error::NoSupplier(_) => ApiError::not_found("supplier"),
            Error::Stopped => ApiError::unavailable("stopping", "the miner has stopped"),
            Error::Config(_) | Error::Port { .. } => ApiError::conflict("cannot_earn", error.to_string()),
            Error::Unreadable(_) => ApiError::conflict("evidence_unreadable", error.to_string()),
            Error::Chain(_) => {
                ApiError::unavailable("chain_unreachable", hearth_base::failure::chain(&error))
            }
            Error::Evidence { .. } | Error::Threads(_) | Error::SessionDb(_) => ApiError::internal(&error),
        }
    }
}

/// An amount for the screen.
fn upokt(amount: Amount) -> Upokt {
    Upokt(amount)
}
