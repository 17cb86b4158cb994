//! Roles on the command line: stakes, delegations, services.

use std::path::PathBuf;

use clap::Subcommand;

use super::PasswordArgs;

/// How a change of a role is carried out.
#[derive(Debug, clap::Args)]
pub(crate) struct RoleArgs {
    /// Show what would be signed, and sign nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Sign without asking once more.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Where the transaction is written that has to be signed elsewhere.
    #[arg(long, value_name = "FILE", default_value = "unsigned.json")]
    pub(crate) unsigned: PathBuf,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum GivenRole {
    Supplier,
    Application,
    Gateway,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StakeCommand {
    /// Earn: become a supplier, or change its stake or its services.
    Supplier {
        /// Label or address of its operator, where there are several.
        #[arg(long, value_name = "ACCOUNT")]
        operator: Option<String>,
        /// How many POKT, all together.
        #[arg(long, value_name = "POKT", allow_hyphen_values = true)]
        stake: Option<String>,
        /// A service and where its relays arrive; all of them, those left out are served no more.
        #[arg(long = "service", value_name = "ID=URL")]
        services: Vec<String>,
        /// Who gets how much of what a service earns; without one the owner gets all.
        #[arg(long = "share", value_name = "ID=ADDRESS:PERCENT")]
        shares: Vec<String>,
        #[command(flatten)]
        how: RoleArgs,
    },
    /// Pay: become an application, or add to its stake.
    Application {
        /// How many POKT, all together.
        #[arg(long, value_name = "POKT", allow_hyphen_values = true)]
        stake: String,
        /// The service that it asks.
        #[arg(long, value_name = "ID")]
        service: String,
        /// The most POKT that a session may cost; 0 takes a limit away.
        #[arg(long, value_name = "POKT", allow_hyphen_values = true)]
        session_limit: Option<String>,
        #[command(flatten)]
        how: RoleArgs,
    },
    /// Sign for applications: become a gateway, or add to its stake.
    Gateway {
        /// How many POKT, all together.
        #[arg(long, value_name = "POKT", allow_hyphen_values = true)]
        stake: String,
        #[command(flatten)]
        how: RoleArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TxCommand {
    /// Sign a transaction that another node or program gave out for an account of this wallet. Nothing is sent.
    Sign {
        /// What `hearth … --unsigned` or `pocketd tx … --generate-only` wrote.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where the signed transaction is written.
        #[arg(long, value_name = "FILE", default_value = "signed.json")]
        output: PathBuf,
        /// The account's number on the chain; without it and the sequence the chain is asked.
        #[arg(long, value_name = "NUMBER", requires = "sequence")]
        account_number: Option<u64>,
        /// How many transactions the account has sent before this one.
        #[arg(long, value_name = "NUMBER", requires = "account_number")]
        sequence: Option<u64>,
        /// Show what would be signed, and sign nothing.
        #[arg(long)]
        dry_run: bool,
        /// Sign without asking once more.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Send a transaction that this node gave out to be signed elsewhere, or signed for another, and wait for its block.
    Broadcast {
        /// What `hearth tx sign` or `pocketd tx sign` wrote.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Only say what would become of it: the chain tries it out, and nothing is sent.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SupplierCommand {
    /// Add services, move them, share what they earn otherwise, or drop them. What is not named stays as it is.
    Edit {
        /// Label or address of its operator, where there are several.
        #[arg(long, value_name = "ACCOUNT")]
        operator: Option<String>,
        /// How many POKT are staked, all together.
        #[arg(long, value_name = "POKT", allow_hyphen_values = true)]
        stake: Option<String>,
        /// A service and where its relays arrive.
        #[arg(long = "service", value_name = "ID=URL")]
        services: Vec<String>,
        /// Who gets how much of what a service earns; all of them, for a service that is named, too.
        #[arg(long = "share", value_name = "ID=ADDRESS:PERCENT")]
        shares: Vec<String>,
        /// A service that is served no more.
        #[arg(long = "drop", value_name = "ID")]
        dropped: Vec<String>,
        #[command(flatten)]
        how: RoleArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// List the services of the network, those of this wallet first.
    List {
        /// Only those with this in their id or name.
        search: Option<String>,
        /// Only those of this wallet.
        #[arg(long)]
        own: bool,
    },
    /// Show what the owner of a service says of it; without an id, what this wallet says of its own.
    Cards { id: Option<String> },
    /// Make a service, or change an own one: what is left out stays as it is.
    Add {
        /// Letters, digits, - and _.
        id: String,
        #[command(flatten)]
        values: ServiceValues,
        #[command(flatten)]
        how: RoleArgs,
    },
    /// Change an own service: what is left out stays as it is.
    Edit {
        id: String,
        #[command(flatten)]
        values: ServiceValues,
        #[command(flatten)]
        how: RoleArgs,
    },
}

/// What a service has besides its id.
#[derive(Debug, clap::Args)]
pub(crate) struct ServiceValues {
    /// What people read; a new service without one has its id.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What one answer counts; its price is that many times the network's. A new service needs it.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) compute_units: Option<u64>,
    /// A JSON document that says what the service is.
    #[arg(long, value_name = "FILE")]
    pub(crate) card: Option<PathBuf>,
}
