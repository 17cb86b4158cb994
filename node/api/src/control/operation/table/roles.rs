//! The lines of roles, and of claims of the former network.

use crate::control::{
    spec::{
        LIMIT,
        Method::{Get, Post},
        OFFSET, SEARCH, Spec,
    },
    types::{
        ClaimMorse, MorseAccount, MorseKeyFile, RoleOrder, RoleReview, RolesPage, SendRole, ServiceDetail,
        ServiceList, SignedMorseClaim, TransactionList,
    },
};

pub(super) fn get_roles() -> Spec {
    Spec::new(
        Get,
        "/roles",
        "getRoles",
        "The roles of this wallet on the chain, and what the network asks for them.",
    )
    .gives::<RolesPage>()
}

pub(super) fn review_role() -> Spec {
    Spec::new(
        Post,
        "/roles/review",
        "reviewRole",
        "Checks a change of a role and says what would be signed; signs nothing.",
    )
    .takes::<RoleOrder>()
    .gives::<RoleReview>()
}

pub(super) fn send_role() -> Spec {
    Spec::new(
        Post,
        "/roles/send",
        "sendRole",
        "Signs and sends a reviewed change of a role, once, and waits for its blocks.",
    )
    .takes::<SendRole>()
    .gives::<TransactionList>()
}

pub(super) fn morse_account() -> Spec {
    Spec::new(
        Get,
        "/wallet/morse/{address}",
        "getMorseAccount",
        "What an account of the former network may claim.",
    )
    .gives::<MorseAccount>()
}

pub(super) fn open_morse_key() -> Spec {
    Spec::new(
        Post,
        "/wallet/morse",
        "openMorseKey",
        "What the account of a key of the former network may claim; the key is kept nowhere.",
    )
    .takes::<MorseKeyFile>()
    .gives::<MorseAccount>()
}

pub(super) fn sign_morse_claim() -> Spec {
    Spec::new(
        Post,
        "/wallet/morse/claim",
        "signMorseClaim",
        "Has a key of the former network sign a claim, to be reviewed and sent; the key is kept nowhere.",
    )
    .takes::<ClaimMorse>()
    .gives::<SignedMorseClaim>()
}

pub(super) fn list_services() -> Spec {
    Spec::new(
        Get,
        "/roles/services",
        "listServices",
        "The services of the network, those of this wallet first.",
    )
    .asks(&[SEARCH, LIMIT, OFFSET])
    .gives::<ServiceList>()
}

pub(super) fn get_service() -> Spec {
    Spec::new(
        Get,
        "/roles/services/{id}",
        "getService",
        "A service of the network with its card.",
    )
    .gives::<ServiceDetail>()
}
