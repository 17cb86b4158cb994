//! Gateways: stake, card, unbonding.

use hearth_pocket::message::gateway::{
    EventGatewayMetadataUpdated, EventGatewayStaked, EventGatewayUnbondingBegin,
    EventGatewayUnbondingCanceled, EventGatewayUnbondingEnd, Gateway, MsgStakeGateway, MsgUnstakeGateway,
    MsgUpdateGatewayMetadata, Params,
};

use super::{amount, bank, check_coin, params, upokt};
use crate::{
    address,
    ctx::Ctx,
    error::{Status, TxError},
    events::Event,
    keys,
    state::{State, StoreName},
};

const STORE: StoreName = StoreName::Gateway;
const MODULE: &str = "gateway";
/// The largest card: 256 KiB.
pub(crate) const MAX_CARD: usize = 256 * 1024;

pub(crate) fn validate_address(text: &str) -> Result<(), TxError> {
    address::parse(text).map(|_| ()).map_err(|why| {
        TxError::new(
            MODULE,
            1101,
            format!("invalid gateway address {text}; ({why}): invalid gateway address"),
        )
    })
}

pub(crate) fn validate_stake(msg: &MsgStakeGateway) -> Result<(), TxError> {
    validate_address(&msg.address)?;
    check_coin(
        msg.stake.as_ref(),
        MODULE,
        1102,
        "gateway stake",
        "invalid gateway stake",
    )
    .map(|_| ())
}

pub(crate) fn validate_metadata(msg: &MsgUpdateGatewayMetadata) -> Result<(), TxError> {
    validate_address(&msg.address)?;
    let size = msg.metadata.as_ref().map_or(0, |metadata| metadata.card.len());
    if size > MAX_CARD {
        let text =
            format!("metadata card size {size} exceeds the maximum of {MAX_CARD}: invalid gateway metadata");
        return Err(TxError::new(MODULE, 1109, text));
    }
    Ok(())
}

pub(crate) fn record(state: &State, address: &str) -> Option<Gateway> {
    state.read(STORE, &keys::gateway(address))
}

pub(crate) fn put(state: &mut State, gateway: &Gateway) {
    state.write(STORE, &keys::gateway(&gateway.address), gateway);
}

pub(crate) fn all(state: &State) -> Vec<Gateway> {
    state.read_all(STORE, keys::GATEWAYS.as_bytes())
}

/// Whether a gateway may still be delegated to.
pub(crate) fn is_active(gateway: &Gateway, height: u64) -> bool {
    gateway.unstake_session_end_height == 0 || height <= gateway.unstake_session_end_height
}

/// Gateways whose last active block this is.
pub(crate) fn leaving_at(state: &State, height: u64) -> Vec<String> {
    all(state)
        .into_iter()
        .filter(|gateway| gateway.unstake_session_end_height == height)
        .map(|gateway| gateway.address)
        .collect()
}

fn min_stake(state: &State) -> u128 {
    let params: Params = params::of(state, STORE);
    amount(params.min_stake.as_ref())
}

/// `MsgStakeGateway`: a new gateway, or more stake.
pub(crate) fn stake(ctx: &mut Ctx, msg: &MsgStakeGateway) -> Result<(), TxError> {
    let invalid =
        |text: String| TxError::grpc(Status::InvalidArgument, format!("{text}: invalid gateway stake"));
    let wanted = amount(msg.stake.as_ref());
    let found = record(&ctx.state, &msg.address);
    let before = amount(found.as_ref().and_then(|gateway| gateway.stake.as_ref()));
    if found.is_some() && wanted <= before {
        return Err(invalid(format!(
            "stake amount {} must be higher than previous stake amount {}",
            upokt(wanted),
            upokt(before)
        )));
    }
    let minimum = min_stake(&ctx.state);
    if wanted < minimum {
        return Err(invalid(format!(
            "gateway {:?} must stake at least {}",
            msg.address,
            upokt(minimum)
        )));
    }
    let payer = address::parse(&msg.address).map_err(|why| TxError::grpc(Status::Internal, why))?;
    bank::send(ctx, &payer, &address::module(MODULE), wanted - before)
        .map_err(|error| TxError::grpc(Status::Internal, error.log))?;
    let mut gateway = found.unwrap_or_else(|| Gateway {
        address: msg.address.clone(),
        ..Gateway::default()
    });
    let was_unbonding = gateway.unstake_session_end_height != 0;
    gateway.stake = Some(upokt(wanted));
    gateway.unstake_session_end_height = 0;
    put(&mut ctx.state, &gateway);
    let session_end_height = params::session_end(&ctx.state, ctx.height) as i64;
    let gateway = Some(gateway);
    if was_unbonding {
        let gateway = gateway.clone();
        ctx.emit(Event::typed(&EventGatewayUnbondingCanceled {
            gateway,
            session_end_height,
        }));
    }
    ctx.emit(Event::typed(&EventGatewayStaked {
        gateway,
        session_end_height,
    }));
    Ok(())
}

