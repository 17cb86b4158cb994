//! What the chain is asked about a session, and what is written down once somebody who may has signed for it.

use std::sync::{Arc, atomic::Ordering};

use hearth_base::{Amount, Failure as _, Height, Kind, ServiceId};
use hearth_pocket::{
    Address,
    difficulty::{BASE_TARGET, Target},
    message::{application::Application, session::SessionHeader, shared::Supplier},
    ring::ExpectedRing,
    session::Timing,
    settlement::{Price, session_floor},
};

use super::{MAX_KEYS, OpenError, Session, Sessions, height};
use crate::{claim::ClaimState, facts::Facts, refusal::Refusal};

impl Sessions {
    /// Asks the chain for the session of a request at height `at`. Nothing is written down.
    pub(crate) async fn ask(&self, header: &SessionHeader, at: Height) -> Result<Arc<Session>, OpenError> {
        // Many first requests of one session ask the chain once.
        let _alone = self.gate.alone(header).await?;
        if let Some(session) = self.known(header, at) {
            return Ok(session);
        }
        if let Some(refusal) = self.gate.refused(header, at) {
            return Err(refusal.into());
        }
        // Who is known may always ask for their next session; of strangers a few a second are looked up.
        if !self.knows_earlier(header, at) {
            self.gate.let_in(self.clock.now_ms())?;
        }
        let asked = tokio::time::timeout(super::gate::ASK_WITHIN, self.ask_chain(header, at)).await;
        let asked = asked.unwrap_or_else(|_| Err(super::gate::too_slow().into()));
        match &asked {
            Ok(session) => self.remember(session),
            Err(OpenError::Network(error)) if error.kind() == Kind::Skip => {
                let why = error.to_string();
                self.gate.remember(header, at, Refusal::NoSession { why });
            }
            Err(OpenError::Refused(refusal @ Refusal::NotInSession { .. })) => {
                self.gate.remember(header, at, refusal.clone());
            }
            // An answer may come with the next try.
            Err(
                OpenError::Refused(_) | OpenError::Network(_) | OpenError::Ledger(_) | OpenError::Book(_),
            ) => {}
        }
        asked
    }

    /// Opens record and evidence of a session that somebody who may has signed for. Returns the session as it is
    /// open, which may be another one's doing.
    pub(crate) async fn enter(&self, session: &Arc<Session>) -> Result<Arc<Session>, OpenError> {
        if session.entered.load(Ordering::SeqCst) {
            return Ok(Arc::clone(session));
        }
        let _one_by_one = self.entering.lock().await;
        let (facts, key) = (&session.facts, session.facts.key());
        if let Some(open) = self.get(&key) {
            return Ok(open);
        }
        let record = self.book.record(&key).await?;
        // A session whose claim was made is not begun anew: its record says what was earned.
        if record
            .as_ref()
            .is_some_and(|record| record.state != ClaimState::BEGUN)
        {
            return Err(Refusal::Closed {
                session: key.session_id,
            }
            .into());
        }
        self.book.enter(facts, self.clock.now_ms()).await?;
        let tally = self.ledger.open(Arc::clone(facts), None).await?;
        let requests = self.ledger.requests(key.clone()).await?;
        session.begin(tally.answers, requests, record.map_or(0, |record| record.late));
        tracing::info!(
            session = %facts.header.session_id, service = %facts.header.service_id,
            start = %facts.start(), end = %facts.end(), budget = %facts.budget, "a session began"
        );
        self.open.lock().insert(key.clone(), Arc::clone(session));
        self.asked.lock().remove(&key);
        Ok(Arc::clone(session))
    }

    /// An open session, as after a good request of `header`.
    #[cfg(test)]
    pub(crate) async fn find(&self, header: &SessionHeader, at: Height) -> Result<Arc<Session>, OpenError> {
        let session = match self.known(header, at) {
            Some(session) => session,
            None => self.ask(header, at).await?,
        };
        self.enter(&session).await
    }

    async fn ask_chain(&self, header: &SessionHeader, at: Height) -> Result<Arc<Session>, OpenError> {
        let application =
            Address::parse(&header.application_address).map_err(|error| Refusal::NoSession {
                why: error.to_string(),
            })?;
        let service = ServiceId::new(&header.service_id);
        let found = self.network.session(&application, &service, at).await?;
        let (Some(found_header), n_suppliers) = (found.header, found.suppliers.len()) else {
            return Err(Refusal::NoSession {
                why: "the chain's answer has no header".to_owned(),
            }
            .into());
        };
        let ours = found
            .suppliers
            .into_iter()
            .find(|one| one.operator_address == self.supplier.as_str());
        let Some(ours) = ours else {
            return Err(Refusal::NotInSession {
                supplier: self.supplier.to_string(),
            }
            .into());
        };
        let Some(application) = self.network.application(&application).await? else {
            return Err(Refusal::NoSession {
                why: "the application is not on the chain".to_owned(),
            }
            .into());
        };
        let facts = self.facts(found_header, &application, &ours, n_suppliers).await?;
        let asked_at = self.network.head().borrow().height;
        let ring = self.ring_keys(&application, facts.end()).await?;
        let session = Session::new(Arc::new(facts));
        session.set_ring(ring, asked_at);
        Ok(Arc::new(session))
    }

