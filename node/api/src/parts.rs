//! The parts behind the API as its routes see them: each a narrow trait, implemented by an adapter over the part.
//!
//! An adapter translates and decides nothing. Tests put small parts in their place, so that the surface is tested
//! without a chain.

pub mod adapters;

use std::{collections::BTreeMap, sync::Arc};

use futures::stream::BoxStream;
use hearth_base::Amount;
use hearth_pocket::{Address, message::Any};
use uuid::Uuid;

use crate::{
    control::types::{
        Account, AccountList, AddAccount, Balances, BoughtAnswer, BoughtAnswerList, BroadcastDone,
        BroadcastTrial, BroadcastTx, Catalogue, ChangeAccount, CheckWords, ClaimMorse, Discover, Download,
        EarnedRelayList, EarnedSessionList, Earning, EarningPage, EarningSummary, EndpointTrial, Event,
        ExportAccount, ExportedAccount, FalseAnswer, FaucetOrder, FoundAccounts, GiveAnchor, Head, History,
        Model, MorseAccount, MorseKeyFile, Movement, MovementKind, NetworkBudget, NetworkPage,
        NetworkReceipt, Reason, RecoveryWords, RoleOrder, RoleReview, RolesPage, SendDraft, SendReview, Sent,
        ServiceDetail, ServiceList, SignedMorseClaim, Timestamp, TransactionList, TxFile, Upokt,
        VerifiedModel, WalletPage, WalletStatus, WatchAddress,
    },
    error::ApiError,
};

pub use crate::signing::Signed;

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

/// Which movements of a history are wanted, with what the owner calls them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Empty: all.
    pub kinds: Vec<MovementKind>,
    /// Words that all must stand somewhere in what is known of it.
    pub text: String,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Address → name.
    pub names: BTreeMap<String, String>,
    /// Movement → label.
    pub labels: BTreeMap<String, String>,
}

