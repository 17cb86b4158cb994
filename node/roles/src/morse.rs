//! What the chain knows of an account of the former network (Morse), and what is wanted of it.

use hearth_base::{Amount, ServiceId};
use hearth_chain::{Chain, Query, QueryError, ReadAt, Told};
use hearth_pocket::{
    address::Address,
    message::{
        Coin,
        migration::{MorseClaim, MorseClaimableAccount, Params},
    },
};
use hearth_wallet::{Accounts, morse_address};

use crate::order::{Offer, Role};

/// Digits of an address of the former network.
const DIGITS: usize = 40;
/// Before it no time is set: the first moment of the year 1.
const NO_TIME_S: i64 = -62_135_596_800;
const NS_PER_S: i128 = 1_000_000_000;

/// What is wanted of a former account.
#[derive(Clone, Debug, PartialEq)]
pub struct MorseOrder {
    /// Who gets it; without one the owner. A node's stake is always the owner's.
    pub to: Option<Address>,
    pub kind: MorseKind,
}

/// As what a former account is claimed: the chain takes one as what it was staked for, and as nothing else.
#[derive(Clone, Debug, PartialEq)]
pub enum MorseKind {
    /// It was staked for nothing.
    Account,
    /// It was staked as an application, which asks this service from now on.
    Application { service: ServiceId },
    /// It was staked as a node, which serves these from now on.
    Supplier {
        /// The node's former address, where its owner's key claims it.
        node: Option<String>,
        /// Who serves it here.
        operator: Option<Address>,
        services: Vec<Offer>,
    },
}

/// What is known of a former account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Morse {
    /// `None`: this network knows no such account.
    pub record: Option<MorseClaimableAccount>,
    /// The record of the node's former owner, where it had one.
    pub owner: Option<MorseClaimableAccount>,
}

/// How claims are taken now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MorseTerms {
    /// Whether anything can be claimed at all.
    pub is_enabled: bool,
    /// Whether claims cost no fee.
    pub is_free: bool,
}

impl Morse {
    /// Reads it.
    ///
    /// # Errors
    /// The chain gives no answer.
    pub async fn read(chain: &Chain, address: &str) -> Result<Told<Morse>, QueryError> {
        let query = |address: &str| chain.query(Query::morse_account(address), ReadAt::Newest);
        let record = query(address).await?;
        let output = record
            .value()
            .as_ref()
            .map(|record| record.morse_output_address.clone());
        let told = record.map(|record| Morse { record, owner: None });
        // The output is whatever was imported; what is no address has no record.
        match output.as_deref().and_then(read_morse_address) {
            Some(output) => {
                let owner = query(&output).await?;
                Ok(told.zip(owner).map(|(morse, owner)| Morse { owner, ..morse }))
            }
            None => Ok(told),
        }
    }
}

impl MorseTerms {
    /// Reads them.
    ///
    /// # Errors
    /// The chain gives no answer.
    pub async fn read(chain: &Chain) -> Result<MorseTerms, QueryError> {
        let params: Option<Params> = chain
            .query(Query::migration_params(), ReadAt::Newest)
            .await?
            .into_value();
        let params = params.unwrap_or_default();
        Ok(MorseTerms {
            is_enabled: params.morse_account_claiming_enabled,
            is_free: params.waive_morse_claim_gas_fees,
        })
    }
}

/// An address of the former network as the chain writes it; `None` for a text that is none.
#[must_use]
pub fn read_morse_address(text: &str) -> Option<String> {
    let text = text.trim();
    let is_one = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| text.to_uppercase())
}

/// The former address whose account a claim is for.
pub(crate) fn claimed_address(claim: &MorseClaim) -> String {
    match claim {
        MorseClaim::Account(_) | MorseClaim::Application(_) => morse_address(claim.public_key()),
        MorseClaim::Supplier(claim) => claim.morse_node_address.clone(),
    }
}

/// What a former account was staked for.
#[must_use]
pub fn staked_for(record: &MorseClaimableAccount) -> Option<Role> {
    if !amount(&record.application_stake).is_zero() {
        return Some(Role::Application);
    }
    (!amount(&record.supplier_stake).is_zero()).then_some(Role::Supplier)
}

/// Whether it was claimed, as the chain sees it.
#[must_use]
pub fn is_claimed(record: &MorseClaimableAccount) -> bool {
    !record.shannon_dest_address.is_empty() || record.claimed_at_height > 0
}

/// Whether its stake was on its way out, and is out by now.
pub(crate) fn has_left(record: &MorseClaimableAccount, now_ns: i128) -> bool {
    let until = record.unstaking_time;
    let is_set = until.seconds > NO_TIME_S && until.unix_nanos() != 0;
    is_set && until.unix_nanos() - now_ns < NS_PER_S
}

pub(crate) fn amount(coin: &Coin) -> Amount {
    coin.amount.parse().unwrap_or_default()
}

/// The account that signs for a claim and pays its fee, where there is one: the one that gets it, else the owner's, else
/// another. Keys that sign unattended sign nothing of the kind, and the chain takes nothing from an account that it does
/// not know.
pub(crate) async fn signing_account(
    chain: &Chain,
    accounts: &Accounts,
    to: &Address,
) -> Result<Option<Address>, QueryError> {
    let first = [Some(to), accounts.owner.as_ref()];
    let all = accounts.all.iter().map(|entry| &entry.address);
    let mut seen: Vec<&Address> = Vec::new();
    for address in first.into_iter().flatten().chain(all) {
        let mut entries = accounts.all.iter();
        let signs =
            entries.any(|entry| entry.address == *address && !entry.is_watched() && !entry.is_unattended());
        if !signs || seen.contains(&address) {
            continue;
        }
        seen.push(address);
        if chain.account(address).await?.value().is_some() {
            return Ok(Some(address.clone()));
        }
    }
    Ok(None)
}
