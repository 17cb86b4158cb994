//! The parts themselves behind the API's traits. An adapter translates and decides nothing.

mod earn;
mod history;
mod keyring;
mod model_store;
mod money;
mod network;
mod on_chain;
mod places;
mod relay;
mod roles;
mod stakes;
mod transactions;

pub use earn::MinerEarn;
pub use keyring::{WalletKeyring, wallet_page};
pub use model_store::WeightModelStore;
pub use money::{ChainMoney, DevnetFaucet};
pub use network::{ChainNetworkStatus, KnownProgram, ListedServices, chain_problem};
pub use relay::GatewayRelay;
pub use roles::ChainRoles;
pub(crate) use roles::file_refused;

use hearth_base::{Failure, Height, Kind};
use hearth_chain::{Chain, ProofStatus, QueryError, Seen, Told};

use crate::{
    control::types::{Standing, Trust},
    error::ApiError,
};

/// The standing of a value from the chain. What was proven long ago is old, whether or not anybody answers now.
fn standing<T>(chain: &Chain, told: &Told<T>) -> Standing {
    standing_at(chain, told.how(), told.height())
}

/// The standing of a list, which is always an endpoint's word.
fn standing_of_list<T>(chain: &Chain, seen: &Seen<T>) -> Standing {
    standing_at(chain, ProofStatus::Unproven, seen.height)
}

fn standing_at(chain: &Chain, how: ProofStatus, height: Height) -> Standing {
    let age = chain.age_of(height);
    let is_old = age.is_some_and(|age| age > chain.head().borrow().stale_after());
    let trust = match how {
        ProofStatus::Proven if is_old => Trust::Stale,
        ProofStatus::Proven => Trust::Proven,
        ProofStatus::Unproven => Trust::Unverified,
        ProofStatus::Stale => Trust::Stale,
    };
    Standing {
        trust,
        height: height.0,
        age_s: age.map(|age| age.as_secs()),
    }
}

/// The weaker of two standings: that of a sum.
fn weaker(one: Standing, other: Standing) -> Standing {
    let rank = |standing: Standing| match standing.trust {
        Trust::Stale => 0,
        Trust::Unverified => 1,
        Trust::Proven => 2,
    };
    match (rank(one), rank(other)) {
        (one_rank, other_rank) if one_rank < other_rank => one,
        (one_rank, other_rank) if one_rank > other_rank => other,
        _ if one.height <= other.height => one,
        _ => other,
    }
}

/// An address that somebody typed.
fn address(text: &str) -> Result<hearth_pocket::Address, ApiError> {
    text.trim()
        .parse()
        .map_err(|error: hearth_pocket::address::AddressError| {
            ApiError::refused("address_wrong", error.to_string()).remedy("Copy the whole address again.")
        })
}

/// A chain that did not answer, for people.
fn chain_error(error: QueryError) -> ApiError {
    let text = hearth_base::failure::chain(&error);
    if matches!(error, QueryError::NotProven { .. }) {
        return ApiError::conflict("chain_not_proven", text).remedy(
            "Wait for the next blocks where the chain is new; else give a block that you trust, on the Network page or \
             with `hearth network trust HEIGHT HASH`.",
        );
    }
    match error.kind() {
        Kind::Retry => ApiError::unavailable("chain_unreachable", text)
            .remedy("Local chat works meanwhile; try again in a moment."),
        Kind::Skip | Kind::Stop => ApiError::conflict("chain_refused", text),
    }
}
