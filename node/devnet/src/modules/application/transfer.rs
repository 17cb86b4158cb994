//! Transfers of applications: begun by their owner, carried out once the session in which they began is settled.

use std::collections::{BTreeMap, BTreeSet};

use hearth_pocket::message::{
    application::{
        Application, EventTransferBegin, EventTransferEnd, MsgTransferApplication,
        PendingApplicationTransfer, UndelegatingGatewayList,
    },
    shared::ApplicationServiceConfig,
};

use super::{MODULE, STORE, put, record, swap_service};
use crate::{
    address,
    ctx::Ctx,
    error::{Status, TxError},
    events::Event,
    keys,
    modules::{amount, params, upokt},
};

pub(crate) fn validate(msg: &MsgTransferApplication) -> Result<(), TxError> {
    let refuse = |code, text: String| Err(TxError::new(MODULE, code, text));
    let what = "invalid application address";
    for (place, text) in [
        ("source", &msg.source_address),
        ("destination", &msg.destination_address),
    ] {
        if text.is_empty() {
            return refuse(1102, format!("empty {place} application address: {what}"));
        }
    }
    for (place, text) in [
        ("source", &msg.source_address),
        ("destination", &msg.destination_address),
    ] {
        if let Err(why) = address::parse(text) {
            let text = format!("invalid {place} application address ({text}): {why}: {what}");
            return refuse(1102, text);
        }
    }
    if msg.source_address == msg.destination_address {
        let text = format!(
            "source and destination application addresses are the same: {}: duplicate application address",
            msg.source_address
        );
        return refuse(1113, text);
    }
    Ok(())
}

/// `MsgTransferApplication`.
pub(crate) fn begin(ctx: &mut Ctx, msg: &MsgTransferApplication) -> Result<(), TxError> {
    let (source, destination) = (&msg.source_address, &msg.destination_address);
    if record(&ctx.state, destination).is_some() {
        let text = format!("destination application ({destination}) exists: duplicate application address");
        return Err(TxError::grpc(Status::FailedPrecondition, text));
    }
    let Some(mut application) = record(&ctx.state, source) else {
        let text = format!("source application ({source}) not found: application not found");
        return Err(TxError::grpc(Status::InvalidArgument, text));
    };
    if application.unstake_session_end_height != 0 {
        let text = format!(
            "cannot transfer stake of unbonding source application {source:?}: application is in unbonding period"
        );
        return Err(TxError::grpc(Status::FailedPrecondition, text));
    }
    let session_end = params::session_end(&ctx.state, ctx.height);
    application.pending_transfer = Some(PendingApplicationTransfer {
        destination_address: destination.clone(),
        session_end_height: session_end,
    });
    put(&mut ctx.state, &application);
    ctx.state
        .set(STORE, &keys::transfer(source), source.clone().into_bytes());
    let transfer_end_height = end_of(ctx, &application) as i64;
    ctx.emit(Event::typed(&EventTransferBegin {
        source_address: source.clone(),
        destination_address: destination.clone(),
        source_application: Some(application),
        session_end_height: session_end as i64,
        transfer_end_height,
    }));
    Ok(())
}

/// The block after the last one that may settle the session in which a transfer began.
fn end_of(ctx: &Ctx, application: &Application) -> u64 {
    let session_end = application
        .pending_transfer
        .as_ref()
        .map_or(0, |pending| pending.session_end_height);
    session_end + params::timing_at(&ctx.state, ctx.height).blocks_to_settlement() + 1
}

/// Carries out what is due. Happens at the end of a session only.
pub(crate) fn finish(ctx: &mut Ctx) {
    for source in crate::modules::waiting(ctx, STORE, keys::TRANSFERS) {
        let Some(application) = record(&ctx.state, &source) else {
            continue;
        };
        if ctx.height >= end_of(ctx, &application) {
            transfer(ctx, &application);
        }
    }
}

