//! The first state: parameters, accounts, and the actors that stand ready.

mod accounts;
mod presets;

use hearth_pocket::message::{
    Any, Timestamp,
    application::{self, Application},
    cosmos::{self, GenericAuthorization, Grant},
    gateway::{self, Gateway},
    migration::{self, MorseClaimableAccount},
    proof, service, session,
    shared::{self, Service, ServiceConfigUpdate, Supplier},
    supplier, tokenomics,
};
use serde::{Deserialize, Serialize};

pub use accounts::Account;

use crate::{
    address, keys,
    modules::{
        application as applications, auth, authz, bank, gateway as gateways, migration as morse, params,
        service as services, supplier as suppliers,
    },
    state::{State, StoreName},
};

/// The first state of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Genesis {
    /// Parameters of all modules.
    pub params: Params,
    /// Accounts with their balances, in the order of their numbers.
    pub accounts: Vec<Account>,
    /// Services that exist from the start.
    pub services: Vec<Service>,
    /// Suppliers that serve from the start. Their configurations count from height 1.
    pub suppliers: Vec<Supplier>,
    /// Applications that are staked from the start.
    pub applications: Vec<Application>,
    /// Gateways that are staked from the start.
    pub gateways: Vec<Gateway>,
    /// What accounts may do in the name of others.
    #[serde(default)]
    pub authorizations: Vec<Authorization>,
    /// Accounts of the former network that can be claimed.
    #[serde(default)]
    pub morse_accounts: Vec<MorseClaimableAccount>,
}

/// What `grantee` may do in the name of `granter`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Authorization {
    /// Who allows it.
    pub granter: String,
    /// Who may do it.
    pub grantee: String,
    /// What: messages of one type.
    pub authorization: Any,
    /// Until when.
    pub expiration: Option<Timestamp>,
}

/// Parameters of all modules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// Limits of transactions.
    pub auth: cosmos::Params,
    /// Sessions, windows, prices.
    pub shared: shared::Params,
    /// Suppliers per session.
    pub session: session::Params,
    /// Proof requirement, penalty, fee.
    pub proof: proof::Params,
    /// Who gets what.
    pub tokenomics: tokenomics::Params,
    /// Stake and delegation.
    pub application: application::Params,
    /// Stake.
    pub gateway: gateway::Params,
    /// Stake and fee.
    pub supplier: supplier::Params,
    /// Fee and difficulty.
    pub service: service::Params,
    /// Not used by this chain, but asked for.
    pub migration: migration::Params,
}

impl Genesis {
    /// The address that the proposer's rewards go to: the account named `validator`, or the first.
    pub(crate) fn proposer(&self) -> address::Account {
        let validator = self.account("validator").or(self.accounts.first());
        validator
            .and_then(|account| address::parse(&account.address).ok())
            .unwrap_or_default()
    }

    /// The account with a name.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
    }

    /// The state before the first block.
    pub(crate) fn state(&self) -> State {
        let mut state = State::default().at(1);
        let state_mut = &mut state;
        put_params(state_mut, &self.params);
        for account in &self.accounts {
            if let Ok(bytes) = address::parse(&account.address) {
                auth::ensure(state_mut, &bytes);
                bank::endow(state_mut, &bytes, account.balance.upokt());
            }
        }
        for (name, permissions) in MODULES {
            auth::ensure_module(state_mut, name, permissions);
        }
        for service in &self.services {
            services::put(state_mut, service);
            services::note_compute_units(state_mut, service, 1);
        }
        for gateway in &self.gateways {
            gateways::put(state_mut, gateway);
            endow_module(state_mut, "gateway", gateway.stake.as_ref());
        }
        for application in &self.applications {
            put_application(state_mut, application);
        }
        for supplier in &self.suppliers {
            put_supplier(state_mut, supplier);
        }
        for authorization in &self.authorizations {
            put_authorization(state_mut, authorization);
        }
        for account in &self.morse_accounts {
            morse::put(state_mut, account);
        }
        state
    }
}

/// The module accounts, with what they may do.
const MODULES: &[(&str, &[&str])] = &[
    ("fee_collector", &[]),
    ("distribution", &[]),
    ("gov", &["burner"]),
    ("application", &["minter", "burner", "staking"]),
    ("supplier", &["minter", "burner", "staking"]),
    ("gateway", &["burner", "minter", "staking"]),
    ("service", &["minter", "burner", "staking"]),
    ("session", &["minter", "burner"]),
    ("proof", &["minter", "burner"]),
    ("tokenomics", &["minter", "burner"]),
];

/// A module holds at least the stakes of its actors.
fn endow_module(state: &mut State, module: &str, stake: Option<&cosmos::Coin>) {
    let stake = crate::modules::amount(stake);
    bank::endow(state, &address::module(module), stake);
}

fn put_params(state: &mut State, params: &Params) {
    state.write(StoreName::Acc, keys::AUTH_PARAMS, &params.auth);
    params::put(state, StoreName::Shared, &params.shared);
    params::put(state, StoreName::Session, &params.session);
    params::put(state, StoreName::Proof, &params.proof);
    params::put(state, StoreName::Tokenomics, &params.tokenomics);
    params::put(state, StoreName::Application, &params.application);
    params::put(state, StoreName::Gateway, &params.gateway);
    params::put(state, StoreName::Supplier, &params.supplier);
    params::put(state, StoreName::Service, &params.service);
    params::put(state, StoreName::Migration, &params.migration);
}

fn put_application(state: &mut State, application: &Application) {
    applications::put(state, application);
    for gateway in &application.delegatee_gateway_addresses {
        let index = format!("{}/", application.address).into_bytes();
        state.set(
            StoreName::Application,
            &keys::delegation(gateway, &application.address),
            index,
        );
    }
    endow_module(state, "application", application.stake.as_ref());
}

fn put_supplier(state: &mut State, supplier: &Supplier) {
    suppliers::put(state, supplier);
    for service in &supplier.services {
        let config = ServiceConfigUpdate {
            operator_address: supplier.operator_address.clone(),
            service: Some(service.clone()),
            activation_height: 1,
            deactivation_height: 0,
        };
        suppliers::put_at_genesis(state, &config);
    }
    endow_module(state, "supplier", supplier.stake.as_ref());
}

/// One that this chain does not know, or between what are no accounts, is left out.
fn put_authorization(state: &mut State, given: &Authorization) {
    let (Ok(granter), Ok(grantee)) = (address::parse(&given.granter), address::parse(&given.grantee)) else {
        return;
    };
    if let Some(Ok(generic)) = given.authorization.unpack::<GenericAuthorization>() {
        let grant = Grant {
            authorization: Some(given.authorization.clone()),
            expiration: given.expiration,
        };
        authz::put(state, &granter, &grantee, &generic.msg, &grant);
    }
}
