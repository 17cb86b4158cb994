//! The lines of the address book and of labels.

use crate::control::{
    spec::{
        CODED, KINDS, LIMIT,
        Method::{Delete, Get, Post, Put},
        OFFSET, SINCE, Spec, TEXT, UNTIL,
    },
    types::{ContactList, History, ImportContacts, LabelMovement, QrCode, SaveContact},
};

pub(super) fn list_contacts() -> Spec {
    Spec::new(Get, "/contacts", "listContacts", "The address book, by name.").gives::<ContactList>()
}

pub(super) fn save_contact() -> Spec {
    Spec::new(
        Put,
        "/contacts",
        "saveContact",
        "Keeps a contact; one of the same address is replaced.",
    )
    .takes::<SaveContact>()
    .gives::<ContactList>()
}

pub(super) fn import_contacts() -> Spec {
    Spec::new(
        Post,
        "/contacts/import",
        "importContacts",
        "Takes in an address book: all of it or nothing.",
    )
    .takes::<ImportContacts>()
    .gives::<ContactList>()
}

pub(super) fn delete_contact() -> Spec {
    Spec::new(
        Delete,
        "/contacts/{address}",
        "deleteContact",
        "Forgets a contact.",
    )
}

pub(super) fn label_movement() -> Spec {
    Spec::new(
        Put,
        "/wallet/label",
        "labelMovement",
        "Calls a movement of money something; an empty label takes it back.",
    )
    .takes::<LabelMovement>()
}

pub(super) fn history() -> Spec {
    Spec::new(
        Get,
        "/wallet/history",
        "getHistory",
        "Movements of money, all or those that are asked for.",
    )
    .asks(&[LIMIT, OFFSET, TEXT, KINDS, SINCE, UNTIL])
    .gives::<History>()
}

pub(super) fn qr_code() -> Spec {
    Spec::new(Get, "/qr", "getQrCode", "A short text as a code to scan.")
        .asks(&[CODED])
        .gives::<QrCode>()
}
