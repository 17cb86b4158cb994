//! The parts behind the API as its routes see them: each a narrow trait, implemented by an adapter over the part.
//!
//! An adapter translates and decides nothing. Tests put small parts in their place, so that the surface is tested
//! without a chain.

pub mod adapters;

use std::sync::Arc;

use futures::stream::BoxStream;
use uuid::Uuid;

use crate::{
    control::types::{
        Balances, BoughtAnswer, BoughtAnswerList, Catalogue, CheckWords, Download, EarnedRelayList,
        EarnedSessionList, Earning, EarningPage, EarningSummary, Event, FaucetOrder, Head, History, Model,
        NetworkBudget, NetworkPage, NetworkReceipt, Reason, RecoveryWords, RoleOrder, RoleReview, RolesPage,
        SendDraft, SendReview, Sent, TransactionList, Upokt, VerifiedModel, WalletPage, WalletStatus,
    },
    error::ApiError,
};

/// All parts. [`adapters`] has the real ones.
#[derive(Clone)]
pub struct Parts {
    pub earn: Arc<dyn Earn>,
    pub keyring: Arc<dyn Keyring>,
    pub money: Arc<dyn Money>,
    pub roles: Arc<dyn Roles>,
    pub network: Arc<dyn NetworkStatus>,
    pub model_store: Arc<dyn ModelStore>,
    pub relay: Arc<dyn Relay>,
}

/// What an adapter answers.
pub type Answer<T> = Result<T, ApiError>;

/// Which part of a long list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub limit: u32,
    pub offset: u32,
}

impl Window {
    /// All of it, for tables.
    pub const ALL: Window = Window {
        limit: u32::MAX,
        offset: 0,
    };
    /// Rows that are read at once where all are wanted.
    pub const PAGE: u32 = 500;

    /// The page that begins at `offset`.
    #[must_use]
    pub const fn page(offset: u32) -> Window {
        Window {
            limit: Window::PAGE,
            offset,
        }
    }
}

/// Earning, over the miner.
#[async_trait::async_trait]
pub trait Earn: Send + Sync + 'static {
    /// The state now.
    async fn state(&self) -> Earning;
    /// What the Earn page shows beside money.
    async fn page(&self) -> Answer<EarningPage>;
    /// Starts; an error where reasons stand in the way.
    async fn start(&self) -> Answer<Earning>;
    /// Stops; answers in progress are finished.
    async fn stop(&self) -> Answer<Earning>;
    /// Sums by stage and day.
    async fn summary(&self) -> Answer<EarningSummary>;
    /// Sessions, the newest first.
    async fn sessions(&self, window: Window) -> Answer<EarnedSessionList>;
    /// Answers of a session, the newest first.
    async fn relays(&self, session_id: &str, window: Window) -> Answer<EarnedRelayList>;
    /// `earning`, `relay` and `claim` events, as they happen.
    fn events(&self) -> BoxStream<'static, Event>;
}

/// Keys, over the wallet.
#[async_trait::async_trait]
pub trait Keyring: Send + Sync + 'static {
    /// What it can sign now.
    fn status(&self) -> WalletStatus;
    /// Accounts and locks.
    fn page(&self) -> WalletPage;
    /// Makes a wallet; its words are said once.
    async fn create(&self, password: String) -> Answer<RecoveryWords>;
    /// Brings a wallet back.
    async fn import(&self, words: String, password: String) -> Answer<()>;
    /// Opens both keys.
    async fn unlock(&self, password: String) -> Answer<()>;
    /// Forgets the main key.
    fn lock(&self);
    /// Says the words again.
    async fn words(&self, password: String) -> Answer<RecoveryWords>;
    /// Whether the owner has the words written down.
    async fn check(&self, check: CheckWords) -> Answer<bool>;
    /// `wallet` events.
    fn events(&self) -> BoxStream<'static, Event>;
}

