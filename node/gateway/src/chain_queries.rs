//! What the gateway asks of the chain, as a narrow trait: tests put a small chain in its place.

use std::error::Error as StdError;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use hearth_base::{Failure, Height, Kind, ServiceId};
use hearth_chain::{Chain, QueryError};
use hearth_pocket::{
    Address,
    message::{
        application::{Application, QueryAllApplicationsRequest, QueryAllApplicationsResponse},
        cosmos::PageRequest,
        session::Session,
        shared::Service,
    },
    session::Timing,
};
use tokio_stream::wrappers::WatchStream;

/// What the chain says of a session that nobody serves (poktroll: `x/session/keeper/session_hydrator.go`).
const NO_SUPPLIERS: &str = "could not find suppliers";

/// Why the chain gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("the chain cannot be asked for {what}")]
pub struct ChainQueryError {
    pub what: &'static str,
    pub kind: Kind,
    #[source]
    pub source: Box<dyn StdError + Send + Sync>,
}

impl Failure for ChainQueryError {
    fn kind(&self) -> Kind {
        self.kind
    }
}

/// What a session's relays cost and how long they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayTerms {
    pub compute_units_per_relay: u64,
    pub compute_units_to_tokens_multiplier: u64,
    pub compute_unit_cost_granularity: u64,
    /// Blocks after the session's end in which its relays are still taken.
    pub grace_blocks: u64,
    /// Blocks from the session's end to the one whose end settles it.
    pub settlement_blocks: u64,
    /// The least stake of an application, in upokt; below it the chain unbonds it.
    pub min_application_stake: u128,
}

/// What the gateway asks of the chain.
#[async_trait]
pub trait ChainQueries: Send + Sync + 'static {
    /// The newest height; 0 before the first.
    fn height(&self) -> Height;
    /// The newest height whenever it changes.
    fn heights(&self) -> BoxStream<'static, Height>;
    /// The applications that have delegated to a gateway.
    async fn applications_of(&self, gateway: &Address) -> Result<Vec<Application>, ChainQueryError>;
    /// One application.
    async fn application(&self, address: &Address) -> Result<Option<Application>, ChainQueryError>;
    /// One service.
    async fn service(&self, id: &ServiceId) -> Result<Option<Service>, ChainQueryError>;
    /// All services.
    async fn services(&self) -> Result<Vec<Service>, ChainQueryError>;
    /// The session of an application and a service at a height.
    async fn session(
        &self,
        application: &Address,
        service: &ServiceId,
        height: Height,
    ) -> Result<Session, ChainQueryError>;
    /// The public key of an account, once the chain knows it.
    async fn public_key(&self, address: &Address) -> Result<Option<[u8; 33]>, ChainQueryError>;
    /// The terms of a service in the session that starts at a height.
    async fn terms(&self, service: &ServiceId, session_start: Height) -> Result<RelayTerms, ChainQueryError>;
}

fn delegates_to(application: &Application, gateway: &Address) -> bool {
    let gateways = &application.delegatee_gateway_addresses;
    gateways.iter().any(|address| address == gateway.as_str())
}

/// The real chain.
#[derive(Clone, Debug)]
pub struct VerifiedChain(pub Chain);

fn failed(what: &'static str) -> impl Fn(QueryError) -> ChainQueryError {
    move |error| ChainQueryError {
        what,
        kind: error.kind(),
        source: Box::new(error),
    }
}

#[async_trait]
impl ChainQueries for VerifiedChain {
    fn height(&self) -> Height {
        self.0.head().borrow().height
    }

    fn heights(&self) -> BoxStream<'static, Height> {
        WatchStream::new(self.0.head()).map(|head| head.height).boxed()
    }

    /// The list is an endpoint's word; each application in it is then proven.
    async fn applications_of(&self, gateway: &Address) -> Result<Vec<Application>, ChainQueryError> {
        let request = QueryAllApplicationsRequest {
            pagination: Some(PageRequest {
                limit: 100,
                ..PageRequest::default()
            }),
            delegatee_gateway_address: gateway.to_string(),
        };
        let path = "/pocket.application.Query/AllApplications";
        let listed: QueryAllApplicationsResponse = self
            .0
            .call(path, &request, None)
            .await
            .map_err(failed("the applications of this gateway"))?;
        let mut proven = Vec::new();
        let mut is_behind = false;
        for listed in &listed.applications {
            if let Ok(address) = Address::parse(&listed.address) {
                let known = self.application(&address).await?;
                is_behind |= known.as_ref().is_none_or(|known| !delegates_to(known, gateway));
                proven.extend(known);
            }
        }
        // The list is of the newest block, proofs are of the newest verified one: what was staked between the two is
        // not missing, only not proven yet.
        if is_behind && !proven.iter().any(|known| delegates_to(known, gateway)) {
            return Err(ChainQueryError {
                what: "an application that is not proven yet",
                kind: Kind::Retry,
                source: "the verified chain is a few blocks behind: ask again in a moment".into(),
            });
        }
        Ok(proven)
    }

    async fn application(&self, address: &Address) -> Result<Option<Application>, ChainQueryError> {
        Ok(self
            .0
            .application(address)
            .await
            .map_err(failed("an application"))?
            .value)
    }

    async fn service(&self, id: &ServiceId) -> Result<Option<Service>, ChainQueryError> {
        Ok(self.0.service(id).await.map_err(failed("a service"))?.value)
    }

    async fn services(&self) -> Result<Vec<Service>, ChainQueryError> {
        Ok(self.0.services().await.map_err(failed("its services"))?.value)
    }

    /// A session without suppliers is refused by the chain with a text; it is given as one without a header.
    async fn session(
        &self,
        application: &Address,
        service: &ServiceId,
        height: Height,
    ) -> Result<Session, ChainQueryError> {
        match self.0.session(application, service, height).await {
            Ok(session) => Ok(session.value),
            Err(QueryError::Refused { log, .. }) if log.contains(NO_SUPPLIERS) => Ok(Session::default()),
            Err(error) => Err(failed("a session")(error)),
        }
    }

    async fn public_key(&self, address: &Address) -> Result<Option<[u8; 33]>, ChainQueryError> {
        let account = self
            .0
            .account(address)
            .await
            .map_err(failed("a public key"))?
            .value;
        Ok(account.and_then(|account| account.public_key))
    }

    async fn terms(&self, service: &ServiceId, session_start: Height) -> Result<RelayTerms, ChainQueryError> {
        let shared = self
            .0
            .params_at(session_start)
            .await
            .map_err(failed("the parameters of a session"))?
            .value;
        let units = self
            .0
            .compute_units_at(service, session_start)
            .await
            .map_err(failed("a service's price"))?
            .value;
        let params = self.0.params().await.map_err(failed("its parameters"))?.value;
        let min_stake = params.application.min_stake.and_then(|stake| stake.to_amount());
        Ok(RelayTerms {
            compute_units_per_relay: units.unwrap_or_default(),
            compute_units_to_tokens_multiplier: shared.compute_units_to_tokens_multiplier,
            compute_unit_cost_granularity: shared.compute_unit_cost_granularity,
            grace_blocks: shared.grace_period_end_offset_blocks,
            settlement_blocks: Timing::from(&shared).blocks_to_settlement() + 1,
            min_application_stake: min_stake.map_or(0, |amount| amount.upokt()),
        })
    }
}
