//! Suppliers: stake, services, unbonding, slashing.

mod configs;
mod text;

use hearth_pocket::message::{
    shared::Supplier,
    supplier::{
        EventSupplierServiceConfigActivated, EventSupplierStaked, EventSupplierUnbondingBegin,
        EventSupplierUnbondingCanceled, EventSupplierUnbondingEnd, MsgStakeSupplier, MsgUnstakeSupplier,
        Params, SupplierUnbondingReason,
    },
};

pub(crate) use configs::{
    active_configs, check as check_services, configs_for, configs_of, is_active as is_config_active, prune,
    put_at_genesis,
};

use super::{amount, bank, check_coin, coin_text, params, service, upokt, waiting};
use crate::{
    address,
    ctx::Ctx,
    error::{Status, TxError},
    events::Event,
    keys,
    state::{State, StoreName},
};

const STORE: StoreName = StoreName::Supplier;
pub(crate) const MODULE: &str = "supplier";

fn check_address(text: &str, what: &str) -> Result<(), TxError> {
    address::parse(text).map(|_| ()).map_err(|why| {
        TxError::new(
            MODULE,
            1102,
            format!("invalid {what} address {text}; ({why}): invalid supplier address"),
        )
    })
}

pub(crate) fn validate_stake(msg: &MsgStakeSupplier) -> Result<(), TxError> {
    check_address(&msg.owner_address, "owner")?;
    check_address(&msg.operator_address, "operator")?;
    check_address(&msg.signer, "signer")?;
    if msg.stake.is_some() {
        check_coin(
            msg.stake.as_ref(),
            MODULE,
            1101,
            "supplier stake",
            "invalid supplier stake",
        )?;
    }
    if msg.services.is_empty() {
        return Ok(());
    }
    if msg.signer != msg.operator_address {
        let text = "only the operator account is authorized to update the service configurations: invalid service config";
        return Err(TxError::new(MODULE, 1104, text));
    }
    configs::check(&msg.services)
        .map_err(|text| TxError::new(MODULE, 1104, format!("{text}: invalid service config")))
}

pub(crate) fn validate_unstake(msg: &MsgUnstakeSupplier) -> Result<(), TxError> {
    check_address(&msg.operator_address, "operator")?;
    check_address(&msg.signer, "signer")
}

/// The record as it is stored: without services.
pub(crate) fn record(state: &State, operator: &str) -> Option<Supplier> {
    state.read(STORE, &keys::supplier(operator))
}

pub(crate) fn put(state: &mut State, supplier: &Supplier) {
    let stored = Supplier {
        services: Vec::new(),
        service_config_history: Vec::new(),
        ..supplier.clone()
    };
    state.write(STORE, &keys::supplier(&supplier.operator_address), &stored);
}

/// Writes one that is on its way out.
pub(crate) fn put_unbonding(ctx: &mut Ctx, supplier: &Supplier) {
    let operator = &supplier.operator_address;
    put(&mut ctx.state, supplier);
    ctx.state.set(
        STORE,
        &keys::unbonding_supplier(operator),
        operator.as_bytes().to_vec(),
    );
}

/// The supplier with the services that are active at a height, and all its configurations.
pub(crate) fn hydrated(state: &State, operator: &str, height: u64) -> Option<Supplier> {
    let mut supplier = record(state, operator)?;
    supplier.service_config_history = configs_of(state, operator);
    supplier.services = active_configs(&supplier.service_config_history, height);
    Some(supplier)
}

pub(crate) fn min_stake(state: &State) -> u128 {
    let params: Params = params::of(state, STORE);
    amount(params.min_stake.as_ref())
}

/// `MsgStakeSupplier`: a new supplier, more stake, other services, or the end of an unbonding.
pub(crate) fn stake(ctx: &mut Ctx, msg: &MsgStakeSupplier) -> Result<(), TxError> {
    let invalid = |text: String| TxError::grpc(Status::InvalidArgument, text);
    for config in &msg.services {
        if service::record(&ctx.state, &config.service_id).is_none() {
            return Err(invalid(format!(
                "service {:?} does not exist: service not found",
                config.service_id
            )));
        }
    }
    let found = record(&ctx.state, &msg.operator_address);
    let before = amount(found.as_ref().and_then(|supplier| supplier.stake.as_ref()));
    let was_unbonding = found
        .as_ref()
        .is_some_and(|supplier| supplier.unstake_session_end_height != 0);
    let mut supplier = match found {
        Some(found) => updated(found, msg).map_err(invalid)?,
        None => Supplier {
            owner_address: msg.owner_address.clone(),
            operator_address: msg.operator_address.clone(),
            stake: Some(msg.stake.clone().unwrap_or_else(|| upokt(0))),
            ..Supplier::default()
        },
    };
    let after = amount(supplier.stake.as_ref());
    let minimum = min_stake(&ctx.state);
    if after < minimum {
        return Err(invalid(format!(
            "supplier with owner {:?} must stake at least {}: invalid supplier stake",
            msg.owner_address,
            upokt(minimum)
        )));
    }
    pay(ctx, msg, &supplier, before, after)?;
    supplier.unstake_session_end_height = 0;
    if !msg.services.is_empty() {
        configs::replace(&mut ctx.state, ctx.height, &msg.operator_address, &msg.services);
    }
    put(&mut ctx.state, &supplier);
    let session_end = params::session_end(&ctx.state, ctx.height);
    if was_unbonding {
        cancel_unbonding(ctx, &supplier, session_end);
    }
    ctx.emit(Event::typed(&EventSupplierStaked {
        session_end_height: session_end as i64,
        operator_address: supplier.operator_address,
    }));
    Ok(())
}

