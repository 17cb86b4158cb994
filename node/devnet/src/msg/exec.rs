//! Messages in the name of those who allowed it.

use hearth_pocket::message::cosmos::{MsgExec, MsgExecResponse};
use prost::Message;

use super::Msg;
use crate::{ctx::Ctx, error::TxError, modules::authz};

/// `MsgExec`: messages in the name of those who allowed it. Gives the response's bytes.
pub(super) fn exec(ctx: &mut Ctx, msg: &MsgExec) -> Result<Vec<u8>, TxError> {
    let grantee = authz::parse(&msg.grantee, "grantee")?;
    if msg.msgs.is_empty() {
        return Err(TxError::sdk(18, "messages cannot be empty: invalid request"));
    }
    let msgs = msg.msgs.iter().map(Msg::decode).collect::<Result<Vec<_>, _>>()?;
    for (index, msg) in msgs.iter().enumerate() {
        msg.validate_basic().map_err(|error| TxError {
            log: format!("msg {index}: {}", error.log),
            ..error
        })?;
    }
    let outer = ctx.take_events();
    let (mut events, mut results) = (Vec::new(), Vec::new());
    for (index, msg) in msgs.iter().enumerate() {
        authz::check(ctx, &grantee, msg.signer(), msg.type_url())?;
        let result = msg.execute(ctx).map_err(|error| TxError {
            log: format!(
                "failed to execute message; message {}: {}",
                msg.type_url(),
                error.log
            ),
            ..error
        })?;
        results.push(result);
        let index = index.to_string();
        events.extend(
            ctx.take_events()
                .into_iter()
                .map(|event| event.with("authz_msg_index", index.clone())),
        );
    }
    ctx.events = outer;
    ctx.events.extend(events);
    Ok(MsgExecResponse { results }.encode_to_vec())
}
