//! Accounts of the former network (Morse), claimed by whoever has their ed25519 keys. Every claim makes new coins of what
//! the account had.

use hearth_pocket::message::{
    TypeUrl,
    application::{
        Application, ApplicationUnbondingReason, EventApplicationUnbondingBegin,
        EventApplicationUnbondingEnd, MsgStakeApplication,
    },
    migration::{
        EventMorseAccountClaimed, EventMorseApplicationClaimed, EventMorseSupplierClaimed,
        MorseClaimableAccount, MorseSupplierClaimSignerType as Signer, MsgClaimMorseAccount,
        MsgClaimMorseApplication, MsgClaimMorseSupplier, Params,
    },
    shared::Supplier,
    supplier::{
        EventSupplierUnbondingBegin, EventSupplierUnbondingEnd, MsgStakeSupplier, SupplierUnbondingReason,
    },
};
use sha2::{Digest, Sha256};

use super::{amount, application, auth, bank, params, supplier, upokt};
use crate::{
    address::{self, Account},
    ctx::Ctx,
    error::{Status, TxError},
    events::Event,
    keys,
    state::{State, StoreName},
};

const STORE: StoreName = StoreName::Migration;
const MODULE: &str = "migration";
/// What a former account is told when it cannot be claimed, by what it is claimed as.
const AS_ACCOUNT: &str = "unable to claim morse account";
const AS_APPLICATION: &str = "unable to claim morse account as a staked application";
const AS_SUPPLIER: &str = "unable to claim morse account as a staked supplier";
/// Before it no time is set: the first moment of the year 1.
const NO_TIME_S: i64 = -62_135_596_800;

/// A claim: who signed it with which former key.
pub(crate) trait Claim: TypeUrl + Clone {
    fn public_key(&self) -> &[u8];
    fn signature(&self) -> &[u8];
    fn without_signature(&self) -> Self;

    /// The former address of the key that signed.
    fn signer(&self) -> String {
        let digest = Sha256::digest(self.public_key());
        hex::encode_upper(digest.get(..20).unwrap_or_default())
    }
}

macro_rules! claims {
    ($($claim:ident,)*) => { $(impl Claim for $claim {
        fn public_key(&self) -> &[u8] { &self.morse_public_key }
        fn signature(&self) -> &[u8] { &self.morse_signature }
        fn without_signature(&self) -> Self { $claim { morse_signature: Vec::new(), ..self.clone() } }
    })* };
}

claims! { MsgClaimMorseAccount, MsgClaimMorseApplication, MsgClaimMorseSupplier, }

fn check_address(text: &str, what: &str) -> Result<(), TxError> {
    address::parse(text).map(drop).map_err(|why| {
        TxError::sdk(
            7,
            format!("invalid {what} address ({text}): {why}: invalid address"),
        )
    })
}

fn check_signature(claim: &impl Claim) -> Result<(), TxError> {
    let wrong = |text: String| {
        Err(TxError::new(
            MODULE,
            1108,
            format!("{text}: invalid morse signature"),
        ))
    };
    let given = claim.signature();
    let Ok(signature) = <[u8; 64]>::try_from(given) else {
        return wrong(format!(
            "invalid morse signature length; expected 64, got {}",
            given.len()
        ));
    };
    let signed = claim.without_signature().encode_to_vec();
    let key = ed25519_consensus::VerificationKey::try_from(claim.public_key());
    if key.is_ok_and(|key| key.verify(&signature.into(), &signed).is_ok()) {
        return Ok(());
    }
    wrong(format!(
        "morseSignature ({}) is invalid for Morse address ({})",
        hex::encode(given),
        claim.signer()
    ))
}

pub(crate) fn validate_account(msg: &MsgClaimMorseAccount) -> Result<(), TxError> {
    check_address(&msg.shannon_dest_address, "shannonDestAddress")?;
    check_address(&msg.shannon_signing_address, "shannonDestAddress")?;
    check_signature(msg)
}

pub(crate) fn validate_application(msg: &MsgClaimMorseApplication) -> Result<(), TxError> {
    check_address(&msg.shannon_dest_address, "shannonDestAddress")?;
    let services: Vec<_> = msg.service_config.iter().cloned().collect();
    application::check_services(&services).map_err(|text| {
        let text = format!("invalid service config: {text}: invalid service configs: {AS_APPLICATION}");
        TxError::new(MODULE, 1104, text)
    })?;
    check_signature(msg)
}

pub(crate) fn validate_supplier(msg: &MsgClaimMorseSupplier) -> Result<(), TxError> {
    check_address(&msg.shannon_owner_address, "shannon owner address")?;
    check_address(&msg.shannon_operator_address, "shannon operator address")?;
    supplier::check_services(&msg.services).map_err(|text| {
        let text = format!("invalid service configs: {text}: invalid service config: {AS_SUPPLIER}");
        TxError::new(MODULE, 1105, text)
    })?;
    check_signature(msg)
}

