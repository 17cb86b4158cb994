//! Who serves in a session: arithmetic over records of the state that are proven, the candidates completely.

use hearth_base::Height;
use hearth_pocket::{
    message::{
        application::Application,
        session::{self, Session, SessionHeader},
        shared::{self, ServiceConfigUpdate, Supplier},
    },
    session::{Timing, choose, id, id_preimage, is_active},
};

use super::Proven;

/// Why an application has no session for a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSession {
    #[error("the application {0} is not on the chain")]
    NoApplication(String),
    #[error("the application {0} has left the network")]
    Left(String),
    #[error("the application {application} is not staked for the service {service}")]
    OtherService { application: String, service: String },
    #[error("nobody serves {0}")]
    NoSuppliers(String),
}

/// What a session follows from.
#[derive(Debug)]
pub(crate) struct Grounds<'a> {
    pub(crate) application: &'a str,
    pub(crate) service: &'a str,
    /// The height that is asked for.
    pub(crate) at: Height,
    /// The parameters in force at that height.
    pub(crate) shared: Proven<shared::Params>,
    pub(crate) params: Proven<session::Params>,
    /// The hash of the session's first block.
    pub(crate) start_hash: Proven<[u8; 32]>,
    pub(crate) record: Proven<Option<Application>>,
    /// Every configuration for the service, in the order of the store.
    pub(crate) configs: Proven<Vec<ServiceConfigUpdate>>,
}

/// A session before the records of its suppliers were read.
#[derive(Debug)]
pub(crate) struct Chosen {
    session: Session,
    configs: Vec<ServiceConfigUpdate>,
    height: Height,
}

/// The session that follows.
///
/// # Errors
/// There is none.
pub(crate) fn chosen(grounds: Grounds<'_>) -> Result<Chosen, NoSession> {
    let Grounds {
        application,
        service,
        at,
        shared,
        params,
        start_hash,
        record,
        configs,
    } = grounds;
    let height = [
        shared.height(),
        params.height(),
        start_hash.height(),
        record.height(),
        configs.height(),
    ];
    let height = height.into_iter().min().unwrap_or_default();
    let name = || application.to_owned();
    let record = record
        .into_value()
        .ok_or_else(|| NoSession::NoApplication(name()))?;
    let leaves_at = record.unstake_session_end_height;
    if leaves_at > 0 && at.0 > leaves_at {
        return Err(NoSession::Left(name()));
    }
    if !services_at(&record, at).any(|staked| staked == service) {
        let (application, service) = (name(), service.to_owned());
        return Err(NoSession::OtherService { application, service });
    }
    let timing = Timing::from(shared.value());
    let bounds = timing.bounds_at(at);
    let preimage = id_preimage(start_hash.value(), service, application, bounds.start);
    let id = id(&preimage);
    let serves = |config: &ServiceConfigUpdate| {
        is_active(
            positive(config.activation_height),
            positive(config.deactivation_height),
            at,
        )
    };
    let candidates: Vec<ServiceConfigUpdate> = configs.into_value().into_iter().filter(serves).collect();
    if candidates.is_empty() {
        return Err(NoSession::NoSuppliers(service.to_owned()));
    }
    let limit = usize::try_from(params.value().num_suppliers_per_session).unwrap_or(usize::MAX);
    let configs = choose(&preimage, candidates, limit, |config| {
        config.operator_address.as_str()
    });
    let session = Session {
        header: Some(SessionHeader {
            application_address: name(),
            service_id: service.to_owned(),
            session_id: id.as_str().to_owned(),
            session_start_block_height: signed(bounds.start.0),
            session_end_block_height: signed(bounds.end.0),
        }),
        session_id: id.as_str().to_owned(),
        session_number: signed(bounds.number),
        num_blocks_per_session: signed(timing.blocks_per_session),
        application: Some(record),
        suppliers: Vec::new(),
    };
    Ok(Chosen {
        session,
        configs,
        height,
    })
}

impl Chosen {
    /// The operators whose records are still to be read, in their order.
    pub(crate) fn operators(&self) -> impl Iterator<Item = &str> {
        self.configs.iter().map(|config| config.operator_address.as_str())
    }

    /// The whole session. `records` are those of the operators; whoever has none is no supplier any more.
    pub(crate) fn with_records(self, records: Vec<Proven<Option<Supplier>>>) -> Proven<Session> {
        let Chosen {
            mut session,
            configs,
            mut height,
        } = self;
        height = records.iter().map(Proven::height).fold(height, Height::min);
        let mut records: Vec<Supplier> = records.into_iter().filter_map(Proven::into_value).collect();
        for config in configs {
            let Some(at) = records
                .iter()
                .position(|one| one.operator_address == config.operator_address)
            else {
                continue;
            };
            let mut supplier = records.swap_remove(at);
            supplier.services = config.service.into_iter().collect();
            session.suppliers.push(supplier);
        }
        Proven::new(session, height)
    }
}

/// The services that an application is staked for at a height.
fn services_at(application: &Application, at: Height) -> impl Iterator<Item = &str> {
    let in_force = move |from: i64, to: i64| is_active(positive(from), positive(to), at);
    let history = application.service_config_history.iter();
    let has_history = history
        .clone()
        .any(|one| in_force(one.activation_height, one.deactivation_height));
    let now = application.service_configs.iter().filter(move |_| !has_history);
    history
        .filter(move |one| in_force(one.activation_height, one.deactivation_height))
        .filter_map(|one| one.service.as_ref())
        .chain(now)
        .map(|config| config.service_id.as_str())
}

