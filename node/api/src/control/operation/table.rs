//! The line of each operation.
mod house;
mod money;
mod network;
mod roles;
mod signatures;

use super::{Operation, accounts};
use crate::control::{
    spec::{
        ARCHIVED, ASKER, Answer, DAYS, FOLDER, FORMAT, LIMIT, MODEL, Method, NAME, OFFSET, ROOT, SEARCH,
        SUPPLIER, Spec,
    },
    types,
};

impl Operation {
    /// The line of this operation.
    #[allow(clippy::too_many_lines, reason = "a table: one line per operation")]
    pub(crate) fn spec(self) -> Spec {
        use Method::{Delete, Get, Patch, Post, Put};
        use types::{
            AddModel, AnswerEvent, ApiKey, ApiKeyList, ApiKeyPatch, Attachment, Balances, BoughtAnswer,
            BoughtAnswerList, Catalogue, CheckWords, ConnectOrder, ConnectPreview, Connected, ContextDraft,
            ContextUse, Conversation, ConversationList, ConversationPatch, CreateWallet, CreatedApiKey,
            CreatedWallet, Disconnected, Doctor, Download, DownloadList, EarnedRelayList, EarnedSessionList,
            Earning, EarningPage, EarningSummary, Event, FaucetOrder, ImportWallet, Imported, LicenceList,
            LoginSet, LoginState, Model, ModelList, NewAnswer, NewApiKey, NewConversation, NewPreset, Preset,
            PresetList, PresetPatch, ProgramList, PullModel, RecoveryWords, RenameFolder, SendDraft,
            SendOrder, SendReview, Sent, SetLogin, Settings, SettingsPatch, Setup, SignIn, SignedIn, Status,
            TransactionList, UnlockWallet, UsageReport, VerifiedModel, WalletPage, WordsChecked,
        };
        let new = Spec::new;
        match self {
            Operation::SignIn => new(
                Post,
                "/auth/session",
                "signIn",
                "Swaps the token or the password for a sign-in: a cookie and the key of its page.",
            )
            .takes::<SignIn>()
            .gives::<SignedIn>(),
            Operation::SignOut => new(Delete, "/auth/session", "signOut", "Ends the sign-in."),
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
                "Sets the password for other computers. Ends all sign-ins; the caller gets a new one.",
            )
            .takes::<SetLogin>()
            .gives::<LoginSet>(),
            Operation::ResetLogin => new(
                Delete,
                "/auth/login",
                "resetLogin",
                "Forgets the password and ends all sign-ins.",
            ),
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
            .asks(&[SEARCH, LIMIT, OFFSET, ARCHIVED, FOLDER])
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
                "Renames, pins, archives, puts into a folder, or shows another branch.",
            )
            .takes::<ConversationPatch>()
            .gives::<Conversation>(),
            Operation::DeleteConversation => new(
                Delete,
                "/conversations/{id}",
                "deleteConversation",
                "Deletes a conversation for good.",
            ),
            Operation::ImportConversations => new(
                Post,
                "/conversations/import",
                "importConversations",
                "Takes in conversations of a file: Hearth's own export, ChatGPT's conversations.json, Open WebUI's export.",
            )
            .takes_bytes()
            .gives::<Imported>(),
            Operation::ExportConversations => Spec {
                answer: Answer::Document,
                ..new(
                    Get,
                    "/conversations/export",
                    "exportConversations",
                    "All conversations as JSON, to keep or to import.",
                )
            },
            Operation::ExportConversation => Spec {
                answer: Answer::Document,
                ..new(
                    Get,
                    "/conversations/{id}/export",
                    "exportConversation",
                    "One conversation as JSON, or its shown branch as Markdown.",
                )
                .asks(&[FORMAT])
            },
            Operation::ContextUse => new(
                Post,
                "/conversations/{id}/context",
                "contextUse",
                "How much of the model's context the next question takes. The id \"new\" stands for a conversation to come.",
            )
            .takes::<ContextDraft>()
            .gives::<ContextUse>(),
            Operation::Answer => new(
                Post,
                "/conversations/{id}/answers",
                "answer",
                "Asks, and streams the answer. Closing the stream stops nothing.",
            )
            .takes::<NewAnswer>()
            .streams::<AnswerEvent>(),
            Operation::FollowAnswer => new(
                Get,
                "/conversations/{id}/answers/{answer_id}",
                "followAnswer",
                "Streams an answer that is being written, from its beginning. Closing the stream stops nothing.",
            )
            .streams::<AnswerEvent>(),
            Operation::StopAnswer => new(
                Delete,
                "/conversations/{id}/answers/{answer_id}",
                "stopAnswer",
                "Stops an answer; what is there is kept.",
            ),
            Operation::RenameFolder => new(
                Post,
                "/folders/rename",
                "renameFolder",
                "Gives a folder another name; an empty one takes its conversations out.",
            )
            .takes::<RenameFolder>(),
            Operation::AddAttachment => new(
                Post,
                "/attachments",
                "addAttachment",
                "Reads the text of a file (text, code, PDF), to be sent with a question within a day.",
            )
            .asks(&[NAME])
            .takes_bytes()
            .gives::<Attachment>(),
            Operation::AttachmentText => Spec {
                answer: Answer::Text,
                ..new(
                    Get,
                    "/attachments/{id}/text",
                    "attachmentText",
                    "The text that was found in a file.",
                )
            },
            Operation::DeleteAttachment => new(
                Delete,
                "/attachments/{id}",
                "deleteAttachment",
                "Forgets a file that was not sent yet.",
            ),
            Operation::ListPresets => {
                new(Get, "/presets", "listPresets", "Presets, by name.").gives::<PresetList>()
            }
            Operation::CreatePreset => new(Post, "/presets", "createPreset", "Makes a preset.")
                .takes::<NewPreset>()
                .gives::<Preset>(),
            Operation::ChangePreset => new(
                Patch,
                "/presets/{id}",
                "changePreset",
                "Changes a preset; conversations that were begun with it stay as they are.",
            )
            .takes::<PresetPatch>()
            .gives::<Preset>(),
            Operation::DeletePreset => new(Delete, "/presets/{id}", "deletePreset", "Deletes a preset."),
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
            Operation::CancelDownload => new(
                Delete,
                "/downloads/{cid}",
                "cancelDownload",
                "Gives a download up and deletes what is there of it.",
            ),
            Operation::Catalogue => new(
                Get,
                "/catalogue",
                "getCatalogue",
                "Models that are known to work, and how they fit here.",
            )
            .gives::<Catalogue>(),
            Operation::GetEarning => {
                new(Get, "/earning", "getEarning", "How earning stands.").gives::<EarningPage>()
            }
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
            Operation::AcknowledgeRecord => new(
                Post,
                "/earning/acknowledge",
                "acknowledgeRecord",
                "Takes a change of a supplier's record on the chain, which was made elsewhere, for known.",
            )
            .asks(&[SUPPLIER])
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
            Operation::ExportSessions => Spec {
                answer: Answer::Table,
                ..new(
                    Get,
                    "/earning/sessions.csv",
                    "exportSessions",
                    "All sessions as a table for spreadsheets.",
                )
            },
            Operation::ListEarnedRelays => new(
                Get,
                "/earning/sessions/{id}/relays",
                "listEarnedRelays",
                "The answers of a session.",
            )
            .asks(&[LIMIT, OFFSET, SUPPLIER])
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
            Operation::ListAccounts => accounts::list_accounts(),
            Operation::AddAccount => accounts::add_account(),
            Operation::WatchAddress => accounts::watch_address(),
            Operation::ChangeAccount => accounts::change_account(),
            Operation::RemoveAccount => accounts::remove_account(),
            Operation::ExportAccount => accounts::export_account(),
            Operation::ChangePassword => accounts::change_password(),
            Operation::SealOperator => accounts::seal_operator(),
            Operation::Discover => accounts::discover(),
            Operation::Balances => {
                new(Get, "/wallet/balances", "getBalances", "Where the POKT is.").gives::<Balances>()
            }
            Operation::History => money::history(),
            Operation::ExportHistory => Spec {
                answer: Answer::Table,
                ..new(
                    Get,
                    "/wallet/history.csv",
                    "exportHistory",
                    "All movements of money as a table for spreadsheets.",
                )
            },
            Operation::ListTransactions => new(
                Get,
                "/wallet/transactions",
                "listTransactions",
                "Every transaction of this node: what was wanted, what was signed, how it ended.",
            )
            .asks(&[LIMIT, OFFSET])
            .gives::<TransactionList>(),
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
            Operation::GetMorseAccount => roles::morse_account(),
            Operation::OpenMorseKey => roles::open_morse_key(),
            Operation::SignMorseClaim => roles::sign_morse_claim(),
            Operation::GetRoles => roles::get_roles(),
            Operation::ListServices => roles::list_services(),
            Operation::GetService => roles::get_service(),
            Operation::ReviewRole => roles::review_role(),
            Operation::SendRole => roles::send_role(),
            Operation::ListSignatures => signatures::list(),
            Operation::ApproveSignature => signatures::approve(),
            Operation::RefuseSignature => signatures::refuse(),
            Operation::ReviewTx => signatures::review_tx(),
            Operation::SignTx => signatures::sign_tx(),
            Operation::BroadcastTx => accounts::broadcast_tx(),
            Operation::TryBroadcast => accounts::try_broadcast(),
            Operation::Network => network::network(),
            Operation::PreferAnchor => network::prefer_anchor(),
            Operation::GiveAnchor => network::give_anchor(),
            Operation::ForgetAnchor => network::forget_anchor(),
            Operation::AddEndpoint => network::add_endpoint(),
            Operation::RemoveEndpoint => network::remove_endpoint(),
            Operation::TryEndpoints => network::try_endpoints(),
            Operation::FalseAnswers => network::false_answers(),
            Operation::ListReceipts => new(
                Get,
                "/receipts",
                "listReceipts",
                "Answers that were asked for on the network, the newest first.",
            )
            .asks(&[LIMIT, OFFSET])
            .gives::<BoughtAnswerList>(),
            Operation::GetReceipt => new(
                Get,
                "/receipts/{id}",
                "getReceipt",
                "One of them; the header x-hearth-receipt of an answer has its id.",
            )
            .gives::<BoughtAnswer>(),
            Operation::ExportReceipts => Spec {
                answer: Answer::Table,
                ..new(
                    Get,
                    "/receipts.csv",
                    "exportReceipts",
                    "All receipts as a table for spreadsheets.",
                )
            },
            Operation::MakeBackup => house::make_backup(),
            Operation::TestBackup => house::test_backup(),
            Operation::QrCode => money::qr_code(),
            Operation::ListContacts => money::list_contacts(),
            Operation::SaveContact => money::save_contact(),
            Operation::ImportContacts => money::import_contacts(),
            Operation::DeleteContact => money::delete_contact(),
            Operation::LabelMovement => money::label_movement(),
            Operation::GetFirstRun => house::get_first_run(),
            Operation::ChangeFirstRun => house::change_first_run(),
            Operation::GetConfig => house::get_config(),
            Operation::ChangeConfig => house::change_config(),
            Operation::Restart => house::restart(),
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
            Operation::ChangeKey => new(Patch, "/keys/{id}", "changeKey", "Changes what an API key may do.")
                .takes::<ApiKeyPatch>()
                .gives::<ApiKey>(),
            Operation::DeleteKey => new(
                Delete,
                "/keys/{id}",
                "deleteKey",
                "Revokes an API key; one that is revoked already is forgotten.",
            ),
            Operation::ListPrograms => new(
                Get,
                "/connect",
                "listPrograms",
                "Other programs, what connects them, and which are connected.",
            )
            .asks(&[MODEL, ROOT])
            .gives::<ProgramList>(),
            Operation::PreviewProgram => new(
                Get,
                "/connect/{program}",
                "previewProgram",
                "What would be written into a program's file.",
            )
            .asks(&[MODEL])
            .gives::<ConnectPreview>(),
            Operation::ConnectProgram => new(
                Post,
                "/connect/{program}",
                "connectProgram",
                "Makes a key and writes a program's file; from this computer alone.",
            )
            .takes::<ConnectOrder>()
            .gives::<Connected>(),
            Operation::DisconnectProgram => new(
                Delete,
                "/connect/{program}",
                "disconnectProgram",
                "Takes back what was written and revokes the key; from this computer alone.",
            )
            .gives::<Disconnected>(),
            Operation::GetUsage => new(
                Get,
                "/usage",
                "getUsage",
                "What was asked for by whom, and what it cost.",
            )
            .asks(&[DAYS, ASKER])
            .gives::<UsageReport>(),
            Operation::ExportUsage => Spec {
                answer: Answer::Table,
                ..new(
                    Get,
                    "/usage.csv",
                    "exportUsage",
                    "All usage by day as a table for spreadsheets.",
                )
            },
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
