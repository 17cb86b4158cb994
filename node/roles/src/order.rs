//! What the owner wants.

use hearth_base::{Amount, ServiceId};
use hearth_pocket::{
    address::Address,
    message::{migration::MorseClaim, shared::Params},
};
use url::Url;

/// What somebody is on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Supplier,
    Application,
    Gateway,
}

impl Role {
    /// The word in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Role::Supplier => "supplier",
            Role::Application => "application",
            Role::Gateway => "gateway",
        }
    }

    /// How many sessions a stake of this role is on its way back.
    #[must_use]
    pub const fn unbonding_sessions(self, shared: &Params) -> u64 {
        match self {
            Role::Supplier => shared.supplier_unbonding_period_sessions,
            Role::Application => shared.application_unbonding_period_sessions,
            Role::Gateway => shared.gateway_unbonding_period_sessions,
        }
    }
}

/// Something that the owner wants of the chain.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Become a supplier, or change its stake or its services. An empty list leaves the services as they are.
    Supplier {
        /// Its operator; the only one where none is named.
        operator: Option<Address>,
        stake: Option<Amount>,
        services: Vec<Offer>,
    },
    /// Change a supplier that is there: these services come or change, those go, all others stay as they are.
    EditSupplier {
        /// As in a stake.
        operator: Option<Address>,
        stake: Option<Amount>,
        services: Vec<Offer>,
        dropped: Vec<ServiceId>,
    },
    /// Become an application, or add to its stake.
    Application {
        stake: Amount,
        service: ServiceId,
        /// The most that a session may cost; zero takes a limit away, `None` leaves it.
        session_limit: Option<Amount>,
    },
    /// Become a gateway, or add to its stake.
    Gateway { stake: Amount },
    /// Give a role up.
    Unstake {
        role: Role,
        /// Of a supplier, as in a stake.
        operator: Option<Address>,
    },
    /// Let a gateway sign for the application; `None` is the own one.
    Delegate(Option<Address>),
    /// The opposite.
    Undelegate(Option<Address>),
    /// Make a service, or change an own one.
    Service(ServiceOrder),
    /// Claim what was on the former network; its key has signed the claim.
    Morse(Box<MorseClaim>),
}

/// A service as it is wanted. What is left out stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceOrder {
    pub id: ServiceId,
    /// Without one a new service has its id.
    pub name: Option<String>,
    /// A new service needs them.
    pub compute_units: Option<u64>,
    /// A document that says what it is.
    pub card: Option<Vec<u8>>,
    /// Whether it is there already: none is made.
    pub is_edit: bool,
}

/// A service that a supplier serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    pub service: ServiceId,
    /// Where relays arrive.
    pub url: Url,
    /// Who gets how much of what it earns; empty gives the owner all, and leaves what is edited as it is.
    pub shares: Vec<Share>,
}

/// Somebody's part of what a service earns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub address: Address,
    /// In hundredths.
    pub percent: u64,
}
