//! What is signed at all: for each reason the messages that belong to it, of the account that signs; by an operator's key
//! of its own supplier nothing but its services.

use hearth_pocket::message::supplier::MsgStakeSupplier;

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
    #[error(
        "the operator {operator} changes the services of its supplier and nothing else, its stake is {owner}'s: nothing is \
         signed"
    )]
    NotServices { operator: String, owner: String },
    #[error(
        "the operator {operator} would pay {share} for the service {service}, and nobody reckoned that: nothing is signed"
    )]
    Shares {
        operator: String,
        service: String,
        share: String,
    },
    #[error("there is nothing in it to sign")]
    Empty,
    #[error("what is signed elsewhere is never signed here")]
    SignedElsewhere,
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
    "/pocket.migration.MsgClaimMorseAccount",
    "/pocket.migration.MsgClaimMorseApplication",
    "/pocket.migration.MsgClaimMorseSupplier",
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
            Reason::Elsewhere => return Err(Forbidden::SignedElsewhere),
        };
        for message in &intent.messages {
            if !allowed.contains(&message.type_url.as_str()) {
                return Err(Forbidden::Message {
                    reason: intent.reason.word(),
                    url: message.type_url.clone(),
                });
            }
            let wanted = message.signer().unwrap_or_default();
            if wanted != intent.account.as_str() {
                return Err(Forbidden::Account {
                    url: message.type_url.clone(),
                    wanted,
                    account: intent.account.to_string(),
                });
            }
            if let Some(Ok(stake)) = message.unpack::<MsgStakeSupplier>() {
                check_operator(intent.reason, &stake)?;
            }
        }
        Ok(())
    }
}

/// An operator of another owner's supplier sets services. Who is paid for them is a person's order, which they looked at,
/// or the owner alone; no reckoning sets shares by itself.
fn check_operator(reason: Reason, stake: &MsgStakeSupplier) -> Result<(), Forbidden> {
    let is_by_operator = stake.signer == stake.operator_address && stake.signer != stake.owner_address;
    if !is_by_operator {
        return Ok(());
    }
    if stake.stake.is_some() || stake.services.is_empty() {
        return Err(Forbidden::NotServices {
            operator: stake.operator_address.clone(),
            owner: stake.owner_address.clone(),
        });
    }
    if reason == Reason::Role {
        return Ok(());
    }
    for service in &stake.services {
        let foreign = service
            .rev_share
            .iter()
            .find(|share| share.address != stake.owner_address);
        if let Some(foreign) = foreign {
            return Err(Forbidden::Shares {
                operator: stake.operator_address.clone(),
                service: service.service_id.clone(),
                share: foreign.address.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
