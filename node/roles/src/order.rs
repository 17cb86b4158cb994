//! What the owner wants.

use hearth_base::{Amount, ServiceId};
use hearth_pocket::address::Address;
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
}

/// Something that the owner wants of the chain.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Become a supplier, or change its stake or its services. An empty list leaves the services as they are.
    Supplier {
        stake: Option<Amount>,
        services: Vec<Offer>,
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
    Unstake(Role),
    /// Let a gateway sign for the application; `None` is the own one.
    Delegate(Option<Address>),
    /// The opposite.
    Undelegate(Option<Address>),
    /// Make a service, or change an own one.
    Service {
        id: ServiceId,
        name: String,
        compute_units: u64,
        /// A document that says what it is; `None` leaves it.
        card: Option<Vec<u8>>,
    },
}

/// A service that a supplier serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    pub service: ServiceId,
    /// Where relays arrive.
    pub url: Url,
    /// Who gets how much of what it earns; empty gives the owner all.
    pub shares: Vec<Share>,
}

/// Somebody's part of what a service earns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub address: Address,
    /// In hundredths.
    pub percent: u64,
}
