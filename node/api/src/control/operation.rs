//! The table of the control API: every operation with its method, path, types and summary.
//!
//! The OpenAPI document and the router are both made from it, so neither can have what the other lacks: a new
//! [`Operation`] does not compile until it has a line here and a handler in the router.

use std::borrow::Cow;

use utoipa::{
    ToSchema,
    openapi::{HttpMethod, RefOr, schema::Schema},
};

use super::types;

/// A call of the control API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    SignIn,
    SignOut,
    LoginState,
    SetLogin,
    Status,
    Doctor,
    Events,
    RunSetup,
    ListConversations,
    CreateConversation,
    GetConversation,
    ChangeConversation,
    DeleteConversation,
    Answer,
    StopAnswer,
    ListModels,
    AddModel,
    PullModel,
    VerifyModel,
    DeleteModel,
    LoadModel,
    UnloadModel,
    ListDownloads,
    PauseDownload,
    ResumeDownload,
    Catalogue,
    GetEarning,
    StartEarning,
    StopEarning,
    EarningSummary,
    ListEarnedSessions,
    ListEarnedRelays,
    GetWallet,
    CreateWallet,
    ImportWallet,
    UnlockWallet,
    LockWallet,
    RevealWords,
    CheckWords,
    Balances,
    History,
    ReviewSend,
    Send,
    Faucet,
    Network,
    PreferAnchor,
    GetSettings,
    ChangeSettings,
    ListKeys,
    CreateKey,
    DeleteKey,
    Licences,
    OpenApi,
}

/// A type with its schema and those it refers to.
#[derive(Clone, Copy)]
pub(crate) struct TypeOf {
    pub(crate) name: fn() -> Cow<'static, str>,
    pub(crate) schema: fn() -> RefOr<Schema>,
    pub(crate) collect: fn(&mut Vec<(String, RefOr<Schema>)>),
}

fn type_of<T: ToSchema>() -> TypeOf {
    TypeOf {
        name: T::name,
        schema: T::schema,
        collect: T::schemas,
    }
}

/// What an operation answers when all is well.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// 200 with this type as JSON.
    Json(TypeOf),
    /// 202 with this type: it was started, and events tell the rest.
    Accepted(TypeOf),
    /// 204.
    Nothing,
    /// Server-sent events whose `data` is this type.
    Stream(TypeOf),
    /// A JSON document without a type of ours.
    Document,
}

/// A parameter in the query.
#[derive(Clone, Copy)]
pub(crate) struct Query {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) is_number: bool,
}

/// One line of the table.
#[derive(Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) method: Verb,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: &'static [Query],
    pub(crate) body: Option<TypeOf>,
    pub(crate) answer: Answer,
}

/// The methods that the control API uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl From<Verb> for HttpMethod {
    fn from(verb: Verb) -> HttpMethod {
        match verb {
            Verb::Get => HttpMethod::Get,
            Verb::Post => HttpMethod::Post,
            Verb::Put => HttpMethod::Put,
            Verb::Patch => HttpMethod::Patch,
            Verb::Delete => HttpMethod::Delete,
        }
    }
}

const SEARCH: Query = Query {
    name: "q",
    description: "Only those whose title or messages have these words.",
    is_number: false,
};
const LIMIT: Query = Query {
    name: "limit",
    description: "How many at most; 50 unless told, 500 at most.",
    is_number: true,
};
const OFFSET: Query = Query {
    name: "offset",
    description: "How many to leave out at the start.",
    is_number: true,
};

impl Spec {
    const fn new(method: Verb, path: &'static str, id: &'static str, summary: &'static str) -> Spec {
        Spec {
            method,
            path,
            id,
            summary,
            query: &[],
            body: None,
            answer: Answer::Nothing,
        }
    }

    fn takes<T: ToSchema>(self) -> Spec {
        Spec {
            body: Some(type_of::<T>()),
            ..self
        }
    }

    fn gives<T: ToSchema>(self) -> Spec {
        Spec {
            answer: Answer::Json(type_of::<T>()),
            ..self
        }
    }

    fn accepts<T: ToSchema>(self) -> Spec {
        Spec {
            answer: Answer::Accepted(type_of::<T>()),
            ..self
        }
    }

