//! Small parts in place of the real ones.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use hearth_answers::{
    Backend, Capacity, Code, Error, Health, ModelEntry, Named, Operation, Principal, Request,
    answer::{Body, ChunkStream, Head as AnswerHead, Whole},
    openai::ChunkReader,
};
use hearth_api::{
    ApiError,
    control::types::*,
    parts::{Answer, Earn, HistoryFilter, ModelStore, Money, NetworkStatus, Relay, Window},
};
use hearth_base::Amount;
use uuid::Uuid;

pub(crate) const CID: &str = "bafyreichat";
/// The model that serves.
pub(crate) const BUSY_CID: &str = "bafyreiembed";

pub(crate) fn upokt(amount: u128) -> Upokt {
    Upokt(Amount::from_upokt(amount))
}

fn standing() -> Standing {
    Standing {
        trust: Trust::Proven,
        height: 7,
        age_s: Some(3),
    }
}

pub(crate) fn silent() -> BoxStream<'static, Event> {
    stream::pending().boxed()
}

pub(crate) fn account(label: Option<String>) -> Account {
    Account {
        id: 1,
        label: label.unwrap_or_else(|| "main".into()),
        kind: AccountKind::Words,
        path: None,
        address: "pokt1main".into(),
        purposes: vec![Purpose::Owner],
        state: AccountState::Open,
    }
}

/// What a supplier does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misbehaviour {
    /// It does not begin.
    Hangs,
    /// Its stream breaks off.
    BreaksOff,
    /// Its stream has one endless line of text.
    Endless,
    /// It reasons, and goes on when it is told to.
    Waits,
    /// It says that it took more tokens than it can have.
    Overcounts,
}

/// All parts but the host.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) paid: AtomicUsize,
    /// Sessions of each operator that are not over.
    pub(crate) open_claims: std::sync::atomic::AtomicU64,
    /// How long a payment takes.
    pub(crate) block_time: Duration,
    pub(crate) locked: Mutex<bool>,
    pub(crate) relayed: Mutex<Vec<Request>>,
    pub(crate) health: Health,
    /// What a network answer is, in place of a good one.
    pub(crate) misbehaviour: Mutex<Option<Misbehaviour>>,
    /// Tells one that waits to go on.
    pub(crate) go_on: Arc<tokio::sync::Notify>,
    pub(crate) daily_cap: Mutex<Upokt>,
    /// Nobody can be asked over the network.
    pub(crate) fails: std::sync::atomic::AtomicBool,
    /// The network's model waits for the next session.
    pub(crate) network_waits: std::sync::atomic::AtomicBool,
    /// What is wrong between the node and the chain.
    pub(crate) chain_problem: Mutex<Option<Reason>>,
    /// Nothing of this computer can be asked.
    pub(crate) no_models: std::sync::atomic::AtomicBool,
    pub(crate) events: Mutex<Option<BoxStream<'static, Event>>>,
    /// Other servers, and other names of models.
    pub(crate) servers: BTreeMap<String, Named>,
    pub(crate) aliases: BTreeMap<String, String>,
}

pub(crate) fn earning() -> Earning {
    Earning {
        state: EarningState::Off,
        why: Some("stopped".into()),
        detail: None,
        since: Timestamp::from_ms(0),
        serving: 0,
        reasons: Vec::new(),
        notes: Vec::new(),
        suppliers: Vec::new(),
    }
}

