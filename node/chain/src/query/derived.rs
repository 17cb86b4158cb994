//! Values that take more than one key: a supplier with its services, parameters and prices of a height, sessions.

use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt as _};
use hearth_base::{Height, ServiceId};
use hearth_pocket::{
    address::Address,
    message::{
        self,
        service::{RelayMiningDifficulty, RelayMiningDifficultyUpdate, ServiceComputeUnitsPerRelayUpdate},
        session::{QueryGetSessionRequest, QueryGetSessionResponse, Session},
        shared::{ServiceConfigUpdate, Supplier, SupplierServiceConfig},
        supplier::{QueryGetSupplierRequest, QueryGetSupplierResponse},
    },
};
use prost::Message;

use super::{
    ProofStatus, Query, QueryError, ReadAt, Reader, Verified, epochs::Entry, reader::ask, record::params,
};
use crate::{
    light::LightError,
    rpc::Endpoint,
    verify::{Neighbour, Statement},
};

/// More service configurations than a supplier has; each takes two requests.
const MAX_CONFIGS: usize = 256;

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
    pub(crate) async fn params(&self) -> Result<Verified<Params>, QueryError> {
        // All at once, of a state that is chosen before; without one, or without an answer, as far as each is known.
        let newest = self.light.newest().await;
        if let Ok(newest) = newest
            && let Ok(params) = self
                .params_of(ReadAt::Height(Height(newest.height().0.saturating_sub(1))))
                .await
        {
            return Ok(params);
        }
        self.params_of(ReadAt::Newest).await
    }

    async fn params_of(&self, at: ReadAt) -> Result<Verified<Params>, QueryError> {
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
        let (height, how) = (shared.height, shared.how);
        let value = Params {
            shared: shared.value.unwrap_or_default(),
            session: session.value.unwrap_or_default(),
            proof: proof.value.unwrap_or_default(),
            application: application.value.unwrap_or_default(),
            supplier: supplier.value.unwrap_or_default(),
            gateway: gateway.value.unwrap_or_default(),
            service: service.value.unwrap_or_default(),
            tokenomics: tokenomics.value.unwrap_or_default(),
        };
        Ok(Verified { value, height, how })
    }

    /// A supplier with all its service configurations. That none was left out is proven as well, by walking the chain's
    /// own index from neighbour to neighbour.
    pub(crate) async fn supplier(
        &self,
        operator: &Address,
        at: ReadAt,
    ) -> Result<Verified<Option<Supplier>>, QueryError> {
        let record = self.read(&Query::supplier(operator), at).await?;
        let (height, how) = (record.height, record.how);
        let Some(mut supplier) = record.value else {
            return Ok(Verified {
                value: None,
                height,
                how,
            });
        };
        match how {
            // Its services are kept apart, and not known of an old state.
            ProofStatus::Stale => {}
            ProofStatus::Proven => {
                let history = self.service_configs(operator, height).await?;
                supplier.services = active_at(&history, height);
                supplier.service_config_history = history;
            }
            ProofStatus::Unproven => {
                let request = QueryGetSupplierRequest {
                    operator_address: operator.to_string(),
                    dehydrated: false,
                };
                let told: QueryGetSupplierResponse = self
                    .call("/pocket.supplier.Query/Supplier", &request, None)
                    .await?;
                supplier = told.supplier;
            }
        }
        Ok(Verified {
            value: Some(supplier),
            height,
            how,
        })
    }

    /// All service configurations of a supplier in a state, proven and complete.
    async fn service_configs(
        &self,
        operator: &Address,
        height: Height,
    ) -> Result<Vec<ServiceConfigUpdate>, QueryError> {
        let prefix = format!("ServiceConfigUpdate/operator_address/{operator}/");
        let mut configs = Vec::new();
        let mut key = prefix.clone().into_bytes();
        while configs.len() < MAX_CONFIGS {
            let answer = self.proven("supplier", &key, ReadAt::Height(height)).await?;
            let Statement::Absent {
                right: Some(next), ..
            } = answer.value
            else {
                break;
            };
            if !next.key.starts_with(prefix.as_bytes()) {
                break;
            }
            let primary = [b"ServiceConfigUpdate/service_id/".as_slice(), &next.value].concat();
            let query = Query::service_config_by_key(primary);
            if let Some(config) = self.read(&query, ReadAt::Height(height)).await?.value {
                configs.push(config);
            }
            // The smallest key after the one just found.
            key = next.key;
            key.push(0);
        }
        Ok(configs)
    }

    /// The shared parameters in force at a height: those that sessions, windows and prices of that height use.
    pub(crate) async fn params_at(
        &self,
        height: Height,
    ) -> Result<Verified<message::shared::Params>, QueryError> {
        let entry = match self.history("shared", "shared_params_history/", height).await {
            Ok(entry) => entry,
            Err(error) if lacks_trust(&error) => {
                let request = message::shared::QueryParamsAtHeightRequest {
                    height: to_i64(height),
                };
                let path = "/pocket.shared.Query/ParamsAtHeight";
                let answer: message::shared::QueryParamsAtHeightResponse =
                    self.call(path, &request, None).await?;
                return Ok(Verified {
                    value: answer.params,
                    height,
                    how: ProofStatus::Unproven,
                });
            }
            Err(error) => return Err(error),
        };
        match entry.value {
            Entry::At(bytes) | Entry::Before(bytes) => {
                let update: message::shared::ParamsUpdate = decode("shared parameters", &bytes)?;
                Ok(Verified {
                    value: update.params.unwrap_or_default(),
                    height: entry.height,
                    how: entry.how,
                })
            }
            Entry::Empty => {
                let now = self.read(&params::shared(), ReadAt::Newest).await?;
                Ok(now.map(Option::unwrap_or_default))
            }
        }
    }

    /// The number of suppliers of a session at a height.
    pub(crate) async fn session_params_at(
        &self,
        height: Height,
    ) -> Result<Verified<message::session::Params>, QueryError> {
        let entry = match self.history("session", "session_params_history/", height).await {
            Ok(entry) => entry,
            Err(error) if lacks_trust(&error) => {
                let now = self.read(&params::session(), ReadAt::Unproven).await?;
                return Ok(now.map(Option::unwrap_or_default));
            }
            Err(error) => return Err(error),
        };
        match entry.value {
            Entry::At(bytes) | Entry::Before(bytes) => {
                let update: message::session::ParamsUpdate = decode("session parameters", &bytes)?;
                Ok(Verified {
                    value: update.params.unwrap_or_default(),
                    height: entry.height,
                    how: entry.how,
                })
            }
            Entry::Empty => {
                let now = self.read(&params::session(), ReadAt::Newest).await?;
                Ok(now.map(Option::unwrap_or_default))
            }
        }
    }

    /// Compute units per relay of a service at a height. `None` where there is no such service.
    pub(crate) async fn compute_units_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Verified<Option<u64>>, QueryError> {
        let prefix = format!("ServiceComputeUnitsPerRelay/history/{service}/");
        let entry = match self.history("service", &prefix, height).await {
            Ok(entry) => entry,
            Err(error) if lacks_trust(&error) => {
                let now = self.read(&Query::service(service), ReadAt::Unproven).await?;
                return Ok(now.map(|service| service.map(|service| service.compute_units_per_relay)));
            }
            Err(error) => return Err(error),
        };
        match entry.value {
            Entry::At(bytes) | Entry::Before(bytes) => {
                let update: ServiceComputeUnitsPerRelayUpdate = decode("compute units", &bytes)?;
                let units = Some(update.compute_units_per_relay);
                Ok(Verified {
                    value: units,
                    height: entry.height,
                    how: entry.how,
                })
            }
            Entry::Empty => {
                let now = self.read(&Query::service(service), ReadAt::Newest).await?;
                Ok(now.map(|service| service.map(|service| service.compute_units_per_relay)))
            }
        }
    }

    /// The difficulty of a service at a height. `None` before its first settlement: every relay counts.
    pub(crate) async fn difficulty_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Verified<Option<RelayMiningDifficulty>>, QueryError> {
        let prefix = format!("RelayMiningDifficulty/history/{service}/");
        let entry = match self.history("service", &prefix, height).await {
            Ok(entry) => entry,
            Err(error) if lacks_trust(&error) => {
                return self.read(&Query::difficulty(service), ReadAt::Unproven).await;
            }
            Err(error) => return Err(error),
        };
        match entry.value {
            // Before its first entry a service had no difficulty: that entry is its first settlement.
            Entry::Before(_) => Ok(Verified {
                value: None,
                height: entry.height,
                how: entry.how,
            }),
            Entry::At(bytes) => {
                let update: RelayMiningDifficultyUpdate = decode("difficulty", &bytes)?;
                Ok(Verified {
                    value: update.difficulty,
                    height: entry.height,
                    how: entry.how,
                })
            }
            Entry::Empty => self.read(&Query::difficulty(service), ReadAt::Newest).await,
        }
    }

    /// The entry of a history in force at a height, with one proof: where the key itself is absent, its proven left
    /// neighbour is the entry before it. What was proven of an epoch is remembered: the past does not change.
    async fn history(
        &self,
        store: &'static str,
        prefix: &str,
        height: Height,
    ) -> Result<Verified<Entry>, QueryError> {
        if let Some(known) = self.epochs.lock().find(store, prefix, height) {
            return Ok(known);
        }
        let key = [prefix.as_bytes(), &height.0.to_be_bytes()].concat();
        let answer = self.proven(store, &key, ReadAt::Newest).await?;
        // The height of an entry of this history.
        let since = |neighbour: &Neighbour| -> Option<Height> {
            let suffix = neighbour.key.strip_prefix(prefix.as_bytes())?;
            Some(Height(u64::from_be_bytes(suffix.try_into().ok()?)))
        };
        let (first, state) = (Height(0), answer.height);
        let (entry, from, to) = match answer.value {
            // Of the next entry its proof says nothing.
            Statement::Present(value) => (Entry::At(value), height, height),
            Statement::Absent { left, right } => {
                let next = right.and_then(|right| Some((since(&right)?, right.value)));
                let until = next
                    .as_ref()
                    .map_or(state, |(next, _)| Height(next.0.saturating_sub(1)));
                match (left.and_then(|left| Some((since(&left)?, left.value))), next) {
                    (Some((since, value)), _) => (Entry::At(value), since, until),
                    (None, Some((_, value))) => (Entry::Before(value), first, until),
                    (None, None) => (Entry::Empty, first, state),
                }
            }
        };
        let entry = Verified {
            value: entry,
            height: answer.height,
            how: answer.how,
        };
        // What is in force at a height is settled once the state of that height is known. That a history is empty says
        // only that the present value, which is not remembered here, always was in force.
        if !matches!(entry.value, Entry::Empty) {
            self.epochs
                .lock()
                .note(store, prefix, from..=to.min(state), entry.clone());
        }
        Ok(entry)
    }

    /// The session of an application and a service at a height, as the state of that height had it. Its id is checked
    /// against the verified header of its first block; its suppliers stand on the endpoint's word.
    pub(crate) async fn session(
        &self,
        application: &Address,
        service: &ServiceId,
        height: Height,
    ) -> Result<Verified<Session>, QueryError> {
        let request = QueryGetSessionRequest {
            application_address: application.to_string(),
            service_id: service.to_string(),
            block_height: to_i64(height),
        };
        let data = request.encode_to_vec();
        let mut last: Option<QueryError> = None;
        let mut seen: Vec<(Arc<Endpoint>, Session)> = Vec::new();
        let mut candidates = self.pool.candidates().into_iter();
        let (this, data) = (self, &data);
        let question = move |endpoint: Arc<Endpoint>| async move {
            let answer = this
                .session_from(&endpoint, data, application, service, height)
                .await;
            (endpoint, answer)
        };
        // Two opinions are asked for at once, further ones where those fail or differ. None is worth waiting for an
        // endpoint that failed of late, but for the first.
        let first = candidates.next();
        let second = candidates.find(|endpoint| endpoint.is_healthy());
        let mut asked: FuturesUnordered<_> = first.into_iter().chain(second).map(question).collect();
        while let Some((endpoint, answer)) = asked.next().await {
            match answer {
                Ok(session) => {
                    // Two of the same mind are enough.
                    if seen.iter().any(|(_, known)| *known == session) {
                        return Ok(told(session, height));
                    }
                    seen.push((endpoint, session));
                }
                Err(SessionFault::Lie(why)) => self.pool.ban(&endpoint, &why),
                Err(SessionFault::Error(error)) => last = Some(error),
            }
            if seen.len() > 1 || seen.len() + asked.len() < 2 {
                let next = candidates.find(|next| seen.is_empty() || next.is_healthy());
                asked.extend(next.map(question));
            }
        }
        match seen.as_slice() {
            [] => Err(last.unwrap_or_else(|| self.pool.none_left().into())),
            [(_, session)] => Ok(told(session.clone(), height)),
            [(one, _), (other, _), ..] => Err(QueryError::Disagree {
                one: one.name().to_owned(),
                other: other.name().to_owned(),
            }),
        }
    }

    async fn session_from(
        &self,
        endpoint: &Endpoint,
        data: &[u8],
        application: &Address,
        service: &ServiceId,
        height: Height,
    ) -> Result<Session, SessionFault> {
        let answer = ask(
            endpoint,
            "/pocket.session.Query/GetSession",
            data,
            Some(height),
            false,
        )
        .await?;
        let answer: QueryGetSessionResponse = decode("session", &answer.value)?;
        let session = answer.session.unwrap_or_default();
        self.check_session(&session, application, service, height).await?;
        Ok(session)
    }

    async fn check_session(
        &self,
        session: &Session,
        application: &Address,
        service: &ServiceId,
        height: Height,
    ) -> Result<(), SessionFault> {
        let lie = |why: &str| Err(SessionFault::Lie(format!("false session at {height}: {why}")));
        let Some(header) = &session.header else {
            return lie("it has no header");
        };
        if header.application_address != application.as_str() || header.service_id != service.as_str() {
            return lie("it is of another application or service");
        }
        let (start, end) = (header.session_start_block_height, header.session_end_block_height);
        if !(start..=end).contains(&to_i64(height)) || start < 1 {
            return lie("the height asked for is not in it");
        }
        let start = Height(u64::try_from(start).unwrap_or(0));
        let first = match self.light.header(start).await {
            Ok(first) => first,
            // Nothing to compare with yet.
            Err(LightError::NoTrust { .. } | LightError::TooOld { .. }) => {
                return Ok(());
            }
            Err(error) => return Err(SessionFault::Error(error.into())),
        };
        let preimage =
            hearth_pocket::session::id_preimage(&first.hash(), service.as_str(), application.as_str(), start);
        let id = hearth_pocket::session::id(&preimage);
        if id.as_str() != header.session_id || id.as_str() != session.session_id {
            return lie("its id does not follow from the hash of its first block");
        }
        Ok(())
    }

    /// Asks a typed question of the second door.
    pub(crate) async fn call<Q: Message, A: Message + Default>(
        &self,
        path: &str,
        request: &Q,
        height: Option<Height>,
    ) -> Result<A, QueryError> {
        let answer = self.ask_anyone(path, &request.encode_to_vec(), height).await?;
        decode("answer", &answer.value)
    }
}

