//! What the miner asks of the chain, as a trait: the chain itself in the program, a table in tests.

use std::sync::Arc;

use async_trait::async_trait;
use hearth_base::{Amount, Failure, Height, Kind, ServiceId};
use hearth_chain::{
    BlockEvents, Chain, Follower, FoundTx, Head, Options, ProofStatus, QueryError, Standing, StartFrom,
    TxError,
};
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

impl From<QueryError> for NetworkError {
    fn from(error: QueryError) -> NetworkError {
        match error.kind() {
            Kind::Skip => NetworkError::Refused(hearth_base::failure::chain(&error)),
            Kind::Retry | Kind::Stop => NetworkError::Unavailable(Box::new(error)),
        }
    }
}

/// Why a transaction was not prepared or not taken. Nothing of it is for ever: an endpoint may lag or lie, an account
/// may still receive what it lacks, so all of it is tried again until the window closes.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The same bytes may be taken later.
    #[error("{0}")]
    Later(String),
    /// These very bytes will not be taken: others have to be signed.
    #[error("{0}")]
    Anew(String),
    #[error("the working key is locked: unlock the wallet")]
    Locked,
}

impl From<TxError> for SendError {
    fn from(error: TxError) -> SendError {
        let text = hearth_base::failure::chain(&error);
        match &error {
            TxError::Sign(_) => SendError::Locked,
            TxError::Refused { reason, .. } if !reason.same_bytes_may_pass() => SendError::Anew(text),
            TxError::Expired { .. } => SendError::Anew(text),
            TxError::Refused { .. }
            | TxError::NoAccount { .. }
            | TxError::FeeTooHigh { .. }
            | TxError::NotSeen { .. }
            | TxError::TrustConflict { .. }
            | TxError::Unsent { .. }
            | TxError::Query(_) => SendError::Later(text),
        }
    }
}

/// What the state says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimSeen {
    /// The block that left this state.
    pub height: Height,
    /// The status of the claim's proof; `None` where there is no claim.
    pub status: Option<i32>,
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
    /// What the newest state says of a claim. Proven; on the word of an endpoint only where nothing can be proven.
    async fn claim_status(&self, session_id: &str, operator: &Address) -> Result<ClaimSeen, NetworkError>;
    /// What happened in a block, on the word of an endpoint.
    async fn events_of(&self, height: Height) -> Result<BlockEvents, NetworkError>;
    /// Prices and signs a transaction that may be included up to `last_height`. The chain takes at most one of it and
    /// of the one in whose place it stands.
    async fn sign(
        &self,
        signer: &dyn Signer,
        message: Any,
        last_height: Height,
        in_place_of: Option<SignedTx>,
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
        let supplier = Chain::supplier(self, operator).await?;
        if supplier.how == ProofStatus::Stale {
            // An old record has no services, which would look as if it were staked for none.
            return Err(NetworkError::Unavailable(
                format!("no endpoint shows the supplier {operator} as it is now").into(),
            ));
        }
        Ok(supplier.value)
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

    async fn claim_status(&self, session_id: &str, operator: &Address) -> Result<ClaimSeen, NetworkError> {
        let claim = Chain::claim(self, &session_id.into(), operator).await?;
        let unverified = matches!(self.head().borrow().standing, Standing::Unverified { .. });
        if !claim.is_proven() && !unverified {
            // An old or unproven answer must not end a claim.
            return Err(NetworkError::Unavailable(
                format!("no endpoint proves what the state says of the claim of session {session_id}").into(),
            ));
        }
        Ok(ClaimSeen {
            height: claim.height,
            status: claim.value.map(|claim| claim.proof_validation_status),
        })
    }

    async fn events_of(&self, height: Height) -> Result<BlockEvents, NetworkError> {
        Ok(Chain::events_of(self, height).await?)
    }

    async fn sign(
        &self,
        signer: &dyn Signer,
        message: Any,
        last_height: Height,
        in_place_of: Option<SignedTx>,
    ) -> Result<SignedTx, SendError> {
        let options = Options {
            timeout_height: Some(last_height),
            in_place_of,
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
            // That it failed has to be proven, or one endpoint's word would have another one signed and paid for.
            Some(found) if !is_proven(self, &found) => Found::No,
            Some(found) => Found::Failed(found.height, found.log),
        })
    }

    fn follow(&self) -> Option<Follower> {
        Some(Chain::follow(self, "miner", StartFrom::Next))
    }
}

/// Whether an outcome is proven, or nothing of this chain can be.
fn is_proven(chain: &Chain, found: &FoundTx) -> bool {
    found.how == ProofStatus::Proven || matches!(chain.head().borrow().standing, Standing::Unverified { .. })
}

/// The chain, shared.
pub(crate) type SharedNetwork = Arc<dyn Network>;

#[cfg(test)]
mod tests {
    use hearth_chain::{Reason, Stage};

    use super::*;

    #[test]
    fn a_refusal_says_only_whether_to_sign_anew() {
        let of = |reason| {
            SendError::from(TxError::Refused {
                stage: Stage::Check,
                reason,
                codespace: "undefined".to_owned(),
                code: 1,
                log: String::new(),
            })
        };
        for reason in [
            Reason::Other,
            Reason::UnknownAccount,
            Reason::NotFound,
            Reason::ClaimNotFound,
            Reason::NotInSession,
            Reason::InsufficientFunds,
            Reason::OutsideClaimWindow { early: true },
        ] {
            assert!(matches!(of(reason.clone()), SendError::Later(_)), "{reason:?}");
        }
        for reason in [Reason::OutOfGas, Reason::BadSignature, Reason::TimedOut] {
            assert!(matches!(of(reason.clone()), SendError::Anew(_)), "{reason:?}");
        }
    }
}