fn transfer(ctx: &mut Ctx, source: &Application) {
    let Some(pending) = &source.pending_transfer else {
        return;
    };
    let found = record(&ctx.state, &pending.destination_address);
    let heir = match found {
        Some(found) => merged(ctx, source, found),
        None => renamed(source, &pending.destination_address),
    };
    remove(ctx, source);
    put_indexed(ctx, &heir);
    let transfer_end_height = end_of(ctx, source) as i64;
    let session_end = params::session_end(&ctx.state, ctx.height);
    ctx.emit(Event::typed(&EventTransferEnd {
        source_address: source.address.clone(),
        destination_address: heir.address.clone(),
        destination_application: Some(heir),
        session_end_height: session_end as i64,
        transfer_end_height,
    }));
}

/// The same application under another address.
fn renamed(source: &Application, address: &str) -> Application {
    let mut heir = Application {
        address: address.to_owned(),
        pending_transfer: None,
        ..source.clone()
    };
    for update in &mut heir.service_config_history {
        update.application_address = address.to_owned();
    }
    heir
}

/// Both applications in one: what they have together, and of two limits the lower one.
fn merged(ctx: &Ctx, source: &Application, mut heir: Application) -> Application {
    heir.stake = Some(upokt(amount(source.stake.as_ref()) + amount(heir.stake.as_ref())));
    for gateway in &source.delegatee_gateway_addresses {
        if !heir.delegatee_gateway_addresses.contains(gateway) {
            heir.delegatee_gateway_addresses.push(gateway.clone());
        }
    }
    heir.pending_undelegations = undelegations(source, &heir);
    heir.per_session_spend_limit = match (&source.per_session_spend_limit, &heir.per_session_spend_limit) {
        (Some(source), Some(own)) if amount(Some(source)) >= amount(Some(own)) => Some(own.clone()),
        (Some(source), _) => Some(source.clone()),
        (None, own) => own.clone(),
    };
    let mut services: Vec<ApplicationServiceConfig> = heir.service_configs.clone();
    for service in &source.service_configs {
        if !services.contains(service) {
            services.push(service.clone());
        }
    }
    let next = params::next_session_start(&ctx.state, ctx.height);
    swap_service(&mut heir, &services, next as i64);
    heir
}

/// Each gateway once: where both gave it up, the heir's height counts.
fn undelegations(source: &Application, heir: &Application) -> BTreeMap<u64, UndelegatingGatewayList> {
    let mut heights = BTreeMap::new();
    for application in [source, heir] {
        for (height, list) in &application.pending_undelegations {
            for gateway in &list.gateway_addresses {
                heights.insert(gateway.clone(), *height);
            }
        }
    }
    let mut lists: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    for (gateway, height) in heights {
        lists.entry(height).or_default().insert(gateway);
    }
    let list = |gateways: BTreeSet<String>| UndelegatingGatewayList {
        gateway_addresses: gateways.into_iter().collect(),
    };
    lists
        .into_iter()
        .map(|(height, gateways)| (height, list(gateways)))
        .collect()
}

/// Takes an application and everything that points at it out of the store.
pub(super) fn remove(ctx: &mut Ctx, application: &Application) {
    let address = &application.address;
    for gateway in &application.delegatee_gateway_addresses {
        ctx.state.remove(STORE, &keys::delegation(gateway, address));
    }
    for gateway in application
        .pending_undelegations
        .values()
        .flat_map(|pending| &pending.gateway_addresses)
    {
        ctx.state.remove(STORE, &keys::undelegation(address, gateway));
    }
    ctx.state.remove(STORE, &keys::application(address));
    ctx.state.remove(STORE, &keys::unbonding_application(address));
    ctx.state.remove(STORE, &keys::transfer(address));
}

fn put_indexed(ctx: &mut Ctx, application: &Application) {
    let address = &application.address;
    let index = || format!("{address}/").into_bytes();
    for gateway in &application.delegatee_gateway_addresses {
        ctx.state.set(STORE, &keys::delegation(gateway, address), index());
    }
    for gateway in application
        .pending_undelegations
        .values()
        .flat_map(|pending| &pending.gateway_addresses)
    {
        ctx.state
            .set(STORE, &keys::undelegation(address, gateway), index());
    }
    put(&mut ctx.state, application);
}
