//! Balances and supply, and the plain events that go with every movement.

use hearth_pocket::message::cosmos::{Coin, MsgSend, UPOKT};

use super::auth;
use crate::{
    address::{self, Account},
    ctx::Ctx,
    error::TxError,
    events::Event,
    keys,
    state::{State, StoreName::Bank},
};

/// The balance of one denomination.
pub(crate) fn balance(state: &State, account: &Account, denom: &str) -> u128 {
    number(state.get(Bank, &keys::balance(account, denom)))
}

pub(crate) fn supply(state: &State, denom: &str) -> u128 {
    number(state.get(Bank, &keys::supply(denom)))
}

/// Everything an account has, by denomination.
pub(crate) fn balances(state: &State, account: &Account) -> Vec<Coin> {
    let prefix = keys::balances(account);
    state
        .prefix(Bank, &prefix)
        .iter()
        .map(|leaf| Coin {
            denom: String::from_utf8_lossy(leaf.key.strip_prefix(prefix.as_slice()).unwrap_or_default())
                .into_owned(),
            amount: String::from_utf8_lossy(leaf.value).into_owned(),
        })
        .collect()
}

fn number(text: Option<&[u8]>) -> u128 {
    text.and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

fn put(state: &mut State, key: &[u8], amount: u128) {
    if amount == 0 {
        state.remove(Bank, key);
    } else {
        state.set(Bank, key, amount.to_string().into_bytes());
    }
}

/// Why an account cannot pay; the text is the SDK's.
pub(crate) fn short_of(balance: u128, wanted: u128, denom: &str) -> String {
    format!("spendable balance {balance}{denom} is smaller than {wanted}{denom}: insufficient funds")
}

fn take(ctx: &mut Ctx, from: &Account, amount: u128, denom: &str) -> Result<(), TxError> {
    let balance = balance(&ctx.state, from, denom);
    let Some(left) = balance.checked_sub(amount) else {
        return Err(TxError::sdk(5, short_of(balance, amount, denom)));
    };
    put(&mut ctx.state, &keys::balance(from, denom), left);
    let spent = [
        ("spender", address::text(from)),
        ("amount", format!("{amount}{denom}")),
    ];
    ctx.emit(Event::new("coin_spent", spent));
    Ok(())
}

fn give(ctx: &mut Ctx, to: &Account, amount: u128, denom: &str) {
    let balance = balance(&ctx.state, to, denom);
    put(
        &mut ctx.state,
        &keys::balance(to, denom),
        balance.saturating_add(amount),
    );
    let received = [
        ("receiver", address::text(to)),
        ("amount", format!("{amount}{denom}")),
    ];
    ctx.emit(Event::new("coin_received", received));
}

/// Moves upokt.
pub(crate) fn send(ctx: &mut Ctx, from: &Account, to: &Account, amount: u128) -> Result<(), TxError> {
    send_coin(ctx, from, to, amount, UPOKT)
}

pub(crate) fn send_coin(
    ctx: &mut Ctx,
    from: &Account,
    to: &Account,
    amount: u128,
    denom: &str,
) -> Result<(), TxError> {
    take(ctx, from, amount, denom)?;
    give(ctx, to, amount, denom);
    auth::ensure(&mut ctx.state, to);
    let (sender, recipient) = (address::text(from), address::text(to));
    let moved = [
        ("recipient", recipient),
        ("sender", sender.clone()),
        ("amount", format!("{amount}{denom}")),
    ];
    ctx.emit(Event::new("transfer", moved));
    ctx.emit(Event::new("message", [("sender", sender)]));
    Ok(())
}

/// Makes upokt in a module's account.
pub(crate) fn mint(ctx: &mut Ctx, module: &str, amount: u128) {
    let account = address::module(module);
    give(ctx, &account, amount, UPOKT);
    let total = supply(&ctx.state, UPOKT).saturating_add(amount);
    put(&mut ctx.state, &keys::supply(UPOKT), total);
    let made = [
        ("minter", address::text(&account)),
        ("amount", format!("{amount}{UPOKT}")),
    ];
    ctx.emit(Event::new("coinbase", made));
}

/// Destroys upokt of a module's account.
pub(crate) fn burn(ctx: &mut Ctx, module: &str, amount: u128) -> Result<(), TxError> {
    let account = address::module(module);
    take(ctx, &account, amount, UPOKT)?;
    let total = supply(&ctx.state, UPOKT).saturating_sub(amount);
    put(&mut ctx.state, &keys::supply(UPOKT), total);
    let gone = [
        ("burner", address::text(&account)),
        ("amount", format!("{amount}{UPOKT}")),
    ];
    ctx.emit(Event::new("burn", gone));
    Ok(())
}

/// Puts money into an account without a movement: for the first state and for tests.
pub(crate) fn endow(state: &mut State, account: &Account, amount: u128) {
    let balance = balance(state, account, UPOKT);
    put(
        state,
        &keys::balance(account, UPOKT),
        balance.saturating_add(amount),
    );
    let total = supply(state, UPOKT).saturating_add(amount);
    put(state, &keys::supply(UPOKT), total);
}

/// `cosmos.bank.v1beta1.MsgSend`.
pub(crate) fn msg_send(ctx: &mut Ctx, msg: &MsgSend) -> Result<(), TxError> {
    let from = address::parse(&msg.from_address)
        .map_err(|why| TxError::sdk(7, format!("invalid from address: {why}: invalid address")))?;
    let to = address::parse(&msg.to_address)
        .map_err(|why| TxError::sdk(7, format!("invalid to address: {why}: invalid address")))?;
    let text = msg
        .amount
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",");
    let amounts: Option<Vec<u128>> = msg
        .amount
        .iter()
        .map(|coin| {
            coin.amount
                .parse()
                .ok()
                .filter(|amount| *amount > 0 && !coin.amount.starts_with('+'))
        })
        .collect();
    let sorted = msg
        .amount
        .windows(2)
        .all(|pair| pair.first().map(|c| &c.denom) < pair.last().map(|c| &c.denom));
    let Some(amounts) = amounts.filter(|amounts| !amounts.is_empty() && sorted) else {
        return Err(TxError::sdk(10, format!("{text}: invalid coins")));
    };
    for (coin, amount) in msg.amount.iter().zip(amounts) {
        send_coin(ctx, &from, &to, amount, &coin.denom)?;
    }
    Ok(())
}
