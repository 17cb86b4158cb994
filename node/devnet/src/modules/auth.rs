//! Accounts: numbers, sequences, public keys.

use hearth_pocket::message::{
    TypeUrl,
    cosmos::{Any, BaseAccount, ModuleAccount, Params, PubKey},
};
use prost::Message;

use crate::{
    address::{self, Account},
    keys,
    state::{State, StoreName::Acc},
};

/// The limits of the real chain's mainnet.
pub(crate) fn params(state: &State) -> Params {
    state.read(Acc, keys::AUTH_PARAMS).unwrap_or_default()
}

/// The record as it is stored: an account of any kind.
pub(crate) fn record(state: &State, account: &Account) -> Option<Any> {
    state.read(Acc, &keys::account(account))
}

/// An account's number, sequence and key, of whatever kind it is.
pub(crate) fn base(state: &State, account: &Account) -> Option<BaseAccount> {
    let any = record(state, account)?;
    match any.unpack::<BaseAccount>() {
        Some(base) => base.ok(),
        None => any.unpack::<ModuleAccount>()?.ok()?.base_account,
    }
}

pub(crate) fn exists(state: &State, account: &Account) -> bool {
    state.has(Acc, &keys::account(account))
}

/// Writes a plain account.
pub(crate) fn put(state: &mut State, account: &Account, base: &BaseAccount) {
    state.write(Acc, &keys::account(account), &base.to_any());
}

/// Makes an account where there is none.
pub(crate) fn ensure(state: &mut State, account: &Account) {
    if !exists(state, account) {
        let account_number = next_number(state);
        let base = BaseAccount {
            address: address::text(account),
            account_number,
            ..BaseAccount::default()
        };
        put(state, account, &base);
    }
}

/// Makes a module's account where there is none.
pub(crate) fn ensure_module(state: &mut State, name: &str, permissions: &[&str]) {
    let account = address::module(name);
    if exists(state, &account) {
        return;
    }
    let account_number = next_number(state);
    let base = BaseAccount {
        address: address::text(&account),
        account_number,
        ..BaseAccount::default()
    };
    let module = ModuleAccount {
        base_account: Some(base),
        name: name.to_owned(),
        permissions: permissions
            .iter()
            .map(|permission| (*permission).to_owned())
            .collect(),
    };
    state.write(Acc, &keys::account(&account), &module.to_any());
}

fn next_number(state: &mut State) -> u64 {
    let number = state
        .get(Acc, keys::NEXT_ACCOUNT_NUMBER)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_be_bytes);
    state.set(
        Acc,
        keys::NEXT_ACCOUNT_NUMBER,
        (number + 1).to_be_bytes().to_vec(),
    );
    number
}

/// The public key that an account has shown, if it is secp256k1.
pub(crate) fn public_key(state: &State, account: &Account) -> Option<[u8; 33]> {
    let any = base(state, account)?.pub_key?;
    secp256k1(&any)
}

pub(crate) fn secp256k1(any: &Any) -> Option<[u8; 33]> {
    if any.type_url != PubKey::TYPE_URL {
        return None;
    }
    PubKey::decode(any.value.as_slice()).ok()?.key.try_into().ok()
}
