//! The table of the control API: every operation with its method, path, types and summary.
//!
//! The OpenAPI document and the router are both made from it, so neither can have what the other lacks: a new
//! [`Operation`] does not compile until it has a line here and a handler in the router.

mod table;

/// Makes the operations and the list of all of them from the same lines, so that none is in one alone.
macro_rules! operations {
    ($($name:ident,)*) => {
        /// A call of the control API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Operation { $($name,)* }

        impl Operation {
            /// All of them, in the order of the document.
            pub const ALL: &'static [Operation] = &[$(Operation::$name,)*];
        }
    };
}

operations! {
    SignIn,
    SignOut,
    LoginState,
    SetLogin,
    ResetLogin,
    Status,
    Doctor,
    Events,
    RunSetup,
    ListConversations,
    CreateConversation,
    GetConversation,
    ChangeConversation,
    DeleteConversation,
    ImportConversations,
    ExportConversations,
    ExportConversation,
    ContextUse,
    Answer,
    FollowAnswer,
    StopAnswer,
    RenameFolder,
    AddAttachment,
    AttachmentText,
    DeleteAttachment,
    ListPresets,
    CreatePreset,
    ChangePreset,
    DeletePreset,
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
    CancelDownload,
    Catalogue,
    GetEarning,
    StartEarning,
    StopEarning,
    EarningSummary,
    ListEarnedSessions,
    ExportSessions,
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
    ExportHistory,
    ListTransactions,
    ReviewSend,
    Send,
    Faucet,
    GetRoles,
    ReviewRole,
    SendRole,
    ListReceipts,
    GetReceipt,
    ExportReceipts,
    Network,
    PreferAnchor,
    GetSettings,
    ChangeSettings,
    ListKeys,
    CreateKey,
    ChangeKey,
    DeleteKey,
    ListPrograms,
    PreviewProgram,
    ConnectProgram,
    DisconnectProgram,
    GetUsage,
    ExportUsage,
    Licences,
    OpenApi,
}
