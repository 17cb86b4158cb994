//! The chain's query services, by their path.

mod actors;
mod cosmos;
mod economy;
mod page;

use hearth_pocket::message::cosmos::{GasInfo, SimulateRequest, SimulateResponse};
use prost::Message;

use crate::{ctx::Ctx, machine, state::State};

/// The version that relay miners read and compare.
pub(crate) const APP_VERSION: &str = "v0.1.35";

/// The path that runs a transaction without its signature.
pub(crate) const SIMULATE: &str = "/cosmos.tx.v1beta1.Service/Simulate";

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{codespace} {code}: {log}")]
pub(crate) struct QueryError {
    pub(crate) code: u32,
    pub(crate) codespace: &'static str,
    pub(crate) log: String,
    /// The height in the answer; 0 where the question never reached a state.
    pub(crate) height: u64,
}

impl QueryError {
    pub(crate) fn new(code: u32, log: impl Into<String>) -> QueryError {
        QueryError {
            code,
            codespace: "sdk",
            log: log.into(),
            height: 0,
        }
    }

    fn not_found(what: impl std::fmt::Display) -> QueryError {
        QueryError::new(
            22,
            format!("rpc error: code = NotFound desc = {what}: key not found"),
        )
    }

    fn invalid(what: impl std::fmt::Display) -> QueryError {
        QueryError::new(18, format!("{what}: invalid request"))
    }

    fn internal(what: impl std::fmt::Display) -> QueryError {
        QueryError::new(
            6,
            format!("rpc error: code = Internal desc = {what}: unknown request"),
        )
    }

    fn unknown_path() -> QueryError {
        QueryError::new(6, "unknown query path: unknown request")
    }

    /// The same at the height that was asked.
    pub(crate) fn at(self, height: u64) -> QueryError {
        let height = if self.log.starts_with("unknown query path") {
            0
        } else {
            height
        };
        QueryError { height, ..self }
    }
}

/// A question and what it is asked of.
pub(crate) struct QueryRequest<'a> {
    pub(crate) state: &'a State,
    /// The height of that state.
    pub(crate) height: u64,
    pub(crate) chain_id: &'a str,
    pub(crate) data: &'a [u8],
}

impl QueryRequest<'_> {
    fn request<T: Message + Default>(&self) -> Result<T, QueryError> {
        T::decode(self.data).map_err(|error| QueryError::invalid(format!("proto: {error}")))
    }
}

/// Answers a question with protobuf bytes.
pub(crate) fn answer(path: &str, asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    let (service, method) = path
        .trim_start_matches('/')
        .split_once('/')
        .ok_or_else(QueryError::unknown_path)?;
    match service {
        "pocket.application.Query" => actors::application(method, asked),
        "pocket.gateway.Query" => actors::gateway(method, asked),
        "pocket.supplier.Query" => actors::supplier(method, asked),
        "pocket.service.Query" => economy::service(method, asked),
        "pocket.session.Query" => economy::session(method, asked),
        "pocket.shared.Query" => economy::shared(method, asked),
        "pocket.proof.Query" => economy::proof(method, asked),
        "pocket.tokenomics.Query" => economy::tokenomics(method, asked),
        "pocket.migration.Query" => economy::migration(method, asked),
        _ => cosmos::answer(service, method, asked),
    }
}

/// Runs a transaction for its gas.
pub(crate) fn simulate(ctx: Ctx, data: &[u8]) -> Result<Vec<u8>, QueryError> {
    let height = ctx.height;
    let request =
        SimulateRequest::decode(data).map_err(|error| QueryError::invalid(format!("proto: {error}")))?;
    let gas_used = machine::simulate(ctx, &request.tx_bytes).map_err(|(error, used)| {
        let log = format!(
            "rpc error: code = Unknown desc = {} with gas used: '{used}': unknown request",
            error.log
        );
        QueryError::new(6, log).at(height)
    })?;
    Ok(SimulateResponse {
        gas_info: Some(GasInfo {
            gas_wanted: 0,
            gas_used,
        }),
    }
    .encode_to_vec())
}
