//! What the miner asks of the chain, as a trait: the chain itself in the program, a table in tests.

use std::sync::Arc;

use async_trait::async_trait;
use hearth_base::{Amount, Failure, Height, Kind, ServiceId};
use hearth_chain::{Chain, Follower, From, Head, Options, QueryError, TxError};
use hearth_pocket::{
    Address, Signer,
    message::{
        Any, application::Application, proof, service::RelayMiningDifficulty, session::Session, shared,
        shared::Supplier, tokenomics,
    },
    tx::SignedTx,
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

impl std::convert::From<QueryError> for NetworkError {
    fn from(error: QueryError) -> NetworkError {
        match error.kind() {
            Kind::Skip => NetworkError::Refused(hearth_base::failure::chain(&error)),
            Kind::Retry | Kind::Stop => NetworkError::Unavailable(Box::new(error)),
        }
    }
}

/// What became of preparing or sending a transaction.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("{0}")]
    Final(String),
    #[error("{0}")]
    Later(String),
    #[error("the working key is locked")]
    Locked,
}

impl std::convert::From<TxError> for SendError {
    fn from(error: TxError) -> SendError {
        let text = hearth_base::failure::chain(&error);
        match (&error, error.kind()) {
            (TxError::Sign(_), _) => SendError::Locked,
            // An account may still receive what it lacks before the window closes.
            (TxError::NoAccount { .. } | TxError::FeeTooHigh { .. }, _) => SendError::Later(text),
            (
                TxError::Refused {
                    reason: hearth_chain::Reason::InsufficientFunds,
                    ..
                },
                _,
            ) => SendError::Later(text),
            (_, Kind::Retry) => SendError::Later(text),
            (_, Kind::Skip | Kind::Stop) => SendError::Final(text),
        }
    }
}

/// A transaction's place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// In no block.
    No,
    /// In a block, and it did what it should.
    Included(Height),
    /// In a block, and it failed there.
    Failed(Height, String),
}

/// The parameters that are read as they are now.
#[derive(Clone, Debug, Default)]
pub struct LiveParams {
    /// When proofs are needed, and what they cost.
    pub proof: proof::Params,
    /// How rewards are divided.
    pub tokenomics: tokenomics::Params,
}

/// What the miner asks of the chain.
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
    ) -> Result<Session, NetworkError>;
    /// An application as it is now.
    async fn application(&self, address: &Address) -> Result<Option<Application>, NetworkError>;
    /// The public key of an account.
    async fn public_key(&self, address: &Address) -> Result<Option<[u8; 33]>, NetworkError>;
    /// A supplier as it is now.
    async fn supplier(&self, operator: &Address) -> Result<Option<Supplier>, NetworkError>;
    /// The shared parameters in force at a height.
    async fn params_at(&self, height: Height) -> Result<shared::Params, NetworkError>;
    /// Parameters that count as they are now.
    async fn live_params(&self) -> Result<LiveParams, NetworkError>;
    /// Compute units per relay at a height.
    async fn compute_units_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Option<u64>, NetworkError>;
    /// The difficulty at a height; `None`: every relay counts.
    async fn difficulty_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Option<RelayMiningDifficulty>, NetworkError>;
    /// The hash of a block.
    async fn block_hash(&self, height: Height) -> Result<[u8; 32], NetworkError>;
    /// What an account holds.
    async fn balance(&self, address: &Address) -> Result<Amount, NetworkError>;
    /// Whether the state has a claim, and its validation status.
    async fn claim_status(&self, session_id: &str, operator: &Address) -> Result<Option<i32>, NetworkError>;
    /// Prices and signs a transaction that may be included up to `last_height`.
    async fn sign(
        &self,
        signer: &dyn Signer,
        message: Any,
        last_height: Height,
    ) -> Result<SignedTx, SendError>;
    /// Sends signed bytes; the same bytes may be sent again.
    async fn send(&self, tx: &SignedTx) -> Result<(), SendError>;
    /// Looks for a transaction.
    async fn find(&self, tx: &SignedTx) -> Result<Found, NetworkError>;
    /// Follows the blocks; `None` in tests that feed blocks by hand.
    fn follow(&self) -> Option<Follower>;
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
    ) -> Result<Session, NetworkError> {
        Ok(Chain::session(self, application, service, height).await?.value)
    }

    async fn application(&self, address: &Address) -> Result<Option<Application>, NetworkError> {
        Ok(Chain::application(self, address).await?.value)
    }

    async fn public_key(&self, address: &Address) -> Result<Option<[u8; 33]>, NetworkError> {
        Ok(Chain::account(self, address)
            .await?
            .value
            .and_then(|account| account.public_key))
    }

    async fn supplier(&self, operator: &Address) -> Result<Option<Supplier>, NetworkError> {
        Ok(Chain::supplier(self, operator).await?.value)
    }

    async fn params_at(&self, height: Height) -> Result<shared::Params, NetworkError> {
        Ok(Chain::params_at(self, height).await?.value)
    }

    async fn live_params(&self) -> Result<LiveParams, NetworkError> {
        let params = Chain::params(self).await?.value;
        Ok(LiveParams {
            proof: params.proof,
            tokenomics: params.tokenomics,
        })
    }

    async fn compute_units_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Option<u64>, NetworkError> {
        Ok(Chain::compute_units_at(self, service, height).await?.value)
    }

    async fn difficulty_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Option<RelayMiningDifficulty>, NetworkError> {
        Ok(Chain::difficulty_at(self, service, height).await?.value)
    }

    async fn block_hash(&self, height: Height) -> Result<[u8; 32], NetworkError> {
        Ok(Chain::block_hash(self, height).await?.value)
    }

    async fn balance(&self, address: &Address) -> Result<Amount, NetworkError> {
        Ok(Chain::balance(self, address).await?.value)
    }

    async fn claim_status(&self, session_id: &str, operator: &Address) -> Result<Option<i32>, NetworkError> {
        let claim = Chain::claim(self, &session_id.into(), operator).await?.value;
        Ok(claim.map(|claim| claim.proof_validation_status))
    }

    async fn sign(
        &self,
        signer: &dyn Signer,
        message: Any,
        last_height: Height,
    ) -> Result<SignedTx, SendError> {
        let options = Options {
            timeout_height: Some(last_height),
            ..Options::default()
        };
        let prepared = self.prepare(signer, vec![message], &options).await?;
        Ok(Chain::sign(self, signer, &prepared)?)
    }

    async fn send(&self, tx: &SignedTx) -> Result<(), SendError> {
        self.broadcast(tx).await.map(drop).map_err(SendError::from)
    }

    async fn find(&self, tx: &SignedTx) -> Result<Found, NetworkError> {
        Ok(match self.tx(&tx.hash()).await? {
            None => Found::No,
            Some(found) if found.code == 0 => Found::Included(found.height),
            Some(found) => Found::Failed(found.height, found.log),
        })
    }

    fn follow(&self) -> Option<Follower> {
        Some(Chain::follow(self, "miner", From::Next))
    }
}

/// The chain, shared.
pub(crate) type SharedNetwork = Arc<dyn Network>;
