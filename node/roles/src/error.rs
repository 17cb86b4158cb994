//! Why an order cannot be done, and what to do then.

use hearth_wallet::Purpose;

/// Why an order cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    #[error("{what} is {given} POKT, and the network asks for {least} POKT at least")]
    TooLittle {
        what: &'static str,
        given: String,
        least: String,
    },
    #[error("a stake is only added to: {given} POKT are not more than the {staked} POKT that are staked")]
    NotMore { given: String, staked: String },
    #[error("{needed} POKT are needed from the {key} key, and {there} POKT are there")]
    NotEnough {
        key: &'static str,
        needed: String,
        there: String,
    },
    #[error(
        "the record of your operator {operator} belongs to {owner}, who is nobody of this wallet; anybody can make such a record"
    )]
    Foreign { operator: String, owner: String },
    #[error("no account of this wallet is the {}", .0.word())]
    NoKey(Purpose),
    #[error("this node serves several suppliers, and none was named; their operators are {0}")]
    WhichOperator(String),
    #[error("{0} is no operator of this wallet, and serves no supplier that an account of it owns")]
    NoOperator(String),
    #[error("there is no service \"{0}\" on this network")]
    NoService(String),
    #[error("the service \"{id}\" belongs to {owner}")]
    OthersService { id: String, owner: String },
    #[error("you are no {0}")]
    Nothing(&'static str),
    #[error("your {role} is on its way out already; block {until} is the last in which it counts")]
    Leaving { role: &'static str, until: u64 },
    #[error("{address} is no gateway, or is on its way out")]
    NoGateway { address: String },
    #[error("the application has delegated to {0} already")]
    Delegated(String),
    #[error("the application has not delegated to {0}")]
    NotDelegated(String),
    #[error("an application delegates to {0} gateways at most")]
    TooManyGateways(u64),
    #[error("{url} is no address for others: {why}")]
    Url { url: String, why: &'static str },
    #[error(
        "the shares of \"{service}\" are {sum} in a hundred, and each is from 1 to 100: they must be 100"
    )]
    Shares { service: String, sum: u64 },
    #[error("{0} is named twice")]
    Twice(String),
    #[error("{0}")]
    Field(String),
    #[error("a supplier that is new needs a stake and at least one service")]
    NewSupplier,
    #[error("your supplier does not serve \"{0}\"")]
    NotServed(String),
    #[error("a supplier keeps at least one service")]
    LastService,
    #[error("a service that is new needs its compute units")]
    NewService,
    #[error("nothing would change")]
    NoChange,
    #[error("this network knows no account {0} of Morse")]
    MorseUnknown(String),
    #[error("this network does not take claims of Morse accounts at the moment")]
    MorseDisabled,
    #[error("the Morse account {address} was claimed in block {height} already, for {by}")]
    MorseClaimed {
        address: String,
        height: i64,
        by: String,
    },
    #[error("the Morse account {address} is staked as {}, and is claimed as that alone", with_article(.role))]
    MorseStaked { address: String, role: &'static str },
    #[error("the Morse account {0} is staked for nothing, and is claimed as money alone")]
    MorseNotStaked(String),
    #[error("the Morse key of {signer} may not claim the node {node}: that is its own key's or its owner's")]
    MorseOtherKey { signer: String, node: String },
    #[error("the owner {0} of this Morse node has to be claimed before the node's own key may claim it")]
    MorseOwnerFirst(String),
    #[error(
        "the owner {owner} of this Morse node was claimed for {to}, and the node's stake goes there alone"
    )]
    MorseOwnerElsewhere { owner: String, to: String },
    #[error("the claim is to be signed by {signer}, which is no account here that asks for the password")]
    MorseSigner { signer: String },
    #[error("no account of this wallet that could sign for the claim is on the chain yet")]
    NoSigningAccount,
}

