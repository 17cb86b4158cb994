//! The lines of the wallet's accounts, and of what they sign elsewhere.

use crate::control::{
    spec::{
        Method::{Get, Patch, Post},
        Spec,
    },
    types::{
        Account, AccountList, AddAccount, BroadcastDone, BroadcastTrial, BroadcastTx, ChangeAccount,
        ChangePassword, Discover, ExportAccount, ExportedAccount, FoundAccounts, RemoveAccount, SealOperator,
        WalletPage, WatchAddress,
    },
};

pub(super) fn list_accounts() -> Spec {
    Spec::new(
        Get,
        "/wallet/accounts",
        "listAccounts",
        "The accounts of the wallet, with what the chain knows of each.",
    )
    .gives::<AccountList>()
}

pub(super) fn add_account() -> Spec {
    Spec::new(
        Post,
        "/wallet/accounts",
        "addAccount",
        "Takes a key in: the next one of the wallet's words, or one from elsewhere.",
    )
    .takes::<AddAccount>()
    .gives::<Account>()
}

pub(super) fn watch_address() -> Spec {
    Spec::new(
        Post,
        "/wallet/watch",
        "watchAddress",
        "Watches an address whose key is elsewhere.",
    )
    .takes::<WatchAddress>()
    .gives::<Account>()
}

pub(super) fn change_account() -> Spec {
    Spec::new(
        Patch,
        "/wallet/accounts/{id}",
        "changeAccount",
        "Renames an account, or changes what it is used for.",
    )
    .takes::<ChangeAccount>()
    .gives::<Account>()
}

pub(super) fn remove_account() -> Spec {
    Spec::new(
        Post,
        "/wallet/accounts/{id}/remove",
        "removeAccount",
        "Forgets an account.",
    )
    .takes::<RemoveAccount>()
    .gives::<WalletPage>()
}

pub(super) fn export_account() -> Spec {
    Spec::new(
        Post,
        "/wallet/accounts/{id}/export",
        "exportAccount",
        "Exports the key of an account; asks for the wallet's own password.",
    )
    .takes::<ExportAccount>()
    .gives::<ExportedAccount>()
}

pub(super) fn change_password() -> Spec {
    Spec::new(
        Post,
        "/wallet/password",
        "changePassword",
        "Sets another password.",
    )
    .takes::<ChangePassword>()
    .gives::<WalletPage>()
}

pub(super) fn seal_operator() -> Spec {
    Spec::new(
        Post,
        "/wallet/seal-operator",
        "sealOperator",
        "Seals the keys that sign unattended under a passphrase that opens nothing else.",
    )
    .takes::<SealOperator>()
    .gives::<WalletPage>()
}

pub(super) fn discover() -> Spec {
    Spec::new(
        Post,
        "/wallet/discover",
        "discoverAccounts",
        "Looks along the usual paths of words for accounts that the chain knows.",
    )
    .takes::<Discover>()
    .gives::<FoundAccounts>()
}

pub(super) fn broadcast_tx() -> Spec {
    Spec::new(
        Post,
        "/roles/broadcast",
        "broadcastTx",
        "Sends a transaction that was given out to be signed elsewhere, and waits for its block.",
    )
    .takes::<BroadcastTx>()
    .gives::<BroadcastDone>()
}

pub(super) fn try_broadcast() -> Spec {
    Spec::new(
        Post,
        "/roles/broadcast/review",
        "tryBroadcast",
        "What sending it would do, by the node's checks and the chain's trial run; sends nothing.",
    )
    .takes::<BroadcastTx>()
    .gives::<BroadcastTrial>()
}
