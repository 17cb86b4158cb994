//! Applications: stake, delegation, unbonding, transfer.

pub(crate) mod transfer;

use hearth_pocket::message::{
    application::{
        Application, ApplicationServiceConfigUpdate, ApplicationUnbondingReason, EventApplicationStaked,
        EventApplicationUnbondingBegin, EventApplicationUnbondingCanceled, EventApplicationUnbondingEnd,
        EventRedelegation, MsgDelegateToGateway, MsgStakeApplication, MsgUndelegateFromGateway,
        MsgUnstakeApplication, Params,
    },
    shared::ApplicationServiceConfig,
};

use super::{amount, bank, check_coin, gateway, params, service, upokt, waiting};
use crate::{
    address,
    ctx::Ctx,
    error::{Status, TxError},
    events::Event,
    keys,
    state::{State, StoreName},
};

const STORE: StoreName = StoreName::Application;
pub(crate) const MODULE: &str = "application";
/// The smallest limit per session: 1 POKT.
const MIN_SPEND_LIMIT: u128 = 1_000_000;

pub(crate) fn validate_address(text: &str) -> Result<(), TxError> {
    address::parse(text).map(|_| ()).map_err(|why| {
        TxError::new(
            MODULE,
            1102,
            format!("invalid application address {text}; ({why}): invalid application address"),
        )
    })
}

pub(crate) fn validate_pair(application: &str, gateway: &str) -> Result<(), TxError> {
    validate_address(application)?;
    address::parse(gateway).map(|_| ()).map_err(|why| {
        TxError::new(
            MODULE,
            1108,
            format!("invalid gateway address {gateway}; ({why}): invalid gateway address"),
        )
    })
}

pub(crate) fn validate_stake(msg: &MsgStakeApplication) -> Result<(), TxError> {
    validate_address(&msg.address)?;
    check_coin(
        msg.stake.as_ref(),
        MODULE,
        1101,
        "application stake",
        "invalid application stake",
    )?;
    check_services(&msg.services)
        .map_err(|text| TxError::new(MODULE, 1106, format!("{text}: invalid service configs")))?;
    match &msg.per_session_spend_limit {
        Some(limit) => check_limit(limit),
        None => Ok(()),
    }
}

/// Checks the services of an application; the error is the chain's text.
pub(crate) fn check_services(services: &[ApplicationServiceConfig]) -> Result<(), String> {
    if services.len() != 1 {
        let listed: Vec<String> = services
            .iter()
            .map(|config| format!("service_id:{:?} ", config.service_id))
            .collect();
        return Err(format!(
            "application must have exactly one service: [{}]",
            listed.join(" ")
        ));
    }
    match services
        .iter()
        .find(|config| !service::is_valid_id(&config.service_id))
    {
        Some(config) => Err(format!("invalid service ID: {}", config.service_id)),
        None => Ok(()),
    }
}

fn check_limit(limit: &hearth_pocket::message::Coin) -> Result<(), TxError> {
    let refuse = |text: String| {
        Err(TxError::new(
            MODULE,
            1118,
            format!("{text}: invalid per-session spend limit"),
        ))
    };
    match limit.to_amount() {
        Some(amount) if amount.is_zero() || amount.upokt() >= MIN_SPEND_LIMIT => Ok(()),
        Some(_) => refuse(format!(
            "per_session_spend_limit {limit} must be at least {}",
            upokt(MIN_SPEND_LIMIT)
        )),
        None => refuse(format!("invalid per_session_spend_limit {limit}")),
    }
}

pub(crate) fn record(state: &State, address: &str) -> Option<Application> {
    state.read(STORE, &keys::application(address))
}

pub(crate) fn put(state: &mut State, application: &Application) {
    state.write(STORE, &keys::application(&application.address), application);
}

/// Writes one that is on its way out.
pub(crate) fn put_unbonding(ctx: &mut Ctx, application: &Application) {
    let address = &application.address;
    put(&mut ctx.state, application);
    ctx.state.set(
        STORE,
        &keys::unbonding_application(address),
        address.clone().into_bytes(),
    );
}

pub(crate) fn all(state: &State) -> Vec<Application> {
    state.read_all(STORE, keys::APPLICATIONS.as_bytes())
}

pub(crate) fn min_stake(state: &State) -> u128 {
    let params: Params = params::of(state, STORE);
    amount(params.min_stake.as_ref())
}

