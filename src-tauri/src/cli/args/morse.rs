//! POKT of the former network on the command line. Keys are files or typed, never given here.

use std::path::PathBuf;

use clap::Subcommand;

use super::RoleArgs;

/// A key of the former network.
#[derive(Debug, clap::Args)]
pub(crate) struct MorseKeyArgs {
    /// What `pocket accounts export` wrote, or a file with 128 hex digits; without it the digits are asked for.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// A file whose first line is the passphrase of the export; without it the passphrase is asked for.
    #[arg(long, value_name = "FILE", conflicts_with = "no_passphrase")]
    pub(crate) key_passphrase_file: Option<PathBuf>,
    /// The export has an empty passphrase.
    #[arg(long)]
    pub(crate) no_passphrase: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MorseCommand {
    /// Show what an account of Morse may claim, of an address or of a key.
    Show {
        /// 40 hex digits.
        #[arg(conflicts_with_all = ["key", "key_passphrase_file", "no_passphrase"])]
        address: Option<String>,
        #[command(flatten)]
        key: MorseKeyArgs,
    },
    /// Claim what an account of Morse has, for an account of this wallet. The key of Morse is used once and kept nowhere.
    Claim {
        #[command(flatten)]
        key: MorseKeyArgs,
        /// Who gets it: label, address, number or purpose of an account; without it the owner.
        #[arg(long, value_name = "ACCOUNT")]
        to: Option<String>,
        /// The service that it asks from now on, where it was staked as an application.
        #[arg(long, value_name = "SERVICE", conflicts_with_all = ["services", "shares", "node", "operator"])]
        application: Option<String>,
        /// A service and where its relays arrive, where it was staked as a node.
        #[arg(long = "service", value_name = "ID=URL")]
        services: Vec<String>,
        /// Who gets how much of what a service earns; without one the owner gets all.
        #[arg(long = "share", value_name = "ID=ADDRESS:PERCENT", requires = "services")]
        shares: Vec<String>,
        /// The node's address on Morse, where its owner's key claims it.
        #[arg(long, value_name = "ADDRESS", requires = "services")]
        node: Option<String>,
        /// Label or address of its operator here, where there are several.
        #[arg(long, value_name = "ACCOUNT", requires = "services")]
        operator: Option<String>,
        #[command(flatten)]
        how: RoleArgs,
    },
}