/// The record after a change by someone who may make it; the error is the chain's text.
fn updated(mut supplier: Supplier, msg: &MsgStakeSupplier) -> Result<Supplier, String> {
    let is_owner = msg.signer == supplier.owner_address;
    let unauthorized = "unauthorized supplier update";
    if !is_owner && msg.signer != supplier.operator_address {
        return Err(format!(
            "signer address {} does not match owner address {} or supplier operator address {}: {unauthorized}",
            msg.signer, supplier.owner_address, supplier.operator_address
        ));
    }
    if !is_owner && msg.owner_address != supplier.owner_address {
        return Err(format!(
            "signer {:?} is not allowed to update the owner address {:?}: {unauthorized}",
            msg.signer, supplier.owner_address
        ));
    }
    supplier.owner_address.clone_from(&msg.owner_address);
    if let Some(stake) = &msg.stake {
        supplier.stake = Some(stake.clone());
    }
    Ok(supplier)
}

/// More stake comes from the signer, less goes back to the owner; the fee is the signer's.
fn pay(
    ctx: &mut Ctx,
    msg: &MsgStakeSupplier,
    supplier: &Supplier,
    before: u128,
    after: u128,
) -> Result<(), TxError> {
    let internal = |error: TxError| TxError::grpc(Status::Internal, error.log);
    let module = address::module(MODULE);
    let parse = |text: &str| address::parse(text).map_err(|why| TxError::grpc(Status::Internal, why));
    let signer = parse(&msg.signer)?;
    if after > before {
        bank::send(ctx, &signer, &module, after - before).map_err(internal)?;
    } else if after < before {
        let owner = parse(&supplier.owner_address)?;
        bank::send(ctx, &module, &owner, before - after).map_err(internal)?;
    }
    let params: Params = params::of(&ctx.state, STORE);
    let fee = amount(params.staking_fee.as_ref());
    if fee > 0 {
        bank::send(ctx, &signer, &module, fee).map_err(internal)?;
    }
    Ok(())
}

fn cancel_unbonding(ctx: &mut Ctx, supplier: &Supplier, session_end: u64) {
    ctx.state
        .remove(STORE, &keys::unbonding_supplier(&supplier.operator_address));
    let mut shown = supplier.clone();
    // The event lists the newest configurations first.
    let mut history = configs_of(&ctx.state, &supplier.operator_address);
    history.sort_by_key(|config| std::cmp::Reverse(config.activation_height));
    shown.services = active_configs(&history, ctx.height);
    shown.service_config_history = history;
    ctx.emit(Event::typed(&EventSupplierUnbondingCanceled {
        supplier: Some(shown),
        session_end_height: session_end as i64,
        height: ctx.height as i64,
    }));
}

/// `MsgUnstakeSupplier`.
pub(crate) fn unstake(ctx: &mut Ctx, msg: &MsgUnstakeSupplier) -> Result<(), TxError> {
    let operator = &msg.operator_address;
    let Some(mut supplier) = record(&ctx.state, operator) else {
        let text = format!("supplier with operator address {operator:?}: supplier not found");
        return Err(TxError::grpc(Status::NotFound, text));
    };
    if msg.signer != supplier.owner_address && msg.signer != supplier.operator_address {
        supplier.service_config_history = configs_of(&ctx.state, operator);
        let text = format!(
            "signer {:?} is not allowed to unstake supplier {}: unauthorized supplier update",
            msg.signer,
            text::supplier(&supplier)
        );
        return Err(TxError::grpc(Status::PermissionDenied, text));
    }
    if supplier.unstake_session_end_height != 0 {
        let text = format!("supplier with operator address {operator:?}: supplier is in unbonding period");
        return Err(TxError::grpc(Status::FailedPrecondition, text));
    }
    let session_end = params::session_end(&ctx.state, ctx.height);
    supplier.unstake_session_end_height = session_end;
    configs::retire_all(&mut ctx.state, ctx.height, operator);
    put_unbonding(ctx, &supplier);
    let unbonding_end = unbonding_end(&ctx.state, ctx.height, session_end);
    ctx.emit(Event::typed(&EventSupplierUnbondingBegin {
        supplier: Some(supplier),
        reason: SupplierUnbondingReason::Voluntary.into(),
        session_end_height: session_end as i64,
        unbonding_end_height: unbonding_end as i64,
    }));
    Ok(())
}

