//! What has to be known before a role is changed.

use std::{collections::BTreeMap, time::Duration};

use hearth_base::{Amount, Height, ServiceId};
use hearth_chain::{Chain, Params, QueryError};
use hearth_pocket::{
    address::Address,
    message::{
        application::Application,
        gateway::Gateway,
        shared::{Service, Supplier},
    },
    session::Timing,
};
use hearth_wallet::{Accounts, Entry, Purpose};
use tokio::try_join;

use crate::{
    error::RoleError,
    morse::{Morse, MorseTerms, claimed_address},
    order::{Order, Role},
};

/// An account that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    pub account: Address,
    pub balance: Amount,
    /// Whether its key is in this wallet; else somebody signs elsewhere.
    pub is_here: bool,
}

/// The state of the chain, as far as it concerns an order. Everything in it was proven when it was read, but for terms that
/// say so: stakes are signed by it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Who takes part, by what for.
    pub parties: BTreeMap<Purpose, Party>,
    pub params: Params,
    pub supplier: Option<Supplier>,
    pub application: Option<Application>,
    pub gateway: Option<Gateway>,
    /// The gateway that the order names, else the own one.
    pub named_gateway: Option<Gateway>,
    /// The services that the order names.
    pub services: BTreeMap<ServiceId, Service>,
    /// What the order claims of the former network.
    pub morse: Option<(Morse, MorseTerms)>,
    /// The accounts whose keys are here and ask for the password.
    pub signers: Vec<Address>,
    pub height: Height,
    /// When the newest block was made.
    pub now_ns: i128,
    pub block_time: Option<Duration>,
    /// Whether suppliers of this network may stand on this computer or in a private network.
    pub allows_local_suppliers: bool,
    /// Whether this node lets applications sign for themselves.
    pub applications_sign: bool,
}

impl Facts {
    /// Counts what accounts are paying already as spent.
    pub(crate) fn take_out(&mut self, leaving: impl Iterator<Item = (Address, Amount)>) {
        for (account, amount) in leaving {
            for party in self.parties.values_mut().filter(|party| party.account == account) {
                party.balance = party.balance.saturating_sub(amount);
            }
        }
    }

    /// Reads them.
    ///
    /// # Errors
    /// The chain gives no answer, or proves nothing.
    pub async fn read(
        chain: &Chain,
        accounts: &Accounts,
        order: &Order,
        allows_local_suppliers: bool,
        applications_sign: bool,
    ) -> Result<Facts, QueryError> {
        let supplier = async {
            match &accounts.operator {
                Some(operator) => Ok(chain.supplier(operator).await?.proven()?.into_value()),
                None => Ok(None),
            }
        };
        let application = async {
            match &accounts.application {
                Some(application) => Ok(chain.application(application).await?.proven()?.into_value()),
                None => Ok(None),
            }
        };
        let gateway = async {
            match &accounts.gateway {
                Some(gateway) => Ok::<_, QueryError>(chain.gateway(gateway).await?.proven()?.into_value()),
                None => Ok(None),
            }
        };
        let (params, supplier, application, gateway) =
            try_join!(chain.params(), supplier, application, gateway)?;
        let params = params.proven()?.into_value();
        let owner = owner(accounts, supplier.as_ref());
        let mut parties = BTreeMap::new();
        for (purpose, account) in [
            (Purpose::Owner, owner.as_ref()),
            (Purpose::Operator, accounts.operator.as_ref()),
            (Purpose::Gateway, accounts.gateway.as_ref()),
            (Purpose::Application, accounts.application.as_ref()),
        ] {
            let Some(account) = account else { continue };
            let known = parties.values().find(|known: &&Party| known.account == *account);
            let party = match known {
                Some(known) => known.clone(),
                None => Party {
                    account: account.clone(),
                    balance: chain.balance(account).await?.proven()?.into_value(),
                    is_here: accounts
                        .all
                        .iter()
                        .any(|entry| entry.address == *account && !entry.is_watched()),
                },
            };
            parties.insert(purpose, party);
        }
        let named_gateway = match order.named_gateway() {
            Some(named) => chain.gateway(named).await?.proven()?.into_value(),
            None => gateway.clone(),
        };
        let mut services = BTreeMap::new();
        for id in order.services() {
            if let Some(service) = chain.service(&id).await?.proven()?.into_value() {
                services.insert(id, service);
            }
        }
        let morse = claimed(chain, order).await?;
        let signs = |entry: &&Entry| !entry.is_watched() && !entry.is_unattended();
        let signers = accounts.all.iter().filter(signs);
        let signers = signers.map(|entry| entry.address.clone()).collect();
        let head = chain.head().borrow().clone();
        Ok(Facts {
            parties,
            params,
            supplier,
            application,
            gateway,
            named_gateway,
            services,
            morse,
            signers,
            height: head.height,
            now_ns: head.time.unix_timestamp_nanos(),
            block_time: head.block_time,
            allows_local_suppliers,
            applications_sign,
        })
    }

