//! Services: made for a price, changed by their owner, and never sent as they are already.

use hearth_base::Amount;
use hearth_pocket::{
    address::Address,
    message::{
        TypeUrl as _,
        service::MsgAddService,
        shared::{Metadata, Service},
    },
};
use serde_json::Value;

use hearth_wallet::Purpose;

use super::{Note, Plan, RoleError, amount, by, elsewhere};
use crate::{card::read_card, facts::Facts, order::ServiceOrder};

/// The chain's limits on services.
const MAX_ID: usize = 42;
const MAX_NAME: usize = 169;
const MAX_COMPUTE_UNITS: u64 = 2_097_152;

pub(super) fn plan(wanted: &ServiceOrder, facts: &Facts) -> Result<Plan, RoleError> {
    let id = wanted.id.as_str();
    check_id(id)?;
    if let Some(card) = &wanted.card {
        read_card(card).map_err(|why| RoleError::Field(format!("the card {why}")))?;
    }
    let owner = facts.account(Purpose::Owner)?;
    let known = facts.services.get(&wanted.id);
    match known {
        Some(known) if known.owner_address != owner.as_str() => {
            return Err(RoleError::OthersService {
                id: id.to_owned(),
                owner: known.owner_address.clone(),
            });
        }
        None if wanted.is_edit => return Err(RoleError::NoService(id.to_owned())),
        Some(_) | None => {}
    }
    let service = after(wanted, known, owner)?;
    check_values(&service)?;
    let notes = match known {
        Some(known) => changes(known, &service, facts)?,
        None => Vec::new(),
    };
    let charge = match known {
        Some(_) => Amount::ZERO,
        None => amount(facts.params.service.add_service_fee.as_ref()),
    };
    let charged = (!charge.is_zero()).then_some(Note::Charge { amount: charge });
    let message = MsgAddService {
        owner_address: owner.to_string(),
        service,
    };
    let steps = vec![by(facts, Purpose::Owner, vec![message.to_any()], charge)?];
    let notes = charged.into_iter().chain(notes).chain(elsewhere(&steps));
    Ok(Plan {
        notes: notes.collect(),
        steps,
    })
}

fn check_id(id: &str) -> Result<(), RoleError> {
    if id.is_empty() || id.len() > MAX_ID || !id.chars().all(is_plain) {
        return Err(RoleError::Field(format!(
            "\"{id}\" is no id of a service: it has letters, digits, - and _, {MAX_ID} at most"
        )));
    }
    Ok(())
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn check_values(service: &Service) -> Result<(), RoleError> {
    if service.name.is_empty() || service.name.len() > MAX_NAME {
        return Err(RoleError::Field(format!(
            "the name of a service has 1 to {MAX_NAME} characters"
        )));
    }
    if !service.name.chars().all(|c| c == ' ' || is_plain(c)) {
        return Err(RoleError::Field(format!(
            "\"{}\" is no name of a service: it has letters without accents, digits, spaces, - and _",
            service.name
        )));
    }
    if !(1..=MAX_COMPUTE_UNITS).contains(&service.compute_units_per_relay) {
        return Err(RoleError::Field(format!(
            "the compute units of an answer are from 1 to {MAX_COMPUTE_UNITS}"
        )));
    }
    Ok(())
}

/// The service as it will be signed: what the order leaves out is the chain's. A card that stays is not sent: the chain
/// keeps it.
fn after(wanted: &ServiceOrder, known: Option<&Service>, owner: &Address) -> Result<Service, RoleError> {
    let id = wanted.id.as_str();
    let name = wanted
        .name
        .clone()
        .or_else(|| known.map(|known| known.name.clone()));
    let units = wanted
        .compute_units
        .or_else(|| known.map(|known| known.compute_units_per_relay));
    let stays = |card: &Vec<u8>| known.is_some_and(|known| is_same_card(card, known));
    let card = wanted.card.as_ref().filter(|card| !stays(card));
    Ok(Service {
        id: id.to_owned(),
        name: name.unwrap_or_else(|| id.to_owned()),
        compute_units_per_relay: units.ok_or(RoleError::NewService)?,
        owner_address: owner.to_string(),
        metadata: card.map(|card| Metadata { card: card.clone() }),
    })
}

/// Cards are the same when they say the same, however they are written.
fn is_same_card(card: &[u8], known: &Service) -> bool {
    let known = card_of(known);
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    known == card || (!known.is_empty() && read(known).is_some_and(|known| read(card) == Some(known)))
}

fn card_of(service: &Service) -> &[u8] {
    service
        .metadata
        .as_ref()
        .map_or(&[], |metadata| metadata.card.as_slice())
}

/// What becomes different.
fn changes(known: &Service, after: &Service, facts: &Facts) -> Result<Vec<Note>, RoleError> {
    let change = |what, from: String, to: String| Note::Changes {
        what,
        service: known.id.clone(),
        from,
        to,
    };
    let mut notes = Vec::new();
    if known.name != after.name {
        notes.push(change("name", known.name.clone(), after.name.clone()));
    }
    let (before, units) = (known.compute_units_per_relay, after.compute_units_per_relay);
    if before != units {
        notes.push(change("compute_units", before.to_string(), units.to_string()));
        notes.push(Note::From {
            height: facts.session_end() + 1,
        });
    }
    if let Some(metadata) = &after.metadata {
        let bytes = |card: &[u8]| format!("{} bytes", card.len());
        notes.push(change("card", bytes(card_of(known)), bytes(&metadata.card)));
    }
    if notes.is_empty() {
        return Err(RoleError::NoChange);
    }
    Ok(notes)
}