impl HistoryFilter {
    /// Whether times decide.
    #[must_use]
    pub fn has_times(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Whether kind and text are wanted.
    #[must_use]
    pub fn fits(&self, movement: &Movement) -> bool {
        if !self.kinds.is_empty() && !self.kinds.contains(&movement.kind) {
            return false;
        }
        let name = movement
            .counterparty
            .as_ref()
            .and_then(|other| self.names.get(other));
        let texts = [
            self.labels.get(&movement.id),
            name,
            movement.counterparty.as_ref(),
            movement.memo.as_ref(),
            movement.tx.as_ref(),
            movement.session_id.as_ref(),
            movement.supplier.as_ref(),
            movement.service.as_ref(),
            movement.account.as_ref(),
        ];
        let all = texts.into_iter().flatten().map(|text| text.to_lowercase());
        let all = all.collect::<Vec<_>>().join("\n");
        self.text
            .to_lowercase()
            .split_whitespace()
            .all(|word| all.contains(word))
    }

    /// Whether its time is wanted.
    #[must_use]
    pub fn is_within(&self, movement: &Movement) -> bool {
        let Some(time) = movement.time else {
            return !self.has_times();
        };
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }

    /// Says what the owner calls them.
    pub fn name(&self, movements: &mut [Movement]) {
        for movement in movements {
            movement.label = self.labels.get(&movement.id).cloned();
            let other = movement.counterparty.as_ref();
            movement.name = other.and_then(|other| self.names.get(other)).cloned();
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
    /// Takes a change of a supplier's record, which somebody else made, for known; without one, all such changes.
    async fn acknowledge(&self, supplier: Option<&str>) -> Answer<Earning>;
    /// What an operator's key has to keep for its claims and proofs that are open.
    async fn reserve(&self, operator: &Address) -> Answer<Amount>;
    /// How many sessions of an operator are not over, by this node's own notes.
    async fn open_claims(&self, operator: &Address) -> Answer<u64>;
    /// Sums by stage and day.
    async fn summary(&self) -> Answer<EarningSummary>;
    /// Sessions, the newest first.
    async fn sessions(&self, window: Window) -> Answer<EarnedSessionList>;
    /// Answers that a supplier gave in a session, the newest first; without one, those of the first that served in it.
    async fn relays(
        &self,
        session_id: &str,
        supplier: Option<&str>,
        window: Window,
    ) -> Answer<EarnedRelayList>;
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
    async fn import(&self, words: String, passphrase: String, password: String) -> Answer<()>;
    /// Opens all keys.
    async fn unlock(&self, password: String) -> Answer<()>;
    /// Forgets the keys that ask for the password, but for those of these accounts.
    fn lock_but(&self, kept: &[u32]);
    /// Forgets the keys that ask for the password.
    fn lock(&self) {
        self.lock_but(&[]);
    }
    /// Says the words again.
    async fn words(&self, password: String) -> Answer<RecoveryWords>;
    /// Whether the owner has the words written down.
    async fn check(&self, check: CheckWords) -> Answer<bool>;
    /// The account whose signature programs may ask for: the main one, or the one of this address. The working key
    /// signs only what its roles need.
    fn signing_account(&self, address: Option<&str>) -> Answer<SigningAccount>;
    /// Signs what the owner has approved, with a key that is open.
    fn sign(&self, address: &str, bytes: &[u8]) -> Answer<Signed>;
    /// Takes a key in.
    async fn add(&self, order: AddAccount) -> Answer<Account>;
    /// Watches an address.
    async fn watch(&self, order: WatchAddress) -> Answer<Account>;
    /// Renames an account, or changes what it is used for.
    async fn change(&self, id: u32, order: ChangeAccount) -> Answer<Account>;
    /// Forgets an account.
    async fn remove(&self, id: u32, password: Option<String>) -> Answer<()>;
    /// Exports the key of an account.
    async fn export(&self, id: u32, order: ExportAccount) -> Answer<ExportedAccount>;
    /// Sets another password.
    async fn change_password(&self, old: String, new: String) -> Answer<()>;
    /// Seals what signs unattended apart.
    async fn seal_operator(&self, password: String, passphrase: String) -> Answer<()>;
    /// `wallet` events.
    fn events(&self) -> BoxStream<'static, Event>;
}

/// Whose signature a program may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningAccount {
    pub address: hearth_pocket::Address,
    pub public_key: [u8; 33],
}

/// Money, over chain and wallet.
#[async_trait::async_trait]
pub trait Money: Send + Sync + 'static {
    /// Where the POKT is.
    async fn balances(&self) -> Answer<Balances>;
    /// Movements, the newest first.
    async fn history(&self, window: Window, filter: &HistoryFilter) -> Answer<History>;
    /// Whether the history has a movement of this id.
    async fn knows_movement(&self, id: &str) -> Answer<bool>;
    /// Who was paid before.
    async fn payees(&self) -> Answer<Vec<String>>;
    /// Every transaction of this node, the newest first.
    async fn transactions(&self, window: Window) -> Answer<TransactionList>;
    /// Checks a payment and finds its fee. The route names the review.
    async fn review(&self, draft: &SendDraft) -> Answer<SendReview>;
    /// Signs and sends a payment, and waits until a block has it.
    async fn pay(&self, draft: &SendDraft, fee: Upokt) -> Answer<Sent>;
    /// The accounts of the wallet, with what the chain knows of each.
    async fn accounts(&self) -> Answer<AccountList>;
    /// Looks along the usual paths of words.
    async fn discover(&self, order: Discover) -> Answer<FoundAccounts>;
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
    /// The services of the network, those of this wallet first.
    async fn services(&self, search: &str, window: Window) -> Answer<ServiceList>;
    /// One of them, with its card.
    async fn service(&self, id: &str) -> Answer<ServiceDetail>;
    /// Checks a change. The route names the review.
    async fn review(&self, order: &RoleOrder) -> Answer<RoleReview>;
    /// Signs and sends a change that was reviewed, if it is still the same, and waits for its blocks.
    async fn send(&self, order: &RoleOrder, review: &RoleReview) -> Answer<TransactionList>;
    /// A transaction of another node or program, ready for the signature of an account here.
    async fn to_sign(&self, file: &TxFile, account: &SigningAccount) -> Answer<hearth_roles::ToSign>;
    /// Where the number and the sequence of a document are not those of the account on the chain.
    async fn numbers(&self, account: &Address, given: (u64, Option<u64>)) -> Vec<hearth_roles::Note>;
    /// What the chain has of what messages change.
    async fn before(&self, messages: &[Any]) -> hearth_roles::Before;
    /// What an account of the former network may claim.
    async fn morse(&self, address: &str) -> Answer<MorseAccount>;
    /// The same of the account of a key.
    async fn open_morse(&self, key: MorseKeyFile) -> Answer<MorseAccount>;
    /// Has a key of the former network sign a claim, and gives the order that sends it.
    async fn claim_morse(&self, order: ClaimMorse) -> Answer<SignedMorseClaim>;
    /// Sends what was given out to be signed elsewhere, or signed here for another, and waits for its block.
    async fn broadcast(&self, order: &BroadcastTx) -> Answer<BroadcastDone>;
    /// What sending it would do. Nothing is sent.
    async fn try_broadcast(&self, order: &BroadcastTx) -> Answer<BroadcastTrial>;
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
    /// Takes a block that a person trusts.
    async fn give_anchor(&self, _: &GiveAnchor) -> Answer<()> {
        Err(no_list())
    }
    /// Forgets it.
    async fn forget_anchor(&self) -> Answer<()> {
        Err(no_list())
    }
    /// Tries an endpoint and keeps it.
    async fn add_endpoint(&self, _url: &str) -> Answer<()> {
        Err(no_list())
    }
    /// Takes an endpoint away.
    async fn remove_endpoint(&self, _which: &str) -> Answer<()> {
        Err(no_list())
    }
    /// Tries one endpoint, or all.
    async fn try_endpoints(&self, _which: Option<&str>) -> Answer<Vec<EndpointTrial>> {
        Err(no_list())
    }
    /// What endpoints said that is false, the newest first.
    async fn false_answers(&self) -> Answer<Vec<FalseAnswer>> {
        Ok(Vec::new())
    }
    /// `head` events.
    fn events(&self) -> BoxStream<'static, Event>;
}

/// What a network answers whose endpoints nobody chooses.
fn no_list() -> ApiError {
    ApiError::conflict(
        "endpoints_fixed",
        "the endpoints of this network cannot be changed",
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::types::{Direction, Standing, Trust, UpoktChange};

    fn movement(kind: MovementKind, ms: Option<i64>) -> Movement {
        Movement {
            id: "ab".to_owned(),
            kind,
            direction: Direction::Out,
            amount: Upokt::default(),
            fee: None,
            charge: None,
            balance_change: UpoktChange::default(),
            stake_change: UpoktChange::default(),
            height: 7,
            time: ms.map(Timestamp::from_ms),
            account: None,
            supplier: None,
            service: None,
            counterparty: Some("pokt1bob".to_owned()),
            memo: Some("Invoice 12".to_owned()),
            tx: Some("AB".to_owned()),
            session_id: None,
            messages: Vec::new(),
            standing: Standing {
                trust: Trust::Proven,
                height: 7,
                age_s: None,
            },
            label: None,
            name: None,
        }
    }

    #[test]
    fn movements_are_found_by_kind_by_every_word_and_by_time() {
        let filter = |change: fn(&mut HistoryFilter)| {
            let mut filter = HistoryFilter {
                names: [("pokt1bob".to_owned(), "Bob the landlord".to_owned())].into(),
                labels: [("ab".to_owned(), "Rent May".to_owned())].into(),
                ..HistoryFilter::default()
            };
            change(&mut filter);
            filter
        };
        let sent = movement(MovementKind::Sent, Some(5_000));
        assert!(filter(|_| {}).fits(&sent));
        assert!(filter(|one| one.text = "rent LANDLORD invoice".to_owned()).fits(&sent));
        assert!(!filter(|one| one.text = "rent june".to_owned()).fits(&sent));
        assert!(!filter(|one| one.kinds = vec![MovementKind::Reward]).fits(&sent));
        let since = filter(|one| one.since = Some(Timestamp::from_ms(5_000)));
        assert!(since.is_within(&sent));
        assert!(!since.is_within(&movement(MovementKind::Sent, Some(4_999))));
        assert!(!filter(|one| one.until = Some(Timestamp::from_ms(5_000))).is_within(&sent));
        // What has no known time is in no span of time.
        assert!(!since.is_within(&movement(MovementKind::Sent, None)));
        assert!(filter(|_| {}).is_within(&movement(MovementKind::Sent, None)));
        let mut named = [sent];
        filter(|_| {}).name(&mut named);
        assert_eq!(
            (named[0].label.as_deref(), named[0].name.as_deref()),
            (Some("Rent May"), Some("Bob the landlord"))
        );
    }
}