/// The service that an application is staked for at a height.
pub(crate) fn services_at(application: &Application, height: u64) -> Vec<String> {
    let at = height as i64;
    let in_force: Vec<String> = application
        .service_config_history
        .iter()
        .filter(|update| update.activation_height <= at)
        .filter(|update| update.deactivation_height == 0 || update.deactivation_height > at)
        .filter_map(|update| update.service.as_ref())
        .map(|service| service.service_id.clone())
        .collect();
    if in_force.is_empty() {
        application
            .service_configs
            .iter()
            .map(|config| config.service_id.clone())
            .collect()
    } else {
        in_force
    }
}

/// Whether sessions at a height may still have this application.
pub(crate) fn is_active(application: &Application, height: u64) -> bool {
    application.unstake_session_end_height == 0 || height <= application.unstake_session_end_height
}

/// `MsgStakeApplication`: a new application, or more stake.
pub(crate) fn stake(ctx: &mut Ctx, msg: &MsgStakeApplication) -> Result<(), TxError> {
    let invalid = |text: String| {
        TxError::grpc(
            Status::InvalidArgument,
            format!("{text}: invalid application stake"),
        )
    };
    let wanted = amount(msg.stake.as_ref());
    let found = record(&ctx.state, &msg.address);
    let before = amount(found.as_ref().and_then(|application| application.stake.as_ref()));
    let was_unbonding = found
        .as_ref()
        .is_some_and(|application| application.unstake_session_end_height != 0);
    let mut application = match found {
        Some(_) if wanted <= before => {
            return Err(invalid(format!(
                "stake amount {} must be higher than previous stake amount {}",
                upokt(wanted),
                upokt(before)
            )));
        }
        Some(mut found) => {
            let next = params::next_session_start(&ctx.state, ctx.height);
            swap_service(&mut found, &msg.services, next as i64);
            found
        }
        None => Application {
            address: msg.address.clone(),
            service_configs: msg.services.clone(),
            ..Application::default()
        },
    };
    let minimum = min_stake(&ctx.state);
    if wanted < minimum {
        return Err(invalid(format!(
            "application {:?} must stake at least {}",
            msg.address,
            upokt(minimum)
        )));
    }
    let payer = address::parse(&msg.address).map_err(|why| TxError::grpc(Status::Internal, why))?;
    bank::send(ctx, &payer, &address::module(MODULE), wanted - before)
        .map_err(|error| TxError::grpc(Status::Internal, error.log))?;
    application.stake = Some(upokt(wanted));
    application.unstake_session_end_height = 0;
    match &msg.per_session_spend_limit {
        Some(limit) if amount(Some(limit)) == 0 => application.per_session_spend_limit = None,
        Some(limit) => application.per_session_spend_limit = Some(limit.clone()),
        None => {}
    }
    put(&mut ctx.state, &application);
    let session_end_height = params::session_end(&ctx.state, ctx.height) as i64;
    let application = Some(application);
    if was_unbonding {
        ctx.state
            .remove(STORE, &keys::unbonding_application(&msg.address));
        let application = application.clone();
        ctx.emit(Event::typed(&EventApplicationUnbondingCanceled {
            application,
            session_end_height,
        }));
    }
    ctx.emit(Event::typed(&EventApplicationStaked {
        application,
        session_end_height,
    }));
    Ok(())
}

/// Changes the service from the next session on; the history says what counts until then.
fn swap_service(application: &mut Application, services: &[ApplicationServiceConfig], next: i64) {
    if application.service_configs == services {
        return;
    }
    let address = application.address.clone();
    let entry = |service: &ApplicationServiceConfig, activation_height, deactivation_height| {
        ApplicationServiceConfigUpdate {
            application_address: address.clone(),
            service: Some(service.clone()),
            activation_height,
            deactivation_height,
        }
    };
    let history = &mut application.service_config_history;
    history.retain(|update| update.activation_height < next);
    if history.is_empty() {
        history.extend(
            application
                .service_configs
                .iter()
                .map(|service| entry(service, 1, 0)),
        );
    }
    for update in history
        .iter_mut()
        .filter(|update| update.deactivation_height == 0)
    {
        update.deactivation_height = next;
    }
    history.extend(services.iter().map(|service| entry(service, next, 0)));
    application.service_configs = services.to_vec();
}