#[async_trait::async_trait]
impl Earn for Fake {
    async fn state(&self) -> Earning {
        earning()
    }
    async fn page(&self) -> Answer<EarningPage> {
        Ok(EarningPage {
            earning: earning(),
            supplier: None,
            listen: None,
            public_url: None,
            services: Vec::new(),
            running: Vec::new(),
            max_running: 1,
            answered: 3,
            refused: 0,
            unpaid_late: 0,
        })
    }
    async fn start(&self) -> Answer<Earning> {
        Err(ApiError::conflict("key_locked", "the working key is locked"))
    }
    async fn stop(&self) -> Answer<Earning> {
        Ok(earning())
    }
    async fn acknowledge(&self, _supplier: Option<&str>) -> Answer<Earning> {
        Ok(earning())
    }
    async fn reserve(&self, _operator: &hearth_pocket::Address) -> Answer<Amount> {
        if self.fails.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(ApiError::unavailable("chain_unreachable", "no endpoint answers"));
        }
        Ok(Amount::from_upokt(400_000))
    }
    async fn open_claims(&self, _operator: &hearth_pocket::Address) -> Answer<u64> {
        Ok(self.open_claims.load(std::sync::atomic::Ordering::SeqCst))
    }
    async fn summary(&self) -> Answer<EarningSummary> {
        Ok(EarningSummary {
            pipeline: Vec::new(),
            settled_today: upokt(1),
            settled_total: upokt(12),
            sessions_settled: 2,
            answers_today: 1,
            days: Vec::new(),
            share_permille: None,
            suppliers: Vec::new(),
        })
    }
    async fn sessions(&self, _: Window) -> Answer<EarnedSessionList> {
        Ok(EarnedSessionList {
            sessions: Vec::new(),
            total: 0,
        })
    }
    async fn relays(&self, _: &str, _: Option<&str>, _: Window) -> Answer<EarnedRelayList> {
        Ok(EarnedRelayList {
            relays: Vec::new(),
            total: 0,
        })
    }
    fn events(&self) -> BoxStream<'static, Event> {
        self.events.lock().unwrap().take().unwrap_or_else(silent)
    }
}

#[async_trait::async_trait]
impl Money for Fake {
    async fn balances(&self) -> Answer<Balances> {
        Ok(Balances {
            total: upokt(5),
            spendable: upokt(5),
            places: Vec::new(),
            standing: standing(),
            reserved: Vec::new(),
            others: Vec::new(),
            coming: Vec::new(),
        })
    }
    async fn knows_movement(&self, id: &str) -> Answer<bool> {
        Ok(id == "reward-1f3c" || id.len() == 64)
    }
    async fn payees(&self) -> Answer<Vec<String>> {
        Ok(vec!["pokt1p4hyq70rvup7h5muqpez7ky3629su2q3lsdkpd".into()])
    }
    async fn history(&self, _: Window, _: &HistoryFilter) -> Answer<History> {
        Ok(History {
            movements: Vec::new(),
            total: 0,
            payments: Vec::new(),
            missing: Vec::new(),
        })
    }
    async fn transactions(&self, _: Window) -> Answer<TransactionList> {
        Ok(TransactionList {
            transactions: Vec::new(),
            total: 0,
        })
    }
    async fn review(&self, draft: &SendDraft) -> Answer<SendReview> {
        Ok(SendReview {
            review_id: String::new(),
            from: draft.from.clone(),
            from_address: "pokt1main".into(),
            to: draft.to.clone(),
            amount: draft.amount,
            fee: upokt(1),
            memo: None,
            balance_before: upokt(5),
            balance_after: upokt(3),
            standing: standing(),
            first_payment_to_address: true,
            fee_choice: draft.fee,
            to_name: None,
            to_own: false,
            looks_like: None,
            messages: Vec::new(),
            needs_password: *self.locked.lock().unwrap(),
        })
    }
    async fn pay(&self, _: &SendDraft, _: Upokt) -> Answer<Sent> {
        tokio::time::sleep(self.block_time).await;
        if *self.locked.lock().unwrap() {
            return Err(ApiError::conflict("key_locked", "the main key is locked"));
        }
        self.paid.fetch_add(1, Ordering::SeqCst);
        Ok(Sent {
            tx: "AB".into(),
            height: 9,
        })
    }
    async fn accounts(&self) -> Answer<AccountList> {
        Ok(AccountList { accounts: Vec::new() })
    }
    async fn discover(&self, _: Discover) -> Answer<FoundAccounts> {
        Ok(FoundAccounts {
            accounts: Vec::new(),
            looked_at: 0,
        })
    }
    async fn faucet(&self, _: &FaucetOrder) -> Answer<Sent> {
        Ok(Sent {
            tx: "CD".into(),
            height: 9,
        })
    }
    fn events(&self) -> BoxStream<'static, Event> {
        silent()
    }
}

#[async_trait::async_trait]
impl NetworkStatus for Fake {
    fn head(&self) -> Option<Head> {
        Some(Head {
            height: 8,
            time: Timestamp::from_ms(0),
            verified_height: Some(8),
            standing: standing(),
            block_time_ms: Some(1000),
        })
    }
    fn problem(&self) -> Option<Reason> {
        self.chain_problem.lock().unwrap().clone()
    }
    async fn page(&self) -> Answer<NetworkPage> {
        Err(ApiError::unavailable("chain_unreachable", "no endpoint answers"))
    }
    fn events(&self) -> BoxStream<'static, Event> {
        silent()
    }
}

