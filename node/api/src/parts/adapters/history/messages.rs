//! What the messages of a transaction are for.

use std::collections::BTreeSet;

use hearth_pocket::message::{
    Any,
    cosmos::MsgExec,
    proof::{MsgCreateClaim, MsgSubmitProof},
    session::SessionHeader,
    supplier::{MsgStakeSupplier, MsgUnstakeSupplier},
};

use crate::control::types::MovementKind;

const SEND: &str = "/cosmos.bank.v1beta1.MsgSend";
pub(super) const STAKE_SUPPLIER: &str = "/pocket.supplier.MsgStakeSupplier";
pub(super) const STAKE_APPLICATION: &str = "/pocket.application.MsgStakeApplication";
pub(super) const STAKE_GATEWAY: &str = "/pocket.gateway.MsgStakeGateway";
const CLAIM_ACCOUNT: &str = "/pocket.migration.MsgClaimMorseAccount";
pub(super) const CLAIM_APPLICATION: &str = "/pocket.migration.MsgClaimMorseApplication";
pub(super) const CLAIM_SUPPLIER: &str = "/pocket.migration.MsgClaimMorseSupplier";

/// The messages of a transaction, and in the place of each that carries out others for somebody those.
pub(super) fn opened(messages: &[Any]) -> Vec<Any> {
    let inner = |message: &Any| match message.unpack::<MsgExec>() {
        Some(Ok(exec)) => opened(&exec.msgs),
        Some(Err(_)) | None => vec![message.clone()],
    };
    messages.iter().flat_map(inner).collect()
}

/// The types of messages, each once.
pub(super) fn names(messages: &[Any]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let urls = messages.iter().map(|message| &message.type_url);
    urls.filter(|url| seen.insert(*url)).cloned().collect()
}

/// What messages move together: a stake is one, also beside a payment between own keys.
pub(super) fn kind_of_all(messages: &[Any]) -> MovementKind {
    let kinds = || messages.iter().map(|message| kind_of(&message.type_url));
    kinds()
        .find(|kind| {
            matches!(
                kind,
                MovementKind::Stake | MovementKind::Unstake | MovementKind::Morse
            )
        })
        .or_else(|| kinds().next())
        .unwrap_or(MovementKind::Fee)
}

/// What a message of this type moves.
fn kind_of(url: &str) -> MovementKind {
    match url {
        SEND => MovementKind::Sent,
        STAKE_SUPPLIER | STAKE_APPLICATION | STAKE_GATEWAY => MovementKind::Stake,
        "/pocket.supplier.MsgUnstakeSupplier"
        | "/pocket.application.MsgUnstakeApplication"
        | "/pocket.gateway.MsgUnstakeGateway" => MovementKind::Unstake,
        CLAIM_ACCOUNT | CLAIM_APPLICATION | CLAIM_SUPPLIER => MovementKind::Morse,
        _ => MovementKind::Fee,
    }
}

/// The supplier, session and service that messages are about, where all are about the same.
pub(super) fn about(messages: &[Any]) -> (Option<String>, Option<String>, Option<String>) {
    let of = |operator: String, header: Option<SessionHeader>| {
        let header = header.unwrap_or_default();
        [operator, header.session_id, header.service_id]
    };
    let named = messages.iter().filter_map(|message| {
        if let Some(Ok(stake)) = message.unpack::<MsgStakeSupplier>() {
            return Some(of(stake.operator_address, None));
        }
        if let Some(Ok(unstake)) = message.unpack::<MsgUnstakeSupplier>() {
            return Some(of(unstake.operator_address, None));
        }
        if let Some(Ok(claim)) = message.unpack::<MsgCreateClaim>() {
            return Some(of(claim.supplier_operator_address, claim.session_header));
        }
        let proof = message.unpack::<MsgSubmitProof>()?.ok()?;
        Some(of(proof.supplier_operator_address, proof.session_header))
    });
    let same = named.reduce(|one, other| {
        let mut same = one;
        for (one, other) in same.iter_mut().zip(other) {
            if *one != other {
                one.clear();
            }
        }
        same
    });
    let [supplier, session, service] = same.unwrap_or_default();
    let known = |text: String| (!text.is_empty()).then_some(text);
    (known(supplier), known(session), known(service))
}
