//! What comes to somebody whose key is not in this wallet, or is done with what is theirs, as a note tells of it.

use std::fmt;

use hearth_base::Amount;

/// Who gets what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// What is staked for an operator is the owner's, who gets it back; so much where it is known.
    Stake {
        amount: Option<Amount>,
        operator: String,
        owner: String,
    },
    /// Shares of what a service earns.
    Shares { service: String, shares: Vec<String> },
    /// A service becomes another account's.
    Service { service: String, owner: String },
    /// A supplier is given up whose operator is none of this wallet's.
    GivenUp { operator: String },
    /// A payee whose address can be taken for one that is known.
    LooksLike {
        address: String,
        other: String,
        name: Option<String>,
        differs: u32,
    },
    /// Payees that were never paid before.
    FirstPayment { addresses: Vec<String> },
}

impl Stranger {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Stranger::Stake { .. } => "stake_for",
            Stranger::Shares { .. } => "shares_for",
            Stranger::Service { .. } => "service_given",
            Stranger::GivenUp { .. } => "given_up",
            Stranger::LooksLike { .. } => "looks_like",
            Stranger::FirstPayment { .. } => "first_payment",
        }
    }

    /// Whether more is at stake than what the messages name. Most payees are paid for the first time once.
    pub(crate) fn is_danger(&self) -> bool {
        !matches!(self, Stranger::FirstPayment { .. })
    }

    pub(crate) fn values(&self) -> Vec<(&'static str, String)> {
        match self {
            Stranger::Stake {
                amount,
                operator,
                owner,
            } => {
                let amount = amount.map(|amount| ("amount", amount.upokt().to_string()));
                let who = [("operator", operator.clone()), ("owner", owner.clone())];
                amount.into_iter().chain(who).collect()
            }
            Stranger::Shares { service, shares } => {
                vec![("service", service.clone()), ("shares", shares.join(", "))]
            }
            Stranger::Service { service, owner } => {
                vec![("service", service.clone()), ("owner", owner.clone())]
            }
            Stranger::GivenUp { operator } => vec![("operator", operator.clone())],
            Stranger::LooksLike {
                address,
                other,
                name,
                differs,
            } => {
                let name = name.clone().map(|name| ("name", name));
                let all = [
                    ("address", address.clone()),
                    ("other", other.clone()),
                    ("differs", differs.to_string()),
                ];
                all.into_iter().chain(name).collect()
            }
            Stranger::FirstPayment { addresses } => vec![("addresses", addresses.join(", "))],
        }
    }
}

/// In English, for the terminal.
impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stranger::Stake {
                amount,
                operator,
                owner,
            } => {
                match amount {
                    Some(amount) => write!(
                        f,
                        "{} POKT that are staked for the operator {operator} belong",
                        amount.pokt()
                    )?,
                    None => write!(f, "what is staked for the operator {operator} belongs")?,
                }
                write!(
                    f,
                    " to {owner}, who is not of this wallet and gets the stake back"
                )
            }
            Stranger::Shares { service, shares } => write!(
                f,
                "a part of what {service} earns goes to others than this wallet: {}",
                shares.join(", ")
            ),
            Stranger::Service { service, owner } => {
                write!(
                    f,
                    "the service {service} becomes that of {owner}, who is not of this wallet"
                )
            }
            Stranger::GivenUp { operator } => write!(
                f,
                "the supplier of the operator {operator} is given up, whose key is not in this wallet"
            ),
            Stranger::LooksLike {
                address,
                other,
                name,
                differs,
            } => {
                let name = name.as_deref().unwrap_or("an address you know");
                write!(
                    f,
                    "{address} looks like {name}, but differs in {differs} letters; that one is {other}"
                )
            }
            Stranger::FirstPayment { addresses } => {
                write!(f, "first payment to {}", addresses.join(", "))
            }
        }
    }
}
