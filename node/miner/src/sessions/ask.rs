//! What the chain is asked about a session, and what is written down once somebody who may has signed for it.

use std::sync::{Arc, atomic::Ordering};

use hearth_base::{Amount, Failure as _, Height, Kind, ServiceId};
use hearth_pocket::{
    Address,
    difficulty::{BASE_TARGET, Target},
    message::{
        application::Application,
        session::SessionHeader,
        shared::{self, Supplier},
        tokenomics,
    },
    ring::ExpectedRing,
    session::Timing,
    settlement::{Price, session_floor},
};

use super::{MAX_KEYS, OWNER_FOR, OpenError, Session, Sessions, height};
use crate::{claim::ClaimState, facts::Facts, refusal::Refusal};

/// More blocks than a session has: what a request names beyond is not asked for on its word.
const LONGEST_SESSION: u64 = 10_000;

impl Sessions {
    /// Asks the chain for the session of a request at height `at`. Nothing is written down.
    pub(crate) async fn ask(&self, header: &SessionHeader, at: Height) -> Result<Arc<Session>, OpenError> {
        // Many first requests of one session ask the chain once.
        let _one_at_a_time = self.lookups.lock_pair(header).await?;
        if let Some(session) = self.known(header, at) {
            return Ok(session);
        }
        if let Some(refusal) = self.lookups.refused(header, at) {
            return Err(refusal.into());
        }
        // Who is known may always ask for their next session; of strangers a few a second are looked up.
        if !self.knows_earlier(header, at) {
            self.lookups.admit_unknown(self.clock.now_ms())?;
        }
        let asked = tokio::time::timeout(super::lookup_limits::ASK_WITHIN, self.ask_chain(header, at)).await;
        let asked = asked.unwrap_or_else(|_| Err(super::lookup_limits::too_slow().into()));
        match &asked {
            Ok(session) => self.remember(session),
            Err(OpenError::Network(error)) if error.kind() == Kind::Skip => {
                let why = error.to_string();
                self.lookups.remember(header, at, Refusal::NoSession { why });
            }
            Err(OpenError::Refused(refusal @ Refusal::NotInSession { .. })) => {
                self.lookups.remember(header, at, refusal.clone());
            }
            // An answer may come with the next try.
            Err(
                OpenError::Refused(_)
                | OpenError::Network(_)
                | OpenError::Ledger(_)
                | OpenError::SessionDb(_),
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
        let record = self.db.record(&key).await?;
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
        if record.is_none() && self.is_poor.load(Ordering::SeqCst) {
            return Err(Refusal::Poor.into());
        }
        self.db.enter(facts, self.clock.now_ms()).await?;
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

    /// Everything that a session needs is asked for at once: an endpoint far away costs each question in a row. What
    /// hangs on the session's start is asked for with the start that the request names, and once more if that is wrong.
    async fn ask_chain(&self, header: &SessionHeader, at: Height) -> Result<Arc<Session>, OpenError> {
        let application =
            Address::parse(&header.application_address).map_err(|error| Refusal::NoSession {
                why: error.to_string(),
            })?;
        let service = ServiceId::new(&header.service_id);
        let asked_at = self.network.head().borrow().height;
        let named = height(header.session_start_block_height);
        let plausible = named <= at && at.since(named) < LONGEST_SESSION;
        let guess = async {
            if plausible {
                Some(self.terms(&service, named).await)
            } else {
                None
            }
        };
        let (found, staked, guessed, live, service_owner) = futures::join!(
            self.network.session(&application, &service, at),
            self.application_and_keys(&application, header),
            guess,
            self.network.live_params(),
            self.service_owner(&service, asked_at),
        );
        let found = found?.into_value();
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
        let start = height(found_header.session_start_block_height);
        let terms = match guessed.filter(|_| named == start) {
            Some(terms) => terms?,
            None => self.terms(&service, start).await?,
        };
        let (application, mut ring) = staked?;
        let end = found_header.session_end_block_height;
        if end != header.session_end_block_height {
            // Another end than the request names: other gateways may count.
            ring = self.ring_keys(&application, height(end)).await?;
        }
        let service = (header.service_id.as_str(), service_owner.as_deref());
        let share = live.map_or(0, |live| share(&live.value().tokenomics, &ours, service));
        let session = Session::new(Arc::new(self.facts(
            found_header,
            &application,
            &ours,
            n_suppliers,
            &terms,
            share,
        )));
        session.set_ring(ring, asked_at);
        Ok(Arc::new(session))
    }

    /// Who owns a service. It is for estimates: where the chain does not say it, nothing is refused.
    async fn service_owner(&self, service: &ServiceId, now: Height) -> Option<String> {
        let known = self.service_owners.lock().get(service.as_str()).cloned();
        if let Some((owner, _)) = known.filter(|(_, at)| now.since(*at) < OWNER_FOR) {
            return owner;
        }
        let owner = self.network.service_owner(service).await.ok()?.into_value();
        let mut owners = self.service_owners.lock();
        if owners.len() >= MAX_KEYS {
            owners.clear();
        }
        owners.insert(service.to_string(), (owner.clone(), now));
        owner
    }

    /// An application as it is now, and the keys that may stand in the ring of a session's request.
    async fn application_and_keys(
        &self,
        address: &Address,
        header: &SessionHeader,
    ) -> Result<(Application, Vec<[u8; 33]>), OpenError> {
        let Some(application) = self.network.application(address).await?.into_value() else {
            return Err(Refusal::NoSession {
                why: "the application is not on the chain".to_owned(),
            }
            .into());
        };
        let ring = self
            .ring_keys(&application, height(header.session_end_block_height))
            .await?;
        Ok((application, ring))
    }

    /// What a session that begins at `start` is worth.
    async fn terms(&self, service: &ServiceId, start: Height) -> Result<Terms, OpenError> {
        // Parameters change between sessions only, so those of the start are those of the end.
        let (params, compute_units, difficulty) = futures::try_join!(
            self.network.params_at(start),
            self.network.compute_units_at(service, start),
            self.network.difficulty_at(service, start),
        )?;
        let Some(compute_units) = compute_units.into_value().filter(|units| *units > 0) else {
            let why = format!("the service {service} has no compute units per relay");
            return Err(Refusal::NoSession { why }.into());
        };
        let target = match difficulty.value() {
            Some(difficulty) => {
                Target::try_from(difficulty.target_hash.as_slice()).map_err(|error| Refusal::NoSession {
                    why: error.to_string(),
                })?
            }
            None => BASE_TARGET,
        };
        Ok(Terms {
            params: params.into_value(),
            compute_units,
            target,
        })
    }

    fn facts(
        &self,
        header: SessionHeader,
        application: &Application,
        supplier: &Supplier,
        n_suppliers: usize,
        terms: &Terms,
        share_millionths: u32,
    ) -> Facts {
        let timing = Timing::from(&terms.params);
        let coin = |coin: &Option<hearth_pocket::message::Coin>| {
            coin.as_ref().and_then(|coin| coin.amount.parse::<Amount>().ok())
        };
        let stake = coin(&application.stake).unwrap_or_default();
        let limit = coin(&application.per_session_spend_limit);
        Facts {
            supplier: self.supplier.as_str().to_owned(),
            owner: supplier.owner_address.clone(),
            compute_units: terms.compute_units,
            price: Price {
                target: terms.target,
                compute_units_to_tokens_multiplier: terms.params.compute_units_to_tokens_multiplier,
                granularity: terms.params.compute_unit_cost_granularity,
            },
            windows: timing.windows(height(header.session_end_block_height)),
            budget: session_floor(stake, limit, timing.pending_sessions(), n_suppliers as u64),
            share_millionths,
            header,
        }
    }

    /// Reads again who may ask, for gateways that were added since.
    pub(crate) async fn refresh_ring(&self, session: &Session) -> Result<(), OpenError> {
        // One of many requests asks; the others see that the ring is new.
        let _one_at_a_time = self.lookups.lock_pair(&session.facts.header).await?;
        let height = self.network.head().borrow().height;
        if !session.ring_is_older_than(height) {
            return Ok(());
        }
        let application = Address::parse(&session.facts.header.application_address).map_err(|error| {
            Refusal::NoSession {
                why: error.to_string(),
            }
        })?;
        let Some(application) = self.network.application(&application).await?.into_value() else {
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
        // An application without a gateway signs with its own key alone. The placeholder, which the chain takes beside it,
        // is nobody's: a ring with that key says nothing about who asked.
        let ring = ExpectedRing::of(application, end.0);
        let asked = ring.addresses.iter().map(|address| self.public_key(address));
        let keys = futures::future::try_join_all(asked).await?;
        // A gateway without a key cannot sign, so its absence refuses nobody else.
        Ok(keys.into_iter().flatten().collect())
    }

    async fn public_key(&self, address: &str) -> Result<Option<[u8; 33]>, OpenError> {
        if let Some(key) = self.keys.lock().get(address) {
            return Ok(Some(*key));
        }
        let parsed = Address::parse(address).map_err(|error| Refusal::NoSession {
            why: error.to_string(),
        })?;
        let key = self.network.public_key(&parsed).await?.into_value();
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

/// What the chain's parameters and histories say of a session.
struct Terms {
    params: shared::Params,
    compute_units: u64,
    target: Target,
}

/// The part of a claim that comes to us, in millionths; an estimate. The supplier's part of what is minted is divided by
/// the service's revenue shares; whoever owns the service has a part of its own. Both are minted twice: for what the
/// application pays, and as inflation besides.
fn share(
    tokenomics: &tokenomics::Params,
    supplier: &Supplier,
    (service_id, service_owner): (&str, Option<&str>),
) -> u32 {
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
    let served = percent.min(100) as f64 / 100.0;
    let owned = if service_owner.is_some_and(|owner| ours.contains(&owner)) {
        1.0
    } else {
        0.0
    };
    let part = |shares: &tokenomics::Shares| shares.supplier.mul_add(served, shares.source_owner * owned);
    let minted = tokenomics.mint_ratio * part(&tokenomics.mint_equals_burn_claim_distribution);
    let inflation = tokenomics.global_inflation_per_claim * part(&tokenomics.mint_allocation_percentages);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and a million"
    )]
    let millionths = ((minted + inflation) * 1_000_000.0)
        .round()
        .clamp(0.0, 1_000_000.0) as u32;
    millionths
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hearth_base::{Clock, Height, Tasks};

    use super::{super::Sessions, *};
    use crate::{
        ledger::Ledger,
        session_db::SessionDb,
        testing::{MemoryDisk, TableChain, key},
    };

    #[tokio::test]
    async fn the_first_relay_of_a_session_waits_for_three_round_trips_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let store = hearth_store::Store::open(hearth_store::Config {
            path: folder.path().join("hearth.db"),
            chain_id: "test".into(),
            max_pages: None,
        });
        let (chain, tasks) = (TableChain::new(25), Tasks::root());
        let ledger =
            Ledger::start(Arc::new(MemoryDisk::default()), hearth_store::Problems::default()).unwrap();
        let sessions = Sessions::new(
            key(3).address().clone(),
            Arc::clone(&chain) as crate::network::SharedNetwork,
            ledger,
            SessionDb::new(&store.await.unwrap()),
            Clock::test(0),
        );
        let header = TableChain::header(25);
        let session = sessions.ask(&header, Height(25)).await.unwrap();
        assert_eq!(session.facts.header, header);
        assert!(!session.ring().is_empty());
        let asked: usize = chain.state().asked.values().sum();
        let in_a_row = chain.trips_in_a_row();
        assert!(in_a_row <= 2 && (7..=9).contains(&asked), "{in_a_row} of {asked}");

        // A request that names another start or end costs its sender one more, and changes nothing of the session.
        let other = SessionHeader {
            session_start_block_height: header.session_start_block_height - 1,
            session_end_block_height: header.session_end_block_height + 1,
            ..TableChain::header(35)
        };
        let found = sessions.ask(&other, Height(35)).await.unwrap();
        assert_eq!(found.facts.header, TableChain::header(35));
        let in_a_row = chain.trips_in_a_row();
        assert!(in_a_row <= 3, "{in_a_row}");
        tasks.stop();
    }

    /// What settled claims of a real chain paid is what would have been estimated: for the supplier alone, and with the
    /// part of whoever owns the service.
    #[test]
    fn an_estimate_is_what_the_chain_pays_also_to_the_owner_of_the_service() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/vectors/chain_settlement.json"
        );
        let golden: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let address = |actor: &str| golden["actors"][actor].as_str().unwrap().to_owned();
        let mut n_claims = 0;
        for round in golden["rounds"].as_array().unwrap() {
            let params = round["params_at_settlement"]["tokenomics"].clone();
            let params: tokenomics::Params = serde_json::from_value(params).unwrap();
            for claim in round["recomputed_by_the_rules_of_our_reference"]
                .as_array()
                .unwrap()
            {
                let operator = claim["operator"].as_str().unwrap();
                let shares = golden["revenue_shares"][operator].as_array().unwrap();
                let shares = shares.iter().map(|share| shared::ServiceRevenueShare {
                    address: address(share[0].as_str().unwrap()),
                    rev_share_percentage: share[1].as_u64().unwrap(),
                });
                let service = claim["service"].as_str().unwrap();
                let supplier = |owner: &str| Supplier {
                    operator_address: address(operator),
                    owner_address: owner.to_owned(),
                    services: vec![shared::SupplierServiceConfig {
                        service_id: service.to_owned(),
                        rev_share: shares.clone().collect(),
                        ..Default::default()
                    }],
                    ..Default::default()
                };
                let amounts = claim["amounts"].as_array().unwrap();
                let paid_to = |who: &[&str]| {
                    let to_them = amounts
                        .iter()
                        .filter(|one| who.contains(&one["recipient"].as_str().unwrap()));
                    to_them.map(|one| one["amount"].as_u64().unwrap()).sum::<u64>()
                };
                // Only what was paid in full shows the rates.
                let settled = claim["settled"].as_u64().unwrap();
                for (owner, ours) in [
                    ("owner1", vec![operator, "owner1"]),
                    ("svcowner", vec![operator, "svcowner"]),
                ] {
                    let of = (service, Some(address("svcowner")));
                    let millionths = share(&params, &supplier(&address(owner)), (of.0, of.1.as_deref()));
                    let estimate = settled * u64::from(millionths) / 1_000_000;
                    // Each of the four parts is rounded by itself, and by its shares.
                    let paid = paid_to(&ours);
                    let off = estimate.abs_diff(paid);
                    assert!(
                        off <= 6,
                        "{operator} with {owner}: {estimate} is not {paid}: {claim:#}"
                    );
                }
                n_claims += 1;
            }
        }
        assert!(n_claims > 10, "{n_claims}");
    }
}
