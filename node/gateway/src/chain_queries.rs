//! What the gateway asks of the chain, as a narrow trait: tests put a small chain in its place.

use std::error::Error as StdError;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use hearth_base::{Failure, Height, Kind, ServiceId};
use hearth_chain::{Chain, NoSession, Proven, QueryError, Seen, Told};
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

/// Applications of one gateway that are read, and how many of them are proven at a time.
const MOST_APPLICATIONS: u64 = 100;
const AT_ONCE: usize = 8;

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

/// What the gateway asks of the chain. What it signs and pays by is asked for proven.
#[async_trait]
pub trait ChainQueries: Send + Sync + 'static {
    /// The newest height; 0 before the first.
    fn height(&self) -> Height;
    /// The newest height whenever it changes.
    fn heights(&self) -> BoxStream<'static, Height>;
    /// The applications that have delegated to a gateway.
    async fn applications_of(&self, gateway: &Address) -> Result<Vec<Proven<Application>>, ChainQueryError>;
    /// One application.
    async fn application(&self, address: &Address) -> Result<Proven<Option<Application>>, ChainQueryError>;
    /// One service.
    async fn service(&self, id: &ServiceId) -> Result<Proven<Option<Service>>, ChainQueryError>;
    /// All services, to be shown.
    async fn services(&self) -> Result<Seen<Vec<Service>>, ChainQueryError>;
    /// The session of an application and a service at a height; `None` where nobody serves.
    async fn session(
        &self,
        application: &Address,
        service: &ServiceId,
        height: Height,
    ) -> Result<Option<Proven<Session>>, ChainQueryError>;
    /// The public key of an account, once the chain knows it.
    async fn public_key(&self, address: &Address) -> Result<Proven<Option<[u8; 33]>>, ChainQueryError>;
    /// The terms of a service in the session that starts at a height.
    async fn terms(
        &self,
        service: &ServiceId,
        session_start: Height,
    ) -> Result<Proven<RelayTerms>, ChainQueryError>;
}

pub(crate) fn delegates_to(application: &Application, gateway: &Address) -> bool {
    let mut gateways = application.delegatee_gateway_addresses.iter();
    gateways.any(|address| address == gateway.as_str())
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
    async fn applications_of(&self, gateway: &Address) -> Result<Vec<Proven<Application>>, ChainQueryError> {
        let request = QueryAllApplicationsRequest {
            pagination: Some(PageRequest {
                limit: MOST_APPLICATIONS,
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
        let addresses: Vec<Address> = listed
            .applications
            .iter()
            .filter_map(|listed| Address::parse(&listed.address).ok())
            .collect();
        let known = stream::iter(addresses)
            .map(|address| async move { self.application(&address).await })
            .buffered(AT_ONCE);
        let known: Vec<Proven<Option<Application>>> = known.try_collect().await?;
        let is_behind = known.iter().any(|known| {
            known
                .value()
                .as_ref()
                .is_none_or(|known| !delegates_to(known, gateway))
        });
        let proven: Vec<Proven<Application>> = known.into_iter().filter_map(Proven::transpose).collect();
        // The list is of the newest block, proofs are of the newest verified one: what was staked between the two is
        // not missing, only not proven yet.
        if is_behind && !proven.iter().any(|known| delegates_to(known.value(), gateway)) {
            return Err(ChainQueryError {
                what: "an application that is not proven yet",
                kind: Kind::Retry,
                source: "the verified chain is a few blocks behind: ask again in a moment".into(),
            });
        }
        Ok(proven)
    }

    async fn application(&self, address: &Address) -> Result<Proven<Option<Application>>, ChainQueryError> {
        let told = self.0.application(address).await;
        told.and_then(Told::proven).map_err(failed("an application"))
    }

    async fn service(&self, id: &ServiceId) -> Result<Proven<Option<Service>>, ChainQueryError> {
        let told = self.0.service(id).await;
        told.and_then(Told::proven).map_err(failed("a service"))
    }

    async fn services(&self) -> Result<Seen<Vec<Service>>, ChainQueryError> {
        self.0.services().await.map_err(failed("its services"))
    }

    async fn session(
        &self,
        application: &Address,
        service: &ServiceId,
        height: Height,
    ) -> Result<Option<Proven<Session>>, ChainQueryError> {
        match self.0.session(application, service, height).await {
            Ok(session) => Ok(Some(session)),
            Err(QueryError::NoSession(NoSession::NoSuppliers(_))) => Ok(None),
            Err(error) => Err(failed("a session")(error)),
        }
    }

    async fn public_key(&self, address: &Address) -> Result<Proven<Option<[u8; 33]>>, ChainQueryError> {
        let told = self.0.account(address).await;
        let account = told.and_then(Told::proven).map_err(failed("a public key"))?;
        Ok(account.map(|account| account.and_then(|account| account.public_key)))
    }

    async fn terms(
        &self,
        service: &ServiceId,
        session_start: Height,
    ) -> Result<Proven<RelayTerms>, ChainQueryError> {
        let read = async {
            let (shared, units, params) = futures::try_join!(
                self.0.params_at(session_start),
                self.0.compute_units_at(service, session_start),
                self.0.params(),
            )?;
            Ok(shared.proven()?.zip(units.proven()?).zip(params.proven()?))
        };
        let read: Proven<_> = read.await.map_err(failed("the terms of a session"))?;
        Ok(read.map(|((shared, units), params)| {
            let min_stake = params.application.min_stake.and_then(|stake| stake.to_amount());
            RelayTerms {
                compute_units_per_relay: units.unwrap_or_default(),
                compute_units_to_tokens_multiplier: shared.compute_units_to_tokens_multiplier,
                compute_unit_cost_granularity: shared.compute_unit_cost_granularity,
                grace_blocks: shared.grace_period_end_offset_blocks,
                settlement_blocks: Timing::from(&shared).blocks_to_settlement() + 1,
                min_application_stake: min_stake.map_or(0, |amount| amount.upokt()),
            }
        }))
    }
}
