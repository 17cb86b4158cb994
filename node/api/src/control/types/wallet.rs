//! The Wallet page: keys, places of money, history, sending.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Upokt, WalletStatus};

/// The wallet and its accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WalletPage {
    pub status: WalletStatus,
    pub accounts: Vec<Account>,
    /// The working key unlocks by itself at every start.
    pub unattended: bool,
    /// What opens it then opens nothing else.
    #[serde(default)]
    pub sealed_apart: bool,
    /// Whether there are recovery words.
    #[serde(default)]
    pub has_words: bool,
}

impl WalletPage {
    /// Whether the wallet has a password: one that only watches has none.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.accounts
            .iter()
            .any(|account| account.kind != AccountKind::Watch)
    }
}

/// What a key of the wallet is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Holds stake and money, cold.
    Owner,
    /// The supplier's: signs answers, claims and proofs unattended.
    Operator,
    /// Signs what this node asks of the network, unattended.
    Gateway,
    /// Pays for what this node asks of the network.
    Application,
}

impl Purpose {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Purpose::Owner => "owner",
            Purpose::Operator => "operator",
            Purpose::Gateway => "gateway",
            Purpose::Application => "application",
        }
    }
}

/// Where the key of an account comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// Recovery words.
    Words,
    /// 32 bytes in hex.
    Raw,
    /// An export of `pocketd`.
    Armored,
    /// Only the address is here.
    Watch,
}

/// Whether an account can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    Locked,
    Open,
    /// Its key is not in this wallet.
    Elsewhere,
}

/// One account of the wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    pub id: u32,
    pub label: String,
    pub kind: AccountKind,
    /// Where its key lies below its words.
    pub path: Option<String>,
    pub address: String,
    pub purposes: Vec<Purpose>,
    pub state: AccountState,
}

/// Takes a key in. Where there is no wallet it makes one, with this password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddAccount {
    pub key: NewKey,
    #[serde(default)]
    pub label: Option<String>,
    #[serde(default)]
    pub purposes: Vec<Purpose>,
    /// Operators that are here stay operators: each serves a supplier. Without it the new one takes their place.
    #[serde(default)]
    pub beside: bool,
    pub password: String,
}

/// Where a new account's key comes from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NewKey {
    /// The next key of words that are here: of those of an account, else of the first.
    Next {
        #[serde(default)]
        like: Option<u32>,
        #[serde(default)]
        path: Option<String>,
    },
    /// Recovery words of another wallet.
    Words {
        words: String,
        /// The passphrase of BIP-39.
        #[serde(default)]
        passphrase: Option<String>,
        /// Without one `m/44'/118'/0'/0/0`.
        #[serde(default)]
        path: Option<String>,
    },
    /// 64 hex digits.
    Hex { hex: String },
    /// What `pocketd keys export` wrote, and the passphrase that was given there.
    Armored { text: String, passphrase: String },
}

/// Watches an address whose key is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WatchAddress {
    pub address: String,
    #[serde(default)]
    pub label: Option<String>,
    #[serde(default)]
    pub purposes: Vec<Purpose>,
}

/// Changes an account: what is left out stays.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeAccount {
    #[serde(default)]
    pub label: Option<String>,
    /// These and no others; whoever served one of them serves it no more. Needs the password.
    #[serde(default)]
    pub purposes: Option<Vec<Purpose>>,
    /// Operators that are here stay operators: each serves a supplier.
    #[serde(default)]
    pub beside: bool,
    #[serde(default)]
    pub password: Option<String>,
}

/// Forgets an account. One that is only watched needs no password.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemoveAccount {
    #[serde(default)]
    pub password: Option<String>,
}

/// How a key is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportForm {
    Words,
    Hex,
    Armored,
}

/// Exports the key of an account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportAccount {
    pub form: ExportForm,
    /// Seals an armored key.
    #[serde(default)]
    pub passphrase: Option<String>,
    /// The wallet's own.
    pub password: String,
}

/// The key of an account, for its owner.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportedAccount {
    pub account: Account,
    /// Its recovery words.
    pub words: Option<Vec<String>>,
    /// The passphrase that belongs to the words, where they have one.
    pub passphrase: Option<String>,
    /// The key itself, as it was asked for.
    pub key: Option<String>,
}

/// Sets another password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangePassword {
    pub password: String,
    pub new_password: String,
}

/// Seals the keys that sign unattended apart, under a passphrase that opens nothing else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SealOperator {
    pub password: String,
    pub passphrase: String,
}

/// Looks along the usual paths of words for accounts that the chain knows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Discover {
    /// Words that are typed.
    Words {
        words: String,
        #[serde(default)]
        passphrase: Option<String>,
    },
    /// Words of the wallet: those of an account, else the first.
    Here {
        #[serde(default)]
        like: Option<u32>,
        password: String,
    },
}

/// What the chain knows of an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OnChain {
    pub spendable: Upokt,
    /// Staked as a supplier's operator: so much, by this owner.
    pub supplier: Option<OnChainSupplier>,
    /// Staked as a gateway.
    pub gateway: Option<Upokt>,
    /// Staked as an application.
    pub application: Option<Upokt>,
}

/// The supplier that a key operates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OnChainSupplier {
    pub owner: String,
    pub stake: Upokt,
    pub services: Vec<String>,
}

/// A key along one of the usual paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundAccount {
    pub path: String,
    pub address: String,
    /// The label of the account of this wallet that it is already.
    pub label: Option<String>,
    pub on_chain: OnChain,
}

/// The keys along the usual paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundAccounts {
    pub accounts: Vec<FoundAccount>,
    /// How many paths were looked at.
    pub looked_at: u32,
}

/// The accounts of the wallet, with what the chain knows of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountList {
    pub accounts: Vec<AccountOnChain>,
}

/// An account and what the chain knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountOnChain {
    pub account: Account,
    pub on_chain: OnChain,
}

/// Makes a wallet.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreateWallet {
    pub password: String,
}

/// A new wallet. The words are said once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedWallet {
    pub words: Vec<String>,
    pub wallet: WalletPage,
}

/// Brings back a wallet from its recovery words.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportWallet {
    pub words: String,
    /// The passphrase of BIP-39, where the words have one.
    #[serde(default)]
    pub passphrase: Option<String>,
    pub password: String,
}

/// The password of the wallet.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnlockWallet {
    pub password: String,
}

/// The recovery words, for the owner to write down.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecoveryWords {
    pub words: Vec<String>,
}

/// The recovery words as the owner typed them from paper, to compare them with the wallet's.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckWords {
    pub words: String,
}

/// Whether the words are the wallet's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WordsChecked {
    pub matches: bool,
}