/// Money, over chain and wallet.
#[async_trait::async_trait]
pub trait Money: Send + Sync + 'static {
    /// Where the POKT is.
    async fn balances(&self) -> Answer<Balances>;
    /// Movements, the newest first.
    async fn history(&self, window: Window) -> Answer<History>;
    /// Every transaction of this node, the newest first.
    async fn transactions(&self, window: Window) -> Answer<TransactionList>;
    /// Checks a payment and finds its fee. The route names the review.
    async fn review(&self, draft: &SendDraft) -> Answer<SendReview>;
    /// Signs and sends a payment, and waits until a block has it.
    async fn pay(&self, draft: &SendDraft, fee: Upokt) -> Answer<Sent>;
    /// Play money, on devnet only.
    async fn faucet(&self, order: &FaucetOrder) -> Answer<Sent>;
    /// `balances` events.
    fn events(&self) -> BoxStream<'static, Event>;
}

/// Roles on the chain.
#[async_trait::async_trait]
pub trait Roles: Send + Sync + 'static {
    /// What is staked, and what the network asks.
    async fn page(&self) -> Answer<RolesPage>;
    /// Checks a change. The route names the review.
    async fn review(&self, order: &RoleOrder) -> Answer<RoleReview>;
    /// Signs and sends a change that was reviewed, if it is still the same, and waits for its blocks.
    async fn send(&self, order: &RoleOrder, review: &RoleReview) -> Answer<TransactionList>;
}

/// The chain, over its light client.
#[async_trait::async_trait]
pub trait NetworkStatus: Send + Sync + 'static {
    /// The newest block.
    fn head(&self) -> Option<Head>;
    /// What is wrong between this node and the chain.
    fn problem(&self) -> Option<Reason> {
        None
    }
    /// The Network page.
    async fn page(&self) -> Answer<NetworkPage>;
    /// A person has decided between the verified chain and the trust anchor that it contradicts: the anchor counts.
    async fn prefer_anchor(&self) -> Answer<()> {
        Err(ApiError::conflict(
            "no_conflict",
            "this network has no trust anchor",
        ))
    }
    /// `head` events.
    fn events(&self) -> BoxStream<'static, Event>;
}

/// Models on disk, over the weight store. Loading is `hearth_answers::Models`'.
#[async_trait::async_trait]
pub trait ModelStore: Send + Sync + 'static {
    /// All local models, sorted by title. Whether they are loaded is filled in by the route.
    async fn list(&self) -> Answer<Vec<Model>>;
    /// Adds a file or folder.
    async fn add(&self, path: &str) -> Answer<Model>;
    /// Begins to fetch a model.
    async fn pull(&self, cid: &str, from: Option<&str>) -> Answer<Download>;
    /// Hashes its files again.
    async fn verify(&self, cid: &str) -> Answer<VerifiedModel>;
    /// Deletes a model that nothing uses.
    async fn delete(&self, cid: &str) -> Answer<()>;
    /// All downloads.
    async fn downloads(&self) -> Answer<Vec<Download>>;
    /// Pauses one.
    async fn pause(&self, cid: &str) -> Answer<Download>;
    /// Goes on with one.
    async fn resume(&self, cid: &str) -> Answer<Download>;
    /// Gives one up and deletes what is there of it.
    async fn cancel(&self, cid: &str) -> Answer<()>;
    /// Models that are known to work.
    async fn catalogue(&self) -> Answer<Catalogue>;
    /// `download` and `models` events.
    fn events(&self) -> BoxStream<'static, Event>;
}

/// What a bought answer cost, and who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayReceipt {
    pub cost: Option<Upokt>,
    pub network: NetworkReceipt,
}

/// What the network offers and what was bought of it, over the gateway. Asking it is [`hearth_answers::Backend`]'s.
#[async_trait::async_trait]
pub trait Relay: Send + Sync + 'static {
    /// Services that can be asked, or could be if the reason went away.
    async fn models(&self) -> Answer<Vec<Model>>;
    /// What an answer cost, once it has ended.
    async fn receipt(&self, id: Uuid) -> Answer<Option<BoughtAnswer>>;
    /// What was bought, the newest first.
    async fn receipts(&self, window: Window) -> Answer<BoughtAnswerList>;
    /// What answers may cost, and cost today.
    async fn budget(&self) -> Answer<NetworkBudget>;
    /// Sets what they may cost in a day.
    async fn set_daily_cap(&self, cap: Upokt) -> Answer<()>;
}
