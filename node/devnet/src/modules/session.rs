//! Sessions: hashes of blocks, and who serves whom.

use hearth_base::Height;
use hearth_pocket::{
    message::{
        session::{Session, SessionHeader},
        shared::{ServiceConfigUpdate, Supplier},
    },
    session,
};

use super::{application, params, supplier};
use crate::{
    keys,
    state::{State, StoreName},
};

const STORE: StoreName = StoreName::Session;

/// Keeps the hash of this block's header. The first step of a block's end.
pub(crate) fn keep_block_hash(state: &mut State, height: u64, hash: [u8; 32]) {
    state.set(STORE, &keys::block_hash(height), hash.to_vec());
}

/// The hash of a block's header; nothing for a block that is not there.
pub(crate) fn block_hash(state: &State, height: u64) -> Vec<u8> {
    state
        .get(STORE, &keys::block_hash(height))
        .map(<[u8]>::to_vec)
        .unwrap_or_default()
}

/// The session of an application and a service at `height`; 0 stands for the latest block. `last` is the height of
/// the state that is asked. The error is the chain's text.
pub(crate) fn hydrate(
    state: &State,
    last: u64,
    address: &str,
    service: &str,
    height: u64,
) -> Result<Session, String> {
    let height = if height == 0 { last } else { height };
    if height > last {
        return Err(format!(
            "block height {height} is ahead of the last committed block height {last}: error during session hydration"
        ));
    }
    let timing = params::timing_at(state, height);
    let bounds = timing.bounds_at(Height(height));
    let start_hash = block_hash(state, bounds.start.0);
    let preimage = session::id_preimage(&start_hash, service, address, bounds.start);
    let id = session::id(&preimage);
    let Some(application) = application::record(state, address) else {
        return Err(format!(
            "could not find app with address {address:?} at height {}: application for session not found not found ",
            bounds.start
        ));
    };
    if !application::is_active(&application, height) {
        return Err(format!(
            "application {address:?} is not active for session {id}: application is not active"
        ));
    }
    if !application::services_at(&application, height)
        .iter()
        .any(|staked| staked == service)
    {
        return Err(format!(
            "application {address:?} not staked for service ID {service:?}: application in session not staked for \
             requested service"
        ));
    }
    let candidates = candidates(state, service, height);
    if candidates.is_empty() {
        return Err(format!(
            "could not find suppliers for service {service} at height {}: no suppliers not found for session",
            bounds.start
        ));
    }
    let limit = params::session_at(state, height).num_suppliers_per_session as usize;
    let chosen = session::choose(&preimage, candidates, limit, |candidate| {
        candidate.operator_address.as_str()
    });
    let suppliers = chosen
        .into_iter()
        .filter_map(|config| in_session(state, config))
        .collect();
    Ok(Session {
        header: Some(SessionHeader {
            application_address: address.to_owned(),
            service_id: service.to_owned(),
            session_id: id.as_str().to_owned(),
            session_start_block_height: bounds.start.0 as i64,
            session_end_block_height: bounds.end.0 as i64,
        }),
        session_id: id.as_str().to_owned(),
        session_number: bounds.number as i64,
        num_blocks_per_session: timing.blocks_per_session as i64,
        application: Some(application),
        suppliers,
    })
}

/// Configurations for a service that count at a height, in store order.
fn candidates(state: &State, service: &str, height: u64) -> Vec<ServiceConfigUpdate> {
    supplier::configs_for(state, service)
        .into_iter()
        .filter(|config| supplier::is_config_active(config, height))
        .collect()
}

/// A supplier as sessions show it: with the one configuration.
fn in_session(state: &State, config: ServiceConfigUpdate) -> Option<Supplier> {
    let supplier = supplier::record(state, &config.operator_address)?;
    Some(Supplier {
        services: config.service.into_iter().collect(),
        ..supplier
    })
}