fn not_found(address: &str) -> TxError {
    TxError::grpc(
        Status::NotFound,
        format!("gateway with address {address:?}: gateway not found"),
    )
}

/// `MsgUnstakeGateway`.
pub(crate) fn unstake(ctx: &mut Ctx, msg: &MsgUnstakeGateway) -> Result<(), TxError> {
    let Some(mut gateway) = record(&ctx.state, &msg.address) else {
        return Err(not_found(&msg.address));
    };
    if gateway.unstake_session_end_height != 0 {
        let text = format!(
            "gateway with address {:?}: gateway is in unbonding period",
            msg.address
        );
        return Err(TxError::grpc(Status::FailedPrecondition, text));
    }
    let session_end = params::session_end(&ctx.state, ctx.height);
    gateway.unstake_session_end_height = session_end;
    put(&mut ctx.state, &gateway);
    let end = unbonding_end(&ctx.state, ctx.height, session_end);
    ctx.emit(Event::typed(&EventGatewayUnbondingBegin {
        gateway: Some(gateway),
        session_end_height: session_end as i64,
        unbonding_end_height: end as i64,
    }));
    Ok(())
}

/// `MsgUpdateGatewayMetadata`.
pub(crate) fn update_metadata(ctx: &mut Ctx, msg: &MsgUpdateGatewayMetadata) -> Result<(), TxError> {
    let Some(mut gateway) = record(&ctx.state, &msg.address) else {
        return Err(not_found(&msg.address));
    };
    gateway.metadata.clone_from(&msg.metadata);
    put(&mut ctx.state, &gateway);
    let session_end = params::session_end(&ctx.state, ctx.height);
    ctx.emit(Event::typed(&EventGatewayMetadataUpdated {
        gateway_address: gateway.address,
        session_end_height: session_end as i64,
        card_size_bytes: gateway.metadata.map_or(0, |metadata| metadata.card.len() as u64),
    }));
    Ok(())
}

fn unbonding_end(state: &State, height: u64, unstake_end: u64) -> u64 {
    let shared = params::shared_at(state, height);
    unstake_end + shared.gateway_unbonding_period_sessions * shared.num_blocks_per_session
}

/// Returns the stakes of gateways whose unbonding is over. Happens at the end of a session only.
pub(crate) fn unbond(ctx: &mut Ctx) {
    if !params::is_session_end(&ctx.state, ctx.height) {
        return;
    }
    for gateway in all(&ctx.state)
        .into_iter()
        .filter(|gateway| gateway.unstake_session_end_height != 0)
    {
        let end = unbonding_end(&ctx.state, ctx.height, gateway.unstake_session_end_height);
        if ctx.height < end {
            continue;
        }
        let stake = amount(gateway.stake.as_ref());
        if let Ok(owner) = address::parse(&gateway.address)
            && stake > 0
            && let Err(error) = bank::send(ctx, &address::module(MODULE), &owner, stake)
        {
            tracing::error!(%error, gateway = gateway.address, "the stake of a gateway cannot be returned");
            continue;
        }
        ctx.state.remove(STORE, &keys::gateway(&gateway.address));
        let session_end = params::session_end(&ctx.state, ctx.height);
        ctx.emit(Event::typed(&EventGatewayUnbondingEnd {
            gateway: Some(gateway),
            session_end_height: session_end as i64,
            unbonding_end_height: end as i64,
        }));
    }
}