/// Whether claims cost no fee.
pub(crate) fn are_free(state: &State) -> bool {
    params::of::<Params>(state, STORE).waive_morse_claim_gas_fees
}

pub(crate) fn put(state: &mut State, account: &MorseClaimableAccount) {
    state.write(STORE, &keys::morse_account(&account.morse_src_address), account);
}

fn refuse(status: Status, text: String, what: &str) -> TxError {
    TxError::grpc(status, format!("{text}: {what}"))
}

/// The former account of an address that can still be claimed.
fn unclaimed(ctx: &Ctx, former: &str, what: &str) -> Result<MorseClaimableAccount, TxError> {
    if !params::of::<Params>(&ctx.state, STORE).morse_account_claiming_enabled {
        let text = "morse account claiming is currently disabled; please contact the Pocket Network team";
        return Err(refuse(Status::FailedPrecondition, text.to_owned(), AS_ACCOUNT));
    }
    let found: Option<MorseClaimableAccount> = ctx.state.read(STORE, &keys::morse_account(former));
    let Some(found) = found else {
        let text = format!("no morse claimable account exists with address {former:?}");
        return Err(refuse(Status::NotFound, text, what));
    };
    if !found.shannon_dest_address.is_empty() || found.claimed_at_height > 0 {
        let text = format!(
            "morse address {former:?} has already been claimed at height {} by shannon address {:?}",
            found.claimed_at_height, found.shannon_dest_address
        );
        return Err(refuse(Status::FailedPrecondition, text, what));
    }
    Ok(found)
}

/// The command of the chain's own program that is meant instead.
fn other_way(former: &str, staked: &str, command: &str, what: &str) -> TxError {
    let text = format!(
        "Morse account {former:?} is {staked}, please use `pocketd tx migration claim-{command}` instead"
    );
    refuse(Status::FailedPrecondition, text, what)
}

fn claimed(ctx: &mut Ctx, mut account: MorseClaimableAccount, by: &str) {
    account.shannon_dest_address = by.to_owned();
    account.claimed_at_height = ctx.height as i64;
    put(&mut ctx.state, &account);
}

fn parse(text: &str) -> Result<Account, TxError> {
    address::parse(text).map_err(|why| TxError::grpc(Status::Internal, why))
}

fn mint(ctx: &mut Ctx, to: &Account, amount: u128) -> Result<(), TxError> {
    if amount == 0 {
        return Ok(());
    }
    auth::ensure_module(&mut ctx.state, MODULE, &["minter"]);
    bank::mint(ctx, MODULE, amount);
    bank::send(ctx, &address::module(MODULE), to, amount)
        .map_err(|error| TxError::grpc(Status::Internal, error.log))
}

fn unstaking_ns(account: &MorseClaimableAccount) -> Option<i128> {
    let time = account.unstaking_time;
    (time.seconds > NO_TIME_S && time.unix_nanos() != 0).then(|| time.unix_nanos())
}

/// Whether it was on its way out, and is out by now.
fn has_left(ctx: &Ctx, account: &MorseClaimableAccount) -> bool {
    unstaking_ns(account).is_some_and(|until| until - i128::from(ctx.time_ns) < 1_000_000_000)
}

/// The end of the session in which one that is still on its way out will be out. Blocks of this chain take about a second.
fn leaves_at(ctx: &Ctx, account: &MorseClaimableAccount) -> Option<u64> {
    let seconds = (unstaking_ns(account)? - i128::from(ctx.time_ns)) / 1_000_000_000;
    let blocks = u64::try_from(seconds).unwrap_or(0);
    Some(params::session_end(&ctx.state, ctx.height.saturating_add(blocks)))
}

/// The end of this session, and of the one before it.
fn session_ends(ctx: &Ctx) -> (u64, u64) {
    let end = params::session_end(&ctx.state, ctx.height);
    let blocks = params::shared_at(&ctx.state, ctx.height).num_blocks_per_session;
    (end, end.saturating_sub(blocks))
}