impl RoleError {
    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            RoleError::TooLittle { .. } => "stake_too_small",
            RoleError::NotMore { .. } => "stake_not_more",
            RoleError::NotEnough { .. } => "not_enough",
            RoleError::Foreign { .. } => "foreign_supplier",
            RoleError::NoKey(_) => "no_key_for",
            RoleError::WhichOperator(_) => "which_operator",
            RoleError::NoOperator(_) => "no_operator",
            RoleError::NoService(_) => "no_service",
            RoleError::OthersService { .. } => "others_service",
            RoleError::Nothing(_) => "not_staked",
            RoleError::Leaving { .. } => "unbonding",
            RoleError::NoGateway { .. } => "no_gateway",
            RoleError::Delegated(_) => "delegated",
            RoleError::NotDelegated(_) => "not_delegated",
            RoleError::TooManyGateways(_) => "too_many_gateways",
            RoleError::Url { .. } => "url_wrong",
            RoleError::Shares { .. } => "shares_wrong",
            RoleError::Twice(_) => "named_twice",
            RoleError::Field(_) => "service_wrong",
            RoleError::NewSupplier => "new_supplier",
            RoleError::NotServed(_) => "not_served",
            RoleError::LastService => "last_service",
            RoleError::NewService => "new_service",
            RoleError::NoChange => "no_change",
            RoleError::MorseUnknown(_) => "morse_unknown",
            RoleError::MorseDisabled => "morse_disabled",
            RoleError::MorseClaimed { .. } => "morse_claimed",
            RoleError::MorseStaked { .. } => "morse_staked",
            RoleError::MorseNotStaked(_) => "morse_not_staked",
            RoleError::MorseOtherKey { .. } => "morse_other_key",
            RoleError::MorseOwnerFirst(_) => "morse_owner_first",
            RoleError::MorseOwnerElsewhere { .. } => "morse_owner_elsewhere",
            RoleError::MorseSigner { .. } => "morse_signer",
            RoleError::NoSigningAccount => "no_signing_account",
        }
    }

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            RoleError::TooLittle { .. } | RoleError::NotMore { .. } => "Stake more. Nothing was signed.",
            RoleError::NotEnough { .. } => "Bring POKT to that key first. Nothing was signed.",
            RoleError::Foreign { .. } => {
                "If you know that owner, name its address: `hearth wallet watch ADDRESS --as owner`. If it is a stranger, unstake the \
                 record with your operator key, wait until it is gone, and stake afresh."
            }
            RoleError::NoKey(Purpose::Owner) => {
                "Bring its key in, or name its address: `hearth wallet watch ADDRESS --as owner`."
            }
            RoleError::NoKey(Purpose::Operator | Purpose::Gateway | Purpose::Application) => {
                "Bring its key in, or give this purpose to an account of the wallet."
            }
            RoleError::WhichOperator(_) => {
                "Name one by its label or address: `--operator NAME`. Nothing was signed."
            }
            RoleError::NoOperator(_) => {
                "`hearth stake` lists the suppliers, and `hearth wallet list` what each account is used for."
            }
            RoleError::NoService(_) => "The Network page lists the services; `hearth service add` makes one.",
            RoleError::OthersService { .. } => "Only its owner changes it. Choose another id.",
            RoleError::Nothing(_) => "Stake first: `hearth stake`, or Roles under Wallet.",
            RoleError::Leaving { .. } => "Wait until it is gone, or stake again to stay.",
            RoleError::NoGateway { .. } => "Look at its address, or stake your own gateway first.",
            RoleError::Delegated(_) | RoleError::NotDelegated(_) | RoleError::NoChange => {
                "There is nothing to do."
            }
            RoleError::TooManyGateways(_) => "Take one back first.",
            RoleError::Url { .. } => "Name the address at which others reach this computer.",
            RoleError::Shares { .. } => "Make the shares add up to 100.",
            RoleError::Twice(_) => "Name it once. Nothing was signed.",
            RoleError::Field(_) => "Change it. Nothing was signed.",
            RoleError::NewSupplier => "Name both.",
            RoleError::NotServed(_) => "`hearth stake` lists what it serves.",
            RoleError::LastService => {
                "Name another one in its place, or give the supplier up: `hearth unstake supplier`."
            }
            RoleError::MorseUnknown(_) => {
                "Look whether it is the right key, and the right network: `hearth status` names it. Nothing was signed."
            }
            RoleError::MorseDisabled => {
                "Try again once the network has switched claiming on. Nothing was signed."
            }
            RoleError::MorseClaimed { .. } => {
                "Nothing is left to claim. If that account is not yours, somebody else has the key."
            }
            RoleError::MorseStaked {
                role: "application", ..
            } => {
                "Name the service that it asks from now on: `hearth wallet morse claim --application SERVICE`."
            }
            RoleError::MorseStaked { .. } => {
                "Name what it serves from now on: `hearth wallet morse claim --service ID=URL`."
            }
            RoleError::MorseNotStaked(_) => "Leave --application and --service out. Nothing was signed.",
            RoleError::MorseOtherKey { .. } => "Take the node's key or its owner's. Nothing was signed.",
            RoleError::MorseOwnerFirst(_) => {
                "Claim the owner's account with its key first. Nothing was signed."
            }
            RoleError::MorseOwnerElsewhere { .. } => {
                "Claim it for that account: `--to ADDRESS`. Nothing was signed."
            }
            RoleError::MorseSigner { .. } => {
                "Have the Morse key sign a claim for this wallet. Nothing was sent."
            }
            RoleError::NoSigningAccount => {
                "Send a little POKT to your main account first: the network takes transactions only from accounts that it \
                 knows. Nothing was signed."
            }
            RoleError::NewService => "Say what one answer counts: --compute-units, from 1 on.",
        }
    }
}

fn with_article(role: &str) -> String {
    let article = if role.starts_with('a') { "an" } else { "a" };
    format!("{article} {role}")
}
