//! What the command line accepts.

mod morse;
mod roles;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand, ValueEnum};
use hearth_node::{config::listen_address, control::Upokt};

use super::{
    auth::LimitFlags,
    keys_args::{ExportArgs, ImportArgs, KeysCommand as AccountCommand},
};

pub(crate) use morse::{MorseCommand, MorseKeyArgs};
pub(crate) use roles::{
    GivenRole, RoleArgs, ServiceCommand, ServiceValues, StakeCommand, SupplierCommand, TxCommand,
};

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
        /// Label or address of a supplier's operator, where there are several.
        #[arg(long, value_name = "ACCOUNT")]
        operator: Option<String>,
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
    /// Transactions that are signed elsewhere.
    Tx {
        #[command(subcommand)]
        command: TxCommand,
    },
    /// Change what your supplier serves, service by service.
    Supplier {
        #[command(subcommand)]
        command: SupplierCommand,
    },
    /// Services of the network, and what their owners say of them.
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
    /// Show the configuration, or change it.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Show the log of the node.
    Logs(LogsArgs),
    /// Copy database, keys and configuration into a new folder, or into one file that a passphrase opens.
    Backup {
        /// A folder, or with --sealed a file, that is not there yet.
        #[arg(value_name = "FOLDER|FILE")]
        to: PathBuf,
        /// One file, encrypted.
        #[arg(long)]
        sealed: bool,
        /// A file whose first line is the passphrase; without it the passphrase is asked for.
        #[arg(long, value_name = "FILE", requires = "sealed")]
        backup_passphrase_file: Option<PathBuf>,
    },
    /// Bring a backup back into a data directory that has no data.
    Restore {
        /// A backup: a folder or a sealed file.
        #[arg(value_name = "FOLDER|FILE")]
        from: PathBuf,
        /// Rehearse: open everything in a folder that is thrown away, and touch no data.
        #[arg(long)]
        test: bool,
        /// A file whose first line is the passphrase of a sealed backup; without it the passphrase is asked for.
        #[arg(long, value_name = "FILE")]
        backup_passphrase_file: Option<PathBuf>,
        /// With --test: a file whose first line is the wallet's password, to see whether it opens the keys.
        #[arg(long, value_name = "FILE", requires = "test")]
        password_file: Option<PathBuf>,
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
    /// Say that a change of a supplier's record on the chain, which was made elsewhere, is yours.
    Acknowledge {
        /// The operator's address, where there are several; without it all such changes are yours.
        operator: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    /// Make a wallet; shows its 24 recovery words once.
    Create(PasswordArgs),
    /// Bring in a wallet or a key: recovery words (typed, or from standard input), hex, an export of pocketd.
    Import(ImportArgs),
    /// List the accounts.
    List,
    #[command(flatten)]
    Keys(AccountCommand),
    /// Show where the POKT is.
    Balance,
    /// Pay.
    Send(SendArgs),
    /// List what came in and went out.
    History(HistoryArgs),
    /// Call a movement of the history something; without a word it has no label any more.
    #[command(name = "annotate")]
    Label {
        /// Its id, as `hearth wallet history --json` shows it, or the hash of its transaction.
        movement: String,
        label: Option<String>,
    },
    /// The address book.
    Contacts {
        #[command(subcommand)]
        command: Option<ContactsCommand>,
    },
    /// List every transaction of this node: what was wanted, what was signed, how it ended.
    Transactions,
    /// Show the recovery words, or a key; always asks for the password of the wallet.
    Export(ExportArgs),
    /// Sign a message, to show whose account it is; asks for the password of the wallet (ADR 36).
    SignMessage {
        /// Label, address, number or purpose of the account.
        account: String,
        /// The message; without it the one of --file.
        #[arg(required_unless_present = "file", conflicts_with = "file")]
        message: Option<String>,
        /// A file whose bytes are the message.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Say whether an account has signed a message (ADR 36).
    VerifyMessage {
        address: String,
        /// The message; without it the one of --file.
        #[arg(required_unless_present = "file", conflicts_with = "file")]
        message: Option<String>,
        /// A file whose bytes are the message.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// As it was given with the message, in base64.
        #[arg(long, value_name = "BASE64")]
        signature: String,
        /// As it was given with the message, in base64.
        #[arg(long, value_name = "BASE64")]
        public_key: String,
    },
    /// POKT of the former network (Morse): what an account there has, and its claim.
    Morse {
        #[command(subcommand)]
        command: MorseCommand,
    },
    /// Forget the main key until it is unlocked again.
    Lock,
    /// Open all keys with the password.
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
    /// Who is paid: an address, or a name of the address book.
    pub(crate) to: String,
    /// How many POKT, as 12.5.
    #[arg(
        required_unless_present = "max",
        conflicts_with = "max",
        allow_hyphen_values = true
    )]
    pub(crate) amount: Option<String>,
    /// All that the key holds, less the fee.
    #[arg(long)]
    pub(crate) max: bool,
    /// What is paid for a place in a block.
    #[arg(long, value_enum, default_value_t = Fee::Normal)]
    pub(crate) fee: Fee,
    /// Pay from the working key.
    #[arg(long, conflicts_with = "from")]
    pub(crate) from_working: bool,
    /// The account that pays: its label, address, number or purpose. Without it the owner's.
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) from: Option<String>,
    /// A note that everybody can read on the chain.
    #[arg(long)]
    pub(crate) memo: Option<String>,
    /// Pay although the working key then does not hold what open claims and proofs cost.
    #[arg(long)]
    pub(crate) below_reserve: bool,
    /// Pay without asking once more.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fee {
    /// What the network asks for.
    Normal,
    /// Four times as much.
    Higher,
}