    async fn facts(
        &self,
        header: SessionHeader,
        application: &Application,
        supplier: &Supplier,
        n_suppliers: usize,
    ) -> Result<Facts, OpenError> {
        let (start, end) = (
            height(header.session_start_block_height),
            height(header.session_end_block_height),
        );
        let service = ServiceId::new(&header.service_id);
        // Parameters change between sessions only, so those of the start are those of the end.
        let params = self.network.params_at(start).await?;
        let compute_units = self.network.compute_units_at(&service, start).await?;
        let Some(compute_units) = compute_units.filter(|units| *units > 0) else {
            let why = format!("the service {service} has no compute units per relay");
            return Err(Refusal::NoSession { why }.into());
        };
        let difficulty = self.network.difficulty_at(&service, start).await?;
        let target = match &difficulty {
            Some(difficulty) => {
                Target::try_from(difficulty.target_hash.as_slice()).map_err(|error| Refusal::NoSession {
                    why: error.to_string(),
                })?
            }
            None => BASE_TARGET,
        };
        let timing = Timing::from(&params);
        let coin = |coin: &Option<hearth_pocket::message::Coin>| {
            coin.as_ref().and_then(|coin| coin.amount.parse::<Amount>().ok())
        };
        let stake = coin(&application.stake).unwrap_or_default();
        let limit = coin(&application.per_session_spend_limit);
        Ok(Facts {
            supplier: self.supplier.as_str().to_owned(),
            owner: supplier.owner_address.clone(),
            compute_units,
            price: Price {
                target,
                compute_units_to_tokens_multiplier: params.compute_units_to_tokens_multiplier,
                granularity: params.compute_unit_cost_granularity,
            },
            windows: timing.windows(end),
            budget: session_floor(stake, limit, timing.pending_sessions(), n_suppliers as u64),
            share_millionths: self.share(supplier, &header.service_id).await,
            header,
        })
    }

    /// The part of a claim that comes to us. An estimate; without an answer of the chain it is zero.
    async fn share(&self, supplier: &Supplier, service_id: &str) -> u32 {
        let Ok(params) = self.network.live_params().await else {
            return 0;
        };
        let tokenomics = params.tokenomics;
        let ours = [
            supplier.operator_address.as_str(),
            supplier.owner_address.as_str(),
        ];
        let service = supplier
            .services
            .iter()
            .find(|service| service.service_id == service_id);
        let percent: u64 = service.map_or(0, |service| {
            let own = service
                .rev_share
                .iter()
                .filter(|share| ours.contains(&share.address.as_str()));
            own.map(|share| share.rev_share_percentage).sum()
        });
        let rate = tokenomics.mint_ratio * tokenomics.mint_equals_burn_claim_distribution.supplier;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and a million"
        )]
        let millionths = (rate * 10_000.0 * percent.min(100) as f64).clamp(0.0, 1_000_000.0) as u32;
        millionths
    }

    /// Reads again who may ask, for gateways that were added since.
    pub(crate) async fn refresh_ring(&self, session: &Session) -> Result<(), OpenError> {
        // One of many requests asks; the others see that the ring is new.
        let _alone = self.gate.alone(&session.facts.header).await?;
        let height = self.network.head().borrow().height;
        if !session.ring_is_older_than(height) {
            return Ok(());
        }
        let application = Address::parse(&session.facts.header.application_address).map_err(|error| {
            Refusal::NoSession {
                why: error.to_string(),
            }
        })?;
        let Some(application) = self.network.application(&application).await? else {
            return Err(Refusal::NoSession {
                why: "the application is not on the chain".to_owned(),
            }
            .into());
        };
        let keys = self.ring_keys(&application, session.facts.end()).await?;
        session.set_ring(keys, height);
        Ok(())
    }

    async fn ring_keys(&self, application: &Application, end: Height) -> Result<Vec<[u8; 33]>, OpenError> {
        let ring = ExpectedRing::of(application, end.0);
        if ring.placeholder {
            return Err(Refusal::NoGateway {
                application: application.address.clone(),
            }
            .into());
        }
        let mut keys = Vec::with_capacity(ring.addresses.len());
        for address in &ring.addresses {
            // A gateway without a key cannot sign, so its absence refuses nobody else.
            if let Some(key) = self.public_key(address).await? {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    async fn public_key(&self, address: &str) -> Result<Option<[u8; 33]>, OpenError> {
        if let Some(key) = self.keys.lock().get(address) {
            return Ok(Some(*key));
        }
        let parsed = Address::parse(address).map_err(|error| Refusal::NoSession {
            why: error.to_string(),
        })?;
        let key = self.network.public_key(&parsed).await?;
        if let Some(key) = key {
            let mut keys = self.keys.lock();
            if keys.len() >= MAX_KEYS {
                keys.clear();
            }
            keys.insert(address.to_owned(), key);
        }
        Ok(key)
    }
}
