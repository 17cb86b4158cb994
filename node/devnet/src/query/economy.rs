//! Services, sessions, shared parameters, claims, tokenomics.

use hearth_pocket::message::{
    cosmos::{PageRequest, PageResponse},
    migration as mig, proof as pro, service as ser, session as ses, shared as sha, tokenomics as tok,
};
use prost::Message;

use super::{
    QueryError, QueryRequest,
    page::{Total, page},
};
use crate::{
    keys,
    modules::{params, proof as proofs, service as services, session as sessions},
    state::{State, StoreName},
};

pub(super) fn shared(method: &str, asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    match method {
        "Params" => Ok(sha::QueryParamsResponse {
            params: params::of(asked.state, StoreName::Shared),
        }
        .encode_to_vec()),
        "ParamsAtHeight" => {
            let request: sha::QueryParamsAtHeightRequest = asked.request()?;
            let height = proofs::height_of(request.height);
            Ok(sha::QueryParamsAtHeightResponse {
                params: params::shared_at(asked.state, height),
            }
            .encode_to_vec())
        }
        _ => Err(QueryError::unknown_path()),
    }
}

pub(super) fn tokenomics(method: &str, asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    match method {
        "Params" => Ok(tok::QueryParamsResponse {
            params: params::of(asked.state, StoreName::Tokenomics),
        }
        .encode_to_vec()),
        _ => Err(QueryError::unknown_path()),
    }
}

pub(super) fn migration(method: &str, asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    match method {
        "Params" => Ok(mig::QueryParamsResponse {
            params: params::of(asked.state, StoreName::Migration),
        }
        .encode_to_vec()),
        "MorseClaimableAccount" => {
            let request: mig::QueryMorseClaimableAccountRequest = asked.request()?;
            let key = keys::morse_account(&request.address);
            let found = asked.state.read(StoreName::Migration, &key);
            let missing = || {
                QueryError::not_found(format!(
                    "morse claimable account not found for address {}",
                    request.address
                ))
            };
            Ok(mig::QueryMorseClaimableAccountResponse {
                morse_claimable_account: found.ok_or_else(missing)?,
            }
            .encode_to_vec())
        }
        "MorseClaimableAccountAll" => {
            let request: mig::QueryAllMorseClaimableAccountRequest = asked.request()?;
            let (found, pagination) = page(
                asked.state,
                StoreName::Migration,
                keys::MORSE_ACCOUNTS.as_bytes(),
                request.pagination.as_ref(),
                Total::Wanted,
                |_: &mig::MorseClaimableAccount| true,
            );
            Ok(mig::QueryAllMorseClaimableAccountResponse {
                morse_claimable_account: found,
                pagination: Some(pagination),
            }
            .encode_to_vec())
        }
        _ => Err(QueryError::unknown_path()),
    }
}

pub(super) fn session(method: &str, asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    match method {
        "Params" => Ok(ses::QueryParamsResponse {
            params: params::of(asked.state, StoreName::Session),
        }
        .encode_to_vec()),
        "GetSession" => {
            let request: ses::QueryGetSessionRequest = asked.request()?;
            let height = u64::try_from(request.block_height)
                .map_err(|_| QueryError::invalid("invalid block height for session being retrieved"))?;
            let (application, service) = (&request.application_address, &request.service_id);
            let session = sessions::hydrate(asked.state, asked.height, application, service, height)
                .map_err(QueryError::internal)?;
            Ok(ses::QueryGetSessionResponse {
                session: Some(session),
            }
            .encode_to_vec())
        }
        _ => Err(QueryError::unknown_path()),
    }
}

pub(super) fn service(method: &str, asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    let store = StoreName::Service;
    let state = asked.state;
    match method {
        "Params" => Ok(ser::QueryParamsResponse {
            params: params::of(state, store),
        }
        .encode_to_vec()),
        "Service" => {
            let request: ser::QueryGetServiceRequest = asked.request()?;
            let missing = || QueryError::not_found(format!("service ID not found: {:?}", request.id));
            let mut service = services::record(state, &request.id).ok_or_else(missing)?;
            if request.dehydrated {
                service.metadata = None;
            }
            Ok(ser::QueryGetServiceResponse { service }.encode_to_vec())
        }
        "AllServices" => {
            let request: ser::QueryAllServicesRequest = asked.request()?;
            let prefix = keys::SERVICES.as_bytes();
            let (mut service, pagination) = page(
                state,
                store,
                prefix,
                request.pagination.as_ref(),
                Total::Wanted,
                |_: &sha::Service| true,
            );
            if request.dehydrated {
                service.iter_mut().for_each(|service| service.metadata = None);
            }
            Ok(ser::QueryAllServicesResponse {
                service,
                pagination: Some(pagination),
            }
            .encode_to_vec())
        }
        "ComputeUnitsPerRelayAtHeight" => {
            let request: ser::QueryComputeUnitsPerRelayAtHeightRequest = asked.request()?;
            let height = proofs::height_of(request.block_height);
            let missing = || no_service(&request.service_id);
            let units = services::compute_units_at(state, &request.service_id, height).ok_or_else(missing)?;
            Ok(ser::QueryComputeUnitsPerRelayAtHeightResponse {
                compute_units_per_relay: units,
            }
            .encode_to_vec())
        }
        "ComputeUnitsPerRelayHistory" => {
            let request: ser::QueryComputeUnitsPerRelayHistoryRequest = asked.request()?;
            known_service(asked, &request.service_id)?;
            let prefix = keys::compute_units_history(&request.service_id);
            let (history, pagination) = all(state, prefix.as_bytes(), request.pagination.as_ref());
            let answer = ser::QueryComputeUnitsPerRelayHistoryResponse {
                compute_units_per_relay_history: history,
                pagination: Some(pagination),
            };
            Ok(answer.encode_to_vec())
        }
        _ => difficulty(method, asked),
    }
}