/// The configurations in force at a height.
fn active_at(history: &[ServiceConfigUpdate], height: Height) -> Vec<SupplierServiceConfig> {
    let at = |height: i64| Height(u64::try_from(height).unwrap_or(0));
    let active = history.iter().filter(|update| {
        hearth_pocket::session::is_active(
            at(update.activation_height),
            at(update.deactivation_height),
            height,
        )
    });
    active.filter_map(|update| update.service.clone()).collect()
}

enum SessionFault {
    Lie(String),
    Error(QueryError),
}

impl From<QueryError> for SessionFault {
    fn from(error: QueryError) -> SessionFault {
        SessionFault::Error(error)
    }
}

fn told(session: Session, height: Height) -> Verified<Session> {
    Verified {
        value: session,
        height,
        how: ProofStatus::Unproven,
    }
}

fn lacks_trust(error: &QueryError) -> bool {
    matches!(
        error,
        QueryError::Light(LightError::NoTrust { .. }) | QueryError::TooEarly { .. }
    )
}

fn decode<T: Message + Default>(what: &'static str, bytes: &[u8]) -> Result<T, QueryError> {
    T::decode(bytes).map_err(|error| QueryError::Unreadable {
        what,
        why: error.to_string(),
    })
}

fn to_i64(height: Height) -> i64 {
    i64::try_from(height.0).unwrap_or(i64::MAX)
}
