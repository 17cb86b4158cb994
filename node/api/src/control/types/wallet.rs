//! The Wallet page: keys, places of money, history, sending.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ErrorDetail, Standing, Timestamp, Upokt, WalletStatus};

/// The wallet and its accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WalletPage {
    pub status: WalletStatus,
    pub accounts: Vec<Account>,
    /// The working key unlocks by itself at every start.
    pub unattended: bool,
}

/// Which of the two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyRole {
    /// Owner of the stakes, cold.
    Main,
    /// Signs answers, claims and proofs unattended.
    Working,
}

/// One key of the wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    pub role: KeyRole,
    pub path: String,
    pub address: String,
    pub locked: bool,
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

/// What kind of place money lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    SpendableMain,
    SpendableWorking,
    /// Staked to earn.
    Supplier,
    /// Set aside for chat.
    Application,
    /// Set aside for the own gateway.
    Gateway,
}

/// A place of money; all places add up to the total.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    pub kind: PlaceKind,
    pub address: String,
    pub amount: Upokt,
    pub standing: Standing,
    /// The height from which it is spendable, where it is on its way back.
    pub free_at_height: Option<u64>,
}

/// Where the POKT is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Balances {
    pub total: Upokt,
    pub spendable: Upokt,
    pub places: Vec<Place>,
    /// The weakest standing of all places.
    pub standing: Standing,
}

/// What kind of movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    Sent,
    Received,
    /// A settled session.
    Reward,
    Stake,
    Unstake,
    /// Play money from devnet's faucet.
    Faucet,
    /// A claim, proof, delegation or another message: only its fee moves.
    Fee,
}

/// Which way money went, seen from this wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    In,
    Out,
    /// Between own places.
    Within,
}

/// One movement of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Movement {
    pub id: String,
    pub kind: MovementKind,
    pub direction: Direction,
    pub amount: Upokt,
    pub fee: Option<Upokt>,
    pub height: u64,
    pub time: Option<Timestamp>,
    pub counterparty: Option<String>,
    pub memo: Option<String>,
    pub tx: Option<String>,
    pub session_id: Option<String>,
    pub standing: Standing,
}

/// Movements, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct History {
    pub movements: Vec<Movement>,
    pub total: u64,
    /// Payments of this wallet that are in no block: on their way, failed, or of unknown end. The newest first.
    #[serde(default)]
    pub payments: Vec<OpenPayment>,
    /// Why it is not whole, where it is not: what the chain knows beyond the wallet's own notes is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<ErrorDetail>,
}

/// What is known of a payment that is in no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// It may still be included: paying the same again sends this payment again, not a second one.
    OnItsWay,
    /// It is certain that nothing was paid.
    Failed,
    /// Its time is over, and nobody can prove any more how it ended.
    Unknown,
}

/// A payment that this wallet signed and that is in no block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenPayment {
    pub tx: String,
    pub state: PaymentState,
    pub to: Option<String>,
    pub amount: Upokt,
    pub fee: Upokt,
    pub memo: Option<String>,
    pub time: Timestamp,
    /// Why it failed, or why nobody knows.
    pub why: Option<String>,
}

/// Every transaction of this node, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransactionList {
    pub transactions: Vec<OwnTransaction>,
    pub total: u64,
}

/// Why a transaction is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransactionReason {
    /// The owner pays somebody.
    Payment,
    /// The owner takes a role, changes it or gives it up.
    Role,
    /// A devnet sets itself up.
    Setup,
    /// A session's work is claimed.
    Claim,
    /// A claim is proven.
    Proof,
}

/// How far a transaction is, and how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransactionState {
    /// Nothing is signed for it yet.
    Waiting,
    /// Signed and sent; no block holds it yet.
    Signed,
    /// A block holds it; the next one proves it.
    Placed,
    /// It did what it should.
    Included,
    /// It failed in a block: its fee is lost.
    Failed,
    /// Nothing was sent.
    Refused,
    /// No block holds it, and none ever will.
    Expired,
    /// Nobody can prove any more how it ended.
    Unknown,
}

/// Something that this node wants of the chain, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnTransaction {
    pub id: u64,
    /// When it was wanted.
    pub time: Timestamp,
    pub reason: TransactionReason,
    /// Who signs it.
    pub account: String,
    /// Who is paid.
    pub counterparty: Option<String>,
    /// What is paid or staked.
    pub amount: Upokt,
    pub memo: Option<String>,
    pub state: TransactionState,
    /// What stands in its way, or why it ended badly.
    pub why: Option<String>,
    /// Its newest transaction, once it is signed.
    pub tx: Option<String>,
    /// The fee of that transaction.
    pub fee: Option<Upokt>,
    /// How many share that transaction and its fee.
    pub shared_by: u32,
    /// The block that holds it.
    pub height: Option<u64>,
    /// The last block that may hold it.
    pub last_height: Option<u64>,
    /// What is signed, as the chain's own JSON. Empty where an earlier Hearth did not keep it.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<serde_json::Value>,
}

/// A payment to look at before it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SendDraft {
    pub from: KeyRole,
    pub to: String,
    pub amount: Upokt,
    pub memo: Option<String>,
}

/// A payment with its fee and its effect. Nothing is signed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SendReview {
    /// Names this review when it is sent; good for 5 minutes and for one payment.
    pub review_id: String,
    pub from: KeyRole,
    pub from_address: String,
    pub to: String,
    pub amount: Upokt,
    pub fee: Upokt,
    pub memo: Option<String>,
    pub balance_before: Upokt,
    pub balance_after: Upokt,
    pub standing: Standing,
    /// It was never paid to before.
    pub first_payment_to_address: bool,
    pub needs_password: bool,
}

/// Signs and sends a reviewed payment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SendOrder {
    pub review_id: String,
    pub password: Option<String>,
}

/// A payment or a gift of the faucet that a block includes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sent {
    pub tx: String,
    pub height: u64,
}

/// Asks devnet's faucet for play money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaucetOrder {
    pub to: KeyRole,
    pub amount: Upokt,
}