/// `MsgClaimMorseAccount`: one that was staked for nothing.
pub(crate) fn claim_account(ctx: &mut Ctx, msg: &MsgClaimMorseAccount) -> Result<(), TxError> {
    let former = msg.signer();
    let account = unclaimed(ctx, &former, AS_ACCOUNT)?;
    if amount(Some(&account.application_stake)) > 0 {
        return Err(other_way(
            &former,
            "staked as an application",
            "application",
            AS_ACCOUNT,
        ));
    }
    if amount(Some(&account.supplier_stake)) > 0 {
        return Err(other_way(
            &former,
            "staked as an supplier",
            "supplier",
            AS_ACCOUNT,
        ));
    }
    let balance = account.unstaked_balance.clone();
    claimed(ctx, account, &msg.shannon_dest_address);
    mint(ctx, &parse(&msg.shannon_dest_address)?, amount(Some(&balance)))?;
    ctx.emit(Event::typed(&EventMorseAccountClaimed {
        session_end_height: session_ends(ctx).0 as i64,
        shannon_dest_address: msg.shannon_dest_address.clone(),
        morse_src_address: former,
        claimed_balance: balance.to_string(),
    }));
    Ok(())
}

/// `MsgClaimMorseApplication`: the stake is staked again, where it suffices and was not on its way out.
pub(crate) fn claim_application(ctx: &mut Ctx, msg: &MsgClaimMorseApplication) -> Result<(), TxError> {
    let (former, to) = (msg.signer(), &msg.shannon_dest_address);
    let account = unclaimed(ctx, &former, AS_APPLICATION)?;
    if amount(Some(&account.supplier_stake)) > 0 {
        return Err(other_way(
            &former,
            "staked as a supplier",
            "supplier",
            AS_APPLICATION,
        ));
    }
    let stake = amount(Some(&account.application_stake));
    if stake == 0 {
        let not = "not staked as a application or supplier";
        return Err(other_way(&former, not, "account", AS_APPLICATION));
    }
    let balance = amount(Some(&account.unstaked_balance));
    mint(ctx, &parse(to)?, balance + stake)?;
    claimed(ctx, account.clone(), to);
    let (session_end, last_end) = session_ends(ctx);
    let event = |application| EventMorseApplicationClaimed {
        session_end_height: session_end as i64,
        morse_src_address: former.clone(),
        application: Some(application),
        claimed_balance: account.unstaked_balance.to_string(),
        claimed_application_stake: account.application_stake.to_string(),
    };
    let staked = application::record(&ctx.state, to);
    let before = amount(staked.as_ref().and_then(|application| application.stake.as_ref()));
    if has_left(ctx, &account) || before + stake < application::min_stake(&ctx.state) {
        let gone = Application {
            address: to.clone(),
            stake: Some(account.application_stake.clone()),
            unstake_session_end_height: last_end,
            ..Application::default()
        };
        ctx.emit(Event::typed(&event(gone.clone())));
        ctx.emit(Event::typed(&EventApplicationUnbondingEnd {
            application: Some(gone),
            reason: ApplicationUnbondingReason::Migration.into(),
            session_end_height: session_end as i64,
            unbonding_end_height: last_end as i64,
        }));
        return Ok(());
    }
    let stakes = MsgStakeApplication {
        address: to.clone(),
        stake: Some(upokt(before + stake)),
        services: msg.service_config.iter().cloned().collect(),
        per_session_spend_limit: None,
    };
    application::stake(ctx, &stakes)?;
    let Some(mut application) = application::record(&ctx.state, to) else {
        return Ok(());
    };
    ctx.emit(Event::typed(&event(application.clone())));
    if let Some(end) = leaves_at(ctx, &account) {
        application.unstake_session_end_height = end;
        application::put_unbonding(ctx, &application);
        ctx.emit(Event::typed(&EventApplicationUnbondingBegin {
            application: Some(application),
            reason: ApplicationUnbondingReason::Migration.into(),
            session_end_height: session_end as i64,
            unbonding_end_height: end as i64,
        }));
    }
    Ok(())
}

