//! What the command line accepts about the keys of the wallet. Secrets are typed or read from files, never given here.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use hearth_node::control::Purpose;

use super::args::PasswordArgs;

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum As {
    /// Holds stake and money.
    Owner,
    /// The supplier's: signs answers, claims and proofs.
    Operator,
    /// Signs what this node asks of the network.
    Gateway,
    /// Pays for what this node asks.
    Application,
}

impl From<As> for Purpose {
    fn from(given: As) -> Purpose {
        match given {
            As::Owner => Purpose::Owner,
            As::Operator => Purpose::Operator,
            As::Gateway => Purpose::Gateway,
            As::Application => Purpose::Application,
        }
    }
}

/// How a new account is called and used.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct NamingArgs {
    /// How the account is called.
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// What its key is used for; may be given several times. Whoever served it serves it no more.
    #[arg(long = "as", value_enum, value_name = "PURPOSE")]
    pub(crate) purposes: Vec<As>,
    /// Operators that are here stay operators: the node serves a supplier for each.
    #[arg(long)]
    pub(crate) beside: bool,
    /// Take what --as names from the account that has it without asking.
    #[arg(long)]
    pub(crate) yes: bool,
}

impl NamingArgs {
    /// The purposes as the API has them.
    pub(crate) fn purposes(&self) -> Vec<Purpose> {
        self.purposes.iter().copied().map(Purpose::from).collect()
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// The key itself, as 64 hex digits, typed or from --secret-file.
    #[arg(long, conflicts_with_all = ["armored", "path", "passphrase"])]
    pub(crate) hex: bool,
    /// What `pocketd keys export` wrote.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "secret_file"])]
    pub(crate) armored: Option<PathBuf>,
    /// Where the key lies below the words; without it m/44'/118'/0'/0/0.
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// The words have a passphrase (BIP-39), which is asked for.
    #[arg(long)]
    pub(crate) passphrase: bool,
    /// A file whose first line is the passphrase of the words or of the export.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_passphrase_file: Option<PathBuf>,
    /// A file with the words, or with the hex digits in its first line.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) naming: NamingArgs,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// Label, address, number or purpose of the account; without it the wallet's words are shown.
    pub(crate) account: Option<String>,
    /// The key as 64 hex digits.
    #[arg(long, requires = "account", conflicts_with = "armored")]
    pub(crate) hex: bool,
    /// The key as `pocketd keys import` reads it, into a new file.
    #[arg(long, value_name = "FILE", requires = "account")]
    pub(crate) armored: Option<PathBuf>,
    /// A file whose first line is the passphrase that the armored key gets.
    #[arg(long, value_name = "FILE", requires = "armored")]
    pub(crate) key_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Show the accounts with what the chain knows of each: money, stakes, whose supplier.
    Accounts,
    /// Add another key of the wallet's words.
    Add {
        /// Where it lies; without it the next usual place that is free.
        #[arg(long, value_name = "PATH")]
        path: Option<String>,
        /// The account whose words are meant, where the wallet has several.
        #[arg(long, value_name = "ACCOUNT")]
        like: Option<String>,
        #[command(flatten)]
        naming: NamingArgs,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Watch an address whose key is elsewhere.
    Watch {
        address: String,
        #[command(flatten)]
        naming: NamingArgs,
    },
    /// Call an account something else.
    Label { account: String, label: String },
    /// Use an account for these purposes and no others; without any it is only kept.
    Use {
        account: String,
        #[arg(long = "as", value_enum, value_name = "PURPOSE")]
        purposes: Vec<As>,
        /// Operators that are here stay operators: the node serves a supplier for each.
        #[arg(long)]
        beside: bool,
        /// Take it from the account that has it without asking.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Forget an account that is used for nothing.
    Remove {
        account: String,
        /// Forget it without asking once more.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Set another password.
    Password {
        /// A file whose first line is the new password; without it that is asked for.
        #[arg(long, value_name = "FILE")]
        new_password_file: Option<PathBuf>,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Seal the keys that sign unattended under a passphrase of their own, which opens nothing else.
    SealOperator {
        /// A file whose first line is that passphrase: the one that --passphrase-file names at every start.
        #[arg(long, value_name = "FILE")]
        operator_passphrase_file: Option<PathBuf>,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Look along the usual paths for accounts that the chain knows.
    Discover {
        /// Look below words that are typed or come from standard input, not below the wallet's.
        #[arg(long)]
        words: bool,
        /// The account whose words are meant, where the wallet has several.
        #[arg(long, value_name = "ACCOUNT", conflicts_with = "words")]
        like: Option<String>,
        /// The typed words have a passphrase (BIP-39), which is asked for.
        #[arg(long, requires = "words")]
        passphrase: bool,
        #[command(flatten)]
        password: PasswordArgs,
    },
}
