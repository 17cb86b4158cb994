//! Roles: what is staked, and changes of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Purpose, Upokt};

/// What somebody is on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleName {
    Supplier,
    Application,
    Gateway,
}

/// The roles of this wallet, and what the network asks for them now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RolesPage {
    /// The supplier of the usual operator.
    pub supplier: Option<SupplierRole>,
    /// All whose suppliers are served here, the usual one first; then those of suppliers that an account here owns and that
    /// are served elsewhere.
    #[serde(default)]
    pub operators: Vec<OperatorRole>,
    pub application: Option<ApplicationRole>,
    /// Applications of other accounts here, such as those that were claimed of the former network: they pay for nothing that
    /// this node asks.
    #[serde(default)]
    pub other_applications: Vec<ApplicationRole>,
    pub gateway: Option<GatewayRole>,
    pub terms: RoleTerms,
    /// Where relays of others are to arrive, as it is configured; `None` where nothing is.
    pub relay_url: Option<String>,
}

/// What the network asks now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleTerms {
    pub supplier_least: Upokt,
    pub application_least: Upokt,
    pub gateway_least: Upokt,
    /// What each change of a supplier costs, besides the fee.
    pub staking_charge: Upokt,
    /// What a new service costs.
    pub service_charge: Upokt,
    pub blocks_per_session: u64,
    pub block_time_ms: Option<u64>,
}

/// An operator, and its supplier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperatorRole {
    pub address: String,
    /// Empty where it is no account of this wallet.
    pub label: String,
    /// Its supplier is served elsewhere: the key of the operator is not here.
    #[serde(default)]
    pub is_elsewhere: bool,
    pub supplier: Option<SupplierRole>,
}

/// The supplier of one of this wallet's operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SupplierRole {
    pub operator: String,
    pub owner: String,
    /// Whether the owner is this wallet. Of another owner's stake nothing is ours.
    pub is_own: bool,
    pub stake: Upokt,
    /// Those that count now or from the next session.
    pub services: Vec<StakedService>,
    pub leaving: Option<Leaving>,
}

/// A service as it is staked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StakedService {
    pub service: String,
    pub urls: Vec<String>,
    pub shares: Vec<RevenueShare>,
    /// The block from which it counts, where that is still to come.
    pub from_height: Option<u64>,
}

/// Somebody's part of what a service earns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevenueShare {
    pub address: String,
    /// In hundredths.
    pub percent: u64,
}

/// The application of this wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApplicationRole {
    pub address: String,
    pub stake: Upokt,
    pub services: Vec<String>,
    pub gateways: Vec<String>,
    /// The most that a session may cost.
    pub session_limit: Option<Upokt>,
    pub leaving: Option<Leaving>,
}

/// The gateway of this wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewayRole {
    pub address: String,
    pub stake: Upokt,
    pub leaving: Option<Leaving>,
}

/// A role that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Leaving {
    /// The last block in which it counts.
    pub until_height: u64,
    /// The block after which the stake comes back.
    pub free_height: u64,
    /// How long that takes, where blocks come regularly.
    pub seconds: Option<u64>,
}

/// A change of a role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RoleOrder {
    /// Become a supplier, or change its stake or services. An empty list leaves the services as they are; any other
    /// is all of them.
    StakeSupplier {
        /// Label or address of the operator, where there are several.
        #[serde(default)]
        operator: Option<String>,
        stake: Option<Upokt>,
        #[serde(default)]
        services: Vec<ServiceOffer>,
    },
    /// Change a supplier that is there: these services come or change, those go, all others stay as they are.
    EditSupplier {
        /// Label or address of the operator, where there are several.
        #[serde(default)]
        operator: Option<String>,
        stake: Option<Upokt>,
        #[serde(default)]
        services: Vec<ServiceOffer>,
        #[serde(default)]
        dropped: Vec<String>,
    },
    /// Become an application, or add to its stake.
    StakeApplication {
        stake: Upokt,
        service: String,
        /// The most that a session may cost; 0 takes a limit away, none leaves it.
        session_limit: Option<Upokt>,
    },
    /// Become a gateway, or add to its stake.
    StakeGateway { stake: Upokt },
    /// Give a role up.
    Unstake {
        role: RoleName,
        /// Label or address of a supplier's operator, where there are several.
        #[serde(default)]
        operator: Option<String>,
    },
    /// Let a gateway sign for the application; without one it is the own one.
    Delegate { gateway: Option<String> },
    /// The opposite.
    Undelegate { gateway: Option<String> },
    /// Make a service, or change an own one: what is left out stays as it is.
    Service {
        id: String,
        /// Without one a new service has its id.
        name: Option<String>,
        /// A new service needs them.
        compute_units: Option<u64>,
        /// A JSON document that says what it is.
        #[schema(value_type = Option<Object>)]
        card: Option<serde_json::Value>,
        /// Whether it is there already: none is made.
        #[serde(default)]
        is_edit: bool,
    },
    /// Claim what was on the former network. The claim is a message that its key has signed, as the chain's own JSON.
    ClaimMorse {
        #[schema(value_type = Object)]
        claim: serde_json::Value,
    },
}

