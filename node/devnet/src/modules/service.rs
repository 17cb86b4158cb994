//! Services, their price in compute units, and their relay mining difficulty.

use hearth_pocket::{
    difficulty::{self, BASE_TARGET, Target},
    message::{
        service::{
            EventRelayMiningDifficultyUpdated, MsgAddService, MsgTransferService, Params,
            RelayMiningDifficulty, RelayMiningDifficultyUpdate, ServiceComputeUnitsPerRelayUpdate,
        },
        shared::Service,
    },
};

use super::{amount, bank, gateway::MAX_CARD, params};
use crate::{
    address,
    ctx::Ctx,
    error::{Status, TxError},
    events::Event,
    keys,
    state::{State, StoreName},
};

const STORE: StoreName = StoreName::Service;
const MAX_ID: usize = 42;
const MAX_NAME: usize = 169;
/// The most compute units that a relay may cost.
const MAX_COMPUTE_UNITS: u64 = 1 << 21;

/// Letters, digits, `-` and `_`, at most 42 of them.
pub(crate) fn is_valid_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_ID && has_valid_letters(id)
}

fn has_valid_letters(id: &str) -> bool {
    id.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn shared_error(code: u32, text: String) -> TxError {
    TxError::new("shared", code, text)
}

fn validate_service(service: &Service) -> Result<(), TxError> {
    let id = &service.id;
    let bad_id = |text: String| shared_error(1108, format!("{text}: invalid service ID"));
    if id.is_empty() {
        return Err(bad_id("empty service ID".to_owned()));
    }
    if id.len() > MAX_ID {
        return Err(bad_id(format!(
            "service ID '{id}' exceeds maximum length: {MAX_ID}"
        )));
    }
    if !has_valid_letters(id) {
        return Err(bad_id(format!("service ID '{id}' contains invalid characters")));
    }
    if service.name.len() > MAX_NAME {
        let text = format!(
            "service name '{}' exceeds maximum length: {MAX_NAME}: invalid service name",
            service.name
        );
        return Err(shared_error(1109, text));
    }
    if !service.name.split(' ').all(has_valid_letters) {
        let text = format!(
            "service name '{}' contains invalid characters: invalid service name",
            service.name
        );
        return Err(shared_error(1109, text));
    }
    let bad_units = |text: &str| {
        shared_error(
            1107,
            format!(
                "compute units per relay must be {text}: invalid compute units per relay: invalid service"
            ),
        )
    };
    match service.compute_units_per_relay {
        0 => return Err(bad_units("greater than 0")),
        units if units > MAX_COMPUTE_UNITS => {
            return Err(bad_units(&format!("less than {MAX_COMPUTE_UNITS}")));
        }
        _ => {}
    }
    let size = service
        .metadata
        .as_ref()
        .map_or(0, |metadata| metadata.card.len());
    if size > MAX_CARD {
        let text = format!("metadata card size {size} exceeds the maximum of {MAX_CARD}: invalid service");
        return Err(shared_error(1107, text));
    }
    Ok(())
}

pub(crate) fn validate_add(msg: &MsgAddService) -> Result<(), TxError> {
    validate_owner(&msg.owner_address)?;
    validate_service(&msg.service)
}

fn validate_owner(owner: &str) -> Result<(), TxError> {
    address::parse(owner).map(|_| ()).map_err(|why| {
        TxError::new(
            "service",
            1111,
            format!("invalid signer address {owner}; ({why}): invalid address"),
        )
    })
}

pub(crate) fn validate_transfer(msg: &MsgTransferService) -> Result<(), TxError> {
    validate_owner(&msg.owner_address)?;
    validate_owner(&msg.new_owner_address)
}

pub(crate) fn record(state: &State, id: &str) -> Option<Service> {
    state.read(STORE, &keys::service(id))
}

pub(crate) fn put(state: &mut State, service: &Service) {
    state.write(STORE, &keys::service(&service.id), service);
}

/// `MsgAddService`: a new service, or a change of one's own.
pub(crate) fn add(ctx: &mut Ctx, msg: &MsgAddService) -> Result<(), TxError> {
    let invalid = |text: String| TxError::grpc(Status::InvalidArgument, text);
    let wanted = &msg.service;
    let Some(found) = record(&ctx.state, &wanted.id) else {
        return create(ctx, msg);
    };
    if found.owner_address != msg.owner_address {
        return Err(invalid(format!(
            "existing owner address {:?} does not match the new owner address {:?}: invalid owner address",
            found.owner_address, msg.owner_address
        )));
    }
    if msg.owner_address != wanted.owner_address {
        return Err(owner_mismatch(msg));
    }
    let mut changed = wanted.clone();
    if changed.metadata.is_none() {
        changed.metadata.clone_from(&found.metadata);
    }
    if found.compute_units_per_relay != changed.compute_units_per_relay {
        let next = params::next_session_start(&ctx.state, ctx.height);
        note_compute_units(&mut ctx.state, &changed, next);
    }
    put(&mut ctx.state, &changed);
    Ok(())
}

fn owner_mismatch(msg: &MsgAddService) -> TxError {
    let text = format!(
        "signer address {:?} does not match the service owner address {:?}: invalid owner address",
        msg.owner_address, msg.service.owner_address
    );
    TxError::grpc(Status::InvalidArgument, text)
}

fn create(ctx: &mut Ctx, msg: &MsgAddService) -> Result<(), TxError> {
    if msg.owner_address != msg.service.owner_address {
        return Err(owner_mismatch(msg));
    }
    let owner = address::parse(&msg.owner_address).map_err(|why| TxError::grpc(Status::Internal, why))?;
    let params: Params = params::of(&ctx.state, STORE);
    let fee = amount(params.add_service_fee.as_ref());
    let balance = bank::balance(&ctx.state, &owner, hearth_pocket::message::cosmos::UPOKT);
    if balance <= fee {
        let text = format!(
            "account has {balance} uPOKT, but the service fee is {} uPOKT: not enough funds to add service",
            fee
        );
        return Err(TxError::grpc(Status::FailedPrecondition, text));
    }
    if fee > 0 {
        bank::send(ctx, &owner, &address::module("service"), fee)
            .map_err(|error| TxError::grpc(Status::Internal, error.log))?;
    }
    put(&mut ctx.state, &msg.service);
    note_compute_units(&mut ctx.state, &msg.service, 1);
    Ok(())
}

/// `MsgTransferService`.
pub(crate) fn transfer(ctx: &mut Ctx, msg: &MsgTransferService) -> Result<(), TxError> {
    let Some(mut service) = record(&ctx.state, &msg.service_id) else {
        let text = format!("service {:?} not found: service not found", msg.service_id);
        return Err(TxError::grpc(Status::NotFound, text));
    };
    if service.owner_address != msg.owner_address {
        let text = format!(
            "signer {:?} is not the owner of service {:?}: unauthorized service operation",
            msg.owner_address, msg.service_id
        );
        return Err(TxError::grpc(Status::PermissionDenied, text));
    }
    service.owner_address.clone_from(&msg.new_owner_address);
    put(&mut ctx.state, &service);
    Ok(())
}

pub(crate) fn note_compute_units(state: &mut State, service: &Service, height: u64) {
    let update = ServiceComputeUnitsPerRelayUpdate {
        effective_height: height as i64,
        service_id: service.id.clone(),
        compute_units_per_relay: service.compute_units_per_relay,
    };
    state.write(
        STORE,
        &keys::at_height(&keys::compute_units_history(&service.id), height),
        &update,
    );
}

/// Compute units per relay in force at a height.
pub(crate) fn compute_units_at(state: &State, id: &str, height: u64) -> Option<u64> {
    let prefix = keys::compute_units_history(id);
    params::history_at::<ServiceComputeUnitsPerRelayUpdate>(state, STORE, &prefix, height)
        .map(|update| update.compute_units_per_relay)
        .or_else(|| record(state, id).map(|service| service.compute_units_per_relay))
}

/// The difficulty record of a service, if it has one.
pub(crate) fn stored_difficulty(state: &State, id: &str) -> Option<RelayMiningDifficulty> {
    state.read(STORE, &keys::difficulty(id))
}

/// The target of that record, or the easiest.
pub(crate) fn target_now(state: &State, id: &str) -> Target {
    let found = stored_difficulty(state, id);
    found
        .and_then(|found| Target::try_from(found.target_hash.as_slice()).ok())
        .unwrap_or(BASE_TARGET)
}

/// The difficulty of a service as it stands; the easiest for one without a record.
pub(crate) fn difficulty(state: &State, id: &str, height: u64) -> RelayMiningDifficulty {
    state.read(STORE, &keys::difficulty(id)).unwrap_or_else(|| {
        let params: Params = params::of(state, STORE);
        RelayMiningDifficulty {
            service_id: id.to_owned(),
            block_height: height as i64,
            num_relays_ema: params.target_num_relays,
            target_hash: BASE_TARGET.as_bytes().to_vec(),
        }
    })
}

/// The difficulty in force at a height.
pub(crate) fn difficulty_at(state: &State, id: &str, height: u64) -> RelayMiningDifficulty {
    params::history_at::<RelayMiningDifficultyUpdate>(state, STORE, &keys::difficulty_history(id), height)
        .and_then(|update| update.difficulty)
        .unwrap_or_else(|| difficulty(state, id, height))
}

/// The target in force at a height.
pub(crate) fn target_at(state: &State, id: &str, height: u64) -> Target {
    Target::try_from(difficulty_at(state, id, height).target_hash.as_slice()).unwrap_or(BASE_TARGET)
}

/// Follows the traffic: new difficulty of a service whose claims were settled with `num_relays` leaves.
pub(crate) fn update_difficulty(ctx: &mut Ctx, id: &str, num_relays: u64) {
    let state = &mut ctx.state;
    let params: Params = params::of(state, STORE);
    let found: Option<RelayMiningDifficulty> = state.read(STORE, &keys::difficulty(id));
    let previous = found.as_ref().map(|found| found.num_relays_ema);
    let Some(update) = difficulty::update(previous, num_relays, params.target_num_relays) else {
        return;
    };
    let next = params::next_session_start(state, ctx.height);
    let before = found.unwrap_or_else(|| RelayMiningDifficulty {
        service_id: id.to_owned(),
        block_height: ctx.height as i64,
        num_relays_ema: num_relays,
        target_hash: BASE_TARGET.as_bytes().to_vec(),
    });
    let after = RelayMiningDifficulty {
        service_id: id.to_owned(),
        block_height: next as i64,
        num_relays_ema: update.num_relays_ema,
        target_hash: update.target.as_bytes().to_vec(),
    };
    let history = keys::difficulty_history(id);
    if state.prefix(STORE, history.as_bytes()).is_empty() {
        put_difficulty_update(state, &history, ctx.height, before.clone());
    }
    put_difficulty_update(state, &history, next, after.clone());
    state.write(STORE, &keys::difficulty(id), &after);
    ctx.emit(Event::typed(&EventRelayMiningDifficultyUpdated {
        service_id: id.to_owned(),
        prev_target_hash_hex_encoded: hex::encode(&before.target_hash),
        new_target_hash_hex_encoded: hex::encode(&after.target_hash),
        prev_num_relays_ema: before.num_relays_ema,
        new_num_relays_ema: after.num_relays_ema,
    }));
}

fn put_difficulty_update(state: &mut State, history: &str, height: u64, difficulty: RelayMiningDifficulty) {
    let update = RelayMiningDifficultyUpdate {
        effective_height: height as i64,
        difficulty: Some(difficulty),
    };
    state.write(STORE, &keys::at_height(history, height), &update);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the real chain answered, word by word.
    #[test]
    fn a_name_has_the_letters_that_the_chain_allows() {
        let named = |name: &str| Service {
            id: "svc".to_owned(),
            name: name.to_owned(),
            compute_units_per_relay: 7,
            owner_address: String::new(),
            metadata: None,
        };
        for name in ["", "D own_7", "My-model 7b"] {
            assert!(validate_service(&named(name)).is_ok(), "{name}");
        }
        for name in ["D's own", "D own (7)", "Größe", "a.b"] {
            let refused = validate_service(&named(name)).unwrap_err().to_string();
            let text = format!("service name '{name}' contains invalid characters: invalid service name");
            assert!(refused.contains(&text), "{refused}");
        }
    }
}
