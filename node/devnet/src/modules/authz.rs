//! What one account lets another do in its name. Grants of the one kind that has no limits but a message's name and a
//! moment; the real chain knows others, too.

use hearth_pocket::message::{
    Timestamp,
    cosmos::{EventGrant, EventRevoke, GenericAuthorization, Grant, MsgGrant, MsgRevoke},
};
use prost::Message;

use super::auth;
use crate::{
    address::{self, Account},
    ctx::Ctx,
    error::TxError,
    events::Event,
    keys,
    state::{State, StoreName},
};

const STORE: StoreName = StoreName::Authz;
const MODULE: &str = "authz";
/// Accounts that the chain lets nobody pay or name.
const BLOCKED: [&str; 5] = [
    "fee_collector",
    "distribution",
    "mint",
    "bonded_tokens_pool",
    "not_bonded_tokens_pool",
];

fn refuse(code: u32, text: impl Into<String>) -> TxError {
    TxError::new(MODULE, code, text)
}

pub(crate) fn parse(text: &str, what: &str) -> Result<Account, TxError> {
    address::parse(text)
        .map_err(|why| TxError::sdk(7, format!("invalid {what} address: {why}: invalid address")))
}

/// Writes a grant without asking.
pub(crate) fn put(state: &mut State, granter: &Account, grantee: &Account, msg_type: &str, grant: &Grant) {
    state.write(STORE, &keys::grant(granter, grantee, msg_type), grant);
}

/// `MsgGrant`; `is_known` says whether the chain executes messages of a type.
pub(crate) fn grant(ctx: &mut Ctx, msg: &MsgGrant, is_known: fn(&str) -> bool) -> Result<(), TxError> {
    if msg.grantee.eq_ignore_ascii_case(&msg.granter) {
        return Err(refuse(7, "grantee and granter should be different"));
    }
    let grantee = parse(&msg.grantee, "grantee")?;
    let granter = parse(&msg.granter, "granter")?;
    if !auth::exists(&ctx.state, &grantee) {
        if BLOCKED.iter().any(|name| address::module(name) == grantee) {
            let text = format!("{} is not allowed to receive funds: unauthorized", msg.grantee);
            return Err(TxError::sdk(4, text));
        }
        auth::ensure(&mut ctx.state, &grantee);
    }
    let msg_type = granted(&msg.grant)?;
    if !is_known(&msg_type) {
        return Err(TxError::sdk(
            29,
            format!("{msg_type} doesn't exist.: invalid type"),
        ));
    }
    if msg
        .grant
        .expiration
        .is_some_and(|until| until.unix_nanos() <= i128::from(ctx.time_ns))
    {
        let text = "expiration must be after the current block time: expiration time of authorization should be more \
                    than current time";
        return Err(refuse(3, text));
    }
    put(&mut ctx.state, &granter, &grantee, &msg_type, &msg.grant);
    ctx.emit(Event::typed(&EventGrant {
        msg_type_url: msg_type,
        granter: msg.granter.clone(),
        grantee: msg.grantee.clone(),
    }));
    Ok(())
}

/// The message that a grant is about.
fn granted(grant: &Grant) -> Result<String, TxError> {
    let Some(authorization) = &grant.authorization else {
        return Err(TxError::sdk(34, "authorization is nil: unpack any: invalid type"));
    };
    match authorization.unpack::<GenericAuthorization>() {
        Some(Ok(generic)) => Ok(generic.msg),
        Some(Err(_)) | None => Err(unknown(&authorization.type_url)),
    }
}

fn unknown(type_url: &str) -> TxError {
    TxError::sdk(
        2,
        format!("unable to resolve type URL {type_url}: tx parse error"),
    )
}

/// `MsgRevoke`.
pub(crate) fn revoke(ctx: &mut Ctx, msg: &MsgRevoke) -> Result<(), TxError> {
    if msg.grantee.eq_ignore_ascii_case(&msg.granter) {
        return Err(refuse(7, "grantee and granter should be different"));
    }
    let grantee = parse(&msg.grantee, "grantee")?;
    let granter = parse(&msg.granter, "granter")?;
    if msg.msg_type_url.is_empty() {
        return Err(TxError::sdk(18, "missing msg method name: invalid request"));
    }
    let key = keys::grant(&granter, &grantee, &msg.msg_type_url);
    if !ctx.state.has(STORE, &key) {
        let key = String::from_utf8_lossy(&key);
        let text = format!("failed to delete grant with key {key}: authorization not found");
        return Err(refuse(2, text));
    }
    ctx.state.remove(STORE, &key);
    ctx.emit(Event::typed(&EventRevoke {
        msg_type_url: msg.msg_type_url.clone(),
        granter: msg.granter.clone(),
        grantee: msg.grantee.clone(),
    }));
    Ok(())
}

/// Whether `grantee` may do what `granter` signs for.
pub(crate) fn check(ctx: &Ctx, grantee: &Account, granter: &str, msg_type: &str) -> Result<(), TxError> {
    let signer = address::parse(granter).map_err(|why| TxError::sdk(7, format!("{why}: invalid address")))?;
    if signer == *grantee {
        return Ok(());
    }
    let key = keys::grant(&signer, grantee, msg_type);
    let Some(found) = ctx.state.read::<Grant>(STORE, &key) else {
        let text = format!(
            "failed to get grant with given granter: {granter}, grantee: {} & msgType: {msg_type} : authorization not \
             found",
            address::text(grantee)
        );
        return Err(refuse(2, text));
    };
    if is_over(&found, ctx.time_ns) {
        return Err(refuse(6, "authorization expired"));
    }
    Ok(())
}

fn is_over(grant: &Grant, now_ns: u64) -> bool {
    grant
        .expiration
        .as_ref()
        .map(|until: &Timestamp| until.unix_nanos())
        .is_some_and(|until| until < i128::from(now_ns))
}

/// Forgets grants whose moment has passed.
pub(crate) fn forget_expired(ctx: &mut Ctx) {
    let over: Vec<Vec<u8>> = ctx
        .state
        .prefix(STORE, keys::GRANTS)
        .iter()
        .filter(|leaf| Grant::decode(leaf.value).is_ok_and(|grant| is_over(&grant, ctx.time_ns)))
        .map(|leaf| leaf.key.to_vec())
        .collect();
    for key in over {
        ctx.state.remove(STORE, &key);
    }
}
