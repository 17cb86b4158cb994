//! Service configurations: which supplier serves what, from when to when.

use std::collections::{BTreeMap, BTreeSet};

use hearth_base::Height;
use hearth_pocket::{
    message::shared::{RpcType, ServiceConfigUpdate, SupplierServiceConfig},
    session,
};

use super::text;
use crate::{
    address, keys,
    modules::{params, service},
    state::{State, StoreName},
};

const STORE: StoreName = StoreName::Supplier;

/// Checks the services of a stake message; the error is the chain's text.
pub(crate) fn check(configs: &[SupplierServiceConfig]) -> Result<(), String> {
    for config in configs {
        if !service::is_valid_id(&config.service_id) {
            return Err(format!("invalid service ID: {}", config.service_id));
        }
        if config.endpoints.is_empty() {
            return Err(format!("endpoints cannot be empty: {}", text::config(config)));
        }
        for endpoint in &config.endpoints {
            if endpoint.url.is_empty() {
                return Err(format!("endpoint.Url cannot be empty: {}", text::config(config)));
            }
            if !is_valid_url(&endpoint.url) {
                return Err(format!("invalid endpoint.Url: {}", text::config(config)));
            }
            match RpcType::try_from(endpoint.rpc_type) {
                Ok(RpcType::Unknown) => {
                    return Err(format!(
                        "endpoint.RpcType cannot be UNKNOWN_RPC: {}",
                        text::config(config)
                    ));
                }
                Err(_) => {
                    return Err(format!(
                        "endpoint.RpcType is not a valid RPCType: {}",
                        text::config(config)
                    ));
                }
                Ok(
                    RpcType::Grpc | RpcType::WebSocket | RpcType::JsonRpc | RpcType::Rest | RpcType::CometBft,
                ) => {}
            }
        }
        check_shares(config).map_err(|text| format!("{text}: invalid revenue share configuration"))?;
    }
    Ok(())
}

/// As Go's URL parser with a scheme and a host.
fn is_valid_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let known = matches!(scheme, "http" | "https" | "ws" | "wss" | "grpc" | "grpcs" | "tcp");
    known && !host.is_empty() && !url.contains(char::is_whitespace)
}

fn check_shares(config: &SupplierServiceConfig) -> Result<(), String> {
    if config.rev_share.is_empty() {
        return Err("no rev share configurations".to_owned());
    }
    let mut seen = BTreeSet::new();
    let mut sum = 0_u64;
    for share in &config.rev_share {
        if share.address.is_empty() {
            return Err("rev share address cannot be empty".to_owned());
        }
        if !address::is_valid(&share.address) {
            return Err(format!("invalid rev share address {}", share.address));
        }
        if !(1..=100).contains(&share.rev_share_percentage) {
            return Err(format!(
                "invalid rev share value {}; must be between 0 and 100",
                share.rev_share_percentage
            ));
        }
        if !seen.insert(&share.address) {
            return Err(format!("duplicate rev share address {}", share.address));
        }
        sum += share.rev_share_percentage;
    }
    if sum != 100 {
        return Err(format!(
            "invalid rev share percentage sum {sum}; must be equal to 100"
        ));
    }
    Ok(())
}

/// All configurations of a supplier, by service and activation height.
pub(crate) fn configs_of(state: &State, operator: &str) -> Vec<ServiceConfigUpdate> {
    let prefix = keys::service_configs_of(operator);
    state
        .prefix(STORE, prefix.as_bytes())
        .iter()
        .filter_map(|leaf| state.read(STORE, &[b"ServiceConfigUpdate/service_id/", leaf.value].concat()))
        .collect()
}

/// All configurations of a service, by activation height and operator.
pub(crate) fn configs_for(state: &State, service: &str) -> Vec<ServiceConfigUpdate> {
    state.read_all(STORE, keys::service_configs(service).as_bytes())
}

fn heights(config: &ServiceConfigUpdate) -> (Height, Height) {
    let height = |height: i64| Height(u64::try_from(height).unwrap_or(0));
    (
        height(config.activation_height),
        height(config.deactivation_height),
    )
}

/// Whether a configuration counts at a height.
pub(crate) fn is_active(config: &ServiceConfigUpdate, height: u64) -> bool {
    let (activation, deactivation) = heights(config);
    session::is_active(activation, deactivation, Height(height))
}