fn positive(height: i64) -> Height {
    Height(u64::try_from(height).unwrap_or(0))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use hearth_pocket::message::session::QueryGetSessionResponse;
    use prost::Message as _;
    use serde_json::Value;

    use super::*;
    use crate::golden::{bytes, list, load, number, text};

    const AT: Height = Height(900);

    fn proven<T>(value: T) -> Proven<T> {
        Proven::new(value, AT)
    }

    fn shared_params() -> shared::Params {
        shared::Params {
            num_blocks_per_session: 10,
            ..shared::Params::default()
        }
    }

    /// The recorded candidates; of those that were chosen the configuration is recorded as well.
    fn configs(inputs: &Value, session: &Session) -> Vec<ServiceConfigUpdate> {
        let of = |operator: &str| {
            let chosen = session
                .suppliers
                .iter()
                .find(|one| one.operator_address == operator);
            chosen.and_then(|one| one.services.first().cloned())
        };
        let config = |one: &Value| ServiceConfigUpdate {
            operator_address: text(&one["operator"]).to_owned(),
            service: of(text(&one["operator"])),
            activation_height: i64::try_from(number(&one["activation_height"])).unwrap(),
            deactivation_height: i64::try_from(number(&one["deactivation_height"])).unwrap(),
        };
        list(&inputs["candidates_in_store_order"])
            .iter()
            .map(config)
            .collect()
    }

    #[test]
    fn sessions_are_those_that_the_real_chain_gave() {
        let golden = load("chain_session");
        let mut compared = 0;
        for one in list(&golden["sessions"])
            .iter()
            .filter(|one| one.get("session").is_some())
        {
            let wanted = bytes(&one["response_bytes"]);
            let told = QueryGetSessionResponse::decode(wanted.as_slice())
                .unwrap()
                .session
                .unwrap();
            let header = told.header.clone().unwrap();
            let asked = match number(&one["request"]["block_height"]) {
                0 => header.session_start_block_height.unsigned_abs(),
                height => height,
            };
            let inputs = &one["inputs"];
            // The latest state has forgotten candidates of the past: nobody is asked for those of another state.
            if inputs.is_null() || number(&one["state_height"]) == 0 {
                continue;
            }
            let bare = |supplier: &Supplier| Supplier {
                services: Vec::new(),
                ..supplier.clone()
            };
            let records = told
                .suppliers
                .iter()
                .map(|supplier| proven(Some(bare(supplier))))
                .collect();
            let chosen = chosen(Grounds {
                application: &header.application_address,
                service: &header.service_id,
                at: Height(asked),
                shared: proven(shared_params()),
                params: proven(session::Params {
                    num_suppliers_per_session: number(&inputs["num_suppliers_per_session"]),
                }),
                start_hash: proven(bytes(&inputs["session_start_block_hash"]).try_into().unwrap()),
                record: proven(told.application.clone()),
                configs: proven(configs(inputs, &told)),
            });
            let session = chosen.unwrap().with_records(records).into_value();
            assert_eq!(session, told, "{}", one["label"]);
            compared += 1;
        }
        assert!(compared > 25, "{compared}");
    }

    #[test]
    fn who_has_no_session_is_told_why() {
        let application = |service: &str, leaves_at| Application {
            address: "app".to_owned(),
            service_configs: vec![shared::ApplicationServiceConfig {
                service_id: service.to_owned(),
            }],
            unstake_session_end_height: leaves_at,
            ..Application::default()
        };
        let config = |from, to| ServiceConfigUpdate {
            operator_address: "op".to_owned(),
            activation_height: from,
            deactivation_height: to,
            ..ServiceConfigUpdate::default()
        };
        let of = |record: Option<Application>, configs: Vec<ServiceConfigUpdate>| {
            chosen(Grounds {
                application: "app",
                service: "svc",
                at: Height(25),
                shared: proven(shared_params()),
                params: proven(session::Params {
                    num_suppliers_per_session: 2,
                }),
                start_hash: proven([7; 32]),
                record: proven(record),
                configs: proven(configs),
            })
        };
        assert!(matches!(of(None, Vec::new()), Err(NoSession::NoApplication(_))));
        assert!(matches!(
            of(Some(application("svc", 20)), vec![config(1, 0)]),
            Err(NoSession::Left(_))
        ));
        assert!(matches!(
            of(Some(application("other", 0)), vec![config(1, 0)]),
            Err(NoSession::OtherService { .. })
        ));
        for idle in [vec![], vec![config(31, 0)], vec![config(1, 21)]] {
            assert!(matches!(
                of(Some(application("svc", 0)), idle),
                Err(NoSession::NoSuppliers(_))
            ));
        }
        // Who leaves with this session is in it; a supplier without a record is not.
        let chosen = of(Some(application("svc", 30)), vec![config(21, 31)]).unwrap();
        assert_eq!(chosen.operators().collect::<Vec<_>>(), ["op"]);
        let session = chosen.with_records(vec![Proven::new(None, Height(3))]);
        assert_eq!(
            (session.height(), session.value().suppliers.len()),
            (Height(3), 0)
        );
    }
}