/// One page of all records of the service module under `prefix`.
fn all<T: Message + Default>(
    state: &State,
    prefix: &[u8],
    request: Option<&PageRequest>,
) -> (Vec<T>, PageResponse) {
    page(state, StoreName::Service, prefix, request, Total::Wanted, |_| {
        true
    })
}

fn no_service(id: &str) -> QueryError {
    QueryError::not_found(format!("serviceID: {id}: service not found"))
}

fn known_service(asked: &QueryRequest<'_>, id: &str) -> Result<(), QueryError> {
    services::record(asked.state, id)
        .map(|_| ())
        .ok_or_else(|| no_service(id))
}

fn difficulty(method: &str, asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    let state = asked.state;
    match method {
        "RelayMiningDifficulty" => {
            let request: ser::QueryGetRelayMiningDifficultyRequest = asked.request()?;
            known_service(asked, &request.service_id)?;
            let found = services::difficulty(state, &request.service_id, asked.height);
            Ok(ser::QueryGetRelayMiningDifficultyResponse {
                relay_mining_difficulty: found,
            }
            .encode_to_vec())
        }
        "RelayMiningDifficultyAll" => {
            let request: ser::QueryAllRelayMiningDifficultyRequest = asked.request()?;
            let prefix = keys::DIFFICULTIES.as_bytes();
            let (found, pagination) = all(state, prefix, request.pagination.as_ref());
            let answer = ser::QueryAllRelayMiningDifficultyResponse {
                relay_mining_difficulty: found,
                pagination: Some(pagination),
            };
            Ok(answer.encode_to_vec())
        }
        "RelayMiningDifficultyAtHeight" => {
            let request: ser::QueryGetRelayMiningDifficultyAtHeightRequest = asked.request()?;
            known_service(asked, &request.service_id)?;
            let height = proofs::height_of(request.block_height);
            let found = services::difficulty_at(state, &request.service_id, height);
            Ok(ser::QueryGetRelayMiningDifficultyAtHeightResponse {
                relay_mining_difficulty: found,
            }
            .encode_to_vec())
        }
        "RelayMiningDifficultyHistory" => {
            let request: ser::QueryRelayMiningDifficultyHistoryRequest = asked.request()?;
            known_service(asked, &request.service_id)?;
            let prefix = keys::difficulty_history(&request.service_id);
            let (history, pagination) = all(state, prefix.as_bytes(), request.pagination.as_ref());
            let answer = ser::QueryRelayMiningDifficultyHistoryResponse {
                relay_mining_difficulty_history: history,
                pagination: Some(pagination),
            };
            Ok(answer.encode_to_vec())
        }
        _ => Err(QueryError::unknown_path()),
    }
}

pub(super) fn proof(method: &str, asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    let store = StoreName::Proof;
    match method {
        "Params" => Ok(pro::QueryParamsResponse {
            params: params::of(asked.state, store),
        }
        .encode_to_vec()),
        "Claim" => {
            let request: pro::QueryGetClaimRequest = asked.request()?;
            let (session, operator) = (&request.session_id, &request.supplier_operator_address);
            let found = proofs::claim(asked.state, session, operator);
            let claim = found.ok_or_else(|| missing("claim", session, operator))?;
            Ok(pro::QueryGetClaimResponse { claim }.encode_to_vec())
        }
        "Proof" => {
            let request: pro::QueryGetProofRequest = asked.request()?;
            let (session, operator) = (&request.session_id, &request.supplier_operator_address);
            let key = keys::claim_keys("Proof", session, operator, 0).primary;
            let proof = asked
                .state
                .read(store, &key)
                .ok_or_else(|| missing("proof", session, operator))?;
            Ok(pro::QueryGetProofResponse { proof }.encode_to_vec())
        }
        "AllClaims" => {
            let request: pro::QueryAllClaimsRequest = asked.request()?;
            let prefix = keys::CLAIMS.as_bytes();
            let (claims, pagination) = page(
                asked.state,
                store,
                prefix,
                request.pagination.as_ref(),
                Total::Wanted,
                |claim: &pro::Claim| {
                    let header = claim.session_header.clone().unwrap_or_default();
                    let end = proofs::height_of(header.session_end_block_height);
                    matches(
                        &request.supplier_operator_address,
                        &claim.supplier_operator_address,
                    ) && matches(&request.session_id, &header.session_id)
                        && (request.session_end_height == 0 || request.session_end_height == end)
                },
            );
            Ok(pro::QueryAllClaimsResponse {
                claims,
                pagination: Some(pagination),
            }
            .encode_to_vec())
        }
        "AllProofs" => {
            let request: pro::QueryAllProofsRequest = asked.request()?;
            let prefix = keys::PROOFS.as_bytes();
            let (proofs, pagination) = page(
                asked.state,
                store,
                prefix,
                request.pagination.as_ref(),
                Total::Wanted,
                |_: &pro::Proof| true,
            );
            Ok(pro::QueryAllProofsResponse {
                proofs,
                pagination: Some(pagination),
            }
            .encode_to_vec())
        }
        _ => Err(QueryError::unknown_path()),
    }
}

fn matches(given: &str, found: &str) -> bool {
    given.is_empty() || given == found
}

fn missing(what: &str, session: &str, operator: &str) -> QueryError {
    QueryError::not_found(format!(
        "session ID {session:?} and supplier {operator:?}: {what} not found"
    ))
}