/// The services that count at a height.
pub(crate) fn active_configs(configs: &[ServiceConfigUpdate], height: u64) -> Vec<SupplierServiceConfig> {
    configs
        .iter()
        .filter(|config| is_active(config, height))
        .filter_map(|config| config.service.clone())
        .collect()
}

fn service_id(config: &ServiceConfigUpdate) -> &str {
    config
        .service
        .as_ref()
        .map_or("", |service| service.service_id.as_str())
}

fn put(state: &mut State, config: &ServiceConfigUpdate) {
    let (service, operator) = (service_id(config), config.operator_address.as_str());
    let (activation, deactivation) = (config.activation_height, config.deactivation_height);
    let tail = keys::service_config_tail(service, activation, operator);
    state.write(
        STORE,
        &keys::service_config(service, activation, operator),
        config,
    );
    state.set(
        STORE,
        &keys::service_config_of(operator, service, activation),
        tail.clone(),
    );
    state.set(
        STORE,
        &keys::service_config_start(service, activation, operator),
        tail.clone(),
    );
    if deactivation != 0 {
        state.set(
            STORE,
            &keys::service_config_end(service, activation, deactivation, operator),
            tail,
        );
    }
}

fn remove(state: &mut State, config: &ServiceConfigUpdate) {
    let (service, operator) = (service_id(config), config.operator_address.as_str());
    let (activation, deactivation) = (config.activation_height, config.deactivation_height);
    state.remove(STORE, &keys::service_config(service, activation, operator));
    state.remove(STORE, &keys::service_config_of(operator, service, activation));
    state.remove(STORE, &keys::service_config_start(service, activation, operator));
    state.remove(
        STORE,
        &keys::service_config_end(service, activation, deactivation, operator),
    );
}

/// Retires everything a supplier serves at the next session's start; what has not begun yet is forgotten.
pub(crate) fn retire_all(state: &mut State, height: u64, operator: &str) {
    let next = params::next_session_start(state, height) as i64;
    for config in configs_of(state, operator) {
        if config.activation_height >= next {
            remove(state, &config);
        } else if config.deactivation_height == 0 || config.deactivation_height > next {
            put(
                state,
                &ServiceConfigUpdate {
                    deactivation_height: next,
                    ..config
                },
            );
        }
    }
}

/// Puts a new set of services in the place of the old one, from the next session's start on.
pub(crate) fn replace(state: &mut State, height: u64, operator: &str, services: &[SupplierServiceConfig]) {
    retire_all(state, height, operator);
    let next = params::next_session_start(state, height) as i64;
    // The last word about a service counts.
    let services: BTreeMap<&str, &SupplierServiceConfig> = services
        .iter()
        .map(|service| (service.service_id.as_str(), service))
        .collect();
    for service in services.into_values() {
        put(
            state,
            &ServiceConfigUpdate {
                operator_address: operator.to_owned(),
                service: Some(service.clone()),
                activation_height: next,
                deactivation_height: 0,
            },
        );
    }
}

/// Puts a configuration as it stands: for the first state.
pub(crate) fn put_at_genesis(state: &mut State, config: &ServiceConfigUpdate) {
    put(state, config);
}

pub(crate) fn remove_all(state: &mut State, operator: &str) {
    for config in configs_of(state, operator) {
        remove(state, &config);
    }
}

/// Forgets configurations that no open session can ask for any more.
pub(crate) fn prune(state: &mut State, height: u64) {
    let timing = params::timing_at(state, height);
    let keep = timing.blocks_to_settlement() + timing.blocks_per_session + 1;
    let Some(limit) = height.checked_sub(keep) else {
        return;
    };
    let limit = [keys::SERVICE_CONFIG_ENDS.as_bytes(), &limit.to_be_bytes()].concat();
    let old: Vec<Vec<u8>> = state
        .prefix(STORE, keys::SERVICE_CONFIG_ENDS.as_bytes())
        .iter()
        .take_while(|leaf| leaf.key < limit.as_slice())
        .map(|leaf| [b"ServiceConfigUpdate/service_id/", leaf.value].concat())
        .collect();
    for primary in old {
        if let Some(config) = state.read::<ServiceConfigUpdate>(STORE, &primary) {
            remove(state, &config);
        }
    }
}