/// A service that a supplier is to serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceOffer {
    pub service: String,
    /// Where its relays arrive.
    pub url: String,
    /// Who gets how much; empty gives the owner all, and leaves what is edited as it is.
    #[serde(default)]
    pub shares: Vec<RevenueShare>,
}

/// A change of a role as it would be signed. Nothing is signed yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RoleReview {
    /// Names this review when it is sent; good for 5 minutes, once.
    pub review_id: String,
    /// The transactions, in this order: each is signed once a block holds the one before it.
    pub steps: Vec<RoleStep>,
    /// What to know before.
    pub notes: Vec<RoleNote>,
    /// What leaves the keys of this wallet, besides the fees: what one of them gives the other stays.
    pub total: Upokt,
    /// What the network may ask for all of them at most.
    pub max_fee: Upokt,
    /// Whether the password is needed to sign.
    pub needs_password: bool,
}

/// One transaction of a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RoleStep {
    /// What the account that signs does here.
    pub purpose: Purpose,
    pub account: String,
    /// The transaction to sign elsewhere, where the key is not in this wallet: as `pocketd tx … --generate-only` writes it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub unsigned: Option<serde_json::Value>,
    /// The command that signs it there.
    #[serde(default)]
    pub command: Option<String>,
    /// What leaves it, besides the fee.
    pub amount: Upokt,
    /// What is signed, as the chain's own JSON.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<serde_json::Value>,
}

/// Something to know before a change is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleNote {
    pub code: String,
    /// In English, for the terminal.
    pub text: String,
    /// Figures of the text by name.
    #[serde(default)]
    pub values: std::collections::BTreeMap<String, String>,
    /// More is at stake than what the messages name: a power over an account.
    #[serde(default)]
    pub danger: bool,
}

impl From<&hearth_roles::Note> for RoleNote {
    fn from(note: &hearth_roles::Note) -> RoleNote {
        let values = note.values().into_iter();
        RoleNote {
            code: note.code().to_owned(),
            text: note.to_string(),
            values: values.map(|(name, value)| (name.to_owned(), value)).collect(),
            danger: note.is_danger(),
        }
    }
}

/// Signs and sends a change that was reviewed, once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SendRole {
    pub review_id: String,
    /// Opens the main key for this alone.
    pub password: Option<String>,
}

/// A transaction that was given out to be signed elsewhere, with its signature.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BroadcastTx {
    /// As `pocketd tx sign` writes it.
    #[schema(value_type = Object)]
    pub tx: serde_json::Value,
}

/// A transaction that was signed elsewhere, and that a block holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BroadcastDone {
    pub account: String,
    pub tx: String,
    pub height: u64,
    /// A block held it before: nothing was sent.
    #[serde(default)]
    pub was_there: bool,
    /// What it does, as the chain's own JSON.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<serde_json::Value>,
    /// What it does besides.
    #[serde(default)]
    pub notes: Vec<RoleNote>,
}

/// What would become of a transaction that was signed elsewhere. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BroadcastTrial {
    pub account: String,
    pub tx: String,
    /// The block that holds it already; without one it would be sent, and the chain would take it now.
    pub height: Option<u64>,
    pub fee: Upokt,
    /// What it does, as the chain's own JSON.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<serde_json::Value>,
    pub notes: Vec<RoleNote>,
}

/// Services of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceList {
    /// Those of this wallet first, then by id.
    pub services: Vec<ServiceEntry>,
    /// How many there are.
    pub total: u64,
}

/// A service of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceEntry {
    pub id: String,
    pub name: String,
    pub compute_units: u64,
    pub owner: String,
    /// Whether this wallet owns it.
    pub is_own: bool,
}

/// A service with what its owner says of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceDetail {
    #[serde(flatten)]
    pub service: ServiceEntry,
    /// `None` where it has none.
    pub card: Option<ServiceCard>,
}

/// What the owner of a service says of it: anything, by anybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceCard {
    pub bytes: u64,
    /// The document; `None` where it is none that can be shown.
    #[schema(value_type = Option<Object>)]
    pub document: Option<serde_json::Value>,
    /// Why it cannot be shown, in English.
    pub problem: Option<String>,
}
