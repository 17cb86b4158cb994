//! What all exchanges share: settings, chain, keys, sessions, results of suppliers.

use std::sync::Arc;

use futures::StreamExt;
use hearth_base::{Clock, Height, ServiceId, Tasks};
use hearth_pocket::Address;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::{
    chain_queries::ChainQueries,
    choice::{self, Scores},
    config::Config,
    error::Error,
    payers::{Keys, Signers},
    receipt::{Charge, Outcome, Receipts},
    session::{RelaySession, SessionCache},
    spending::{PendingRelay, Reservation, Spending},
};

/// How many former results a fresh start learns from.
const LEARNT: u32 = 500;
/// Blocks between two prunings of what was spent.
const PRUNE_EVERY: u64 = 1000;

/// The state behind the handle.
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) chain: Arc<dyn ChainQueries>,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) sessions: SessionCache,
    pub(crate) receipts: Receipts,
    pub(crate) spending: Spending,
    pub(crate) client: hearth_outbound::Client,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
    pub(crate) health: hearth_answers::Health,
    pub(crate) scores: Scores,
    pub(crate) slots: Arc<Semaphore>,
    /// Whose sessions are held.
    pub(crate) known: Mutex<Vec<Address>>,
}

impl Inner {
    /// The keys at hand.
    pub(crate) fn signers(&self) -> Signers {
        Signers::of(self.keys.as_ref(), self.config.direct)
    }

    /// The session for a new relay.
    pub(crate) async fn session(&self, service: &ServiceId) -> Result<Arc<RelaySession>, Error> {
        let signers = self.signers();
        if signers.is_empty() {
            return Err(Error::NoKey);
        }
        {
            let (mut known, now) = (self.known.lock(), signers.addresses());
            if *known != now {
                self.sessions.forget();
                *known = now;
            }
        }
        self.sessions.current(service, &signers).await
    }

    /// Where the stake of one application is used up: the session of another one that pays, if there is one.
    pub(crate) async fn session_of_another_payer(
        &self,
        service: &ServiceId,
        refused: &RelaySession,
    ) -> Option<Arc<RelaySession>> {
        self.sessions
            .of_another_payer(service, &self.signers(), refused)
            .await
    }

    /// Sets the price of one relay aside. A stake that seems used up is read again: former sessions may have been
    /// settled since, or more was added.
    pub(crate) async fn reserve(
        &self,
        service: &ServiceId,
        session: &RelaySession,
    ) -> Result<Reservation, Error> {
        let order = || {
            let margin = session.margin();
            PendingRelay {
                application: &session.application,
                session_id: &session.id,
                settled_at: session.settled_at,
                price: session.price,
                margin: margin.upokt,
                margin_at: margin.at,
            }
        };
        let result = self.spending.reserve(order()).await;
        if !matches!(result, Err(Error::OutOfStake { .. })) {
            return result;
        }
        match self.sessions.read_stake(service, session).await {
            Ok(true) => self.spending.reserve(order()).await,
            Ok(false) | Err(_) => result,
        }
    }

    /// Chooses a supplier.
    pub(crate) fn choose<'a>(&self, operators: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        self.scores.choose(operators, rand::random(), self.clock.now_ms())
    }

    /// Notes how a supplier did.
    pub(crate) fn note(&self, operator: &str, result: choice::Verdict) {
        self.scores.note(operator, result, self.clock.now_ms());
    }

    /// Fetches next sessions as blocks come.
    pub(crate) async fn roll_over(self: Arc<Inner>) {
        let mut heights = self.chain.heights();
        while let Some(height) = heights.next().await {
            if height.0.is_multiple_of(PRUNE_EVERY)
                && let Err(error) = self.spending.prune(height).await
            {
                tracing::warn!(%error, "old counts of what was spent could not be dropped");
            }
            let signers = self.signers();
            if height > Height(0) && !signers.is_empty() {
                self.sessions.roll_over(&signers, height).await;
            }
        }
    }

    /// Replays former results, so that a restart does not forget who fails; drops receipts beyond the limit.
    pub(crate) async fn learn(self: Arc<Inner>) {
        if let Err(error) = self.receipts.prune(self.config.keep_receipts).await {
            tracing::warn!(%error, "old receipts could not be dropped");
        }
        let receipts = match self.receipts.newest(LEARNT, 0).await {
            Ok(receipts) => receipts,
            Err(error) => {
                tracing::warn!(%error, "receipts cannot be read, so nothing is known of suppliers");
                return;
            }
        };
        for receipt in receipts.into_iter().rev() {
            let result = match (&receipt.outcome, receipt.first_byte_ms) {
                (Outcome::Complete, Some(ms)) if receipt.charge == Charge::Paid => choice::Verdict::Good {
                    first_byte: std::time::Duration::from_millis(ms),
                },
                (Outcome::Complete | Outcome::Failed { .. }, _) => choice::Verdict::Failed,
                (Outcome::Cancelled, _) => continue,
            };
            self.scores.note(&receipt.supplier, result, receipt.started_at_ms);
        }
    }
}