fn not_found(address: &str) -> TxError {
    TxError::grpc(
        Status::NotFound,
        format!("application with address: {address:?}: application not found"),
    )
}

/// `MsgUnstakeApplication`.
pub(crate) fn unstake(ctx: &mut Ctx, msg: &MsgUnstakeApplication) -> Result<(), TxError> {
    let Some(application) = record(&ctx.state, &msg.address) else {
        return Err(not_found(&msg.address));
    };
    if application.unstake_session_end_height != 0 {
        let text = format!(
            "application with address {:?}: application is in unbonding period",
            msg.address
        );
        return Err(TxError::grpc(Status::FailedPrecondition, text));
    }
    if application.pending_transfer.is_some() {
        let text = format!(
            "application with address {:?}: application is in transfer period",
            msg.address
        );
        return Err(TxError::grpc(Status::FailedPrecondition, text));
    }
    begin_unbonding(ctx, application, ApplicationUnbondingReason::Elective);
    Ok(())
}

/// Starts the unbonding of an application, by its own wish or by force.
pub(crate) fn begin_unbonding(
    ctx: &mut Ctx,
    mut application: Application,
    reason: ApplicationUnbondingReason,
) {
    let session_end = params::session_end(&ctx.state, ctx.height);
    application.unstake_session_end_height = session_end;
    put_unbonding(ctx, &application);
    let end = unbonding_end(&ctx.state, ctx.height, session_end);
    ctx.emit(Event::typed(&EventApplicationUnbondingBegin {
        application: Some(application),
        reason: reason.into(),
        session_end_height: session_end as i64,
        unbonding_end_height: end as i64,
    }));
}

fn unbonding_end(state: &State, height: u64, unstake_end: u64) -> u64 {
    let shared = params::shared_at(state, height);
    unstake_end + shared.application_unbonding_period_sessions * shared.num_blocks_per_session
}

/// `MsgDelegateToGateway`.
pub(crate) fn delegate(ctx: &mut Ctx, msg: &MsgDelegateToGateway) -> Result<(), TxError> {
    let (address, gateway_address) = (&msg.app_address, &msg.gateway_address);
    let Some(mut application) = record(&ctx.state, address) else {
        return Err(not_found(address));
    };
    let Some(gateway) = gateway::record(&ctx.state, gateway_address) else {
        let text = format!("gateway with address: {gateway_address:?}: gateway not found");
        return Err(TxError::grpc(Status::NotFound, text));
    };
    if !gateway::is_active(&gateway, ctx.height) {
        let text = format!("gateway with address: {gateway_address:?}: gateway is no longer active");
        return Err(TxError::grpc(Status::FailedPrecondition, text));
    }
    if application.delegatee_gateway_addresses.contains(gateway_address) {
        let text = format!(
            "application with address {address:?} already delegated to gateway with address: {gateway_address:?}: \
             application already delegated to gateway"
        );
        return Err(TxError::grpc(Status::AlreadyExists, text));
    }
    let params: Params = params::of(&ctx.state, STORE);
    if application.delegatee_gateway_addresses.len() as u64 >= params.max_delegated_gateways {
        let text = format!(
            "application {address:?} already delegated to {} gateways: max number of delegated gateways reached",
            params.max_delegated_gateways
        );
        return Err(TxError::grpc(Status::FailedPrecondition, text));
    }
    application
        .delegatee_gateway_addresses
        .push(gateway_address.clone());
    let session_end = params::session_end(&ctx.state, ctx.height);
    if let Some(pending) = application.pending_undelegations.get_mut(&session_end) {
        pending
            .gateway_addresses
            .retain(|pending| pending != gateway_address);
        if pending.gateway_addresses.is_empty() {
            application.pending_undelegations.remove(&session_end);
        }
        ctx.state
            .remove(STORE, &keys::undelegation(address, gateway_address));
    }
    let index = format!("{address}/").into_bytes();
    ctx.state
        .set(STORE, &keys::delegation(gateway_address, address), index);
    put(&mut ctx.state, &application);
    redelegated(ctx, application, session_end);
    Ok(())
}

fn redelegated(ctx: &mut Ctx, application: Application, session_end: u64) {
    let session_end_height = session_end as i64;
    ctx.emit(Event::typed(&EventRedelegation {
        application: Some(application),
        session_end_height,
    }));
}

