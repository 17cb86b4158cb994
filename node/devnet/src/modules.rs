//! The state machine, one file per module of the chain.

pub(crate) mod application;
pub(crate) mod auth;
pub(crate) mod authz;
pub(crate) mod bank;
pub(crate) mod gateway;
pub(crate) mod govern;
pub(crate) mod migration;
pub(crate) mod params;
pub(crate) mod proof;
pub(crate) mod service;
pub(crate) mod session;
pub(crate) mod supplier;
pub(crate) mod tokenomics;

use hearth_pocket::message::cosmos::{Coin, UPOKT};

use crate::{ctx::Ctx, error::TxError, state::StoreName};

/// The text of a coin that may be absent.
pub(crate) fn coin_text(coin: Option<&Coin>) -> String {
    coin.map_or_else(|| "<nil>".to_owned(), ToString::to_string)
}

/// The amount of a coin of upokt, nothing for an absent one. Only records that were checked are read so.
pub(crate) fn amount(coin: Option<&Coin>) -> u128 {
    coin.and_then(Coin::to_amount)
        .map_or(0, hearth_base::Amount::upokt)
}

pub(crate) fn upokt(amount: u128) -> Coin {
    Coin {
        denom: UPOKT.to_owned(),
        amount: amount.to_string(),
    }
}

/// The addresses under `prefix` of those who wait for the end of a session. Looked at when a session ends only.
pub(crate) fn waiting(ctx: &Ctx, store: StoreName, prefix: &str) -> Vec<String> {
    if !params::is_session_end(&ctx.state, ctx.height) {
        return Vec::new();
    }
    let waiting = ctx.state.prefix(store, prefix.as_bytes());
    waiting
        .iter()
        .map(|leaf| String::from_utf8_lossy(leaf.value).into_owned())
        .collect()
}

/// Checks a stake or limit in a message. `name` is what the chain calls it in its texts.
pub(crate) fn check_coin(
    coin: Option<&Coin>,
    codespace: &str,
    code: u32,
    name: &str,
    what: &str,
) -> Result<u128, TxError> {
    let refuse = |text: String| TxError::new(codespace, code, format!("{text}: {what}"));
    let Some(coin) = coin else {
        return Err(refuse(format!("nil {name}")));
    };
    let digits = coin.amount.trim_start_matches('-');
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refuse(format!("invalid {name} amount {coin}")));
    }
    if coin.denom != UPOKT {
        return Err(refuse(format!(
            "invalid {name} amount denom, expecting: {UPOKT}, got: {}",
            coin.denom
        )));
    }
    match coin.to_amount() {
        Some(amount) if !amount.is_zero() => Ok(amount.upokt()),
        Some(_) | None => Err(refuse(format!("invalid {name} amount: {coin} <= 0"))),
    }
}