#[derive(Debug, clap::Args)]
pub(crate) struct HistoryArgs {
    /// Only these kinds, apart by commas.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "KIND",
        value_parser = ["sent", "received", "reward", "stake", "unstake", "returned", "slashed", "spent", "faucet", "morse", "fee"]
    )]
    pub(crate) kind: Vec<String>,
    /// Only those with these words in label, memo, counterparty or transaction.
    #[arg(long, value_name = "TEXT")]
    pub(crate) find: Option<String>,
    /// Only from this day on, as 2026-01-31, or from this moment on, as 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only up to this day, or before this moment.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: u32,
    /// Everything as a table for spreadsheets, with a column for your own prices.
    #[arg(long, conflicts_with_all = ["kind", "find", "since", "until", "limit", "json"])]
    pub(crate) csv: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContactsCommand {
    /// List it.
    List,
    /// Keep somebody under a name; one of the same address is replaced.
    Add {
        name: String,
        address: String,
        #[arg(long)]
        note: Option<String>,
    },
    /// Forget somebody.
    Rm {
        /// A name or an address.
        who: String,
    },
    /// Write it as JSON, to keep or to import.
    Export,
    /// Take in what was exported: all of it or nothing.
    Import {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    /// Show endpoints, the trusted block and what is wrong.
    Show,
    /// Give a block that you trust, by its height and hash. Without them, where the chain contradicts the trusted block:
    /// that block counts, what was verified is forgotten.
    Trust {
        /// The height of the block.
        #[arg(requires = "hash")]
        height: Option<u64>,
        /// Its hash, 64 hex digits.
        hash: Option<String>,
        /// Forget the block that was given so.
        #[arg(long, conflicts_with_all = ["height", "instead"])]
        forget: bool,
        /// It counts also where it contradicts what was verified, which is forgotten then.
        #[arg(long, requires = "height")]
        instead: bool,
        /// Accept without asking once more.
        #[arg(long)]
        yes: bool,
    },
    /// The endpoints of the chain: listed by score, added, removed, tried.
    Endpoints {
        #[command(subcommand)]
        command: Option<EndpointsCommand>,
    },
    /// False answers of endpoints that were kept.
    Evidence,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EndpointsCommand {
    /// Try an endpoint and keep it, if it serves this chain.
    Add {
        /// Its address. Leave it out to type it unseen, where it holds an access key.
        url: Option<String>,
    },
    /// Take an endpoint away, also a configured one.
    Rm {
        /// Its id, or host and port.
        endpoint: String,
    },
    /// Try one endpoint or all: whether they answer, how fast, of which chain, and whether they prove.
    Test {
        /// Its id, or host and port.
        endpoint: Option<String>,
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
    /// Change config.toml: what does not fit is refused, comments stay, the former file is kept beside it.
    Set {
        /// A setting and its value; several pairs are changed together. A list is `a,b`.
        #[arg(required = true, num_args = 2.., value_names = ["KEY", "VALUE"])]
        pairs: Vec<String>,
    },
    /// Take settings out of config.toml, so that what is built in counts again.
    Unset {
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
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
