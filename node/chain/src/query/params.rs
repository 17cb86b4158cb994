//! The parameters of all modules, as they are now.

use hearth_base::Height;
use hearth_pocket::message;

use super::{QueryError, ReadAt, Reader, Told, record::params};

/// The parameters of all modules that Hearth reads, of one state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    /// Sessions, windows, prices.
    pub shared: message::shared::Params,
    /// Suppliers per session.
    pub session: message::session::Params,
    /// When proofs are needed, and what a missing one costs.
    pub proof: message::proof::Params,
    /// Stake of applications.
    pub application: message::application::Params,
    /// Stake of suppliers.
    pub supplier: message::supplier::Params,
    /// Stake of gateways.
    pub gateway: message::gateway::Params,
    /// Fee and target of services.
    pub service: message::service::Params,
    /// Who gets what.
    pub tokenomics: message::tokenomics::Params,
}

impl Reader {
    /// All parameters, of one state.
    pub(crate) async fn params(&self) -> Result<Told<Params>, QueryError> {
        // All at once, of a state that is chosen before; without one, or without an answer, as far as each is known.
        if let Ok(newest) = self.newest_state().await
            && let Ok(params) = self.params_of(ReadAt::Height(newest)).await
        {
            return Ok(params);
        }
        self.params_of(ReadAt::Newest).await
    }

    async fn params_of(&self, at: ReadAt) -> Result<Told<Params>, QueryError> {
        let queries = (
            params::shared(),
            params::session(),
            params::proof(),
            params::application(),
            params::supplier(),
            params::gateway(),
            params::service(),
            params::tokenomics(),
        );
        let (shared, session, proof, application, supplier, gateway, service, tokenomics) = futures::try_join!(
            self.read(&queries.0, at),
            self.read(&queries.1, at),
            self.read(&queries.2, at),
            self.read(&queries.3, at),
            self.read(&queries.4, at),
            self.read(&queries.5, at),
            self.read(&queries.6, at),
            self.read(&queries.7, at),
        )?;
        let chain = shared.zip(session).zip(proof.zip(application));
        let actors = supplier.zip(gateway).zip(service.zip(tokenomics));
        Ok(chain.zip(actors).map(|(chain, actors)| {
            let ((shared, session), (proof, application)) = chain;
            let ((supplier, gateway), (service, tokenomics)) = actors;
            Params {
                shared: shared.unwrap_or_default(),
                session: session.unwrap_or_default(),
                proof: proof.unwrap_or_default(),
                application: application.unwrap_or_default(),
                supplier: supplier.unwrap_or_default(),
                gateway: gateway.unwrap_or_default(),
                service: service.unwrap_or_default(),
                tokenomics: tokenomics.unwrap_or_default(),
            }
        }))
    }

    /// The height of the newest state, where one can be proven, for lists that stand on an endpoint's word.
    pub(super) async fn about_now(&self) -> Height {
        // Lists are unproven anyway.
        self.newest_state().await.map_or(Height(0), |state| state.plus(1))
    }
}
