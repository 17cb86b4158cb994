//! Values that take more than one key: a supplier with its services, parameters and prices of a height, sessions.

use std::sync::Arc;

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

use super::{At, How, Query, QueryError, Reader, Verified, reader::ask, record::params};
use crate::{
    light::LightError,
    rpc::Endpoint,
    verify::{Neighbour, Statement},
};

/// More service configurations than a supplier has; each takes two requests.
const MAX_CONFIGS: usize = 256;

/// The parameters of all modules that Hearth reads, of one state.
#[derive(Clone, Debug, PartialEq)]
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

/// What a history says about a height.
enum Entry {
    /// The entry in force.
    At(Vec<u8>),
    /// The first entry is later; it holds what was in force until then.
    Before(Vec<u8>),
    /// There is no entry: what is in force now always was.
    Empty,
}

impl Reader {
    /// All parameters, of one state.
    pub(crate) async fn params(&self) -> Result<Verified<Params>, QueryError> {
        let shared = self.read(&params::shared(), At::Newest).await?;
        let (height, how) = (shared.height, shared.how);
        let at = match how {
            How::Proven => At::Height(height),
            How::Unproven => At::Unproven,
            How::Stale => At::Newest,
        };
        let value = Params {
            shared: shared.value.unwrap_or_default(),
            session: self.read(&params::session(), at).await?.value.unwrap_or_default(),
            proof: self.read(&params::proof(), at).await?.value.unwrap_or_default(),
            application: self
                .read(&params::application(), at)
                .await?
                .value
                .unwrap_or_default(),
            supplier: self
                .read(&params::supplier(), at)
                .await?
                .value
                .unwrap_or_default(),
            gateway: self.read(&params::gateway(), at).await?.value.unwrap_or_default(),
            service: self.read(&params::service(), at).await?.value.unwrap_or_default(),
            tokenomics: self
                .read(&params::tokenomics(), at)
                .await?
                .value
                .unwrap_or_default(),
        };
        Ok(Verified { value, height, how })
    }

    /// A supplier with all its service configurations. That none was left out is proven as well, by walking the chain's
    /// own index from neighbour to neighbour.
    pub(crate) async fn supplier(
        &self,
        operator: &Address,
        at: At,
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
            How::Stale => {}
            How::Proven => {
                let history = self.service_configs(operator, height).await?;
                supplier.services = active_at(&history, height);
                supplier.service_config_history = history;
            }
            How::Unproven => {
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
            let answer = self.proven("supplier", &key, At::Height(height)).await?;
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
            if let Some(config) = self.read(&query, At::Height(height)).await?.value {
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
                    how: How::Unproven,
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
                let now = self.read(&params::shared(), At::Newest).await?;
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
                let now = self.read(&params::session(), At::Unproven).await?;
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
                let now = self.read(&params::session(), At::Newest).await?;
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
                let now = self.read(&Query::service(service), At::Unproven).await?;
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
                let now = self.read(&Query::service(service), At::Newest).await?;
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
                return self.read(&Query::difficulty(service), At::Unproven).await;
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
            Entry::Empty => self.read(&Query::difficulty(service), At::Newest).await,
        }
    }

    /// The entry of a history in force at a height, with one proof: where the key itself is absent, its proven left
    /// neighbour is the entry before it.
    async fn history(
        &self,
        store: &'static str,
        prefix: &str,
        height: Height,
    ) -> Result<Verified<Entry>, QueryError> {
        let key = [prefix.as_bytes(), &height.0.to_be_bytes()].concat();
        let answer = self.proven(store, &key, At::Newest).await?;
        let within = |neighbour: &Neighbour| {
            neighbour.key.starts_with(prefix.as_bytes()) && neighbour.key.len() == prefix.len() + 8
        };
        Ok(answer.map(|statement| match statement {
            Statement::Present(value) => Entry::At(value),
            Statement::Absent { left, right } => match (left.filter(within), right.filter(within)) {
                (Some(left), _) => Entry::At(left.value),
                (None, Some(right)) => Entry::Before(right.value),
                (None, None) => Entry::Empty,
            },
        }))
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
        for endpoint in self.pool.candidates() {
            // A second opinion is not worth waiting for an endpoint that fails.
            if !seen.is_empty() && !endpoint.is_healthy() {
                continue;
            }
            let session = match self
                .session_from(&endpoint, &data, application, service, height)
                .await
            {
                Ok(session) => session,
                Err(SessionFault::Lie(why)) => {
                    self.pool.ban(&endpoint, &why);
                    continue;
                }
                Err(SessionFault::Error(error)) => {
                    last = Some(error);
                    continue;
                }
            };
            // Two of the same mind are enough.
            if seen.iter().any(|(_, known)| *known == session) {
                return Ok(told(session, height));
            }
            seen.push((endpoint, session));
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
            Err(
                LightError::NoTrust { .. } | LightError::AnchorUnknown { .. } | LightError::TooOld { .. },
            ) => {
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
        how: How::Unproven,
    }
}

fn lacks_trust(error: &QueryError) -> bool {
    matches!(
        error,
        QueryError::Light(LightError::NoTrust { .. } | LightError::AnchorUnknown { .. })
            | QueryError::TooEarly { .. }
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
