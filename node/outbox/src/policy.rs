//! What is signed at all: for each reason the messages that belong to it, of the account that signs.

use hearth_pocket::message::Any;
use prost::Message;

use crate::intent::{Intent, Reason};

/// Why something is not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    #[error("a {reason} is no place for a message {url}: nothing is signed")]
    Message { reason: &'static str, url: String },
    #[error("the message {url} is to be signed by {wanted}, and {account} was to sign it: nothing is signed")]
    Account {
        url: String,
        wanted: String,
        account: String,
    },
    #[error("there is nothing in it to sign")]
    Empty,
}

/// The one rule of what is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy;

const PAYMENTS: &[&str] = &["/cosmos.bank.v1beta1.MsgSend"];
/// Among them: the working key is given what a role costs it.
const ROLES: &[&str] = &[
    "/cosmos.bank.v1beta1.MsgSend",
    "/pocket.supplier.MsgStakeSupplier",
    "/pocket.supplier.MsgUnstakeSupplier",
    "/pocket.application.MsgStakeApplication",
    "/pocket.application.MsgUnstakeApplication",
    "/pocket.application.MsgDelegateToGateway",
    "/pocket.application.MsgUndelegateFromGateway",
    "/pocket.application.MsgTransferApplication",
    "/pocket.gateway.MsgStakeGateway",
    "/pocket.gateway.MsgUnstakeGateway",
    "/pocket.gateway.MsgUpdateGatewayMetadata",
    "/pocket.service.MsgAddService",
    "/pocket.service.MsgTransferService",
];
const CLAIMS: &[&str] = &["/pocket.proof.MsgCreateClaim"];
const PROOFS: &[&str] = &["/pocket.proof.MsgSubmitProof"];

impl Policy {
    /// Whether an intent may be signed.
    ///
    /// # Errors
    /// A message that does not belong to its reason, or is another account's.
    pub fn check(self, intent: &Intent) -> Result<(), Forbidden> {
        if intent.messages.is_empty() {
            return Err(Forbidden::Empty);
        }
        let allowed = match intent.reason {
            Reason::Payment => PAYMENTS,
            Reason::Role | Reason::Setup => ROLES,
            Reason::Claim => CLAIMS,
            Reason::Proof => PROOFS,
        };
        for message in &intent.messages {
            if !allowed.contains(&message.type_url.as_str()) {
                return Err(Forbidden::Message {
                    reason: intent.reason.word(),
                    url: message.type_url.clone(),
                });
            }
            let wanted = signer_of(message);
            if wanted != intent.account.as_str() {
                return Err(Forbidden::Account {
                    url: message.type_url.clone(),
                    wanted,
                    account: intent.account.to_string(),
                });
            }
        }
        Ok(())
    }
}

/// Who signs a message: the first field of every message of [`ROLES`] and the other lists.
fn signer_of(message: &Any) -> String {
    #[derive(Clone, PartialEq, Message)]
    struct FirstField {
        #[prost(string, tag = "1")]
        signer: String,
    }
    FirstField::decode(message.value.as_slice())
        .map(|first| first.signer)
        .unwrap_or_default()
}
