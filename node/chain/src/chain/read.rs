//! What is asked of the chain's state and its past.

use hearth_base::{Amount, Height, ServiceId, SessionId};
use hearth_pocket::{
    address::Address,
    message::{
        self,
        application::Application,
        gateway::Gateway,
        proof::Claim,
        service::RelayMiningDifficulty,
        session::Session,
        shared::{Service, Supplier},
    },
};
use prost::Message;
use time::OffsetDateTime;

use super::Chain;
use crate::{
    query::{AbsencePolicy, Account, FoundTx, Params, Query, QueryError, ReadAt, Seen, Told},
    verify::Proven,
};

impl Chain {
    /// Reads a record of the state.
    ///
    /// # Errors
    /// No endpoint answers and nothing was proven before, or a record that cannot be read.
    pub async fn query<T>(&self, query: Query<T>, at: ReadAt) -> Result<Told<Option<T>>, QueryError> {
        self.0.reader.read(&query, at).await
    }

    /// How many upokt an address holds.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn balance(&self, address: &Address) -> Result<Told<Amount>, QueryError> {
        self.balance_at(address, ReadAt::Newest).await
    }

    /// As [`Chain::balance`], of a chosen state.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn balance_at(&self, address: &Address, at: ReadAt) -> Result<Told<Amount>, QueryError> {
        let found = self.query(Query::balance(address), at).await?;
        Ok(found.map(Option::unwrap_or_default))
    }

    /// An account; `None` before it received anything.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn account(&self, address: &Address) -> Result<Told<Option<Account>>, QueryError> {
        self.query(Query::account(address), ReadAt::Newest).await
    }

    /// A supplier with its services; each is proven.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn supplier(&self, operator: &Address) -> Result<Told<Option<Supplier>>, QueryError> {
        self.0.reader.supplier(operator, ReadAt::Newest).await
    }

    /// The suppliers that have or had a service, on an endpoint's word.
    ///
    /// # Errors
    /// No endpoint answers.
    pub async fn suppliers(&self, service: &ServiceId) -> Result<Seen<Vec<Supplier>>, QueryError> {
        self.0.reader.suppliers(service).await
    }

    /// The suppliers of an owner, on an endpoint's word.
    ///
    /// # Errors
    /// No endpoint answers.
    pub async fn suppliers_of(&self, owner: &Address) -> Result<Seen<Vec<Supplier>>, QueryError> {
        self.0.reader.suppliers_of(owner).await
    }

    /// An application.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn application(&self, address: &Address) -> Result<Told<Option<Application>>, QueryError> {
        self.query(Query::application(address), ReadAt::Newest).await
    }

    /// A gateway.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn gateway(&self, address: &Address) -> Result<Told<Option<Gateway>>, QueryError> {
        self.query(Query::gateway(address), ReadAt::Newest).await
    }

    /// A service.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn service(&self, id: &ServiceId) -> Result<Told<Option<Service>>, QueryError> {
        self.query(Query::service(id), ReadAt::Newest).await
    }

    /// All services without their cards, on an endpoint's word.
    ///
    /// # Errors
    /// No endpoint answers.
    pub async fn services(&self) -> Result<Seen<Vec<Service>>, QueryError> {
        self.0.reader.services().await
    }

    /// A claim; `None` before it was made and after it was settled or expired.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn claim(
        &self,
        session: &SessionId,
        operator: &Address,
    ) -> Result<Told<Option<Claim>>, QueryError> {
        self.query(Query::claim(session, operator), ReadAt::Newest).await
    }

    /// The pending claims of a supplier, on an endpoint's word.
    ///
    /// # Errors
    /// No endpoint answers.
    pub async fn claims(&self, operator: &Address) -> Result<Seen<Vec<Claim>>, QueryError> {
        self.0.reader.claims(operator).await
    }

    /// The parameters of all modules, as they are now.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn params(&self) -> Result<Told<Params>, QueryError> {
        self.0.reader.params().await
    }

    /// The shared parameters in force at a height: grid, windows and price of a session there.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn params_at(&self, height: Height) -> Result<Told<message::shared::Params>, QueryError> {
        self.0.reader.params_at(height).await
    }

    /// The session parameters in force at a height.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn session_params_at(
        &self,
        height: Height,
    ) -> Result<Told<message::session::Params>, QueryError> {
        self.0.reader.session_params_at(height).await
    }

    /// Compute units per relay of a service at a height (for a session: its start).
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn compute_units_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Told<Option<u64>>, QueryError> {
        self.0.reader.compute_units_at(service, height).await
    }

    /// The difficulty of a service now; `None` before its first settlement: every relay counts.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn difficulty(
        &self,
        service: &ServiceId,
    ) -> Result<Told<Option<RelayMiningDifficulty>>, QueryError> {
        self.query(Query::difficulty(service), ReadAt::Newest).await
    }

    /// The difficulty of a service at a height (for a session: its start).
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn difficulty_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Told<Option<RelayMiningDifficulty>>, QueryError> {
        self.0.reader.difficulty_at(service, height).await
    }

    /// The session of an application and a service at a height: computed from records of the state that are proven, its
    /// candidates completely.
    ///
    /// # Errors
    /// There is none ([`QueryError::NoSession`]), nothing can be proven, or no endpoint answers.
    pub async fn session(
        &self,
        application: &Address,
        service: &ServiceId,
        height: Height,
    ) -> Result<Proven<Session>, QueryError> {
        self.0.reader.session(application, service, height).await
    }

    /// The hash of a block, from its verified header.
    ///
    /// # Errors
    /// A block that is not there yet or is too old, or a chain of which nothing is trusted yet.
    pub async fn block_hash(&self, height: Height) -> Result<Proven<[u8; 32]>, QueryError> {
        Ok(self.0.light.header(height).await?.proven_hash())
    }

    /// When a block was made, from its verified header.
    ///
    /// # Errors
    /// A block that is not there yet or is too old, or a chain of which nothing is trusted yet.
    pub async fn block_time(&self, height: Height) -> Result<OffsetDateTime, QueryError> {
        Ok(self.0.light.header(height).await?.time())
    }

    /// Any question of the chain's query services, such as `/pocket.supplier.Query/Supplier`, on an endpoint's word.
    ///
    /// # Errors
    /// The chain refuses, or no endpoint answers.
    pub async fn call<Q: Message, A: Message + Default>(
        &self,
        path: &str,
        request: &Q,
        height: Option<Height>,
    ) -> Result<A, QueryError> {
        self.0.reader.call(path, request, height).await
    }

    /// Hands out what an address sent, then what it received, newest first and `limit` of each, on an endpoint's word.
    /// What it sent to itself comes twice. Says whether there is more than that.
    ///
    /// # Errors
    /// No endpoint answers; what was handed out until then stands.
    pub async fn history(
        &self,
        address: &Address,
        limit: usize,
        found: &mut (dyn FnMut(FoundTx) + Send),
    ) -> Result<bool, QueryError> {
        let sent = format!("message.sender='{address}'");
        let received = format!("transfer.recipient='{address}'");
        let more_sent = self.0.reader.search(&sent, limit, found).await?;
        Ok(self.0.reader.search(&received, limit, found).await? || more_sent)
    }

    /// A transaction by its hash; `None` while no block holds it.
    ///
    /// # Errors
    /// No endpoint answers.
    pub async fn tx(&self, hash: &[u8; 32]) -> Result<Option<FoundTx>, QueryError> {
        self.0.reader.tx(hash, AbsencePolicy::All).await
    }
}