/// When a supplier that left at a session's end gets its stake back.
fn unbonding_end(state: &State, height: u64, unstake_end: u64) -> u64 {
    let shared = params::shared_at(state, height);
    unstake_end + shared.supplier_unbonding_period_sessions * shared.num_blocks_per_session
}

/// Tells which configurations begin to count. The first step of a block.
pub(crate) fn begin_block(ctx: &mut Ctx) {
    let height = ctx.height as i64;
    let prefix = keys::service_configs_starting_at(height);
    let started: Vec<(String, String)> = ctx
        .state
        .prefix(STORE, &prefix)
        .iter()
        .filter_map(|leaf| {
            let tail = std::str::from_utf8(leaf.key.strip_prefix(prefix.as_slice())?).ok()?;
            let (service, operator) = tail.trim_end_matches('/').split_once('/')?;
            Some((service.to_owned(), operator.to_owned()))
        })
        .collect();
    for (service_id, operator_address) in started {
        let event = EventSupplierServiceConfigActivated {
            activation_height: height,
            operator_address,
            service_id,
        };
        ctx.emit(Event::typed(&event));
    }
}

/// Returns the stakes of suppliers whose unbonding is over. Happens at the end of a session only.
pub(crate) fn unbond(ctx: &mut Ctx) {
    for operator in waiting(ctx, STORE, keys::UNBONDING_SUPPLIERS) {
        let Some(supplier) = record(&ctx.state, &operator) else {
            continue;
        };
        let end = unbonding_end(&ctx.state, ctx.height, supplier.unstake_session_end_height);
        if ctx.height >= end {
            release(ctx, &supplier, end);
        }
    }
}

fn release(ctx: &mut Ctx, supplier: &Supplier, end: u64) {
    let operator = &supplier.operator_address;
    let stake = amount(supplier.stake.as_ref());
    if let Ok(owner) = address::parse(&supplier.owner_address)
        && stake > 0
        // The module holds at least the sum of all stakes.
        && let Err(error) = bank::send(ctx, &address::module(MODULE), &owner, stake)
    {
        tracing::error!(%error, %operator, "the stake of a supplier cannot be returned");
        return;
    }
    configs::remove_all(&mut ctx.state, operator);
    ctx.state.remove(STORE, &keys::supplier(operator));
    ctx.state.remove(STORE, &keys::unbonding_supplier(operator));
    let reason = if stake < min_stake(&ctx.state) {
        SupplierUnbondingReason::BelowMinStake
    } else {
        SupplierUnbondingReason::Voluntary
    };
    let session_end = params::session_end(&ctx.state, ctx.height);
    ctx.emit(Event::typed(&EventSupplierUnbondingEnd {
        supplier: Some(supplier.clone()),
        reason: reason.into(),
        session_end_height: session_end as i64,
        unbonding_end_height: end as i64,
    }));
}

/// Cuts a supplier's stake and burns the cut. What is left below the minimum is unbonded by force: the chain marks
/// the record, but forgets the index from which unbonding ends, so such a supplier stays until it stakes again.
pub(crate) fn slash(ctx: &mut Ctx, operator: &str, penalty: u128) -> Result<(), TxError> {
    let Some(mut supplier) = record(&ctx.state, operator) else {
        return Ok(());
    };
    let left = amount(supplier.stake.as_ref()).saturating_sub(penalty);
    if penalty > 0 {
        bank::send(
            ctx,
            &address::module(MODULE),
            &address::module("tokenomics"),
            penalty,
        )?;
        bank::burn(ctx, "tokenomics", penalty)?;
    }
    supplier.stake = Some(upokt(left));
    if left < min_stake(&ctx.state) && supplier.unstake_session_end_height == 0 {
        let session_end = params::session_end(&ctx.state, ctx.height);
        supplier.unstake_session_end_height = session_end;
        let mut shown = supplier.clone();
        shown.services = active_configs(&configs_of(&ctx.state, operator), ctx.height);
        ctx.emit(Event::typed(&EventSupplierUnbondingBegin {
            supplier: Some(shown),
            reason: SupplierUnbondingReason::BelowMinStake.into(),
            session_end_height: session_end as i64,
            unbonding_end_height: session_end as i64,
        }));
    }
    put(&mut ctx.state, &supplier);
    Ok(())
}

/// The text of a supplier's stake.
pub(crate) fn stake_text(supplier: &Supplier) -> String {
    coin_text(supplier.stake.as_ref())
}
