//! Earning, over the miner.

mod sums;
mod words;

use std::time::Duration;

use futures::{StreamExt as _, stream::BoxStream};
use hearth_base::{Amount, Clock};
use hearth_chain::Chain;
use hearth_miner::{Error, Miner, MinerEvent, SessionView};
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
        words::earning(&self.miner.state().borrow())
    }

    /// Waits a moment for the state that a command leads to: the earning task takes commands from a queue, and may
    /// also stay where it is because something stands in the way.
    async fn settle(&self, is_there: impl Fn(EarningState) -> bool) {
        let mut state = self.miner.state();
        let there = state.wait_for(|earning| is_there(words::earning(earning).state));
        // Not in time: the answer says what is.
        let _ = tokio::time::timeout(SETTLE_WITHIN, there).await;
    }

    /// What both keys hold: the supplier's operator and its owner. `None` where there is no supplier to ask for.
    async fn spendable(&self) -> Answer<Option<Amount>> {
        let Some(operator) = self.miner.supplier() else {
            return Ok(None);
        };
        let supplier = self.chain.supplier(&operator).await.map_err(chain_error)?.value;
        let owner = supplier.and_then(|supplier| Address::parse(&supplier.owner_address).ok());
        let mut sum = self.chain.balance(&operator).await.map_err(chain_error)?.value;
        if let Some(owner) = owner.filter(|owner| *owner != operator) {
            sum = sum.saturating_add(self.chain.balance(&owner).await.map_err(chain_error)?.value);
        }
        Ok(Some(sum))
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
            supplier: self.miner.supplier().map(|address| address.to_string()),
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
        Ok(sums::summary(now, &totals, &open, spendable))
    }

    async fn sessions(&self, window: Window) -> Answer<EarnedSessionList> {
        let views = self.miner.sessions(window.limit, window.offset).await?;
        Ok(EarnedSessionList {
            sessions: views.iter().map(words::session).collect(),
            total: self.miner.n_sessions().await?,
        })
    }

    async fn relays(&self, session_id: &str, window: Window) -> Answer<EarnedRelayList> {
        let page = self
            .miner
            .relay_page(session_id, window.limit, window.offset)
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
                Ok(MinerEvent::Earning(earning)) => Some(Event::Earning(words::earning(&earning))),
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
            Error::Stopped => ApiError::unavailable("stopping", "the miner has stopped"),
            Error::Config(_) | Error::Port { .. } => ApiError::conflict("cannot_earn", error.to_string()),
            Error::Unreadable(_) => ApiError::conflict("evidence_unreadable", error.to_string()),
            Error::Evidence { .. } | Error::Threads(_) | Error::SessionDb(_) => ApiError::internal(&error),
        }
    }
}

/// An amount for the screen.
fn upokt(amount: Amount) -> Upokt {
    Upokt(amount)
}