    /// An operator that is none of this wallet's serves a supplier that an account here owns.
    pub(crate) fn check_operator(&self, accounts: &Accounts) -> Result<(), RoleError> {
        let Some(operator) = accounts.operator.as_ref() else {
            return Ok(());
        };
        let owner = self.supplier.as_ref().map(|supplier| &supplier.owner_address);
        let is_known = |owner: &String| accounts.all.iter().any(|entry| entry.address.as_str() == owner);
        if accounts.operators.contains(operator) || owner.is_some_and(is_known) {
            return Ok(());
        }
        Err(RoleError::NoOperator(operator.to_string()))
    }

    /// Who does it.
    pub(crate) fn party(&self, purpose: Purpose) -> Result<&Party, RoleError> {
        self.parties.get(&purpose).ok_or(RoleError::NoKey(purpose))
    }

    /// The account that does it.
    pub(crate) fn account(&self, purpose: Purpose) -> Result<&Address, RoleError> {
        Ok(&self.party(purpose)?.account)
    }

    /// The last block of the session that runs.
    pub(crate) fn session_end(&self) -> u64 {
        Timing::from(&self.params.shared).bounds_at(self.height).end.0
    }

    /// How long so many sessions take, where blocks come regularly.
    pub(crate) fn seconds(&self, blocks: u64) -> Option<u64> {
        Some(self.block_time?.as_secs_f64() * blocks as f64).map(|seconds| seconds as u64)
    }
}

/// What an order claims of the former network.
async fn claimed(chain: &Chain, order: &Order) -> Result<Option<(Morse, MorseTerms)>, QueryError> {
    let Order::Morse(claim) = order else {
        return Ok(None);
    };
    let address = claimed_address(claim);
    let (known, terms) = try_join!(Morse::read(chain, &address), MorseTerms::read(chain))?;
    Ok(Some((known.proven()?.into_value(), terms)))
}

/// Who owns the supplier, as far as this wallet goes: its own owner; where it has none, or the one of the chain is another
/// of its accounts, the one of the chain.
fn owner(accounts: &Accounts, supplier: Option<&Supplier>) -> Option<Address> {
    let recorded: Option<Address> = supplier.and_then(|supplier| supplier.owner_address.parse().ok());
    let is_known = |owner: &Address| accounts.all.iter().any(|entry| entry.address == *owner);
    match (&accounts.owner, recorded) {
        (Some(_), Some(recorded)) if is_known(&recorded) => Some(recorded),
        (Some(owner), _) => Some(owner.clone()),
        (None, recorded) => recorded,
    }
}

/// The accounts with one operator as the usual one: one of theirs, or one that is named, whose key may be elsewhere.
pub(crate) fn with_operator(named: Option<&Address>, accounts: Accounts) -> Result<Accounts, RoleError> {
    match named {
        Some(named) => Ok(Accounts {
            operator: Some(named.clone()),
            ..accounts
        }),
        None if accounts.operators.len() > 1 => {
            let label = |address: &Address| {
                let entry = accounts.all.iter().find(|entry| entry.address == *address);
                let label = entry.map_or("", |entry| entry.label.as_str());
                format!("{label} ({address})")
            };
            let all: Vec<String> = accounts.operators.iter().map(label).collect();
            Err(RoleError::WhichOperator(all.join(", ")))
        }
        None => Ok(accounts),
    }
}

impl Order {
    /// The accounts with the operator that it is about: the one that it names, else the only one.
    ///
    /// # Errors
    /// Several, and none is named; one that is none.
    pub(crate) fn with_operator(&self, accounts: Accounts) -> Result<Accounts, RoleError> {
        let named = match self {
            Order::Supplier { operator, .. }
            | Order::EditSupplier { operator, .. }
            | Order::Unstake {
                role: Role::Supplier,
                operator,
            } => operator.as_ref(),
            Order::Unstake { .. }
            | Order::Application { .. }
            | Order::Gateway { .. }
            | Order::Delegate(_)
            | Order::Undelegate(_)
            | Order::Service(_)
            | Order::Morse(_) => return Ok(accounts),
        };
        with_operator(named, accounts)
    }

    /// The gateway that it names.
    pub(crate) fn named_gateway(&self) -> Option<&Address> {
        match self {
            Order::Delegate(named) | Order::Undelegate(named) => named.as_ref(),
            Order::Supplier { .. }
            | Order::EditSupplier { .. }
            | Order::Application { .. }
            | Order::Gateway { .. }
            | Order::Unstake { .. }
            | Order::Service(_)
            | Order::Morse(_) => None,
        }
    }

    /// The services that it names.
    pub(crate) fn services(&self) -> Vec<ServiceId> {
        match self {
            Order::Supplier { services, .. } | Order::EditSupplier { services, .. } => {
                services.iter().map(|offer| offer.service.clone()).collect()
            }
            Order::Application { service, .. } => vec![service.clone()],
            Order::Service(service) => vec![service.id.clone()],
            Order::Gateway { .. }
            | Order::Unstake { .. }
            | Order::Delegate(_)
            | Order::Undelegate(_)
            | Order::Morse(_) => Vec::new(),
        }
    }
}