fn model(id: &str, task: ModelTask, cid: &str) -> Model {
    Model {
        id: id.into(),
        kind: ModelKind::Local,
        task,
        title: id.into(),
        state: ModelState::Ready,
        unavailable: None,
        cid: Some(cid.into()),
        size_bytes: Some(1),
        context_tokens: None,
        parameters: None,
        architecture: None,
        quantisation: None,
        licence: None,
        added_at: Some(Timestamp::from_ms(7000)),
        verified_at: None,
        serves: Vec::new(),
        service: None,
        price_per_answer: None,
        suppliers: None,
        signs_directly: false,
    }
}

#[async_trait::async_trait]
impl ModelStore for Fake {
    async fn list(&self) -> Answer<Vec<Model>> {
        if self.no_models.load(Ordering::SeqCst) {
            return Ok(Vec::new());
        }
        let busy = Model {
            serves: vec!["svc".into()],
            ..model("embed", ModelTask::Embedding, BUSY_CID)
        };
        Ok(vec![model("chat", ModelTask::Chat, CID), busy])
    }
    async fn add(&self, _: &str) -> Answer<Model> {
        Err(ApiError::refused("model_not_gguf", "this file is no model"))
    }
    async fn pull(&self, cid: &str, _: Option<&str>) -> Answer<Download> {
        Ok(Download {
            cid: cid.into(),
            title: None,
            reason: None,
            state: DownloadState::Wanted,
            have_bytes: 0,
            size_bytes: None,
            bytes_per_second: None,
            source: None,
            error: None,
            retry_at: None,
        })
    }
    async fn verify(&self, cid: &str) -> Answer<VerifiedModel> {
        Ok(VerifiedModel {
            cid: cid.into(),
            ok: true,
            checked_bytes: 1,
            problems: Vec::new(),
        })
    }
    async fn delete(&self, cid: &str) -> Answer<()> {
        if cid == BUSY_CID {
            return Err(ApiError::conflict("model_in_use", "embed serves svc").remedy("Take svc out."));
        }
        Ok(())
    }
    async fn downloads(&self) -> Answer<Vec<Download>> {
        Ok(Vec::new())
    }
    async fn pause(&self, _: &str) -> Answer<Download> {
        Err(ApiError::not_found("download"))
    }
    async fn resume(&self, _: &str) -> Answer<Download> {
        Err(ApiError::not_found("download"))
    }
    async fn cancel(&self, _: &str) -> Answer<()> {
        Err(ApiError::not_found("download"))
    }
    async fn catalogue(&self) -> Answer<Catalogue> {
        Ok(Catalogue {
            models: Vec::new(),
            source_configured: false,
        })
    }
    fn events(&self) -> BoxStream<'static, Event> {
        silent()
    }
}

#[async_trait::async_trait]
impl Relay for Fake {
    async fn models(&self) -> Answer<Vec<Model>> {
        Ok(vec![Model {
            kind: ModelKind::Network,
            cid: None,
            added_at: None,
            service: Some("svc".into()),
            unavailable: self.network_waits.load(Ordering::SeqCst).then(|| Reason {
                code: "no_supplier".into(),
                fact: None,
                meaning: "Nobody serves it in the current session.".into(),
                remedy: None,
            }),
            price_per_answer: Some(upokt(4)),
            ..model("pocket/svc", ModelTask::Chat, "")
        }])
    }
    async fn receipt(&self, id: Uuid) -> Answer<Option<BoughtAnswer>> {
        let relayed = self.relayed.lock().unwrap();
        Ok(relayed.iter().find(|call| call.id == id).map(bought))
    }
    async fn receipts(&self, _: Window) -> Answer<BoughtAnswerList> {
        let relayed = self.relayed.lock().unwrap();
        Ok(BoughtAnswerList {
            answers: relayed.iter().map(bought).collect(),
            total: relayed.len() as u64,
        })
    }
    async fn budget(&self) -> Answer<NetworkBudget> {
        Ok(NetworkBudget {
            daily_cap: *self.daily_cap.lock().unwrap(),
            spent_today: upokt(8),
        })
    }
    async fn set_daily_cap(&self, cap: Upokt) -> Answer<()> {
        *self.daily_cap.lock().unwrap() = cap;
        Ok(())
    }
}