/// `MsgUndelegateFromGateway`.
pub(crate) fn undelegate(ctx: &mut Ctx, msg: &MsgUndelegateFromGateway) -> Result<(), TxError> {
    let (address, gateway_address) = (&msg.app_address, &msg.gateway_address);
    let Some(application) = record(&ctx.state, address) else {
        return Err(not_found(address));
    };
    if !application.delegatee_gateway_addresses.contains(gateway_address) {
        let text = format!(
            "application with address {address:?} is not delegated to gateway with address {gateway_address:?}: \
             application not delegated to gateway"
        );
        return Err(TxError::grpc(Status::FailedPrecondition, text));
    }
    take_back(ctx, application, gateway_address);
    Ok(())
}

/// Ends a delegation. Open sessions keep it until they are settled.
fn take_back(ctx: &mut Ctx, mut application: Application, gateway_address: &str) {
    let address = application.address.clone();
    application
        .delegatee_gateway_addresses
        .retain(|delegatee| delegatee != gateway_address);
    let session_end = params::session_end(&ctx.state, ctx.height);
    let pending = application.pending_undelegations.entry(session_end).or_default();
    pending.gateway_addresses.push(gateway_address.to_owned());
    ctx.state
        .remove(STORE, &keys::delegation(gateway_address, &address));
    let index = format!("{address}/").into_bytes();
    ctx.state
        .set(STORE, &keys::undelegation(&address, gateway_address), index);
    put(&mut ctx.state, &application);
    redelegated(ctx, application, session_end);
}

/// Takes gateways that are no longer active out of all applications that delegated to them.
pub(crate) fn auto_undelegate(ctx: &mut Ctx) {
    for gateway in gateway::leaving_at(&ctx.state, ctx.height) {
        let applications: Vec<Application> = all(&ctx.state)
            .into_iter()
            .filter(|application| application.delegatee_gateway_addresses.contains(&gateway))
            .collect();
        for application in applications {
            take_back(ctx, application, &gateway);
        }
    }
}

/// Forgets undelegations that no open session can ask for.
pub(crate) fn prune_undelegations(ctx: &mut Ctx) {
    if ctx.state.prefix(STORE, keys::UNDELEGATIONS.as_bytes()).is_empty() {
        return;
    }
    let timing = params::timing_at(&ctx.state, ctx.height);
    let Some(limit) = ctx
        .height
        .checked_sub(timing.grace_period + 2 * timing.blocks_per_session)
    else {
        return;
    };
    for mut application in all(&ctx.state) {
        let old: Vec<u64> = application
            .pending_undelegations
            .range(..limit)
            .map(|(end, _)| *end)
            .collect();
        for end in &old {
            for gateway in application
                .pending_undelegations
                .remove(end)
                .unwrap_or_default()
                .gateway_addresses
            {
                ctx.state
                    .remove(STORE, &keys::undelegation(&application.address, &gateway));
            }
        }
        if !old.is_empty() {
            put(&mut ctx.state, &application);
        }
    }
}

/// Returns the stakes of applications whose unbonding is over. Happens at the end of a session only.
pub(crate) fn unbond(ctx: &mut Ctx) {
    for address in waiting(ctx, STORE, keys::UNBONDING_APPLICATIONS) {
        let Some(application) = record(&ctx.state, &address) else {
            continue;
        };
        let end = unbonding_end(&ctx.state, ctx.height, application.unstake_session_end_height);
        if ctx.height >= end {
            release(ctx, application, end);
        }
    }
}

fn release(ctx: &mut Ctx, application: Application, end: u64) {
    let stake = amount(application.stake.as_ref());
    let address = &application.address;
    if let Ok(owner) = address::parse(address)
        && stake > 0
        && let Err(error) = bank::send(ctx, &address::module(MODULE), &owner, stake)
    {
        tracing::error!(%error, %address, "the stake of an application cannot be returned");
        return;
    }
    transfer::remove(ctx, &application);
    let reason = if stake < min_stake(&ctx.state) {
        ApplicationUnbondingReason::BelowMinStake
    } else {
        ApplicationUnbondingReason::Elective
    };
    let session_end = params::session_end(&ctx.state, ctx.height);
    ctx.emit(Event::typed(&EventApplicationUnbondingEnd {
        application: Some(application),
        reason: reason.into(),
        session_end_height: session_end as i64,
        unbonding_end_height: end as i64,
    }));
}
