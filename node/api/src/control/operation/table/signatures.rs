//! Signatures that programs ask for, and those for transactions of other nodes.

use crate::control::{
    spec::{
        Method::{Get, Post},
        Spec,
    },
    types::{ApproveSignature, SignTx, SignatureRequestList, SignedTx, TxFile, TxToSign},
};

pub(super) fn list() -> Spec {
    Spec::new(
        Get,
        "/signatures",
        "listSignatures",
        "Signatures that programs ask for.",
    )
    .gives::<SignatureRequestList>()
}

pub(super) fn approve() -> Spec {
    Spec::new(
        Post,
        "/signatures/{id}/approve",
        "approveSignature",
        "Signs what a program asked for, as it was shown.",
    )
    .takes::<ApproveSignature>()
}

pub(super) fn refuse() -> Spec {
    Spec::new(
        Post,
        "/signatures/{id}/refuse",
        "refuseSignature",
        "Refuses what a program asked for.",
    )
}

pub(super) fn review_tx() -> Spec {
    Spec::new(
        Post,
        "/wallet/tx/review",
        "reviewTx",
        "Reads a transaction of another node or program: all of what an account here would sign.",
    )
    .takes::<TxFile>()
    .gives::<TxToSign>()
}

pub(super) fn sign_tx() -> Spec {
    Spec::new(
        Post,
        "/wallet/tx/sign",
        "signTx",
        "Signs a transaction of another node or program, and gives it back; nothing is sent.",
    )
    .takes::<SignTx>()
    .gives::<SignedTx>()
}
