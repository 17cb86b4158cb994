//! Where records lie in their stores.

use hearth_pocket::message::proof::Claim;

use crate::address::Account;

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub(crate) const AUTH_PARAMS: &[u8] = &[0];
/// The number that the next account gets.
pub(crate) const NEXT_ACCOUNT_NUMBER: &[u8] = &[2];

pub(crate) fn account(address: &Account) -> Vec<u8> {
    join(&[&[1], address])
}

/// Which timeouts a signer has used in unordered transactions.
pub(crate) fn unordered_nonce(address: &Account, timeout_ns: u64) -> Vec<u8> {
    join(&[&[90], &timeout_ns.to_be_bytes(), address])
}

pub(crate) const UNORDERED_NONCES: &[u8] = &[90];

pub(crate) fn balance(address: &Account, denom: &str) -> Vec<u8> {
    join(&[&[2, 20], address, denom.as_bytes()])
}

pub(crate) fn balances(address: &Account) -> Vec<u8> {
    join(&[&[2, 20], address])
}

pub(crate) fn supply(denom: &str) -> Vec<u8> {
    join(&[&[0], denom.as_bytes()])
}

pub(crate) fn params(module: &str) -> Vec<u8> {
    format!("p_{module}").into_bytes()
}

/// `prefix` and a height, for records that count from a height on.
pub(crate) fn at_height(prefix: &str, height: u64) -> Vec<u8> {
    join(&[prefix.as_bytes(), &height.to_be_bytes()])
}

pub(crate) const SHARED_HISTORY: &str = "shared_params_history/";
pub(crate) const SESSION_HISTORY: &str = "session_params_history/";

pub(crate) fn block_hash(height: u64) -> Vec<u8> {
    format!("BlockHash/height/{height}/").into_bytes()
}

pub(crate) const SUPPLIERS: &str = "Supplier/operator_address/";

pub(crate) fn supplier(operator: &str) -> Vec<u8> {
    format!("{SUPPLIERS}{operator}/").into_bytes()
}

pub(crate) const UNBONDING_SUPPLIERS: &str = "Supplier/unbonding_height/";

pub(crate) fn unbonding_supplier(operator: &str) -> Vec<u8> {
    format!("{UNBONDING_SUPPLIERS}{operator}/").into_bytes()
}

pub(crate) fn service_configs(service: &str) -> String {
    format!("ServiceConfigUpdate/service_id/{service}/")
}

pub(crate) fn service_config(service: &str, activation: i64, operator: &str) -> Vec<u8> {
    join(&[
        service_configs(service).as_bytes(),
        &activation.to_be_bytes(),
        b"/",
        operator.as_bytes(),
        b"/",
    ])
}

pub(crate) fn service_configs_of(operator: &str) -> String {
    format!("ServiceConfigUpdate/operator_address/{operator}/")
}

pub(crate) fn service_config_of(operator: &str, service: &str, activation: i64) -> Vec<u8> {
    let prefix = format!("{}{service}/", service_configs_of(operator));
    join(&[prefix.as_bytes(), &activation.to_be_bytes(), b"/"])
}

/// What an index to a configuration holds: the primary key without its prefix.
pub(crate) fn service_config_tail(service: &str, activation: i64, operator: &str) -> Vec<u8> {
    join(&[
        service.as_bytes(),
        b"/",
        &activation.to_be_bytes(),
        b"/",
        operator.as_bytes(),
        b"/",
    ])
}

pub(crate) fn service_configs_starting_at(height: i64) -> Vec<u8> {
    join(&[
        b"ServiceConfigUpdate/activation_height/",
        &height.to_be_bytes(),
        b"/",
    ])
}

pub(crate) fn service_config_start(service: &str, activation: i64, operator: &str) -> Vec<u8> {
    join(&[
        &service_configs_starting_at(activation),
        format!("{service}/{operator}/").as_bytes(),
    ])
}

pub(crate) const SERVICE_CONFIG_ENDS: &str = "ServiceConfigUpdate/deactivation_height/";

pub(crate) fn service_config_end(
    service: &str,
    activation: i64,
    deactivation: i64,
    operator: &str,
) -> Vec<u8> {
    join(&[
        SERVICE_CONFIG_ENDS.as_bytes(),
        &deactivation.to_be_bytes(),
        format!("/{service}/{operator}/").as_bytes(),
        &activation.to_be_bytes(),
        b"/",
    ])
}

