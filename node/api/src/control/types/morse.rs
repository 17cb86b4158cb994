//! POKT of the former network (Morse): what an account there has, and its claim.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RoleName, RoleOrder, ServiceOffer, Standing, Upokt};

/// A key of the former network. It is used for this one call and kept nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MorseKeyFile {
    /// The JSON that `pocket accounts export` wrote, or 128 hex digits.
    pub key: String,
    /// Opens the JSON; many have an empty one.
    #[serde(default)]
    pub passphrase: String,
}

/// What became of an account of the former network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MorseState {
    /// This network knows no such account.
    Unknown,
    /// It can be claimed.
    Claimable,
    /// It was claimed.
    Claimed,
}

/// An account of the former network, as this network knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MorseAccount {
    /// 40 upper-case hex digits.
    pub address: String,
    pub state: MorseState,
    /// What was not staked.
    pub balance: Upokt,
    pub stake: Upokt,
    /// What it was staked as: it is claimed as that alone.
    pub staked_as: Option<RoleName>,
    /// Who owns the node, where that is another account there.
    pub owner: Option<String>,
    pub claimed_height: Option<u64>,
    /// The account of this network that it was claimed for.
    pub claimed_by: Option<String>,
    /// Whether the network takes claims now.
    pub is_enabled: bool,
    /// Whether it takes no fee for them.
    pub is_free: bool,
    pub standing: Standing,
}

/// As what an account of the former network is claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MorseClaimAs {
    /// As money: it was staked for nothing.
    Account,
    /// With its stake as an application, which asks this service.
    Application { service: String },
    /// With its stake as a node, which serves these.
    Supplier {
        /// The node's address there, where its owner's key claims it.
        #[serde(default)]
        node: Option<String>,
        /// Label or address of the operator, where there are several.
        #[serde(default)]
        operator: Option<String>,
        services: Vec<ServiceOffer>,
    },
}

/// Has a key of the former network sign a claim.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClaimMorse {
    pub key: MorseKeyFile,
    /// Who gets it: label, address or purpose of an account here; without one the owner.
    #[serde(default)]
    pub to: Option<String>,
    pub claim: MorseClaimAs,
}

/// A claim with the signature of the former key. Nothing in it is secret, and nothing is sent yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SignedMorseClaim {
    pub account: MorseAccount,
    /// The order to review and send.
    pub order: RoleOrder,
}