#[async_trait::async_trait]
impl Backend for Fake {
    async fn answer(&self, request: Request, _: &Principal) -> Result<hearth_answers::Answer, Error> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(Error::new(
                Code::NetworkUnavailable,
                "the network does not answer",
            ));
        }
        self.relayed.lock().unwrap().push(request.clone());
        let misbehaviour = *self.misbehaviour.lock().unwrap();
        if misbehaviour == Some(Misbehaviour::Hangs) {
            std::future::pending::<()>().await;
        }
        let head = AnswerHead {
            model: request.shown_model("pocket/svc").to_owned(),
            receipt: Some(request.id),
            ..AnswerHead::default()
        };
        let body = if request.stream {
            Body::Stream(misbehave(misbehaviour, Arc::clone(&self.go_on)))
        } else {
            let json = match misbehaviour {
                Some(Misbehaviour::Overcounts) => {
                    r#"{"model":"svc","choices":[{"message":{"content":"hi"}}],
                        "usage":{"prompt_tokens":4000000000,"completion_tokens":4000000000}}"#
                }
                _ => r#"{"model":"svc","choices":[{"message":{"content":"hi"}}]}"#,
            };
            Body::Whole(Whole::Foreign(Operation::Chat, json.into()))
        };
        Ok(hearth_answers::Answer { head, body })
    }
    async fn prepare(&self, _: Option<&str>) -> Result<(), Error> {
        Ok(())
    }
    async fn models(&self) -> Result<Vec<ModelEntry>, Error> {
        Ok(Vec::new())
    }
    fn capacity(&self, _: Option<&str>) -> Capacity {
        Capacity { slots: 1 }
    }
    fn health(&self) -> &Health {
        &self.health
    }
}

/// The body of a streamed answer.
fn misbehave(misbehaviour: Option<Misbehaviour>, go_on: Arc<tokio::sync::Notify>) -> ChunkStream {
    let endless = format!(
        "data: {{\"model\":\"svc\",\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
        "x".repeat(100_000)
    );
    let pieces = [
        r#"{"model":"svc","choices":[{"index":0,"delta":{"role":"assistant","content":"hi"}}]}"#,
        r#"{"model":"svc","choices":[{"index":0,"delta":{"content":" there"},"finish_reason":"stop"}]}"#,
        r#"{"model":"svc","choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}"#,
        "[DONE]",
    ]
    .map(|chunk| Ok(bytes::Bytes::from(format!("data: {chunk}\n\n"))));
    let parts = match misbehaviour {
        Some(Misbehaviour::BreaksOff) => {
            let [first, ..] = pieces;
            stream::iter([first, Err(Error::broken_off())]).boxed()
        }
        Some(Misbehaviour::Endless) => stream::repeat_with(move || Ok(endless.clone().into())).boxed(),
        Some(Misbehaviour::Waits) => {
            let thought = r#"{"model":"svc","choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#;
            let thought = Ok(bytes::Bytes::from(format!("data: {thought}\n\n")));
            let rest = async move {
                go_on.notified().await;
                stream::iter(pieces)
            };
            stream::iter([thought])
                .chain(stream::once(rest).flatten())
                .boxed()
        }
        Some(Misbehaviour::Hangs | Misbehaviour::Overcounts) | None => stream::iter(pieces).boxed(),
    };
    ChunkReader::new(parts, usize::MAX, usize::MAX).into_stream()
}

/// A call of which nobody can say what became of it.
fn bought(call: &Request) -> BoughtAnswer {
    BoughtAnswer {
        asked_at: Timestamp::from_ms(0),
        cost: Some(upokt(4)),
        status: 0,
        bytes: 0,
        total_ms: 1,
        outcome: "cancelled".into(),
        error: None,
        asker: Some(AskerKind::Key),
        key_id: Some("k1".into()),
        key_name: Some("editor".into()),
        receipt: NetworkReceipt {
            id: Some(call.id.to_string()),
            charge: Charge::Unknown,
            service: call.model.clone().unwrap(),
            supplier: "pokt1supplier".into(),
            supplier_url: None,
            application: "pokt1app".into(),
            session_id: "s".into(),
            session_start: 1,
            session_end: 4,
            verified_batches: 0,
            request_hash: None,
            failed_tries: 0,
        },
    }
}