pub(crate) const APPLICATIONS: &str = "Application/address/";

pub(crate) fn application(address: &str) -> Vec<u8> {
    format!("{APPLICATIONS}{address}/").into_bytes()
}

pub(crate) const UNBONDING_APPLICATIONS: &str = "Application/unstaking/";

pub(crate) fn unbonding_application(address: &str) -> Vec<u8> {
    format!("{UNBONDING_APPLICATIONS}{address}/").into_bytes()
}

pub(crate) const TRANSFERS: &str = "Application/transfer/";

pub(crate) fn transfer(application: &str) -> Vec<u8> {
    format!("{TRANSFERS}{application}/").into_bytes()
}

pub(crate) const UNDELEGATIONS: &str = "Application/undelegation/";

pub(crate) fn undelegation(application: &str, gateway: &str) -> Vec<u8> {
    format!("{UNDELEGATIONS}{application}/{gateway}/").into_bytes()
}

pub(crate) fn delegations(gateway: &str) -> String {
    format!("Application/delegation/{gateway}/")
}

pub(crate) fn delegation(gateway: &str, application: &str) -> Vec<u8> {
    format!("{}{application}/", delegations(gateway)).into_bytes()
}

pub(crate) const GATEWAYS: &str = "Gateway/address/";

pub(crate) fn gateway(address: &str) -> Vec<u8> {
    format!("{GATEWAYS}{address}/").into_bytes()
}

pub(crate) const SERVICES: &str = "Service/id/";

pub(crate) fn service(id: &str) -> Vec<u8> {
    format!("{SERVICES}{id}/").into_bytes()
}

pub(crate) const DIFFICULTIES: &str = "RelayMiningDifficulty/value/";

pub(crate) fn difficulty(service: &str) -> Vec<u8> {
    format!("{DIFFICULTIES}{service}/").into_bytes()
}

pub(crate) fn difficulty_history(service: &str) -> String {
    format!("RelayMiningDifficulty/history/{service}/")
}

pub(crate) fn compute_units_history(service: &str) -> String {
    format!("ServiceComputeUnitsPerRelay/history/{service}/")
}

pub(crate) const CLAIMS: &str = "Claim/primary_key/";
pub(crate) const PROOFS: &str = "Proof/primary_key/";

/// The three keys of a claim or a proof: the record's own, and two that point at it.
pub(crate) struct ClaimKeys {
    pub(crate) primary: Vec<u8>,
    pub(crate) by_operator: Vec<u8>,
    pub(crate) by_height: Vec<u8>,
    /// What the two others hold.
    pub(crate) tail: Vec<u8>,
}

pub(crate) fn claim_keys(kind: &str, session: &str, operator: &str, session_end: i64) -> ClaimKeys {
    let tail = format!("{session}/{operator}");
    ClaimKeys {
        primary: format!("{kind}/primary_key/{tail}").into_bytes(),
        by_operator: format!("{kind}/address/{operator}/{tail}").into_bytes(),
        by_height: join(&[
            format!("{kind}/height/").as_bytes(),
            &session_end.to_be_bytes(),
            format!("/{tail}").as_bytes(),
        ]),
        tail: tail.into_bytes(),
    }
}

pub(crate) fn keys_of(claim: &Claim) -> ClaimKeys {
    let header = claim.session_header.clone().unwrap_or_default();
    claim_keys(
        "Claim",
        &header.session_id,
        &claim.supplier_operator_address,
        header.session_end_block_height,
    )
}

pub(crate) fn claims_ending_at(height: i64) -> Vec<u8> {
    join(&[b"Claim/height/", &height.to_be_bytes(), b"/"])
}

pub(crate) const GRANTS: &[u8] = &[1];

/// What `granter` lets `grantee` do, up to the name of the message.
pub(crate) fn grants(granter: &Account, grantee: &Account) -> Vec<u8> {
    join(&[GRANTS, &[20], granter, &[20], grantee])
}

pub(crate) fn grant(granter: &Account, grantee: &Account, msg_type: &str) -> Vec<u8> {
    join(&[&grants(granter, grantee), msg_type.as_bytes()])
}

pub(crate) const MORSE_ACCOUNTS: &str = "MorseClaimableAccount/value/";

pub(crate) fn morse_account(address: &str) -> Vec<u8> {
    format!("{MORSE_ACCOUNTS}{address}/").into_bytes()
}
