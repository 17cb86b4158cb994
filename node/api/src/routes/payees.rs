//! Whom a payment goes to, whoever made it: the name, and whom the address could be taken for.

use std::collections::BTreeMap;

use super::payments::own_names;
use crate::{app::App, control::types::LooksLike, error::ApiError, lookalike::looks_like};

/// The addresses that the owner knows.
pub(super) struct KnownPayees {
    names: BTreeMap<String, String>,
    /// The wallet's own accounts, by address.
    own: BTreeMap<String, String>,
    keys: Vec<String>,
    paid: Vec<String>,
}

/// One who is paid.
pub(super) struct Payee {
    pub(super) name: Option<String>,
    /// An account of this wallet.
    pub(super) is_own: bool,
    /// It was never paid before.
    pub(super) is_first: bool,
    pub(super) looks_like: Option<LooksLike>,
}

impl KnownPayees {
    pub(super) async fn read(app: &App) -> Result<KnownPayees, ApiError> {
        let status = app.parts.keyring.status();
        let keys = [status.main_address, status.working_address];
        Ok(KnownPayees {
            names: app.contacts.names().await?,
            own: own_names(app),
            keys: keys.into_iter().flatten().collect(),
            paid: app.parts.money.payees().await?,
        })
    }

    pub(super) fn payee(&self, address: &str) -> Payee {
        let name = self.names.get(address).or_else(|| self.own.get(address));
        let named = self.names.iter().chain(&self.own);
        let named = named.map(|(address, name)| (address.as_str(), Some(name.as_str())));
        let others = self.keys.iter().chain(&self.paid);
        let known = named.chain(others.map(|address| (address.as_str(), None)));
        Payee {
            name: name.cloned(),
            is_own: self.own.contains_key(address) || self.keys.iter().any(|own| own == address),
            is_first: !self.paid.iter().any(|paid| paid == address),
            looks_like: looks_like(address, known),
        }
    }
}
