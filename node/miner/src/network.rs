//! What the miner asks of the chain, as a trait: the chain itself in the program, a table in tests.

use std::sync::Arc;

use async_trait::async_trait;
use hearth_base::{Amount, Failure, Height, Kind, ServiceId};
use hearth_chain::{BlockEvents, Chain, Follower, Head, Proven, QueryError, StartFrom};
use hearth_pocket::{
    Address,
    message::{
        application::Application, proof, service::RelayMiningDifficulty, session::Session, shared,
        shared::Supplier, tokenomics,
    },
};
use tokio::sync::watch;

/// Why the chain gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("the chain refuses: {0}")]
    Refused(String),
    #[error("the chain cannot be asked now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Failure for NetworkError {
    fn kind(&self) -> Kind {
        match self {
            NetworkError::Refused(_) => Kind::Skip,
            NetworkError::Unavailable(_) => Kind::Retry,
        }
    }
}

impl From<QueryError> for NetworkError {
    fn from(error: QueryError) -> NetworkError {
        match error.kind() {
            Kind::Skip => NetworkError::Refused(hearth_base::failure::chain(&error)),
            Kind::Retry | Kind::Stop => NetworkError::Unavailable(Box::new(error)),
        }
    }
}

/// What the state says of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimSeen {
    /// The block that left this state.
    pub height: Height,
    /// The status of the claim's proof; `None` where there is no claim.
    pub status: Option<i32>,
    /// The root that was claimed; empty where there is no claim.
    pub root_hash: Vec<u8>,
}

/// The parameters that are read as they are now.
#[derive(Clone, Debug, Default)]
pub struct LiveParams {
    /// When proofs are needed, and what they cost.
    pub proof: proof::Params,
    /// How rewards are divided.
    pub tokenomics: tokenomics::Params,
}

/// What the miner asks of the chain. What decides about money is asked for proven; what is not is an endpoint's word.
#[async_trait]
pub trait Network: Send + Sync + 'static {
    /// The head, watched.
    fn head(&self) -> watch::Receiver<Head>;
    /// The session of an application and a service at a height.
    async fn session(
        &self,
        application: &Address,
        service: &ServiceId,
        height: Height,
    ) -> Result<Proven<Session>, NetworkError>;
    /// An application as it is now.
    async fn application(&self, address: &Address) -> Result<Proven<Option<Application>>, NetworkError>;
    /// The public key of an account.
    async fn public_key(&self, address: &Address) -> Result<Proven<Option<[u8; 33]>>, NetworkError>;
    /// A supplier as it is now.
    async fn supplier(&self, operator: &Address) -> Result<Proven<Option<Supplier>>, NetworkError>;
    /// The shared parameters in force at a height.
    async fn params_at(&self, height: Height) -> Result<Proven<shared::Params>, NetworkError>;
    /// Parameters that count as they are now.
    async fn live_params(&self) -> Result<Proven<LiveParams>, NetworkError>;
    /// Compute units per relay at a height.
    async fn compute_units_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Proven<Option<u64>>, NetworkError>;
    /// The difficulty at a height; `None`: every relay counts.
    async fn difficulty_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Proven<Option<RelayMiningDifficulty>>, NetworkError>;
    /// Who owns a service now, and has a part of what it earns.
    async fn service_owner(&self, service: &ServiceId) -> Result<Proven<Option<String>>, NetworkError>;
    /// The hash of a block.
    async fn block_hash(&self, height: Height) -> Result<Proven<[u8; 32]>, NetworkError>;
    /// What an account holds.
    async fn balance(&self, address: &Address) -> Result<Proven<Amount>, NetworkError>;
    /// What the newest state says of a claim. Proven.
    async fn claim_status(&self, session_id: &str, operator: &Address) -> Result<ClaimSeen, NetworkError>;
    /// What happened in a block, on the word of an endpoint.
    async fn events_of(&self, height: Height) -> Result<BlockEvents, NetworkError>;
    /// Follows the blocks for the claims of a supplier; `None` in tests that feed blocks by hand.
    fn follow(&self, supplier: &Address) -> Option<Follower>;
}

#[async_trait]
impl Network for Chain {
    fn head(&self) -> watch::Receiver<Head> {
        Chain::head(self)
    }

    async fn session(
        &self,
        application: &Address,
        service: &ServiceId,
        height: Height,
    ) -> Result<Proven<Session>, NetworkError> {
        Ok(Chain::session(self, application, service, height).await?)
    }

    async fn application(&self, address: &Address) -> Result<Proven<Option<Application>>, NetworkError> {
        Ok(Chain::application(self, address).await?.proven()?)
    }

    async fn public_key(&self, address: &Address) -> Result<Proven<Option<[u8; 33]>>, NetworkError> {
        let account = Chain::account(self, address).await?.proven()?;
        Ok(account.map(|account| account.and_then(|account| account.public_key)))
    }

    async fn supplier(&self, operator: &Address) -> Result<Proven<Option<Supplier>>, NetworkError> {
        Ok(Chain::supplier(self, operator).await?.proven()?)
    }

    async fn params_at(&self, height: Height) -> Result<Proven<shared::Params>, NetworkError> {
        Ok(Chain::params_at(self, height).await?.proven()?)
    }

    async fn live_params(&self) -> Result<Proven<LiveParams>, NetworkError> {
        let params = Chain::params(self).await?.proven()?;
        Ok(params.map(|params| LiveParams {
            proof: params.proof,
            tokenomics: params.tokenomics,
        }))
    }

    async fn compute_units_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Proven<Option<u64>>, NetworkError> {
        Ok(Chain::compute_units_at(self, service, height).await?.proven()?)
    }

    async fn difficulty_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Proven<Option<RelayMiningDifficulty>>, NetworkError> {
        Ok(Chain::difficulty_at(self, service, height).await?.proven()?)
    }

    async fn service_owner(&self, service: &ServiceId) -> Result<Proven<Option<String>>, NetworkError> {
        let service = Chain::service(self, service).await?.proven()?;
        Ok(service.map(|service| service.map(|service| service.owner_address)))
    }

    async fn block_hash(&self, height: Height) -> Result<Proven<[u8; 32]>, NetworkError> {
        Ok(Chain::block_hash(self, height).await?)
    }

    async fn balance(&self, address: &Address) -> Result<Proven<Amount>, NetworkError> {
        Ok(Chain::balance(self, address).await?.proven()?)
    }

    async fn claim_status(&self, session_id: &str, operator: &Address) -> Result<ClaimSeen, NetworkError> {
        // An old or unproven answer must not end a claim.
        let claim = Chain::claim(self, &session_id.into(), operator).await?.proven()?;
        let height = claim.height();
        let claim = claim.into_value();
        Ok(ClaimSeen {
            height,
            status: claim.as_ref().map(|claim| claim.proof_validation_status),
            root_hash: claim.map(|claim| claim.root_hash).unwrap_or_default(),
        })
    }

    async fn events_of(&self, height: Height) -> Result<BlockEvents, NetworkError> {
        Ok(Chain::events_of(self, height).await?)
    }

    fn follow(&self, supplier: &Address) -> Option<Follower> {
        // The place of each is kept for itself: one that is behind makes up for its own blocks.
        Some(Chain::follow(self, &format!("miner {supplier}"), StartFrom::Next))
    }
}

/// The chain, shared.
pub(crate) type SharedNetwork = Arc<dyn Network>;
