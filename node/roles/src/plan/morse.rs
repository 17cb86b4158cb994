//! Claims of the former network (Morse): made for its key to sign, then looked at like every other order.

use hearth_base::Amount;
use hearth_pocket::{
    address::Address,
    message::{
        migration::{
            MorseClaim, MorseClaimableAccount, MsgClaimMorseAccount, MsgClaimMorseApplication,
            MsgClaimMorseSupplier,
        },
        shared::ApplicationServiceConfig,
    },
};
use hearth_wallet::{Purpose, morse_address};

use super::{Note, Plan, RoleError, Step, amount, supplier};
use crate::{
    facts::Facts,
    morse::{self, Morse, MorseKind, MorseTerms, claimed_address, has_left, is_claimed, staked_for},
    order::Role,
};

/// A claim without the signature of the former key.
pub(crate) fn claim(
    kind: &MorseKind,
    (to, signer): (&Address, &Address),
    public_key: &[u8; 32],
    facts: &Facts,
) -> Result<MorseClaim, RoleError> {
    let (signing, morse_public_key) = (signer.to_string(), public_key.to_vec());
    Ok(match kind {
        MorseKind::Account => MorseClaim::Account(MsgClaimMorseAccount {
            shannon_dest_address: to.to_string(),
            morse_signature: Vec::new(),
            shannon_signing_address: signing,
            morse_public_key,
        }),
        MorseKind::Application { service } => {
            if !facts.services.contains_key(service) {
                return Err(RoleError::NoService(service.to_string()));
            }
            MorseClaim::Application(MsgClaimMorseApplication {
                shannon_dest_address: to.to_string(),
                morse_signature: Vec::new(),
                service_config: Some(ApplicationServiceConfig {
                    service_id: service.to_string(),
                }),
                shannon_signing_address: signing,
                morse_public_key,
            })
        }
        MorseKind::Supplier { node, services, .. } => {
            if services.is_empty() {
                return Err(RoleError::NewSupplier);
            }
            let own = morse_address(public_key);
            let node = node.clone().unwrap_or_else(|| own.clone());
            MorseClaim::Supplier(MsgClaimMorseSupplier {
                shannon_owner_address: to.to_string(),
                shannon_operator_address: facts.account(Purpose::Operator)?.to_string(),
                signer_is_output_address: node != own,
                morse_node_address: node,
                morse_signature: Vec::new(),
                services: supplier::configs(services, to, facts)?,
                shannon_signing_address: signing,
                morse_public_key,
            })
        }
    })
}

/// Looks at a signed claim.
pub(super) fn plan(claim: &MorseClaim, facts: &Facts) -> Result<Plan, RoleError> {
    let unknown = || RoleError::MorseUnknown(claimed_address(claim));
    let (known, terms) = facts.morse.as_ref().ok_or_else(unknown)?;
    let record = known.record.as_ref().ok_or_else(unknown)?;
    if !terms.is_enabled {
        return Err(RoleError::MorseDisabled);
    }
    check(claim, known, record)?;
    let signer = claim.signing_address();
    let account: Address = signer.parse().map_err(|_| RoleError::MorseSigner {
        signer: signer.to_owned(),
    })?;
    if !facts.signers.contains(&account) {
        return Err(RoleError::MorseSigner {
            signer: signer.to_owned(),
        });
    }
    let mut purposes = facts.parties.iter().filter(|(_, party)| party.account == account);
    let step = Step {
        purpose: purposes.next().map_or(Purpose::Owner, |(purpose, _)| *purpose),
        account,
        is_here: true,
        messages: vec![claim.to_any()],
        amount: Amount::ZERO,
    };
    Ok(Plan {
        steps: vec![step],
        notes: notes(claim, *terms, record, facts),
    })
}

/// Whether the chain would take it.
fn check(claim: &MorseClaim, known: &Morse, record: &MorseClaimableAccount) -> Result<(), RoleError> {
    let address = record.morse_src_address.clone();
    if is_claimed(record) {
        return Err(RoleError::MorseClaimed {
            address,
            height: record.claimed_at_height,
            by: record.shannon_dest_address.clone(),
        });
    }
    match (claim, staked_for(record)) {
        (MorseClaim::Account(_), None) | (MorseClaim::Application(_), Some(Role::Application)) => Ok(()),
        (MorseClaim::Supplier(claim), Some(Role::Supplier)) => check_node(claim, known, record),
        (_, Some(role)) => Err(RoleError::MorseStaked {
            address,
            role: role.word(),
        }),
        (_, None) => Err(RoleError::MorseNotStaked(address)),
    }
}

/// Who may claim a node: its owner, or itself once its owner was claimed, for the account to which that went.
fn check_node(
    claim: &MsgClaimMorseSupplier,
    known: &Morse,
    record: &MorseClaimableAccount,
) -> Result<(), RoleError> {
    let (signer, owner) = (
        morse_address(&claim.morse_public_key),
        &record.morse_output_address,
    );
    if signer == *owner || (signer == record.morse_src_address && owner.is_empty()) {
        return Ok(());
    }
    if signer != record.morse_src_address {
        return Err(RoleError::MorseOtherKey {
            signer,
            node: record.morse_src_address.clone(),
        });
    }
    match &known.owner {
        Some(claimed) if is_claimed(claimed) => {
            if claimed.shannon_dest_address == claim.shannon_owner_address {
                return Ok(());
            }
            Err(RoleError::MorseOwnerElsewhere {
                owner: owner.clone(),
                to: claimed.shannon_dest_address.clone(),
            })
        }
        Some(_) | None => Err(RoleError::MorseOwnerFirst(owner.clone())),
    }
}

fn notes(claim: &MorseClaim, terms: MorseTerms, record: &MorseClaimableAccount, facts: &Facts) -> Vec<Note> {
    let mut notes = Vec::new();
    let free = morse::amount(&record.unstaked_balance);
    let (stake, least, owner) = match claim {
        MorseClaim::Account(_) => (Amount::ZERO, Amount::ZERO, claim.to()),
        MorseClaim::Application(claim) => (
            morse::amount(&record.application_stake),
            amount(facts.params.application.min_stake.as_ref()),
            claim.shannon_dest_address.as_str(),
        ),
        MorseClaim::Supplier(claim) => (
            morse::amount(&record.supplier_stake),
            amount(facts.params.supplier.min_stake.as_ref()),
            claim.shannon_owner_address.as_str(),
        ),
    };
    notes.push(Note::MorseComes {
        amount: free,
        from: record.morse_src_address.clone(),
        to: claim.to().to_owned(),
    });
    if !stake.is_zero() {
        // An application's stake here counts, too.
        let before = match claim {
            MorseClaim::Application(claim) => facts
                .application
                .as_ref()
                .filter(|known| known.address == claim.shannon_dest_address)
                .map(|known| amount(known.stake.as_ref()))
                .unwrap_or_default(),
            MorseClaim::Account(_) | MorseClaim::Supplier(_) => Amount::ZERO,
        };
        let is_out = has_left(record, facts.now_ns) || stake.saturating_add(before) < least;
        let to = owner.to_owned();
        notes.push(if is_out {
            Note::MorseStakeComes { amount: stake, to }
        } else {
            Note::MorseStakeStays { amount: stake, to }
        });
    }
    if terms.is_free {
        notes.push(Note::Free);
    }
    notes
}
