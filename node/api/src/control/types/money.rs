//! Money: where it is, how it moved, what is on its way, payments.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ErrorDetail, LooksLike, Standing, Timestamp, Upokt, UpoktChange};

/// What kind of place money lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    /// With the owner's account.
    SpendableMain,
    /// With an account that signs unattended.
    SpendableWorking,
    /// With another account of the wallet.
    Spendable,
    /// Staked to earn.
    Supplier,
    /// Set aside for chat.
    Application,
    /// Set aside for the own gateway.
    Gateway,
}

/// A place of money; all that are this wallet's add up to the total.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    pub kind: PlaceKind,
    pub address: String,
    /// Whose it is, where it is not this wallet's: it counts in no total.
    #[serde(default)]
    pub owner: Option<String>,
    pub amount: Upokt,
    pub standing: Standing,
    /// The height from which it is spendable, where it is on its way back.
    pub free_at_height: Option<u64>,
}

/// What something of a place is spoken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReservedFor {
    /// Answers that were bought and that the network has not settled yet.
    Chat,
    /// The most that transactions on their way may cost.
    Fees,
    /// Payments and stakes on their way.
    Transactions,
}

/// What of a place is spoken for. It is part of that place, and not beside it in the total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reserved {
    pub reserved_for: ReservedFor,
    pub place: PlaceKind,
    pub amount: Upokt,
}

/// A stake that the working key serves and that belongs to another wallet. It is no money of this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OthersStake {
    pub operator: String,
    pub owner: String,
    pub amount: Upokt,
    pub standing: Standing,
}

/// Where the POKT is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Balances {
    pub total: Upokt,
    pub spendable: Upokt,
    pub places: Vec<Place>,
    /// The weakest standing of all places.
    pub standing: Standing,
    /// What of the places is spoken for.
    #[serde(default)]
    pub reserved: Vec<Reserved>,
    /// Stakes of others that are served here, which the total leaves out.
    #[serde(default)]
    pub others: Vec<OthersStake>,
    /// What open claims are likely to bring, which no total has before it is settled.
    #[serde(default)]
    pub coming: Vec<Coming>,
}

/// Open claims of a supplier of this wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Coming {
    /// Its operator.
    pub supplier: String,
    /// What comes to this wallet of it: after the network's split and the revenue shares, as they were when the sessions
    /// began, and no more than the application is sure to pay. An estimate.
    pub amount: Upokt,
    /// What is claimed, of which others have their parts.
    pub claimed: Upokt,
    pub sessions: u32,
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
    /// A stake that came back.
    Returned,
    /// A part of a stake that the chain took, for a claim without a valid proof.
    Slashed,
    /// Answers that were bought, paid from the application's stake.
    Spent,
    /// Play money from devnet's faucet.
    Faucet,
    /// What an account of the former network had.
    Morse,
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
    /// What was paid for the place in the block.
    pub fee: Option<Upokt>,
    /// What the network charges for staking, a service or a proof besides.
    #[serde(default)]
    pub charge: Option<Upokt>,
    /// By how much what `account` holds changed, fees included: over all movements of a span these add up to the change of
    /// its balance, and of all of this wallet's.
    #[serde(default)]
    pub balance_change: UpoktChange,
    /// The same of its stakes.
    #[serde(default)]
    pub stake_change: UpoktChange,
    pub height: u64,
    /// When the block was made; of one that nobody has any more, when it was noted here.
    pub time: Option<Timestamp>,
    /// The account of this wallet whose money it is.
    #[serde(default)]
    pub account: Option<String>,
    pub counterparty: Option<String>,
    pub memo: Option<String>,
    pub tx: Option<String>,
    pub session_id: Option<String>,
    /// The operator of the supplier that it is about.
    #[serde(default)]
    pub supplier: Option<String>,
    #[serde(default)]
    pub service: Option<String>,
    /// The types of what the transaction did, each once; of messages that were carried out for somebody their own. Empty
    /// where it failed, where there is none, or where an earlier Hearth did not keep them.
    #[serde(default)]
    pub messages: Vec<String>,
    pub standing: Standing,
    /// What the owner calls it.
    #[serde(default)]
    pub label: Option<String>,
    /// The counterparty's name in the address book.
    #[serde(default)]
    pub name: Option<String>,
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
    /// It was signed somewhere else, and is sent from here.
    Elsewhere,
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
    /// The account that pays: its address, label, number or purpose.
    pub from: String,
    pub to: String,
    /// Where `max` is set it may be left out.
    #[serde(default)]
    pub amount: Upokt,
    pub memo: Option<String>,
    /// All that the key holds, less the fee.
    #[serde(default)]
    pub max: bool,
    #[serde(default)]
    pub fee: FeeChoice,
    /// Also where the working key would then not hold what open claims and proofs cost.
    #[serde(default)]
    pub below_reserve: bool,
}

/// What is paid for a place in a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeeChoice {
    /// What the network asks for.
    #[default]
    Normal,
    /// Four times as much: where many want into the next block.
    Higher,
}

/// A payment with its fee and its effect. Nothing is signed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SendReview {
    /// Names this review when it is sent; good for 5 minutes and for one payment.
    pub review_id: String,
    /// The label of the account that pays.
    pub from: String,
    pub from_address: String,
    pub to: String,
    pub amount: Upokt,
    /// What is paid for it, and no more.
    pub fee: Upokt,
    #[serde(default)]
    pub fee_choice: FeeChoice,
    pub memo: Option<String>,
    pub balance_before: Upokt,
    pub balance_after: Upokt,
    pub standing: Standing,
    /// It was never paid to before.
    pub first_payment_to_address: bool,
    pub needs_password: bool,
    /// The recipient's name in the address book.
    #[serde(default)]
    pub to_name: Option<String>,
    /// It is one of this wallet's own keys.
    #[serde(default)]
    pub to_own: bool,
    /// The known address that the recipient's could be taken for.
    #[serde(default)]
    pub looks_like: Option<LooksLike>,
    /// What would be signed, as the chain's own JSON.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<serde_json::Value>,
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
    /// The account that gets it: its address, label, number or purpose.
    pub to: String,
    pub amount: Upokt,
}