/// `MsgClaimMorseSupplier`: by the node's former key, or by its owner's.
pub(crate) fn claim_supplier(ctx: &mut Ctx, msg: &MsgClaimMorseSupplier) -> Result<(), TxError> {
    let former = &msg.morse_node_address;
    let account = unclaimed(ctx, former, AS_SUPPLIER)?;
    if amount(Some(&account.application_stake)) > 0 {
        return Err(other_way(
            former,
            "staked as an application",
            "application",
            AS_SUPPLIER,
        ));
    }
    let stake = amount(Some(&account.supplier_stake));
    if stake == 0 {
        let not = "not staked as a supplier or application";
        return Err(other_way(former, not, "account", AS_SUPPLIER));
    }
    let signer = signer_of(ctx, msg, &account)?;
    let stakes_as = match signer {
        Signer::Owner => &msg.shannon_owner_address,
        Signer::Unspecified | Signer::Custodial | Signer::Node => &msg.shannon_operator_address,
    };
    let is_small = stake < supplier::min_stake(&ctx.state);
    let is_out = has_left(ctx, &account) || is_small;
    let stake_to = if is_out {
        &msg.shannon_owner_address
    } else {
        stakes_as
    };
    mint(ctx, &parse(stake_to)?, stake)?;
    let balance = amount(Some(&account.unstaked_balance));
    mint(ctx, &parse(&msg.shannon_operator_address)?, balance)?;
    claimed(ctx, account.clone(), stake_to);
    let (session_end, _) = session_ends(ctx);
    let event = |supplier| EventMorseSupplierClaimed {
        session_end_height: session_end as i64,
        supplier: Some(supplier),
        morse_output_address: account.morse_output_address.clone(),
        claim_signer_type: signer.into(),
        morse_node_address: former.clone(),
        claimed_balance: account.unstaked_balance.to_string(),
        claimed_supplier_stake: account.supplier_stake.to_string(),
    };
    if is_out {
        paid_out(ctx, msg, &account, event);
        return Ok(());
    }
    let known = supplier::record(&ctx.state, &msg.shannon_operator_address);
    let before = amount(known.as_ref().and_then(|supplier| supplier.stake.as_ref()));
    let stakes = MsgStakeSupplier {
        signer: stakes_as.clone(),
        owner_address: msg.shannon_owner_address.clone(),
        operator_address: msg.shannon_operator_address.clone(),
        stake: Some(upokt(before + stake)),
        services: msg.services.clone(),
    };
    supplier::stake(ctx, &stakes)?;
    let height = ctx.height;
    let Some(mut supplier) = supplier::hydrated(&ctx.state, &msg.shannon_operator_address, height) else {
        return Ok(());
    };
    ctx.emit(Event::typed(&event(supplier.clone())));
    if let Some(end) = leaves_at(ctx, &account) {
        supplier.unstake_session_end_height = end;
        supplier::put_unbonding(ctx, &supplier);
        ctx.emit(Event::typed(&EventSupplierUnbondingBegin {
            supplier: Some(supplier),
            reason: SupplierUnbondingReason::Migration.into(),
            session_end_height: session_end as i64,
            unbonding_end_height: end as i64,
        }));
    }
    Ok(())
}

/// Tells of a stake that was paid out in place of being staked again.
fn paid_out(
    ctx: &mut Ctx,
    msg: &MsgClaimMorseSupplier,
    account: &MorseClaimableAccount,
    event: impl FnOnce(Supplier) -> EventMorseSupplierClaimed,
) {
    let (session_end, last_end) = session_ends(ctx);
    let gone = Supplier {
        owner_address: msg.shannon_owner_address.clone(),
        operator_address: msg.shannon_operator_address.clone(),
        stake: Some(account.supplier_stake.clone()),
        unstake_session_end_height: last_end,
        ..Supplier::default()
    };
    ctx.emit(Event::typed(&event(gone.clone())));
    ctx.emit(Event::typed(&EventSupplierUnbondingEnd {
        supplier: Some(gone),
        reason: SupplierUnbondingReason::Migration.into(),
        session_end_height: session_end as i64,
        unbonding_end_height: last_end as i64,
    }));
}

/// Whether the node's key or its owner's signed; an owner is claimed before the node's key may.
fn signer_of(
    ctx: &Ctx,
    msg: &MsgClaimMorseSupplier,
    account: &MorseClaimableAccount,
) -> Result<Signer, TxError> {
    let (node, owner) = (&account.morse_src_address, &account.morse_output_address);
    let signer = msg.signer();
    if signer == *owner {
        return Ok(Signer::Owner);
    }
    if signer != *node {
        let text = format!(
            "morse signer address ({signer}) doesn't match the operator ({node}) or owner ({owner}) address"
        );
        return Err(refuse(Status::InvalidArgument, text, AS_SUPPLIER));
    }
    if owner.is_empty() {
        return Ok(Signer::Custodial);
    }
    let found: Option<MorseClaimableAccount> = ctx.state.read(STORE, &keys::morse_account(owner));
    let Some(found) = found else {
        let text = format!(
            "(SHOULD NEVER HAPPEN) could not find morse claimable account for owner address ({owner})"
        );
        return Err(refuse(Status::Internal, text, AS_SUPPLIER));
    };
    if found.shannon_dest_address.is_empty() && found.claimed_at_height == 0 {
        let text = format!(
            "morse owner address ({owner}) MUST be claimed BEFORE migrating the Morse node/supplier to a Shannon \
             Supplier account"
        );
        return Err(refuse(Status::FailedPrecondition, text, AS_SUPPLIER));
    }
    if found.shannon_dest_address != msg.shannon_owner_address {
        let text = format!(
            "the Shannon owner address on the Morse supplier ({}) claim MUST match the Shannon dest address of the \
             already claimed Morse owner account ({})",
            msg.shannon_owner_address, found.shannon_dest_address
        );
        return Err(refuse(Status::FailedPrecondition, text, AS_SUPPLIER));
    }
    Ok(Signer::Node)
}
