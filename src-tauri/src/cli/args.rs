//! What the command line accepts.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};
use hearth_node::{config::listen_address, control::Upokt};

use super::auth::LimitFlags;

/// A home node of an open AI network: chat with open models, earn with an idle GPU.
#[derive(Debug, Parser)]
#[command(name = "hearth", version, about, disable_help_subcommand = true)]
pub(crate) struct Args {
    /// Run in the foreground without a window until SIGTERM or Ctrl-C.
    #[arg(long)]
    pub(crate) daemon: bool,
    /// mainnet, beta, devnet (play money on this computer) or a network file.
    #[arg(long, global = true, value_name = "NAME|FILE")]
    pub(crate) network: Option<String>,
    /// Where keys, database, evidence and models lie.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A configuration file in place of config.toml in the data directory.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the API and the page listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the relay server listens while earning is on.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub(crate) miner_listen: Option<SocketAddr>,
    /// Where the embedded chain's JSON-RPC listens.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub(crate) devnet_listen: Option<SocketAddr>,
    /// A file whose first line opens the working key at every start.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Write JSON for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what runs, what earns and where the money is.
    Status,
    /// Look for what is wrong and say how to mend it.
    Doctor,
    /// Ask a model and stream its answer; without a question, a chat in the terminal.
    Chat(ChatArgs),
    /// Connect another program to this node: show or write its settings.
    Connect(ConnectArgs),
    /// Start, stop or look at earning.
    Earn {
        #[command(subcommand)]
        command: EarnCommand,
    },
    /// Keys and money.
    Wallet {
        #[command(subcommand)]
        command: WalletCommand,
    },
    /// Show what is staked, or take a role on the network and change it.
    Stake {
        #[command(subcommand)]
        command: Option<StakeCommand>,
    },
    /// Give a role up; its stake comes back after a while.
    Unstake {
        role: GivenRole,
        #[command(flatten)]
        how: RoleArgs,
    },
    /// Let a gateway sign for the application; without an address it is the own one.
    Delegate {
        gateway: Option<String>,
        #[command(flatten)]
        how: RoleArgs,
    },
    /// Let a gateway sign for the application no more.
    Undelegate {
        gateway: Option<String>,
        #[command(flatten)]
        how: RoleArgs,
    },
    /// Services of the network that are this wallet's.
    Service {
        #[command(subcommand)]
        command: ServiceCommand,
    },
    /// Models on this computer.
    Model {
        #[command(subcommand)]
        command: super::model::ModelCommand,
    },
    /// How the chain is reached and trusted.
    Network {
        #[command(subcommand)]
        command: Option<NetworkCommand>,
    },
    /// The login of other computers, and API keys.
    Auth {
        #[command(subcommand)]
        command: AuthCommand,
    },
    /// What was asked for by whom, and what it cost.
    Usage(UsageArgs),
    /// Run the embedded chain alone, for other programs.
    Devnet(DevnetArgs),
    /// Show the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Show the log of the node.
    Logs(LogsArgs),
    /// Copy database, keys and configuration into a new folder.
    Backup {
        /// A folder that is not there yet.
        #[arg(value_name = "FOLDER")]
        to: PathBuf,
    },
    /// Bring a backup back into a data directory that has no data.
    Restore {
        /// The folder of a backup.
        #[arg(value_name = "FOLDER")]
        from: PathBuf,
    },
    /// Write completions for a shell.
    Completions { shell: clap_complete::Shell },
    /// Read a PDF from standard input and write its text, for the node: within bounds of time and memory.
    #[command(hide = true)]
    ReadPdf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ChatArgs {
    /// Where the model runs.
    #[arg(long, value_enum)]
    pub(crate) on: Option<On>,
    /// The model; without it the first that fits `--on`.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The most tokens of the answer.
    #[arg(long)]
    pub(crate) max_tokens: Option<u32>,
    /// 0 gives the likeliest words, 1 varied ones.
    #[arg(long)]
    pub(crate) temperature: Option<f64>,
    /// The question; `-` reads it from standard input. Without one a chat begins; /help lists what it knows.
    pub(crate) prompt: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConnectArgs {
    /// claude-code, codex, opencode, …; without one all are listed.
    pub(crate) program: Option<String>,
    /// The model that it asks; without one a loaded model of this computer, else the first.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Let it ask paid models of the network, too, for at most so many POKT a day (UTC).
    #[arg(long, value_name = "POKT", value_parser = super::auth::daily_budget)]
    pub(crate) daily_budget: Option<Upokt>,
    /// Write without asking.
    #[arg(long, conflicts_with = "print")]
    pub(crate) yes: bool,
    /// Only show what would be written.
    #[arg(long)]
    pub(crate) print: bool,
    /// Take back what was written, and revoke its key.
    #[arg(long, conflicts_with_all = ["model", "daily_budget", "print"])]
    pub(crate) undo: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum On {
    Local,
    Network,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EarnCommand {
    /// Start earning.
    Start,
    /// Stop earning, after the answers that are being made.
    Stop,
    /// Show the state, and every session with what became of it.
    Status,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    /// Make a wallet; shows its 24 recovery words once.
    Create(PasswordArgs),
    /// Restore a wallet from its recovery words, read from standard input or typed.
    Import(PasswordArgs),
    /// List the accounts.
    List,
    /// Show where the POKT is.
    Balance,
    /// Pay.
    Send(SendArgs),
    /// List what came in and went out.
    History,
    /// List every transaction of this node: what was wanted, what was signed, how it ended.
    Transactions,
    /// Show the recovery words.
    Export(PasswordArgs),
    /// Forget the main key until it is unlocked again.
    Lock,
    /// Open both keys with the password.
    Unlock(PasswordArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct PasswordArgs {
    /// A file whose first line is the password; without it the password is asked for.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SendArgs {
    /// Who is paid.
    pub(crate) to: String,
    /// How many POKT, as 12.5.
    pub(crate) amount: String,
    /// Pay from the working key.
    #[arg(long)]
    pub(crate) from_working: bool,
    /// A note that everybody can read on the chain.
    #[arg(long)]
    pub(crate) memo: Option<String>,
    /// Pay without asking once more.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// How a change of a role is carried out.
#[derive(Debug, clap::Args)]
pub(crate) struct RoleArgs {
    /// Show what would be signed, and sign nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Sign without asking once more.
    #[arg(long)]
    pub(crate) yes: bool,
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
        /// How many POKT, all together.
        #[arg(long, value_name = "POKT")]
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
        #[arg(long, value_name = "POKT")]
        stake: String,
        /// The service that it asks.
        #[arg(long, value_name = "ID")]
        service: String,
        /// The most POKT that a session may cost; 0 takes a limit away.
        #[arg(long, value_name = "POKT")]
        session_limit: Option<String>,
        #[command(flatten)]
        how: RoleArgs,
    },
    /// Sign for applications: become a gateway, or add to its stake.
    Gateway {
        /// How many POKT, all together.
        #[arg(long, value_name = "POKT")]
        stake: String,
        #[command(flatten)]
        how: RoleArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Make a service, or change an own one.
    Add {
        /// Letters, digits, - and _.
        id: String,
        /// What people read; without one the id.
        #[arg(long)]
        name: Option<String>,
        /// What one answer counts; its price is that many times the network's.
        #[arg(long, value_name = "NUMBER")]
        compute_units: u64,
        /// A JSON document that says what the service is.
        #[arg(long, value_name = "FILE")]
        card: Option<PathBuf>,
        #[command(flatten)]
        how: RoleArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    /// Show endpoints, the trusted block and what is wrong.
    Show,
    /// Where the chain contradicts the trusted block of the configuration: that block counts, what was verified is
    /// forgotten.
    Trust {
        /// Accept without asking once more.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Set the password that other computers sign in with; everybody has to sign in anew.
    Password(PasswordArgs),
    /// Forget the password and end all sign-ins.
    Reset,
    /// API keys of programs; without a word they are listed.
    Keys {
        #[command(subcommand)]
        command: Option<KeysCommand>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List the keys and what they may do.
    List {
        /// Those that were revoked, too.
        #[arg(long)]
        all: bool,
    },
    /// Make a key and show it once.
    Create {
        /// What it is for.
        name: String,
        #[command(flatten)]
        limits: LimitFlags,
    },
    /// Change what a key may do; the key itself stays.
    Change {
        /// Its id or its name, as `list` shows them.
        id: String,
        /// Another name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        limits: LimitFlags,
    },
    /// Revoke a key: whoever has it may call no more. One that is revoked already is forgotten.
    Revoke {
        /// Its id or its name, as `list` shows them.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct UsageArgs {
    /// How many days, today (UTC) included.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=400))]
    pub(crate) days: u32,
    /// Write all days as a table for spreadsheets.
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// How many of the last lines.
    #[arg(short = 'n', long, default_value_t = 100)]
    pub(crate) lines: usize,
    /// Go on with new lines until Ctrl-C.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DevnetArgs {
    /// Where its JSON-RPC listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:4329", value_parser = listen_address)]
    pub(crate) rpc: SocketAddr,
    /// Begin with staked actors under the published test mnemonics.
    #[arg(long)]
    pub(crate) accounts: bool,
    /// Milliseconds between blocks; 0 makes blocks only on `devnet_produce`.
    #[arg(long, default_value_t = 1000)]
    pub(crate) block_ms: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting.
    Show {
        /// Say where each value comes from.
        #[arg(long)]
        origin: bool,
    },
}

impl Args {
    /// The settings that flags give.
    pub(crate) fn flags(&self) -> BTreeMap<String, String> {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        [
            ("network", self.network.clone()),
            ("api.listen", self.listen.map(|address| address.to_string())),
            (
                "miner.listen",
                self.miner_listen.map(|address| address.to_string()),
            ),
            (
                "devnet.listen",
                self.devnet_listen.map(|address| address.to_string()),
            ),
            ("wallet.passphrase_file", self.passphrase_file.as_ref().map(path)),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