    fn streams<T: ToSchema>(self) -> Spec {
        Spec {
            answer: Answer::Stream(type_of::<T>()),
            ..self
        }
    }

    const fn asks(self, query: &'static [Query]) -> Spec {
        Spec { query, ..self }
    }
}

impl Operation {
    /// All of them, in the order of the document.
    pub const ALL: &'static [Operation] = &[
        Operation::SignIn,
        Operation::SignOut,
        Operation::LoginState,
        Operation::SetLogin,
        Operation::Status,
        Operation::Doctor,
        Operation::Events,
        Operation::RunSetup,
        Operation::ListConversations,
        Operation::CreateConversation,
        Operation::GetConversation,
        Operation::ChangeConversation,
        Operation::DeleteConversation,
        Operation::Answer,
        Operation::StopAnswer,
        Operation::ListModels,
        Operation::AddModel,
        Operation::PullModel,
        Operation::VerifyModel,
        Operation::DeleteModel,
        Operation::LoadModel,
        Operation::UnloadModel,
        Operation::ListDownloads,
        Operation::PauseDownload,
        Operation::ResumeDownload,
        Operation::Catalogue,
        Operation::GetEarning,
        Operation::StartEarning,
        Operation::StopEarning,
        Operation::EarningSummary,
        Operation::ListEarnedSessions,
        Operation::ListEarnedRelays,
        Operation::GetWallet,
        Operation::CreateWallet,
        Operation::ImportWallet,
        Operation::UnlockWallet,
        Operation::LockWallet,
        Operation::RevealWords,
        Operation::CheckWords,
        Operation::Balances,
        Operation::History,
        Operation::ReviewSend,
        Operation::Send,
        Operation::Faucet,
        Operation::Network,
        Operation::PreferAnchor,
        Operation::GetSettings,
        Operation::ChangeSettings,
        Operation::ListKeys,
        Operation::CreateKey,
        Operation::DeleteKey,
        Operation::Licences,
        Operation::OpenApi,
    ];

    /// The line of this operation.
    #[allow(clippy::too_many_lines, reason = "a table: one line per operation")]
    pub(crate) fn spec(self) -> Spec {
        use Verb::{Delete, Get, Patch, Post, Put};
        use types::{
            AddModel, AnswerEvent, ApiKeyList, Balances, Catalogue, CheckWords, Conversation,
            ConversationList, ConversationPatch, CreateWallet, CreatedApiKey, CreatedWallet, Doctor,
            Download, DownloadList, EarnedRelayList, EarnedSessionList, Earning, EarningPage, EarningSummary,
            Event, FaucetOrder, History, ImportWallet, LicenceList, LoginState, Model, ModelList,
            NetworkPage, NewAnswer, NewApiKey, NewConversation, PullModel, RecoveryWords, SendDraft,
            SendOrder, SendReview, Sent, SetLogin, Settings, SettingsPatch, Setup, SignIn, Status,
            UnlockWallet, VerifiedModel, WalletPage, WordsChecked,
        };
        let new = Spec::new;
        match self {
            Operation::SignIn => new(
                Post,
                "/auth/session",
                "signIn",
                "Swaps the token or the password for a cookie.",
            )
            .takes::<SignIn>(),
            Operation::SignOut => new(Delete, "/auth/session", "signOut", "Forgets the cookie."),
            Operation::LoginState => new(
                Get,
                "/auth/login",
                "loginState",
                "Whether other computers can sign in.",
            )
            .gives::<LoginState>(),
            Operation::SetLogin => new(
                Put,
                "/auth/login",
                "setLogin",
                "Sets the password for other computers. Ends all sign-ins; the caller gets a new cookie.",
            )
            .takes::<SetLogin>(),
            Operation::Status => new(Get, "/status", "getStatus", "The node at a glance.").gives::<Status>(),
            Operation::Doctor => new(Get, "/doctor", "getDoctor", "Runs all checks.").gives::<Doctor>(),
            Operation::Events => {
                new(Get, "/events", "streamEvents", "Events, as they happen.").streams::<Event>()
            }
            Operation::RunSetup => new(
                Post,
                "/setup/run",
                "runSetup",
                "Sets devnet up, or goes on where it failed.",
            )
            .accepts::<Setup>(),
            Operation::ListConversations => new(
                Get,
                "/conversations",
                "listConversations",
                "Conversations, searched or all.",
            )
            .asks(&[SEARCH, LIMIT, OFFSET])
            .gives::<ConversationList>(),
            Operation::CreateConversation => new(
                Post,
                "/conversations",
                "createConversation",
                "Begins a conversation.",
            )
            .takes::<NewConversation>()
            .gives::<Conversation>(),
            Operation::GetConversation => new(
                Get,
                "/conversations/{id}",
                "getConversation",
                "A conversation with all its messages.",
            )
            .gives::<Conversation>(),
            Operation::ChangeConversation => new(
                Patch,
                "/conversations/{id}",
                "changeConversation",
                "Renames, pins, or shows another branch.",
            )
            .takes::<ConversationPatch>()
            .gives::<Conversation>(),
            Operation::DeleteConversation => new(
                Delete,
                "/conversations/{id}",
                "deleteConversation",
                "Deletes a conversation for good.",
            ),
            Operation::Answer => new(
                Post,
                "/conversations/{id}/answers",
                "answer",
                "Asks, and streams the answer. Closing the stream stops it.",
            )
            .takes::<NewAnswer>()
            .streams::<AnswerEvent>(),
            Operation::StopAnswer => new(
                Delete,
                "/conversations/{id}/answers/{answer_id}",
                "stopAnswer",
                "Stops an answer; what is there is kept.",
            ),
            Operation::ListModels => new(
                Get,
                "/models",
                "listModels",
                "Models of this computer and of the network.",
            )
            .gives::<ModelList>(),
            Operation::AddModel => new(
                Post,
                "/models/add",
                "addModel",
                "Adds a file or folder of this computer.",
            )
            .takes::<AddModel>()
            .gives::<Model>(),
            Operation::PullModel => new(Post, "/models/pull", "pullModel", "Fetches a model by its CID.")
                .takes::<PullModel>()
                .accepts::<Download>(),
            Operation::VerifyModel => new(
                Post,
                "/models/{cid}/verify",
                "verifyModel",
                "Hashes the files of a model again.",
            )
            .gives::<VerifiedModel>(),
            Operation::DeleteModel => new(
                Delete,
                "/models/{cid}",
                "deleteModel",
                "Deletes a model that nothing uses.",
            ),
            Operation::LoadModel => new(
                Post,
                "/models/{cid}/load",
                "loadModel",
                "Loads a model into memory.",
            )
            .gives::<Model>(),
            Operation::UnloadModel => new(
                Post,
                "/models/{cid}/unload",
                "unloadModel",
                "Gives the memory of a model back.",
            )
            .gives::<Model>(),
            Operation::ListDownloads => new(
                Get,
                "/downloads",
                "listDownloads",
                "Downloads and how far they are.",
            )
            .gives::<DownloadList>(),
            Operation::PauseDownload => new(
                Post,
                "/downloads/{cid}/pause",
                "pauseDownload",
                "Pauses a download; what is there is kept.",
            )
            .gives::<Download>(),
            Operation::ResumeDownload => new(
                Post,
                "/downloads/{cid}/resume",
                "resumeDownload",
                "Goes on with a download.",
            )
            .gives::<Download>(),
            Operation::Catalogue => new(
                Get,
                "/catalogue",
                "getCatalogue",
                "Models that are known to work, and how they fit here.",
            )
            .gives::<Catalogue>(),
            Operation::GetEarning => new(
                Get,
                "/earning",
                "getEarning",
                "The state of earning and what runs now.",
            )
            .gives::<EarningPage>(),
            Operation::StartEarning => {
                new(Post, "/earning/start", "startEarning", "Starts earning.").gives::<Earning>()
            }
            Operation::StopEarning => new(
                Post,
                "/earning/stop",
                "stopEarning",
                "Stops earning; answers in progress are finished.",
            )
            .gives::<Earning>(),
            Operation::EarningSummary => new(
                Get,
                "/earning/summary",
                "getEarningSummary",
                "Sums by stage and by day.",
            )
            .gives::<EarningSummary>(),
            Operation::ListEarnedSessions => new(
                Get,
                "/earning/sessions",
                "listEarnedSessions",
                "Sessions and what became of them.",
            )
            .asks(&[LIMIT, OFFSET])
            .gives::<EarnedSessionList>(),
            Operation::ListEarnedRelays => new(
                Get,
                "/earning/sessions/{id}/relays",
                "listEarnedRelays",
                "The answers of a session.",
            )
            .asks(&[LIMIT, OFFSET])
            .gives::<EarnedRelayList>(),
            Operation::GetWallet => {
                new(Get, "/wallet", "getWallet", "Accounts and locks.").gives::<WalletPage>()
            }
            Operation::CreateWallet => new(
                Post,
                "/wallet/create",
                "createWallet",
                "Makes a wallet and says its words once.",
            )
            .takes::<CreateWallet>()
            .gives::<CreatedWallet>(),
            Operation::ImportWallet => new(
                Post,
                "/wallet/import",
                "importWallet",
                "Brings a wallet back from its words.",
            )
            .takes::<ImportWallet>()
            .gives::<WalletPage>(),
            Operation::UnlockWallet => new(Post, "/wallet/unlock", "unlockWallet", "Unlocks both keys.")
                .takes::<UnlockWallet>()
                .gives::<WalletPage>(),
            Operation::LockWallet => new(
                Post,
                "/wallet/lock",
                "lockWallet",
                "Locks the main key; earning goes on.",
            )
            .gives::<WalletPage>(),
            Operation::RevealWords => new(
                Post,
                "/wallet/words",
                "revealWords",
                "Says the recovery words again.",
            )
            .takes::<UnlockWallet>()
            .gives::<RecoveryWords>(),
            Operation::CheckWords => new(
                Post,
                "/wallet/check",
                "checkWords",
                "Compares written-down words with the wallet.",
            )
            .takes::<CheckWords>()
            .gives::<WordsChecked>(),
            Operation::Balances => {
                new(Get, "/wallet/balances", "getBalances", "Where the POKT is.").gives::<Balances>()
            }
            Operation::History => new(Get, "/wallet/history", "getHistory", "Movements of money.")
                .asks(&[LIMIT, OFFSET])
                .gives::<History>(),
            Operation::ReviewSend => new(
                Post,
                "/wallet/send/review",
                "reviewSend",
                "Checks a payment and says its fee; signs nothing.",
            )
            .takes::<SendDraft>()
            .gives::<SendReview>(),
            Operation::Send => new(
                Post,
                "/wallet/send",
                "send",
                "Signs and sends a reviewed payment, once.",
            )
            .takes::<SendOrder>()
            .gives::<Sent>(),
            Operation::Faucet => new(Post, "/wallet/faucet", "askFaucet", "Play money, on devnet only.")
                .takes::<FaucetOrder>()
                .gives::<Sent>(),
            Operation::Network => new(
                Get,
                "/network",
                "getNetwork",
                "Chain, proof, session, endpoints, services.",
            )
            .gives::<NetworkPage>(),
            Operation::PreferAnchor => new(
                Post,
                "/network/trust",
                "preferAnchor",
                "Decides a conflict of chain and trust anchor: the anchor counts, what was verified is forgotten.",
            )
            .gives::<NetworkPage>(),
            Operation::GetSettings => {
                new(Get, "/settings", "getSettings", "All settings.").gives::<Settings>()
            }
            Operation::ChangeSettings => {
                new(Patch, "/settings", "changeSettings", "Changes settings at once.")
                    .takes::<SettingsPatch>()
                    .gives::<Settings>()
            }
            Operation::ListKeys => {
                new(Get, "/keys", "listKeys", "API keys, without their secrets.").gives::<ApiKeyList>()
            }
            Operation::CreateKey => new(Post, "/keys", "createKey", "Makes an API key and says it once.")
                .takes::<NewApiKey>()
                .gives::<CreatedApiKey>(),
            Operation::DeleteKey => new(Delete, "/keys/{id}", "deleteKey", "Revokes an API key."),
            Operation::Licences => new(
                Get,
                "/licences",
                "getLicences",
                "The parts that Hearth is built from.",
            )
            .gives::<LicenceList>(),
            Operation::OpenApi => Spec {
                answer: Answer::Document,
                ..new(Get, "/openapi.json", "getOpenApi", "This document.")
            },
        }
    }
}
